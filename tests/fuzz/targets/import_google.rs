//! A file of pam_google_authenticator: every problem has its line, and what is read has a key of a length that is taken.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_core::import::google;
use otpd_core::key::Key;

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n').count();
    match google::read(data) {
        Ok(secrets) => {
            let key = &secrets.token.key;
            assert!((16..=64).contains(&key.expose_bytes().len()));
            let again = Key::from_base32(&key.expose_base32()).expect("base32");
            assert_eq!(again.expose_bytes(), key.expose_bytes());
            assert!(secrets.token.drift.unsigned_abs() <= 10);
            assert!(usize::try_from(secrets.scratch_codes).is_ok_and(|codes| codes < lines));
        }
        Err(wrong) => {
            assert!(!wrong.is_empty() && wrong.iter().all(|(line, _)| (1..=lines).contains(line)));
            assert!(wrong.is_sorted_by_key(|(line, _)| *line));
        }
    }
});
