//! Key URIs: whatever the names, an app reads what was meant; and reading what was not written here does no harm.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_core::key::Key;
use otpd_core::otpauth::uri;
use otpd_core::totp::Algorithm;
use otpd_core::totp::Moving;
use otpd_core::totp::Parameters;
use zeroize::Zeroizing;

// otpctl is a program, so its reader is taken by itself.
#[path = "../../../otpctl/src/otpauth.rs"]
mod otpauth;

fuzz_target!(|input: ([u8; 16], u8, u8, u16, u64, &str)| {
    let (key, algorithm, digits, period, counter, names) = input;
    let (issuer, account) = names.split_once('\n').unwrap_or((names, ""));
    let _ = otpauth::read(account);
    let _ = otpauth::read(&format!("otpauth://{account}"));
    let algorithm = match algorithm % 3 {
        0 => Algorithm::Sha1,
        1 => Algorithm::Sha256,
        _ => Algorithm::Sha512,
    };
    let Ok(parameters) = Parameters::with_period(algorithm, digits, period) else { return };
    let key = Key::new(Zeroizing::new(key.to_vec())).expect("16 bytes");
    let uri = uri(issuer, account, &key, parameters, counter);
    assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()));
    let entry = otpauth::read(&uri).expect("a URI");
    assert_eq!(entry.issuer, issuer.replace(':', " "));
    assert_eq!(entry.account, account.replace(':', " ").trim());
    let named = if algorithm == Algorithm::Sha1 { String::new() } else { format!(", {algorithm}") };
    let moving = match parameters.moving() {
        Moving::Events => format!("counter-based, {digits} digits"),
        Moving::Time(period) => format!("time-based, {digits} digits, {period} s"),
    };
    assert_eq!(entry.settings, moving + &named);
    assert_eq!(uri.ends_with(&format!("&counter={counter}")), parameters.counts());
});
