//! The shared secret of one device.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

/// A device's key, 16 to 64 bytes (RFC 4226 asks for at least 128 bits; the upper bound keeps a hostile import
/// small, CVE-2026-73196). Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

/// Why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not the letters A to Z and digits 2 to 7.
    #[error("the key is not base32: it has letters A to Z and digits 2 to 7 only")]
    NotBase32,
    /// Fewer than 16 bytes.
    #[error("the key is too short: at least 16 bytes (26 base32 letters) are needed")]
    TooShort,
    /// More than 64 bytes.
    #[error("the key is too long: at most 64 bytes (103 base32 letters) are taken")]
    TooLong,
}

impl Key {
    /// The length of keys made here: 160 bits, as RFC 4226 recommends.
    pub const MADE: usize = 20;

    /// Takes the bytes of a key.
    ///
    /// # Errors
    /// [`BadKey`] by its length.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, BadKey> {
        match bytes.len() {
            0..16 => Err(BadKey::TooShort),
            16..=64 => Ok(Self(bytes)),
            _ => Err(BadKey::TooLong),
        }
    }

    /// Reads base32 as people copy it: any case, spaces, hyphens and padding allowed.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn from_base32(text: &str) -> Result<Self, BadKey> {
        if text.len() > LONGEST_TEXT {
            return Err(BadKey::TooLong);
        }
        let mut letters = Zeroizing::new(Vec::with_capacity(LONGEST_TEXT));
        let kept = text.trim_end_matches('=').bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
        letters.extend(kept.map(|byte| byte.to_ascii_uppercase()));
        let bytes = BASE32_NOPAD.decode(&letters).map_err(|_| BadKey::NotBase32)?;
        Self::new(Zeroizing::new(bytes))
    }

    /// Base32 without padding.
    #[must_use]
    pub fn expose_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&self.0))
    }

    /// The bytes. Every use of a key is found by searching for this name.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

const LONGEST_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_read_as_people_copy_it() {
        let plain = Key::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!(plain.expose_bytes(), b"12345678901234567890");
        let typed = Key::from_base32("gezd gnbv gy3t qojq-gezd gnbv gy3t qojq==").unwrap();
        assert_eq!(typed.expose_bytes(), plain.expose_bytes());
        assert_eq!(plain.expose_base32().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn lengths_are_checked_on_both_sides() {
        let key = |length: usize| Key::new(Zeroizing::new(vec![7; length])).map(|_| ()).err();
        assert_eq!(key(0), Some(BadKey::TooShort));
        assert_eq!(key(15), Some(BadKey::TooShort));
        assert_eq!(key(16), None);
        assert_eq!(key(64), None);
        assert_eq!(key(65), Some(BadKey::TooLong));
        assert_eq!(Key::from_base32(&"A".repeat(100_000)).err(), Some(BadKey::TooLong));
    }

    #[test]
    fn other_alphabets_are_refused() {
        for text in
            ["0123456789abcdef0123456789abcdef", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", "ключ", "GEZ=GNBV"]
        {
            assert_eq!(Key::from_base32(text).err(), Some(BadKey::NotBase32), "{text}");
        }
    }
}
