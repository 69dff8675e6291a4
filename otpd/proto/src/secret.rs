//! Text that must not be printed or left in memory: typed codes and keys on the wire.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

/// A string that wipes itself, does not print itself, and says so where it is read.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership; the caller must hold no other copy.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Every use of a secret is found by searching for this name.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("123456".into())), "Secret(..)");
    }
}
