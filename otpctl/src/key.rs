//! Keys as people have them: base32 in groups, lower case, with padding.

use data_encoding::BASE32_NOPAD;
use data_encoding::Encoding;
use data_encoding::HEXLOWER_PERMISSIVE;
use otpd_proto::Secret;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Brings a key to the form that `otpd` takes, or says what is wrong with it without repeating it.
pub(crate) fn normalise(typed: &Secret) -> Result<Secret, Failure> {
    let kept =
        typed.expose_secret().chars().filter(|character| !character.is_whitespace() && *character != '-');
    let key: Zeroizing<String> =
        Zeroizing::new(kept.map(|character| character.to_ascii_uppercase()).collect());
    let key = key.trim_end_matches('=');
    if let Some(odd) = key.chars().find(|character| !matches!(character, 'A'..='Z' | '2'..='7')) {
        let kind = if odd.is_ascii_digit() {
            "the digits 0, 1, 8 and 9 do not occur"
        } else {
            "only A-Z and 2-7 occur"
        };
        return Err(Failure::usage(format!(
            "the key is not base32: {kind} in it. Copy it again from where it is shown"
        )));
    }
    let bytes = lenient().decode(key.as_bytes()).map(Zeroizing::new).map_err(|_| {
        Failure::usage("the key is not base32: its length is impossible. Is a part of it missing?")
    })?;
    encode(&bytes)
}

/// The same of a key in hexadecimal digits.
pub(crate) fn from_hex(typed: &Secret) -> Result<Secret, Failure> {
    let kept = typed.expose_secret().chars().filter(|character| !matches!(character, ' ' | '-' | ':'));
    let digits: Zeroizing<String> = Zeroizing::new(kept.collect());
    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map(Zeroizing::new);
    let why = "the key is not hexadecimal: an even number of digits 0-9 and A-F is. Leave --hex out if it is base32";
    encode(&bytes.map_err(|_| Failure::usage(why))?)
}

fn encode(bytes: &[u8]) -> Result<Secret, Failure> {
    if !(SHORTEST..=LONGEST).contains(&bytes.len()) {
        let have = bytes.len();
        return Err(Failure::usage(format!("the key has {have} bytes; otpd takes {SHORTEST} to {LONGEST}")));
    }
    Ok(Secret::new(BASE32_NOPAD.encode(bytes)))
}

/// Base32 that lets the last letter have bits behind the last byte, as apps do.
fn lenient() -> Encoding {
    let mut specification = BASE32_NOPAD.specification();
    specification.check_trailing_bits = false;
    specification.encoding().unwrap_or(BASE32_NOPAD)
}

/// In groups of four, to read aloud and type.
pub(crate) fn grouped(key: &str) -> String {
    let mut out = String::new();
    for (index, character) in key.chars().enumerate() {
        if index > 0 && index.is_multiple_of(4) {
            out.push(' ');
        }
        out.push(character);
    }
    out
}

const SHORTEST: usize = 16;
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(typed: &str) -> Result<String, String> {
        normalise(&Secret::new(typed.to_owned()))
            .map(|key| key.expose_secret().to_owned())
            .map_err(|failure| failure.message)
    }

    #[test]
    fn groups_case_and_padding_do_not_matter() {
        let key = "JBSWY3DPEHPK3PXPJBSWY3DPEE".to_owned();
        assert_eq!(normal("jbsw y3dp-ehpk 3pxp JBSW Y3DP EE======"), Ok(key));
    }

    #[test]
    fn bits_behind_the_last_byte_do_not_matter() {
        assert_eq!(normal("JBSWY3DPEHPK3PXPJBSWY3DPEH"), normal("JBSWY3DPEHPK3PXPJBSWY3DPEE"));
    }

    #[test]
    fn both_ends_of_the_length_are_exact() {
        let of = |bytes: usize| normal(&BASE32_NOPAD.encode(&vec![7; bytes]));
        assert!(of(15).is_err() && of(16).is_ok() && of(64).is_ok());
        assert!(of(65).unwrap_err().contains("65 bytes"));
    }

    #[test]
    fn a_wrong_key_is_explained_and_not_repeated() {
        for wrong in ["JBSWY3DPEHPK3PX1", "JBSWY3DPEHPK3PXÄ", "JBSWY3DPEHPK3PXPJBSWY3DPE"] {
            let message = normal(wrong).unwrap_err();
            assert!(message.contains("not base32") && !message.contains("JBSW"), "{message}");
        }
    }

    #[test]
    fn groups_are_of_four() {
        assert_eq!(grouped("ABCDEFGHI"), "ABCD EFGH I");
    }
}
