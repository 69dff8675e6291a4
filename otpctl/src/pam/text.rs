//! The text of a PAM file, as a string that becomes the same bytes again. libpam takes bytes as they come, and some
//! administrator wrote a comment in the character set of their day: it is to come back as it was.

/// The text of these bytes. Each byte that is no UTF-8 becomes a character of a private area that nobody uses.
pub(crate) fn of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            // One that stands for a byte would become that byte.
            match byte(character) {
                Some(_) => text.extend(character.to_string().bytes().map(stand_in)),
                None => text.push(character),
            }
        }
        text.extend(chunk.invalid().iter().copied().map(stand_in));
    }
    text
}

/// The bytes that [`of`] made a text of.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match byte(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// The text as people see it.
pub(crate) fn shown(text: &str) -> String {
    String::from_utf8_lossy(&bytes(text)).into_owned()
}

fn stand_in(byte: u8) -> char {
    char::from_u32(FIRST.saturating_add(u32::from(byte))).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn byte(character: char) -> Option<u8> {
    u8::try_from(u32::from(character).checked_sub(FIRST)?).ok()
}

/// The last 256 characters there are.
const FIRST: u32 = 0x10_ff00;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let reserved = "\u{10ff00} \u{10fffd} \u{10ffff} \u{10feff}".as_bytes();
        for text in [&all[..], reserved, "für alle\r\n".as_bytes(), b"f\xfcr alle", b"\xf4\x8f\xbc", b""] {
            assert_eq!(bytes(&of(text)), text);
        }
        assert_eq!(of("für alle\n".as_bytes()), "für alle\n");
        assert_eq!(shown(&of(b"f\xfcr alle")), "f\u{fffd}r alle");
    }
}
