//! Lines of text before they are printed: words and their tone. Keeping colour out of the words is what lets
//! [`super::Output`] clean every word, wherever it came from.

use anstyle::Ansi256Color;
use anstyle::AnsiColor;
use anstyle::Style;
use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

/// What a word is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As the terminal has it.
    Plain,
    /// A heading, or what the line is about.
    Strong,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// A detail.
    Dim,
    /// Black on white whatever the terminal's colours are: a QR code.
    Paper,
}

impl Tone {
    /// Its colours.
    pub(crate) fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Dim => Style::new().dimmed(),
            // The first sixteen colours are the theme's to change; these two of the cube are not.
            Self::Paper => {
                Style::new().fg_color(Some(Ansi256Color(16).into())).bg_color(Some(Ansi256Color(231).into()))
            }
        }
    }
}

/// One line: words, each in its tone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Tone, String)>);

impl Line {
    /// An empty line.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds words.
    pub(crate) fn then(mut self, tone: Tone, words: impl Into<String>) -> Self {
        self.0.push((tone, words.into()));
        self
    }

    /// Adds words in the terminal's own colours.
    pub(crate) fn plain(self, words: impl Into<String>) -> Self {
        self.then(Tone::Plain, words)
    }

    /// Adds another line's words.
    pub(crate) fn append(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The words with their tones, cleaned for a terminal.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (Tone, String)> {
        self.0.iter().map(|(tone, words)| (*tone, clean(words)))
    }

    /// Columns on a terminal.
    pub(crate) fn width(&self) -> usize {
        self.spans().map(|(_, words)| words.width()).sum()
    }

    /// The same broken between words, if it is wider than `columns`; an empty line stays one.
    pub(crate) fn wrapped(&self, columns: usize) -> Vec<Self> {
        if self.width() <= columns {
            return vec![self.clone()];
        }
        let mut lines = vec![Self::new()];
        for (tone, word) in self.spans().flat_map(|(tone, words)| {
            words.split_whitespace().map(|word| (tone, word.to_owned())).collect::<Vec<_>>()
        }) {
            let Some(line) = lines.last_mut() else { break };
            let space = if line.0.is_empty() { "" } else { " " };
            let wider = line.width().saturating_add(space.len()).saturating_add(word.width());
            if wider > columns && !line.0.is_empty() {
                lines.push(Self::new().then(tone, word));
            } else {
                *line = std::mem::take(line).plain(space).then(tone, word);
            }
        }
        lines
    }

    /// Spaces up to `width` columns.
    pub(crate) fn padded(self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        if missing == 0 { self } else { self.plain(" ".repeat(missing)) }
    }
}

impl From<&str> for Line {
    fn from(words: &str) -> Self {
        Self::new().plain(words)
    }
}

impl From<String> for Line {
    fn from(words: String) -> Self {
        Self::new().plain(words)
    }
}

/// Without characters that move the cursor, colour, retitle, or turn the reading direction: device names,
/// addresses and messages come from others and end on a terminal that may be root's.
pub(crate) fn clean(words: &str) -> String {
    words.chars().filter(|character| !is_dangerous(*character)).collect()
}

/// Whether a character does something to a terminal instead of standing on it.
pub(crate) fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Breaks `text` between words so that no line is wider than `width` columns; a longer word is cut.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in clean(text).split_whitespace() {
        let joined = line.width().saturating_add(word.width()).saturating_add(1);
        if !line.is_empty() && joined > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if line.width().saturating_add(character.width().unwrap_or(0)) > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_taken_out() {
        assert_eq!(clean("a\x1b[31mb\x07\r\n\u{9b}1mc\u{7f}\u{202e}d\u{feff}"), "a[31mb1mcd");
        assert_eq!(clean("Téléphone 電話 (work)"), "Téléphone 電話 (work)");
    }

    #[test]
    fn width_counts_columns_and_not_characters() {
        assert_eq!(Line::from("電話").width(), 4);
        assert_eq!(Line::from("é\x1b").width(), 1);
        assert_eq!(Line::from("電話").padded(6).width(), 6);
    }

    #[test]
    fn a_wide_line_breaks_between_words_and_keeps_its_tones() {
        let line = Line::new().then(Tone::Bad, "otpctl:").plain(" no such device here");
        let lines = line.wrapped(16);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.width() <= 16), "{lines:?}");
        assert_eq!(lines.iter().flat_map(Line::spans).filter(|(tone, _)| *tone == Tone::Bad).count(), 1);
        assert_eq!(line.wrapped(80), [line]);
        assert_eq!(Line::new().wrapped(5), [Line::new()]);
    }

    #[test]
    fn wrapping_keeps_every_character() {
        assert_eq!(wrap("ABCD EFGH IJKL MNOP QRST", 19), ["ABCD EFGH IJKL MNOP", "QRST"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
