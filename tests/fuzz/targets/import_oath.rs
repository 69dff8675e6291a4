//! A users file of pam_oath: what is read is written and read again the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_core::import::LONGEST_LINE;
use otpd_core::import::oath;
use otpd_core::time::UnixTime;

const NOW: UnixTime = UnixTime(1_800_000_000);

fuzz_target!(|data: &[u8]| {
    for line in data.split(|byte| *byte == b'\n').take(16) {
        let Ok(Some((user, token))) = oath::read(line, NOW) else { continue };
        assert!(line.len() <= LONGEST_LINE && !user.is_empty());
        let newest = NOW.step(token.parameters.period()).at(100).expect("a step");
        let is_known = token.last_step.is_none_or(|step| step <= newest);
        assert!(is_known || token.parameters.counts(), "{:?}", token.last_step);
        match oath::write(&user, &token.key, token.parameters, None) {
            Ok(written) => {
                let (again, read) =
                    oath::read(written.as_bytes(), NOW).expect("a good line").expect("a token");
                assert_eq!((again, read.parameters), (user, token.parameters));
                assert_eq!(read.key.expose_bytes(), token.key.expose_bytes());
            }
            Err(oath::CannotWrite::LongKey(length)) => assert!((33..=64).contains(&length)),
            Err(oath::CannotWrite::Period(period)) => assert!(!matches!(period, 30 | 60)),
            Err(oath::CannotWrite::Name) => {
                assert!(user.starts_with('#') || user.contains(char::is_whitespace));
            }
            Err(error) => panic!("{error}"),
        }
    }
});
