//! Files as google-authenticator writes them and as people break them.

use super::*;
use crate::totp::BadParameters;

const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// A whole file with these lines behind the key.
fn file(lines: &str) -> Result<Secrets, Vec<(usize, BadLine)>> {
    read(format!("{KEY}\n\" TOTP_AUTH\n{lines}").as_bytes())
}

#[track_caller]
fn bad(lines: &str) -> (usize, BadLine) {
    let mut wrong = file(lines).unwrap_err();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    wrong.remove(0)
}

#[test]
fn a_usual_file_is_read_whole() {
    let text = "\
GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
\" RATE_LIMIT 3 30 1637530200
\" WINDOW_SIZE 17
\" DISALLOW_REUSE 55317674 55317676 55317675
\" TIME_SKEW -2
\" STEP_SIZE 60
\" RESETTING_TIME_SKEW 59999999+1
\" LAST0 192.0.2.1 1637530200
\" TOTP_AUTH
12345678
87654321
";
    let secrets = read(text.as_bytes()).unwrap();
    let token = secrets.token;
    assert_eq!(token.key.expose_bytes(), b"12345678901234567890");
    assert_eq!(token.parameters, Parameters::new(Algorithm::Sha1, 6, 60).unwrap());
    assert_eq!((token.drift, token.last_step), (-2, Some(Step(55_317_676))));
    assert_eq!(secrets.scratch_codes, 2);
}

#[test]
fn the_least_file_has_a_key_and_says_that_it_follows_the_time() {
    let secrets = file("").unwrap();
    assert_eq!((secrets.token.drift, secrets.token.last_step, secrets.scratch_codes), (0, None, 0));
    assert!(read(format!("{KEY}\r\n\" TOTP_AUTH\r\n").as_bytes()).is_ok());
    assert_eq!(read(KEY.as_bytes()).unwrap_err(), [(1, BadLine::TimeOrCounter)]);
    assert_eq!(read(b"").unwrap_err(), [(1, BadLine::Missing("key"))]);
}

#[test]
fn limits_are_checked_on_both_sides() {
    for (line, expected) in [
        ("\" TIME_SKEW 10", None),
        ("\" TIME_SKEW -10", None),
        ("\" TIME_SKEW 11", Some(BadLine::Skew(11))),
        ("\" TIME_SKEW -11", Some(BadLine::Skew(-11))),
        ("\" TIME_SKEW 300", Some(BadLine::Skew(300))),
        ("\" TIME_SKEW x", Some(BadLine::NotANumber("time skew"))),
        ("\" STEP_SIZE 15", None),
        ("\" STEP_SIZE 120", None),
        ("\" STEP_SIZE 14", Some(BadParameters::Period.into())),
        ("\" STEP_SIZE 121", Some(BadParameters::Period.into())),
        ("\" STEP_SIZE 70000", Some(BadLine::NotANumber("step size"))),
        ("\" DISALLOW_REUSE", None),
        ("\" DISALLOW_REUSE 1 -2", Some(BadLine::NotANumber("used step"))),
        ("\" LAST9 h 1", None),
        ("\" LAST10 h 1", Some(BadLine::UnknownOption("LAST10".into()))),
        ("\" NEW_THING 1", Some(BadLine::UnknownOption("NEW_THING".into()))),
        ("\" HOTP_COUNTER x", Some(BadLine::NotANumber("counter"))),
        ("12345678", None),
        ("1234567", Some(BadLine::Unknown)),
        ("123456789", Some(BadLine::Unknown)),
        ("a\0b", Some(BadLine::Nul)),
    ] {
        match expected {
            None => assert!(file(line).is_ok(), "{line}"),
            Some(expected) => assert_eq!(bad(line), (3, expected), "{line}"),
        }
    }
    let long = |length: usize| format!("\" RATE_LIMIT {}", "1".repeat(length - 13));
    assert!(file(&long(4096)).is_ok());
    assert_eq!(bad(&long(4097)), (3, BadLine::TooLong));
    assert_eq!(read(b"\xff\n\" TOTP_AUTH").unwrap_err()[0], (1, BadLine::NotText));
}

#[test]
fn a_counting_token_goes_on_at_its_counter() {
    for (counter, last_step) in [(0, None), (1, Some(Step(0))), (57, Some(Step(56)))] {
        let read = read(format!("{KEY}\n\" HOTP_COUNTER {counter}\n12345678\n").as_bytes()).unwrap();
        assert_eq!((read.token.last_step, read.scratch_codes), (last_step, 1));
        assert!(read.token.parameters.counts());
    }
    for neither in ["", "\" TOTP_AUTH\n\" HOTP_COUNTER 1\n"] {
        let wrong = super::read(format!("{KEY}\n{neither}").as_bytes()).unwrap_err();
        assert_eq!(wrong, [(1, BadLine::TimeOrCounter)], "{neither}");
    }
}

#[test]
fn keys_are_read_as_the_module_reads_them() {
    let bytes = |text: &str| key(text).map(|key| key.expose_bytes().to_vec());
    assert_eq!(bytes("gezd gnbv-GY3TQOJQGEZDGNBVGY3TQOJQ").unwrap(), b"12345678901234567890");
    assert_eq!(
        bytes("0000000011111111888888882222222a").unwrap(),
        bytes("OOOOOOOOLLLLLLLLBBBBBBBB2222222A").unwrap()
    );
    // Bits behind the last byte.
    assert_eq!(bytes("JBSWY3DPEHPK3PXPJBSWY3DPEH").unwrap(), bytes("JBSWY3DPEHPK3PXPJBSWY3DPEE").unwrap());
    let letters = |count: usize| key(&"A".repeat(count)).err();
    assert_eq!(letters(25), Some(BadKey::TooShort.into()));
    assert_eq!((letters(26), letters(103), letters(104)), (None, None, Some(BadKey::TooLong.into())));
    assert_eq!(key("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ9").err(), Some(BadKey::NotBase32.into()));
    assert_eq!(key("").err(), Some(BadLine::Missing("key")));
}
