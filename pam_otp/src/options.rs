//! The module's options, as they stand on its line in a service file. A word that is unknown, repeated or malformed
//! is an error and fails the login: a typo that is skipped changes security in silence.

use std::ffi::CStr;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::line::Line;

/// Everything that can stand on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// `socket=PATH`: where otpd listens.
    pub(crate) socket: PathBuf,
    /// `timeout=SECONDS`: how long the daemon may take to say what it asks for.
    pub(crate) timeout: Duration,
    /// `unavailable=deny|ignore`.
    pub(crate) unavailable: Unavailable,
    /// `prompt=TEXT`: shown instead of the daemon's prompt, for clients that look for a certain text. What the
    /// daemon says in its own prompt (locked until …, used already) is lost with it.
    pub(crate) prompt: Option<Line>,
    /// `use_first_pass`, `try_first_pass`.
    pub(crate) first_pass: FirstPass,
    /// `forward_pass`, `forward_pass=unchecked`.
    pub(crate) forward_pass: ForwardPass,
    /// `debug`: each step goes to the log at LOG_DEBUG. Never a secret.
    pub(crate) debug: bool,
    /// `panic`: authenticate panics.
    #[cfg(feature = "panic-probe")]
    pub(crate) panic: bool,
}

/// What becomes of a local login when nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// It fails.
    Deny,
    /// It is left to the other modules of the stack.
    Ignore,
}

/// What becomes of PAM_AUTHTOK, the answer that a module before us asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstPass {
    /// It is a password, and the person is asked for the code.
    Ignored,
    /// It is the answer if it has the form of one. If not, the person is asked.
    Tried,
    /// It is the answer, and nobody is ever asked.
    Used,
}

/// Whether one answer holds the password and, behind it, the code. The password is handed on to the modules after us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForwardPass {
    /// No.
    Off,
    /// Yes, and the code is judged here, before the password.
    Checked,
    /// Yes, and the code is handed on too: a line of ours after the password, with `use_first_pass`, has it judged.
    Unchecked,
}

/// What is wrong with the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OptionError {
    /// No such option.
    Unknown(String),
    /// It stands there twice.
    Repeated(&'static str),
    /// The one says what the other denies.
    Contradictory(&'static str, &'static str),
    /// Its value is not what it must be.
    Malformed {
        /// The option.
        name: &'static str,
        /// What it must be.
        want: &'static str,
    },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => {
                write!(f, "unknown option \"{word}\"; correct this line in the service file")
            }
            Self::Repeated(name) => {
                write!(f, "option \"{name}\" stands twice; remove one from the service file")
            }
            Self::Contradictory(one, other) => {
                write!(
                    f,
                    "options \"{one}\" and \"{other}\" contradict each other; remove one from the service file"
                )
            }
            Self::Malformed { name, want } => {
                write!(f, "option \"{name}\" must be {want}; correct the service file")
            }
        }
    }
}

impl Options {
    /// Reads the line; `default_socket` is used unless the line names one.
    ///
    /// # Errors
    /// [`OptionError`] at the first word that is wrong, or that contradicts another.
    pub(crate) fn parse(words: &[&CStr], default_socket: &Path) -> Result<Self, OptionError> {
        let mut options = Self {
            socket: default_socket.to_owned(),
            timeout: DEFAULT_TIMEOUT,
            unavailable: Unavailable::Deny,
            prompt: None,
            first_pass: FirstPass::Ignored,
            forward_pass: ForwardPass::Off,
            debug: false,
            #[cfg(feature = "panic-probe")]
            panic: false,
        };
        let mut seen = Vec::new();
        for word in words {
            let name = options.take(word)?;
            if seen.contains(&name) {
                return Err(OptionError::Repeated(name));
            }
            seen.push(name);
        }
        for (one, other) in CONTRADICTIONS {
            if seen.contains(&one) && seen.contains(&other) {
                return Err(OptionError::Contradictory(one, other));
            }
        }
        Ok(options)
    }

    /// Reads one word and returns the option's name.
    fn take(&mut self, word: &CStr) -> Result<&'static str, OptionError> {
        let unknown = || OptionError::Unknown(word.to_string_lossy().into_owned());
        let word = word.to_str().map_err(|_| unknown())?;
        match word.split_once('=') {
            Some(("socket", path)) => {
                self.socket = socket(path).ok_or(SOCKET)?;
                Ok("socket")
            }
            Some(("timeout", seconds)) => {
                self.timeout = timeout(seconds).ok_or(TIMEOUT)?;
                Ok("timeout")
            }
            Some(("unavailable", what)) => {
                self.unavailable = unavailable(what).ok_or(UNAVAILABLE)?;
                Ok("unavailable")
            }
            Some(("prompt", text)) => {
                self.prompt = Some(prompt(text).ok_or(PROMPT)?);
                Ok("prompt")
            }
            Some(("forward_pass", what)) => {
                self.forward_pass = unchecked(what).ok_or(FORWARD_PASS)?;
                Ok("forward_pass")
            }
            None if word == "use_first_pass" => {
                self.first_pass = FirstPass::Used;
                Ok("use_first_pass")
            }
            None if word == "try_first_pass" => {
                self.first_pass = FirstPass::Tried;
                Ok("try_first_pass")
            }
            None if word == "forward_pass" => {
                self.forward_pass = ForwardPass::Checked;
                Ok("forward_pass")
            }
            None if word == "debug" => {
                self.debug = true;
                Ok("debug")
            }
            #[cfg(feature = "panic-probe")]
            None if word == "panic" => {
                self.panic = true;
                Ok("panic")
            }
            _ => Err(unknown()),
        }
    }
}

fn socket(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    (path.is_absolute() && path.as_os_str().len() <= LONGEST_SOCKET).then(|| path.to_owned())
}

/// Digits only: `u64` would read `+5` too.
fn timeout(seconds: &str) -> Option<Duration> {
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = seconds.parse().ok().filter(|_| digits)?;
    (1..=30).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn unavailable(what: &str) -> Option<Unavailable> {
    match what {
        "deny" => Some(Unavailable::Deny),
        "ignore" => Some(Unavailable::Ignore),
        _ => None,
    }
}

fn unchecked(what: &str) -> Option<ForwardPass> {
    (what == "unchecked").then_some(ForwardPass::Unchecked)
}

/// sudo puts its own password prompt in the place of one that looks like pam_unix's, and clients fill in the
/// password there.
fn prompt(text: &str) -> Option<Line> {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let words = text.trim_ascii().to_ascii_lowercase();
    let of_password = words == "password:" || words.ends_with("'s password:");
    (printable && !words.is_empty() && text.len() <= LONGEST_PROMPT && !of_password).then(|| Line::new(text))
}

/// Whoever is never asked sees no prompt.
const CONTRADICTIONS: [(&str, &str); 2] =
    [("try_first_pass", "use_first_pass"), ("prompt", "use_first_pass")];

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// `sun_path` without its NUL.
const LONGEST_SOCKET: usize = 107;
const LONGEST_PROMPT: usize = 200;

const SOCKET: OptionError = OptionError::Malformed {
    name: "socket",
    want: "an absolute path of at most 107 bytes (socket=/run/otpd/login.sock)",
};
const TIMEOUT: OptionError =
    OptionError::Malformed { name: "timeout", want: "whole seconds from 1 to 30 (timeout=5)" };
const UNAVAILABLE: OptionError =
    OptionError::Malformed { name: "unavailable", want: "deny or ignore (unavailable=deny)" };
const FORWARD_PASS: OptionError = OptionError::Malformed {
    name: "forward_pass",
    want: "without a value, or unchecked (forward_pass=unchecked)",
};
const PROMPT: OptionError = OptionError::Malformed {
    name: "prompt",
    want: "1 to 200 printable ASCII characters, and not a password prompt ([prompt=One-time code: ])",
};

#[cfg(test)]
mod tests;
