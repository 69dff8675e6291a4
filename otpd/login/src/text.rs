//! What modules say, fit to be shown: no control characters, and no more than a reply has room for.

use otpd_proto::session::Style;
use otpd_proto::session::Text;

/// What was said since the last question.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    said: Vec<Text>,
    bytes: usize,
}

impl Texts {
    /// Adds one, unless it is empty, there is no room for it, or it was just said: a module may stand twice in a stack.
    pub(crate) fn add(&mut self, style: Style, text: &[u8]) {
        let room = MOST_BYTES.saturating_sub(self.bytes);
        let text = shown(text, room.min(LONGEST));
        let text = Text { style, text };
        if !text.text.is_empty() && self.said.len() < MOST_TEXTS && self.said.last() != Some(&text) {
            self.bytes = self.bytes.saturating_add(text.text.len());
            self.said.push(text);
        }
    }

    /// All of them; none are left.
    pub(crate) fn take(&mut self) -> Vec<Text> {
        self.bytes = 0;
        std::mem::take(&mut self.said)
    }
}

/// A prompt, as it is shown.
pub(crate) fn prompt(text: &[u8]) -> String {
    shown(text, LONGEST)
}

/// At most `room` bytes of it, without control characters but the ends of lines. A message may be in another encoding
/// than UTF-8: what cannot be read of it is marked.
fn shown(text: &[u8], room: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let seen = text.chars().filter(|c| *c == '\n' || !c.is_control());
    let mut shown = String::new();
    for c in seen {
        if shown.len().saturating_add(c.len_utf8()) > room {
            break;
        }
        shown.push(c);
    }
    shown.truncate(shown.trim_end_matches('\n').len());
    shown
}

/// Of one text. libpam's own limit is 512, which pam_echo does not keep.
const LONGEST: usize = 2048;
/// Between two questions. JSON writes a character as two at most, so that half a message holds it.
const MOST_BYTES: usize = 16 * 1024;
/// PAM_MAX_NUM_MSG, of one call.
const MOST_TEXTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(texts: &[&[u8]]) -> Vec<String> {
        let mut all = Texts::default();
        texts.iter().for_each(|text| all.add(Style::Info, text));
        all.take().into_iter().map(|text| text.text).collect()
    }

    #[test]
    fn text_of_any_language_is_kept_and_control_characters_are_not() {
        assert_eq!(said(&["密码将过期\nGrüße\n".as_bytes()]), ["密码将过期\nGrüße"]);
        assert_eq!(said(&[b"\x1b[31mred\x07\r\0\x7f", "\u{9b}0m".as_bytes()]), ["[31mred", "0m"]);
        assert_eq!(said(&[b"Gr\xfc\xdfe"]), ["Gr\u{fffd}\u{fffd}e"]);
        assert_eq!(said(&[b"\n", b""]), [""; 0]);
    }

    #[test]
    fn a_text_is_cut_between_characters_and_all_of_them_have_a_limit() {
        let long = "é".repeat(LONGEST);
        assert_eq!(said(&[long.as_bytes()]), ["é".repeat(LONGEST / 2)]);
        assert_eq!(said(&[&b"x"[..], b"y"].repeat(20)).len(), MOST_TEXTS);
        let two: [&[u8]; 2] = [&[b'"'; LONGEST], &[b'\\'; LONGEST]];
        let all: usize = said(&two.repeat(10)).iter().map(String::len).sum();
        assert_eq!(all, MOST_BYTES);
    }

    #[test]
    fn what_is_said_twice_in_a_row_is_said_once() {
        assert_eq!(said(&[b"a", b"a\n", b"b", b"a"]), ["a", "b", "a"]);
    }

    #[test]
    fn what_was_taken_leaves_its_room() {
        let mut texts = Texts::default();
        for _ in 0..3 {
            (b'a'..=b'z').for_each(|letter| texts.add(Style::Error, &[letter; LONGEST]));
            assert_eq!(texts.take().iter().map(|text| text.text.len()).sum::<usize>(), MOST_BYTES);
        }
        assert!(texts.take().is_empty());
    }
}
