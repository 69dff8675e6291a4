//! The only file that prints: results on standard output as text or as one JSON object, questions, remarks and
//! failures on standard error. Everything passes [`clean`] or its JSON counterpart on the way.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use anstream::AutoStream;
use anstream::ColorChoice;
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::Color;
use crate::failure::Failure;
use crate::failure::Problem;
use crate::when::Clock;

pub(crate) mod line;
pub(crate) mod progress;
pub(crate) mod table;

use line::Line;
use line::Tone;
use line::clean;
use line::is_dangerous;
use progress::Progress;

/// Where and how to print.
pub(crate) struct Output {
    json: bool,
    color: Color,
}

impl Output {
    /// Printing as the command line asks for it.
    pub(crate) fn new(json: bool, color: Color) -> Self {
        Self { json, color }
    }

    /// Whether the result is wanted as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether standard output takes colours.
    pub(crate) fn has_color(&self) -> bool {
        self.allows_color(&io::stdout())
    }

    /// Columns and rows of the terminal on standard output, if it has a size.
    pub(crate) fn size(&self) -> Option<(usize, usize)> {
        let (columns, rows) = terminal_size::terminal_size_of(io::stdout())?;
        (columns.0 > 0 && rows.0 > 0).then_some((columns.0.into(), rows.0.into()))
    }

    /// Prints a command's result: `object` as one line of JSON, or the lines of `text`.
    pub(crate) fn result(&self, object: &impl Serialize, text: impl FnOnce() -> Vec<Line>) -> io::Result<()> {
        if self.json { self.object(object) } else { self.lines(&text()) }
    }

    /// Prints lines of text, whatever form the result has.
    pub(crate) fn lines(&self, lines: &[Line]) -> io::Result<()> {
        let color = self.has_color();
        let mut bytes = Zeroizing::new(Vec::new());
        for line in lines {
            write_line(&mut *bytes, line, color)?;
        }
        write_whole(&bytes)
    }

    /// Prints a document made here, such as a completion script, as it is.
    pub(crate) fn document(&self, kind: &str, document: &str) -> io::Result<()> {
        if self.json { self.object(&json!({ kind: document })) } else { write_whole(document.as_bytes()) }
    }

    /// Prints lines of keys, as they are.
    pub(crate) fn keys(&self, lines: &[u8]) -> io::Result<()> {
        write_whole(lines)
    }

    /// Prints one JSON object on a line of its own.
    pub(crate) fn object(&self, object: &impl Serialize) -> io::Result<()> {
        let mut text = Zeroizing::new(escape(&Zeroizing::new(serde_json::to_string(object)?)));
        text.push('\n');
        write_whole(text.as_bytes())
    }

    /// Asks on standard error, so that a redirected result stays clean; the answer is typed behind it.
    pub(crate) fn question(&self, question: &str) -> io::Result<()> {
        let mut stderr = io::stderr();
        write!(stderr, "{} ", clean(question))?;
        stderr.flush()
    }

    /// Remarks on standard error.
    pub(crate) fn remark(&self, remark: &str) -> io::Result<()> {
        complain(&Line::from(remark), false)
    }

    /// How far a long work is, on standard error if that is a terminal.
    pub(crate) fn progress(&self, work: &'static str, whole: u64) -> Progress {
        Progress::new(work, whole, !self.json && io::stderr().is_terminal())
    }

    /// Says on standard error why the command failed. Nothing can be done if nobody listens there.
    pub(crate) fn failure(&self, failure: &Failure) {
        let _ = if self.json {
            let Failure { reason, message, until, problems, commands, .. } = failure;
            let details = Details { reason, message, until: *until, problems, commands };
            let error = serde_json::to_string(&Error { error: details });
            writeln!(io::stderr(), "{}", escape(&error.unwrap_or_default()))
        } else {
            // A line each, unbroken: editors and eyes look for file and line at its beginning.
            for problem in &failure.problems {
                let _ = writeln!(io::stderr(), "{}", clean(&problem.to_string()));
            }
            let line = Line::new().then(Tone::Bad, "otpctl:").plain(format!(" {}", sentence(failure)));
            let said = complain(&line, self.allows_color(&io::stderr()));
            for command in &failure.commands {
                let _ = writeln!(io::stderr(), "    {}", clean(command));
            }
            said
        };
    }

    /// Prints what the parser of the command line has to say: help, the version, or what is wrong.
    pub(crate) fn parser(&self, said: &clap::Error) {
        if self.json && said.use_stderr() {
            let text = said.to_string();
            self.failure(&Failure::usage(text.trim_start_matches("error: ").trim_end()));
        } else {
            // Fails only if nobody reads it.
            let _ = said.print();
        }
    }

    fn allows_color(&self, stream: &impl anstream::stream::RawStream) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => AutoStream::choice(stream) != ColorChoice::Never,
        }
    }
}

/// A failure as JSON.
#[derive(Serialize)]
struct Error<'a> {
    error: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    reason: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    commands: &'a [String],
}

/// The message, and the time from which on it is worth trying again unless the message names it.
fn sentence(failure: &Failure) -> String {
    let clock = Clock::read();
    match failure.until.filter(|until| *until > clock.now()) {
        Some(until) if !failure.message.contains(&clock.time_of_day(until)) => {
            let wait = clock.relative(until);
            format!("{} Try again {wait}, at {}.", failure.message.trim_end(), clock.time_of_day(until))
        }
        _ => failure.message.clone(),
    }
}

fn write_line(out: &mut impl Write, line: &Line, color: bool) -> io::Result<()> {
    for (tone, words) in line.spans() {
        let style = tone.style();
        if color && tone != Tone::Plain {
            write!(out, "{style}{words}{style:#}")?;
        } else {
            write!(out, "{words}")?;
        }
    }
    writeln!(out)
}

/// Writes a line on standard error: on a terminal broken between words, otherwise whole.
fn complain(line: &Line, color: bool) -> io::Result<()> {
    let columns = terminal_size::terminal_size_of(io::stderr()).map(|(columns, _)| usize::from(columns.0));
    let mut bytes = Vec::new();
    for line in columns.map_or_else(|| vec![line.clone()], |columns| line.wrapped(columns)) {
        write_line(&mut bytes, &line, color)?;
    }
    io::stderr().write_all(&bytes)
}

fn write_whole(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// JSON leaves DEL, the C1 controls and direction marks as they are; a terminal would obey them. They can only
/// stand inside strings, where an escape means the same.
fn escape(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if is_dangerous(character) {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_control_characters_means_the_same_and_shows_none() {
        let object = json!({ "name": "a\u{9b}1m\u{7f}\u{202e}\u{1b}é" });
        let text = escape(&object.to_string());
        assert!(!text.chars().any(is_dangerous), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), object);
    }

    #[test]
    fn words_are_coloured_only_when_asked() {
        let line = Line::new().then(Tone::Good, "on").plain(" x");
        let mut plain = Vec::new();
        write_line(&mut plain, &line, false).unwrap();
        assert_eq!(plain, b"on x\n");
        let mut colored = Vec::new();
        write_line(&mut colored, &line, true).unwrap();
        assert_eq!(colored, b"\x1b[32mon\x1b[0m x\n");
    }

    #[test]
    fn a_failure_names_the_time_once() {
        let until = Clock::read().now() + 100;
        let at = Clock::read().time_of_day(until);
        let mut failure = Failure::usage("Wait.");
        failure.until = Some(until);
        assert!(sentence(&failure).ends_with(&format!("at {at}.")));
        failure.message = format!("Locked until {at}.");
        assert_eq!(sentence(&failure), failure.message);
        failure.until = Some(1);
        failure.message = "Wait.".to_owned();
        assert_eq!(sentence(&failure), "Wait.");
    }
}
