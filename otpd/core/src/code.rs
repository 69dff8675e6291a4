//! One-time codes as people type them. A code is digits of a fixed length, never a number: `012345` is not `12345`.

use std::fmt;

use zeroize::Zeroizing;

/// A typed code: 6 to 8 ASCII digits. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Code {
    digits: Zeroizing<String>,
    /// They stood behind a password, whose own last digits may be the first of them.
    is_tail: bool,
}

/// What was typed has no form of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is 6 to 8 digits")]
pub struct NotACode;

impl Code {
    /// Reads what was typed. Spaces and one hyphen are left out, since apps show `123 456` and people type
    /// `123-456`; anything else but ASCII digits is refused (a `+`, full-width digits).
    ///
    /// # Errors
    /// [`NotACode`].
    pub fn parse(typed: &str) -> Result<Self, NotACode> {
        if typed.len() > LONGEST_TYPED {
            return Err(NotACode);
        }
        let mut digits = Zeroizing::new(String::with_capacity(LONGEST_TYPED));
        let mut hyphens = 0_u8;
        for byte in typed.bytes() {
            match byte {
                b' ' => {}
                b'-' if hyphens == 0 => hyphens = 1,
                b'0'..=b'9' => digits.push(char::from(byte)),
                _ => return Err(NotACode),
            }
        }
        Self::of(digits, false)
    }

    /// Reads the digits at the end of an answer that began with a password. Which of them are the code only a device
    /// can tell, by the length of its codes, so each is compared with as many as it shows. That is one try: it can
    /// match what tries of each length could, and no more.
    ///
    /// # Errors
    /// [`NotACode`].
    pub fn parse_tail(digits: &str) -> Result<Self, NotACode> {
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotACode);
        }
        Self::of(Zeroizing::new(digits.to_owned()), true)
    }

    fn of(digits: Zeroizing<String>, is_tail: bool) -> Result<Self, NotACode> {
        if (6..=8).contains(&digits.len()) { Ok(Self { digits, is_tail }) } else { Err(NotACode) }
    }

    /// The digits. Every use of a code is found by searching for `expose_digits`.
    #[must_use]
    pub fn expose_digits(&self) -> &str {
        &self.digits
    }

    /// The digits that a device whose codes have this length is to be asked about.
    #[must_use]
    pub fn expose_digits_for(&self, length: u8) -> &str {
        let ignored = if self.is_tail { self.digits.len().saturating_sub(length.into()) } else { 0 };
        self.digits.get(ignored..).unwrap_or_default()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

const LONGEST_TYPED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_one_hyphen_are_left_out() {
        for typed in ["123456", "123 456", " 123456 ", "123-456", "12 34-56"] {
            assert_eq!(Code::parse(typed).unwrap().expose_digits(), "123456", "{typed}");
        }
        assert_eq!(Code::parse("0012 3456").unwrap().expose_digits(), "00123456");
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "1".repeat(65);
        for typed in [
            "",
            "12345",
            "123456789",
            "+123456",
            "12-34-56",
            "12345a",
            "１２３４５６",
            "٠١٢٣٤٥",
            "123456\0",
            "12345６",
            "0x1234",
            "1e5000",
            "-",
            "      ",
            &long,
        ] {
            assert_eq!(Code::parse(typed).err(), Some(NotACode), "{typed}");
        }
    }

    #[test]
    fn a_device_is_asked_about_as_many_digits_at_the_end_as_it_shows() {
        let tail = Code::parse_tail("12345678").unwrap();
        let of = |code: &Code| [6, 7, 8].map(|length| code.expose_digits_for(length).to_owned());
        assert_eq!(of(&tail), ["345678", "2345678", "12345678"]);
        assert_eq!(of(&Code::parse_tail("123456").unwrap()), ["123456"; 3]);
        assert_eq!(of(&Code::parse("12345678").unwrap()), ["12345678"; 3]);
    }

    #[test]
    fn a_tail_is_six_to_eight_digits_and_nothing_else() {
        for typed in ["", "12345", "123456789", "123 456", "123-456", "x123456", "123456x", "１２３４５６"]
        {
            assert_eq!(Code::parse_tail(typed).err(), Some(NotACode), "{typed}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Code::parse("123456").unwrap()), "Code(..)");
    }
}
