//! One-time codes as people type them. A code is digits of a fixed length, never a number: `012345` is not `12345`.

use std::fmt;

use zeroize::Zeroizing;

/// A typed code: 6 to 8 ASCII digits. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

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
        if (6..=8).contains(&digits.len()) { Ok(Self(digits)) } else { Err(NotACode) }
    }

    /// The digits. Every use of a code is found by searching for this name.
    #[must_use]
    pub fn expose_digits(&self) -> &str {
        &self.0
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
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Code::parse("123456").unwrap()), "Code(..)");
    }
}
