//! Why a command did not do what was asked: a word for programs, a sentence for people, an exit code.

use std::fmt;
use std::io;

use serde::Serialize;

use crate::exit::Exit;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// A stable word: a `reason` of `otpd`, or one of this program.
    pub(crate) reason: String,
    /// What is wrong, where, and what to do next.
    pub(crate) message: String,
    /// When it is worth trying again, Unix seconds.
    pub(crate) until: Option<i64>,
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What is wrong with which line of which file.
    pub(crate) problems: Vec<Problem>,
    /// What to run, to be copied whole.
    pub(crate) commands: Vec<String>,
}

/// Something wrong in a file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// Which file.
    pub(crate) file: String,
    /// Which line, from 1; the file as a whole if absent.
    pub(crate) line: Option<usize>,
    /// What is wrong and what to do, a sentence.
    pub(crate) say: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.say),
            None => write!(f, "{}: {}", self.file, self.say),
        }
    }
}

impl Failure {
    /// A new file could not be made or filled.
    pub(crate) fn cannot_write(path: &std::path::Path, error: &std::io::Error) -> Self {
        let at = path.display();
        let message = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{at} exists already and is not overwritten. Name a new file, or remove it first")
            }
            std::io::ErrorKind::NotFound => format!("cannot create {at}: there is no such directory"),
            _ => format!("cannot write {at}: {error}"),
        };
        Self::new(Exit::Refused, "file", message)
    }

    /// A file that was named cannot be read.
    pub(crate) fn cannot_read(path: &std::path::Path, error: &std::io::Error) -> Self {
        let said = error.to_string();
        let said = said.split(" (os error").next().unwrap_or_default();
        Self::new(Exit::Refused, "file", format!("cannot read {}: {said}", path.display()))
    }

    /// A failure with nothing to wait for.
    pub(crate) fn new(exit: Exit, reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            until: None,
            exit,
            problems: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// The command line makes no sense, in a way the parser cannot see.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Whether another code could mend it.
    pub(crate) fn asks_for_another_code(&self) -> bool {
        matches!(self.reason.as_str(), "code_wrong" | "code_used" | "code_malformed")
    }

    /// Whether only a code was missing.
    pub(crate) fn is_code_needed(&self) -> bool {
        self.reason == "code_needed"
    }

    /// Whether nobody reads our output any more, which is no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.reason == BROKEN_PIPE
    }

    /// Names the way around an otpd that cannot be reached.
    pub(crate) fn or_offline(mut self) -> Self {
        if self.reason == "unreachable" {
            self.message.push_str(", or while it is stopped: otpctl --offline");
        }
        self
    }

    /// Adds what to do next.
    pub(crate) fn advise(mut self, advice: &str) -> Self {
        self.message = format!("{} {advice}", self.message.trim_end());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Only reading and writing of the standard streams comes here; files name their path themselves.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Ok, BROKEN_PIPE, "nobody reads the output"),
            _ => Self::new(Exit::Refused, "io", format!("cannot use the standard streams: {error}")),
        }
    }
}

const BROKEN_PIPE: &str = "broken_pipe";
