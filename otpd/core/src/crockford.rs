//! Crockford's base32: no letter looks like a digit, and no word comes up.

use zeroize::Zeroize;
use zeroize::Zeroizing;

/// The symbols of random bytes, five bits each. `SYMBOLS * 5` is at most the bits of `bytes`, which are at most 128.
pub(crate) fn symbols<const SYMBOLS: usize>(bytes: &[u8]) -> Zeroizing<[u8; SYMBOLS]> {
    let mut bits = bytes.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let mut symbols = Zeroizing::new([0; SYMBOLS]);
    for symbol in symbols.iter_mut().rev() {
        *symbol = ALPHABET.get((bits & 31) as usize).copied().unwrap_or_default();
        bits >>= 5;
    }
    bits.zeroize();
    symbols
}

/// Reads exactly so many symbols: in upper or lower case, with hyphens and spaces anywhere; an O is a zero, I and L are
/// ones. `None`: it is something else.
pub(crate) fn read<const SYMBOLS: usize>(typed: &str) -> Option<Zeroizing<[u8; SYMBOLS]>> {
    let mut symbols = Zeroizing::new([0; SYMBOLS]);
    let mut places = symbols.iter_mut();
    for byte in typed.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let symbol = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        if !ALPHABET.contains(&symbol) {
            return None;
        }
        *places.next()? = symbol;
    }
    if places.next().is_some() { None } else { Some(symbols) }
}

/// In groups of four, with hyphens between them.
pub(crate) fn grouped(symbols: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(symbols.len().saturating_mul(2)));
    for (index, symbol) in symbols.iter().enumerate() {
        if index != 0 && index.is_multiple_of(4) {
            text.push('-');
        }
        text.push(char::from(*symbol));
    }
    text
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
