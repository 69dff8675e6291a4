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
    /// `use_first_pass`, and there is nothing in PAM_AUTHTOK, or only what was refused already.
    NoFirstPass,
    /// PAM_AUTHTOK has not the form of a code.
    NotACode,
    /// `forward_pass`, and there are not enough digits at the end.
    NoCodeBehind,
    /// `forward_pass`, and there is nothing but a code (FreeIPA let an empty password pass: CVE-2014-7828).
    NoPasswordBefore,
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
            Self::NoFirstPass => "no module before this line has asked for a code (use_first_pass)",
            Self::NotACode => "what a module before this line has asked for is no code of 6 to 8 digits",
            Self::NoCodeBehind => "it does not end in a code (forward_pass)",
            Self::NoPasswordBefore => {
                "no password stands before the code (forward_pass; the whole must be longer than any code of the \
                 account)"
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

/// Takes PAM_AUTHTOK as an answer worth sending. It may be a password all the same, which must not leave the host: so
/// only what has the form of a device's code is taken.
///
/// # Errors
/// [`Unsendable`]; the text then goes nowhere.
pub(crate) fn from_first_pass(token: Option<&[u8]>) -> Result<Secret, Unsendable> {
    let token = token.ok_or(Unsendable::NoFirstPass)?;
    let count = |wanted: fn(u8) -> bool| token.iter().filter(|byte| wanted(**byte)).count();
    let digits = count(|byte| byte.is_ascii_digit());
    let others = token.len().saturating_sub(digits).saturating_sub(count(|byte| byte == b' '));
    let hyphens = count(|byte| byte == b'-');
    if !(SHORTEST_CODE..=LONGEST_CODE).contains(&digits) || hyphens > 1 || others > hyphens {
        return Err(Unsendable::NotACode);
    }
    check(Some(token), None)
}

/// The digits at the end of an answer that holds a password and a code: as many as there are, but at most those of the
/// `longest` code that the account may have. Only a device can tell which of them are the code. Whatever was typed is
/// longer, so some password is left.
///
/// # Errors
/// [`Unsendable`]; the text then goes nowhere.
pub(crate) fn tail(typed: &[u8], longest: usize) -> Result<Secret, Unsendable> {
    let digits = typed.iter().rev().take(longest).take_while(|byte| byte.is_ascii_digit()).count();
    let (before, tail) = typed.split_at_checked(typed.len().saturating_sub(digits)).unwrap_or_default();
    match (tail.len(), before.len()) {
        (0, 0) => Err(Unsendable::Empty),
        (..SHORTEST_CODE, _) => Err(Unsendable::NoCodeBehind),
        _ if typed.len() <= longest => Err(Unsendable::NoPasswordBefore),
        _ => check(Some(tail), None),
    }
}

/// Digits of a code.
pub(crate) const SHORTEST_CODE: usize = 6;
/// Digits of a code.
pub(crate) const LONGEST_CODE: usize = 8;

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
    fn the_first_pass_is_taken_if_it_has_the_form_of_a_code() {
        for code in ["123456", "12345678", "123 456", " 123-456 ", "12 34-56"] {
            assert_eq!(from_first_pass(Some(code.as_bytes())).unwrap().expose_secret(), code);
        }
        assert_eq!(from_first_pass(None).err(), Some(Unsendable::NoFirstPass));
        let long = format!("{}123456", " ".repeat(59));
        assert_eq!(from_first_pass(Some(long.as_bytes())).err(), Some(Unsendable::TooLong));
    }

    #[test]
    fn a_password_as_the_first_pass_goes_nowhere() {
        for password in [
            "",
            "12345",
            "123456789",
            "hunter2",
            "hunter2123456",
            "12-34-56",
            "123_456",
            "+123456",
            "１２３４５６",
        ] {
            assert_eq!(
                from_first_pass(Some(password.as_bytes())).err(),
                Some(Unsendable::NotACode),
                "{password}"
            );
        }
        assert_eq!(from_first_pass(Some(b"123456\xff")).err(), Some(Unsendable::NotACode));
    }

    fn tail_of(typed: &str, longest: usize) -> Result<String, Unsendable> {
        tail(typed.as_bytes(), longest).map(|tail| tail.expose_secret().to_owned())
    }

    #[test]
    fn the_tail_is_the_digits_at_the_end_and_no_more_than_the_longest_code_has() {
        for (typed, longest, expected) in [
            ("hunter2123456", 6, "123456"),
            ("hunter2123456", 8, "2123456"),
            ("hunter123456", 8, "123456"),
            ("hunter212345678", 8, "12345678"),
            ("1234567", 6, "234567"),
            ("123456789", 8, "23456789"),
            ("pass word 123456", 6, "123456"),
            ("пароль123456", 6, "123456"),
            ("\u{8}123456", 6, "123456"),
        ] {
            assert_eq!(tail_of(typed, longest).as_deref(), Ok(expected), "{typed}");
        }
        assert!(tail(b"\xff\xfe123456", 6).is_ok(), "a password may be any bytes");
        assert!(tail(&[&[b'x'; 500][..], b"123456"].concat(), 6).is_ok());
    }

    #[test]
    fn a_code_alone_and_a_password_alone_are_refused_cve_2014_7828() {
        for (typed, longest, reason) in [
            ("", 6, Unsendable::Empty),
            ("123456", 6, Unsendable::NoPasswordBefore),
            ("123456", 8, Unsendable::NoPasswordBefore),
            ("x123456", 8, Unsendable::NoPasswordBefore),
            ("12345678", 8, Unsendable::NoPasswordBefore),
            ("12345", 6, Unsendable::NoCodeBehind),
            ("hunter2", 6, Unsendable::NoCodeBehind),
            ("hunter12345", 6, Unsendable::NoCodeBehind),
            ("hunter123456 ", 6, Unsendable::NoCodeBehind),
            ("hunter１２３４５６", 6, Unsendable::NoCodeBehind),
            ("\u{8}\n\r\u{7f}INCORRECT", 6, Unsendable::NoCodeBehind),
        ] {
            assert_eq!(tail_of(typed, longest), Err(reason), "{typed}");
        }
    }

    #[test]
    fn no_reason_repeats_what_was_typed() {
        let error = check(Some(b"hunter2"), Some(b"hunter2")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
