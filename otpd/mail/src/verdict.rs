//! What became of a mail, in words that somebody can act on.

use otpd_proto::mail::Outcome;

/// What became of one try to deliver a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Delivered, later, or never.
    pub outcome: Outcome,
    /// What the server said, or what went wrong on the way to it: one line of at most [`LONGEST`] characters.
    pub answer: String,
    /// What to change.
    pub advice: Option<String>,
}

impl Verdict {
    /// A server took it.
    #[must_use]
    pub fn delivered(answer: &str) -> Self {
        Self { outcome: Outcome::Delivered, answer: one_line(answer), advice: None }
    }

    /// Not now: the next try may succeed.
    #[must_use]
    pub fn later(answer: &str) -> Self {
        Self { outcome: Outcome::Later, answer: one_line(answer), advice: None }
    }

    /// No try will succeed.
    #[must_use]
    pub fn failed(answer: &str) -> Self {
        Self { outcome: Outcome::Failed, answer: one_line(answer), advice: None }
    }

    /// The same, with what to change.
    #[must_use]
    pub fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

/// The most characters of an answer.
pub const LONGEST: usize = 500;

/// A server's words, which may be hostile, as one harmless line: they end up in logs and on terminals.
fn one_line(text: &str) -> String {
    let harmless = text.chars().take(4 * LONGEST).map(|c| if is_harmless(c) { c } else { ' ' });
    let words: Vec<String> = harmless.collect::<String>().split_whitespace().map(str::to_owned).collect();
    words.join(" ").chars().take(LONGEST).collect()
}

/// Neither a control character nor one that changes the direction of text or is invisible.
pub(crate) fn is_harmless(c: char) -> bool {
    let tricks = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !tricks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_harmless_line() {
        let hostile = "550 no\r\nAccepted\u{1b}[2J \u{202e}txt\0 end";
        assert_eq!(Verdict::failed(hostile).answer, "550 no Accepted [2J txt end");
    }

    #[test]
    fn an_answer_is_cut_at_its_limit_and_not_before() {
        for (length, kept) in [(LONGEST - 1, LONGEST - 1), (LONGEST, LONGEST), (LONGEST + 1, LONGEST)] {
            assert_eq!(Verdict::later(&"ü".repeat(length)).answer.chars().count(), kept);
        }
        assert_eq!(Verdict::later(&"x".repeat(1_000_000)).answer.len(), LONGEST);
    }
}
