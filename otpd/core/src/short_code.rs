//! Short codes: eight symbols that wait a few minutes for one use. Three kinds of code have this form: an enrol code,
//! which an administrator reads out to somebody who has no device; a mailed code, which lets in whoever has the password
//! and the mailbox; and the code that proves that mail to an address is read (NIST SP 800-63B-4, 4.1.2.2 and 4.2.1.2).

use std::fmt;

use zeroize::Zeroizing;

use crate::crockford;

/// Eight symbols of Crockford's base32, at least one of them a letter: no code of a device looks like it. Wiped when
/// dropped, never printed.
#[derive(Clone)]
pub struct ShortCode(Zeroizing<[u8; ShortCode::SYMBOLS]>);

impl ShortCode {
    /// Random bytes of one code: 40 bits.
    pub const BYTES: usize = 5;
    /// Characters without the hyphen.
    pub const SYMBOLS: usize = 8;

    /// The code of these random bytes; `None` for the one in ten thousand that would be digits only.
    #[must_use]
    pub fn from_random(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        Self::with_letter(crockford::symbols(bytes))
    }

    /// Reads what was typed: in upper or lower case, with hyphens and spaces anywhere. `None`: it is something else.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        Self::with_letter(crockford::read(typed)?)
    }

    /// The symbols, for the mark.
    #[must_use]
    pub fn expose_symbols(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As it is shown and read out: two groups of four.
    #[must_use]
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        crockford::grouped(self.expose_symbols())
    }

    fn with_letter(symbols: Zeroizing<[u8; Self::SYMBOLS]>) -> Option<Self> {
        symbols.iter().any(u8::is_ascii_alphabetic).then_some(Self(symbols))
    }
}

impl fmt::Debug for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShortCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forty_random_bits_are_eight_symbols_and_read_back() {
        let code = ShortCode::from_random(&[255, 0, 255, 0, 255]).unwrap();
        assert_eq!(code.expose_grouped().len(), 9);
        let typed = code.expose_grouped().to_lowercase().replace('-', " ");
        assert_eq!(ShortCode::parse(&typed).unwrap().expose_symbols(), code.expose_symbols());
    }

    #[test]
    fn digits_alone_are_a_devices_code_and_no_short_code() {
        assert!(ShortCode::from_random(&[0; 5]).is_none());
        for typed in ["12345678", "OIL00000", "1234-567", "ABCD-EFGHJ", "", "ABCD-EFGU"] {
            assert!(ShortCode::parse(typed).is_none(), "{typed}");
        }
        assert!(ShortCode::parse("1234-567A").is_some());
    }
}
