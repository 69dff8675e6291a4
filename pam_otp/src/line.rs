//! One line of text that may be shown to a person or written to the log, whoever wrote it.
//!
//! The daemon's texts carry names that users chose. A control character in them could move the cursor of a
//! terminal or forge a line of the log, so none gets past this type.

use std::fmt;

/// At most [`Line::LIMIT`] bytes, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(String);

impl Line {
    /// PAM_MAX_MSG_SIZE is 512 with its NUL; sudo and polkit enforce it.
    pub(crate) const LIMIT: usize = 511;

    /// Drops what may not be shown and cuts the rest at a character's end.
    pub(crate) fn new(text: &str) -> Self {
        let mut line = String::new();
        for character in text.chars().filter_map(shown_as) {
            if line.len().saturating_add(character.len_utf8()) > Self::LIMIT {
                break;
            }
            line.push(character);
        }
        Self(line)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line or paragraph separator becomes a space; controls and the marks that reorder text are dropped.
fn shown_as(character: char) -> Option<char> {
    match character {
        '\n' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        other => (!other.is_control()).then_some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(Line::new("\x1b[2Jcode\x07\r\x7f\u{9b}: ").as_str(), "[2Jcode: ");
    }

    #[test]
    fn several_lines_become_one() {
        assert_eq!(Line::new("one\ntwo\u{2028}three").as_str(), "one two three");
    }

    #[test]
    fn marks_that_reorder_text_are_dropped() {
        assert_eq!(Line::new("phone\u{202e}gpj.exe").as_str(), "phonegpj.exe");
    }

    #[test]
    fn a_nul_cannot_cut_the_text_for_c() {
        assert_eq!(Line::new("a\0b").as_str(), "ab");
    }

    #[test]
    fn the_limit_is_kept_on_both_sides() {
        let fits = "x".repeat(Line::LIMIT);
        assert_eq!(Line::new(&fits).as_str(), fits);
        assert_eq!(Line::new(&format!("{fits}y")).as_str(), fits);
    }

    #[test]
    fn a_character_is_never_cut_in_two() {
        let text = format!("{}é", "x".repeat(Line::LIMIT - 1));
        assert_eq!(Line::new(&text).as_str().len(), Line::LIMIT - 1);
    }
}
