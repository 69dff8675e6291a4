//! Keys that another module's files hold, read a line at a time: [`oath`] for pam_oath, [`google`] for
//! pam_google_authenticator. Whatever cannot be carried over whole is a [`BadLine`], never left out silently.

use crate::key::BadKey;
use crate::key::Key;
use crate::time::Step;
use crate::totp::BadParameters;
use crate::totp::Parameters;

pub mod google;
pub mod oath;

/// A token as its file describes it.
#[derive(Debug)]
pub struct Token {
    /// Its key.
    pub key: Key,
    /// How it makes codes.
    pub parameters: Parameters,
    /// Steps that its clock is ahead of ours.
    pub drift: i8,
    /// The newest step or counter that the file says was used, if it says so.
    pub last_step: Option<Step>,
}

/// Why a line cannot be carried over. None of these repeats what may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Longer than [`LONGEST_LINE`].
    #[error("the line has more than {LONGEST_LINE} bytes; this is not such a file")]
    TooLong,
    /// A NUL byte.
    #[error("the line has a NUL byte; this is not such a file")]
    Nul,
    /// Not UTF-8.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// A field is not there.
    #[error("the {0} is missing")]
    Missing(&'static str),
    /// More fields than the format has.
    #[error("there is something behind the last field")]
    Surplus,
    /// A token of a kind that nobody knows.
    #[error("{0:?} is no type of token; HOTP/T30/6 is one")]
    UnknownType(String),
    /// A PIN before the code.
    #[error("a PIN cannot be carried over; put - in its place if codes alone will do")]
    Pin,
    /// A key in hexadecimal digits that are none.
    #[error("the key is not hexadecimal: an even number of digits 0 to 9 and A to F")]
    NotHex,
    /// A key that is too short, too long, or not base32.
    #[error("{0}")]
    Key(#[from] BadKey),
    /// Digits or period out of range.
    #[error("{0}")]
    Parameters(#[from] BadParameters),
    /// A number that is none.
    #[error("the {0} is not a number, or too large")]
    NotANumber(&'static str),
    /// The last code has no form of a code.
    #[error("the last code is not 6 to 8 digits")]
    LastCode,
    /// The time of the last code has another form.
    #[error("the time of the last code is not of the form 2026-11-21T21:36:02L")]
    LastTime,
    /// The device's clock is further off than is stored.
    #[error(
        "its clock is {0} steps off and at most 10 are taken; set the device's clock right and bind it anew"
    )]
    Skew(i64),
    /// The file does not say what its codes follow, or says both.
    #[error("one line of TOTP_AUTH and HOTP_COUNTER is needed, to tell time-based codes from counted ones")]
    TimeOrCounter,
    /// An option of another version.
    #[error("the option {0:?} is not known here")]
    UnknownOption(String),
    /// Neither an option nor a scratch code.
    #[error("this is neither an option nor a scratch code")]
    Unknown,
}

/// The most bytes of one line.
pub const LONGEST_LINE: usize = 4096;

/// The line as text, without the end of the line.
fn text(line: &[u8]) -> Result<&str, BadLine> {
    if line.len() > LONGEST_LINE {
        return Err(BadLine::TooLong);
    }
    if line.contains(&0) {
        return Err(BadLine::Nul);
    }
    let text = std::str::from_utf8(line).map_err(|_| BadLine::NotText)?;
    Ok(text.trim_end_matches(['\r', '\n']))
}

/// A number of digits alone: `parse` would take a plus as well.
fn number<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, BadLine> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(BadLine::NotANumber(what))
}

/// What a line may repeat of a word of its file.
fn shown(word: &str) -> String {
    word.chars().take(32).collect()
}
