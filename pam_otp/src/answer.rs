//! What a person typed, looked at before it leaves the host: what cannot be an answer is refused here, so that it
//! reaches neither the daemon's counters nor its log. Which kind of code the rest is, only the daemon decides.

use std::fmt;
use std::hint::black_box;

use otpd_proto::Secret;

/// The longest answer that is sent, in bytes.
pub(crate) const LONGEST: usize = 64;

/// Why an answer is not sent. Each of these fails the login and is counted nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsendable {
    /// The conversation gave no answer at all, which is not the same as an empty one.
    Absent,
    /// Nothing was typed.
    Empty,
    /// The first byte is a control character. sshd feeds backspace, LF, CR, DEL, `INCORRECT` for a user that it
    /// refuses already.
    Dummy,
    /// More than [`LONGEST`] bytes.
    TooLong,
    /// Not ASCII.
    NotAscii,
    /// The password again: the client answers every hidden prompt with it.
    Replay,
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "the application gave no answer",
            Self::Empty => "nothing was typed",
            Self::Dummy => {
                "it begins with a control character (sshd's dummy: the user is unknown, or root with PermitRootLogin off)"
            }
            Self::TooLong => "it is too long for a code",
            Self::NotAscii => "it is not ASCII",
            Self::Replay => {
                "it is the password again (the client answers every prompt with it; with sshd use \
                 KbdInteractiveAuthentication instead of PasswordAuthentication)"
            }
        })
    }
}

/// Takes what was typed as an answer worth sending; `password` is PAM_AUTHTOK, if a module before us left one.
///
/// # Errors
/// [`Unsendable`]; the text then goes nowhere.
pub(crate) fn check(typed: Option<&[u8]>, password: Option<&[u8]>) -> Result<Secret, Unsendable> {
    let typed = typed.ok_or(Unsendable::Absent)?;
    let first = typed.first().ok_or(Unsendable::Empty)?;
    if *first < 0x20 {
        return Err(Unsendable::Dummy);
    }
    if typed.len() > LONGEST {
        return Err(Unsendable::TooLong);
    }
    if !typed.is_ascii() {
        return Err(Unsendable::NotAscii);
    }
    if password.is_some_and(|password| is_same(typed, password)) {
        return Err(Unsendable::Replay);
    }
    let text = String::from_utf8(typed.to_vec()).map_err(|_| Unsendable::NotAscii)?;
    Ok(Secret::new(text))
}

/// Compares in a time that depends on the lengths only.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let differing = left.iter().zip(right).fold(0, |bits, (a, b)| black_box(bits | (a ^ b)));
    left.len() == right.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(typed: &[u8]) -> Option<Unsendable> {
        check(Some(typed), None).err()
    }

    #[test]
    fn a_code_passes_unchanged() {
        for code in ["123456", "123 456", "7-abcd-efgh", "~!"] {
            assert_eq!(check(Some(code.as_bytes()), None).unwrap().expose_secret(), code);
        }
    }

    #[test]
    fn no_answer_is_refused_and_is_not_an_empty_one_cve_2011_4120_cve_2021_31924() {
        assert_eq!(check(None, None).err(), Some(Unsendable::Absent));
        assert_eq!(refusal(b""), Some(Unsendable::Empty));
    }

    #[test]
    fn an_empty_answer_does_not_match_an_empty_password_cve_2014_7828() {
        assert_eq!(check(Some(b""), Some(b"")).err(), Some(Unsendable::Empty));
        assert_eq!(check(None, Some(b"")).err(), Some(Unsendable::Absent));
    }

    #[test]
    fn sixty_four_bytes_are_sent_and_sixty_five_are_not() {
        assert_eq!(refusal(&[b'7'; LONGEST]), None);
        assert_eq!(refusal(&[b'7'; LONGEST + 1]), Some(Unsendable::TooLong));
    }

    #[test]
    fn a_control_character_in_front_is_sshds_dummy() {
        assert_eq!(refusal(b"\x08\n\r\x7fINCORRECT"), Some(Unsendable::Dummy));
        assert_eq!(refusal(&b"\x08\n\r\x7fINCORRECT".repeat(9)), Some(Unsendable::Dummy));
        assert_eq!(refusal(b"\x08"), Some(Unsendable::Dummy));
        assert_eq!(refusal(b"\x1f1"), Some(Unsendable::Dummy));
        assert_eq!(refusal(b" 1"), None);
    }

    #[test]
    fn full_width_digits_are_not_digits() {
        assert_eq!(refusal("１２３４５６".as_bytes()), Some(Unsendable::NotAscii));
        assert_eq!(refusal(b"12345\xff"), Some(Unsendable::NotAscii));
        assert_eq!(refusal(b"12345\x80"), Some(Unsendable::NotAscii));
    }

    #[test]
    fn the_password_again_is_refused_and_its_neighbours_are_not() {
        let with = |password: &[u8]| check(Some(b"hunter2"), Some(password)).err();
        assert_eq!(with(b"hunter2"), Some(Unsendable::Replay));
        for other in [&b"hunter"[..], b"hunter22", b"Hunter2", b"hunter3", b""] {
            assert_eq!(with(other), None);
        }
    }

    #[test]
    fn no_reason_repeats_what_was_typed() {
        let error = check(Some(b"hunter2"), Some(b"hunter2")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
