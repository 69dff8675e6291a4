//! Lines as pam_oath writes them and as people break them.

use super::*;
use crate::totp::BadParameters;

/// In the middle of a step.
const NOW: UnixTime = UnixTime(1_800_000_015);
const HEX: &str = "3132333435363738393031323334353637383930";

fn one(line: &str) -> Result<Option<(String, Token)>, BadLine> {
    read(line.as_bytes(), NOW)
}

#[track_caller]
fn token(line: &str) -> (String, Token) {
    one(line).unwrap().unwrap()
}

#[track_caller]
fn bad(line: &str) -> BadLine {
    one(line).err().unwrap()
}

#[test]
fn every_form_of_a_time_token_is_read() {
    for (kind, digits, period) in [
        ("HOTP/T30", 6, 30),
        ("HOTP/T30/6", 6, 30),
        ("HOTP/T30/7", 7, 30),
        ("HOTP/T60/8", 8, 60),
        ("HOTP/T15", 6, 15),
        ("HOTP/T120/6", 6, 120),
    ] {
        let (user, token) = token(&format!("{kind}\talice\t-\t{HEX}\r\n"));
        assert_eq!((user.as_str(), token.drift, token.last_step), ("alice", 0, None));
        assert_eq!(token.key.expose_bytes(), b"12345678901234567890");
        assert_eq!(token.parameters, Parameters::new(Algorithm::Sha1, digits, period).unwrap());
    }
    assert_eq!(token(&format!("  HOTP/T30 bob + {} 0", HEX.to_uppercase())).0, "bob");
}

#[test]
fn empty_lines_and_comments_are_nobodys() {
    for line in ["", "  \t", "\n", "# HOTP/T30 alice - 00", "#", "\t# x\r\n"] {
        assert!(one(line).unwrap().is_none(), "{line:?}");
    }
}

#[test]
fn what_cannot_be_carried_over_is_named() {
    let cases = [
        (format!("HOTP/E/9 alice - {HEX}"), BadParameters::Digits.into()),
        (format!("HOTP alice - {HEX} x"), BadLine::NotANumber("offset")),
        (format!("HOTP/T30 alice 1234 {HEX}"), BadLine::Pin),
        (format!("TOTP alice - {HEX}"), BadLine::UnknownType("TOTP".into())),
        (format!("HOTP/X30 alice - {HEX}"), BadLine::UnknownType("HOTP/X30".into())),
        (format!("HOTP/T30/6/1 alice - {HEX}"), BadLine::UnknownType("HOTP/T30/6/1".into())),
        (format!("HOTP/T+30 alice - {HEX}"), BadLine::NotANumber("period")),
        (format!("HOTP/T30/5 alice - {HEX}"), BadParameters::Digits.into()),
        (format!("HOTP/T30/9 alice - {HEX}"), BadParameters::Digits.into()),
        (format!("HOTP/T14 alice - {HEX}"), BadParameters::Period.into()),
        (format!("HOTP/T121 alice - {HEX}"), BadParameters::Period.into()),
        ("HOTP/T30".into(), BadLine::Missing("user")),
        ("HOTP/T30 alice".into(), BadLine::Missing("PIN")),
        ("HOTP/T30 alice -".into(), BadLine::Missing("key")),
        ("HOTP/T30 alice - zz".into(), BadLine::NotHex),
        (format!("HOTP/T30 alice - {HEX}0"), BadLine::NotHex),
        (format!("HOTP/T30 alice - {HEX} x"), BadLine::NotANumber("offset")),
        (format!("HOTP/T30 alice - {HEX} 0 12345"), BadLine::LastCode),
        (format!("HOTP/T30 alice - {HEX} 0 123456 2026-11-21"), BadLine::LastTime),
        (format!("HOTP/T30 alice - {HEX} 0 123456 2026-11-21T21:36:02L x"), BadLine::Surplus),
    ];
    for (line, expected) in cases {
        assert_eq!(bad(&line), expected, "{line}");
    }
    assert_eq!(read(b"HOTP/T30 al\xffce - 00", NOW).err(), Some(BadLine::NotText));
    assert_eq!(read(b"HOTP/T30 al\0ce - 00", NOW).err(), Some(BadLine::Nul));
}

#[test]
fn lengths_are_checked_on_both_sides() {
    let key = |bytes: usize| one(&format!("HOTP/T30 alice - {}", "61".repeat(bytes))).err();
    assert_eq!(key(15), Some(BadKey::TooShort.into()));
    assert_eq!((key(16), key(64)), (None, None));
    assert_eq!(key(65), Some(BadKey::TooLong.into()));
    assert!(one(&format!("#{}", " ".repeat(4095))).is_ok());
    assert_eq!(bad(&format!("#{}", " ".repeat(4096))), BadLine::TooLong);
}

#[test]
fn a_last_code_of_a_device_that_is_ahead_is_found() {
    let key = Key::new(Zeroizing::new(b"12345678901234567890".to_vec())).unwrap();
    let generator = Generator::new(&key, Parameters::default()).unwrap();
    let step = NOW.step(30);
    let found = |offset: i64| {
        let code = generator.code_at(step.at(offset).unwrap());
        token(&format!("HOTP/T30 alice - {HEX} 3 {code} 2027-01-15T08:00:02L")).1.last_step
    };
    assert_eq!(found(1), step.at(1));
    assert_eq!(found(10), step.at(10));
    // What is not ahead is below the floor anyway, and further ahead nothing is believed.
    assert_eq!((found(0), found(-1), found(11)), (None, None, None));
}

#[test]
fn what_is_written_is_read_again() {
    let key = Key::new(Zeroizing::new(vec![0xa5; 32])).unwrap();
    for (digits, period) in [(6, 30), (7, 60), (8, 30)] {
        let parameters = Parameters::new(Algorithm::Sha1, digits, period).unwrap();
        let generator = Generator::new(&key, parameters).unwrap();
        let spent = NOW.step(period).at(1).unwrap();
        let code = Code::parse(&generator.code_at(spent)).unwrap();
        let line = write(
            "alice",
            &key,
            parameters,
            Some(Last { step: spent, code: &code, time: "2027-01-15T08:00:02L" }),
        )
        .unwrap();
        let (user, token) = token(&line);
        assert_eq!((user.as_str(), token.parameters, token.last_step), ("alice", parameters, Some(spent)));
        assert_eq!(token.key.expose_bytes(), key.expose_bytes());
    }
    let plain = write("bob", &key, Parameters::default(), None).unwrap();
    assert_eq!(plain.as_str(), format!("HOTP/T30/6\tbob\t-\t{}\n", "a5".repeat(32)));
}

#[test]
fn what_the_format_cannot_say_is_not_written() {
    let key = |bytes| Key::new(Zeroizing::new(vec![7; bytes])).unwrap();
    let with = |algorithm, period| Parameters::new(algorithm, 6, period).unwrap();
    let plain = Parameters::default();
    let write = |user, bytes, parameters| write(user, &key(bytes), parameters, None).err();
    assert_eq!(write("a", 32, plain), None);
    assert_eq!(write("a", 33, plain), Some(CannotWrite::LongKey(33)));
    assert_eq!(write("a", 20, with(Algorithm::Sha256, 30)), Some(CannotWrite::Algorithm(Algorithm::Sha256)));
    assert_eq!(write("a", 20, with(Algorithm::Sha1, 45)), Some(CannotWrite::Period(45)));
    assert_eq!(write("a b", 20, plain), Some(CannotWrite::Name));
    assert_eq!(write("#a", 20, plain), Some(CannotWrite::Name));
}

#[test]
fn a_token_that_counts_goes_on_behind_what_was_used() {
    for (line, digits, last_step) in [
        (format!("HOTP alice - {HEX}"), 6, None),
        (format!("HOTP/E alice - {HEX} 0"), 6, None),
        (format!("HOTP/E/8 alice - {HEX} 5"), 8, Some(Step(4))),
        (format!("HOTP/E/6 alice - {HEX} 5 123456 2026-11-21T21:36:02L"), 6, Some(Step(5))),
    ] {
        let (_, token) = token(&line);
        let parameters = Parameters::counting(Algorithm::Sha1, digits).unwrap();
        assert_eq!((token.parameters, token.last_step), (parameters, last_step), "{line}");
    }
    let key = Key::new(Zeroizing::new(vec![0xa5; 20])).unwrap();
    let parameters = Parameters::counting(Algorithm::Sha1, 6).unwrap();
    let code = Code::parse(&Generator::new(&key, parameters).unwrap().code_at(Step(41))).unwrap();
    let last = Last { step: Step(41), code: &code, time: "2027-01-15T08:00:02L" };
    let line = write("alice", &key, parameters, Some(last)).unwrap();
    assert!(line.starts_with("HOTP/E/6\talice\t-\ta5"), "{}", line.as_str());
    assert_eq!(token(&line).1.last_step, Some(Step(41)));
}
