//! Names that people choose, and the numbers behind them.

use std::fmt;

/// A user's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(u32);

impl Uid {
    /// Takes a uid that may own an account. 65534 never is one: user namespaces map everyone there. Nor is -1.
    #[must_use]
    pub fn new(uid: u32) -> Option<Self> {
        (uid != NOBODY && uid != u32::MAX).then_some(Self(uid))
    }

    /// The number.
    #[must_use]
    pub fn as_u32(self) -> u32 {
        self.0
    }

    /// Whether this is root.
    #[must_use]
    pub fn is_root(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A user's canonical name, as the user database spells it: not what somebody typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

/// A name no account can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Empty.
    #[error("the name is empty")]
    Empty,
    /// More bytes or characters than its kind allows.
    #[error("the name is too long")]
    TooLong,
    /// Digits alone.
    #[error("digits alone would look like a device's number")]
    OnlyDigits,
    /// Control characters, or characters that steer the text around them.
    #[error("the name has characters that cannot be shown")]
    Unprintable,
}

impl AccountName {
    /// Takes a name from the user database: 1 to 256 bytes, no control characters, no `:`.
    ///
    /// # Errors
    /// [`BadName`].
    pub fn new(name: &str) -> Result<Self, BadName> {
        if name.len() > 256 {
            return Err(BadName::TooLong);
        }
        if name.contains(':') {
            return Err(BadName::Unprintable);
        }
        printable(name).map(|()| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the owner calls a device, unique among the account's pending and active ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

impl DeviceName {
    /// Takes a name: 1 to 32 characters after trimming, nothing that cannot be shown, not all digits (that would
    /// be taken for a device's number).
    ///
    /// # Errors
    /// [`BadName`].
    pub fn new(name: &str) -> Result<Self, BadName> {
        let name = name.trim();
        printable(name)?;
        if name.chars().count() > 32 {
            return Err(BadName::TooLong);
        }
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadName::OnlyDigits);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who somebody is: number and canonical name, resolved together once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The number.
    pub uid: Uid,
    /// The name.
    pub name: AccountName,
}

const NOBODY: u32 = 65_534;

fn printable(name: &str) -> Result<(), BadName> {
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.chars().any(|c| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
    {
        return Err(BadName::Unprintable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_owns_an_account() {
        assert!(Uid::new(65_534).is_none());
        assert!(Uid::new(u32::MAX).is_none());
        assert!(Uid::new(65_533).is_some());
        assert!(Uid::new(0).is_some_and(Uid::is_root));
    }

    #[test]
    fn device_names_are_checked() {
        assert_eq!(DeviceName::new(" Phone 2 ").unwrap().as_str(), "Phone 2");
        assert!(DeviceName::new(&"é".repeat(32)).is_ok());
        assert_eq!(DeviceName::new(&"é".repeat(33)), Err(BadName::TooLong));
        assert_eq!(DeviceName::new("  "), Err(BadName::Empty));
        assert_eq!(DeviceName::new("12"), Err(BadName::OnlyDigits));
        for bad in ["a\x1b[2J", "a\nb", "a\u{202e}b"] {
            assert_eq!(DeviceName::new(bad), Err(BadName::Unprintable), "{bad:?}");
        }
    }

    #[test]
    fn account_names_are_checked() {
        assert!(AccountName::new(&"a".repeat(256)).is_ok());
        assert_eq!(AccountName::new(&"a".repeat(257)), Err(BadName::TooLong));
        assert_eq!(AccountName::new("a:b"), Err(BadName::Unprintable));
        assert_eq!(AccountName::new(""), Err(BadName::Empty));
    }
}
