//! The users file of liboath, which pam_oath reads: a token a line,
//! `HOTP/T30/6 user PIN hexkey [offset [last-code time]]`. Read and written.

use data_encoding::HEXLOWER;
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::BadLine;
use super::Token;
use super::number;
use super::shown;
use super::text;
use crate::code::Code;
use crate::key::BadKey;
use crate::key::Key;
use crate::time::Step;
use crate::time::UnixTime;
use crate::totp::Algorithm;
use crate::totp::Generator;
use crate::totp::Moving;
use crate::totp::Parameters;

/// Reads a line: whose token, and the token. `None` is an empty line or a comment (`#`).
///
/// The file has the last code and not its step, so the steps after `now` are searched for it: the old module may have
/// accepted one of a device whose clock is ahead.
///
/// # Errors
/// [`BadLine`].
pub fn read(line: &[u8], now: UnixTime) -> Result<Option<(String, Token)>, BadLine> {
    let mut fields = text(line)?.split([' ', '\t', '\r']).filter(|field| !field.is_empty());
    let Some(kind) = fields.next().filter(|kind| !kind.starts_with('#')) else { return Ok(None) };
    let parameters = parameters(kind)?;
    let user = fields.next().ok_or(BadLine::Missing("user"))?;
    match fields.next().ok_or(BadLine::Missing("PIN"))? {
        "-" | "+" => {}
        _ => return Err(BadLine::Pin),
    }
    let key = key(fields.next().ok_or(BadLine::Missing("key"))?)?;
    let offset = fields.next().map(|offset| number::<u64>(offset, "offset")).transpose()?.unwrap_or(0);
    let last = fields.next().map(|last| Code::parse(last).map_err(|_| BadLine::LastCode)).transpose()?;
    if let Some(time) = fields.next() {
        check_time(time)?;
    }
    if fields.next().is_some() {
        return Err(BadLine::Surplus);
    }
    let last_step = match (parameters.moving(), last) {
        (Moving::Time(_), last) => last.and_then(|last| step_ahead(&key, parameters, &last, now)),
        // pam_oath leaves the counter at the code that it accepted, and that code beside it.
        (Moving::Events, Some(_)) => Some(Step(offset)),
        (Moving::Events, None) => Step(offset).at(-1),
    };
    Ok(Some((user.to_owned(), Token { key, parameters, drift: 0, last_step })))
}

/// Why the format has no words for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotWrite {
    /// Fields are parted by blanks, and `#` begins a comment.
    #[error("its user's name cannot stand in a users file")]
    Name,
    /// Not SHA-1.
    #[error("it uses {0}, and a users file has SHA-1 only")]
    Algorithm(Algorithm),
    /// Neither 30 nor 60 seconds.
    #[error("its period is {0} s, and pam_oath knows 30 and 60")]
    Period(u16),
    /// Longer than liboath's buffer.
    #[error("its key has {0} bytes, and pam_oath takes at most 32")]
    LongKey(usize),
}

/// A spent code as the format has it.
#[derive(Debug)]
pub struct Last<'a> {
    /// Its step, or counter.
    pub step: Step,
    /// The code.
    pub code: &'a Code,
    /// When, in liboath's form.
    pub time: &'a str,
}

/// Writes a token as a line. The code of `last` is then refused by pam_oath, too.
///
/// # Errors
/// [`CannotWrite`].
pub fn write(
    user: &str,
    key: &Key,
    parameters: Parameters,
    last: Option<Last<'_>>,
) -> Result<Zeroizing<String>, CannotWrite> {
    if user.starts_with('#') || user.contains(char::is_whitespace) {
        return Err(CannotWrite::Name);
    }
    if parameters.algorithm() != Algorithm::Sha1 {
        return Err(CannotWrite::Algorithm(parameters.algorithm()));
    }
    let moving = match parameters.moving() {
        Moving::Events => "E".to_owned(),
        Moving::Time(period @ (30 | 60)) => format!("T{period}"),
        Moving::Time(period) => return Err(CannotWrite::Period(period)),
    };
    let bytes = key.expose_bytes();
    if bytes.len() > LONGEST_KEY {
        return Err(CannotWrite::LongKey(bytes.len()));
    }
    // Room for everything at once: a string that grows leaves a copy of the key behind.
    let mut line = Zeroizing::new(String::with_capacity(user.len().saturating_add(256)));
    line.push_str(&format!("HOTP/{moving}/{}\t{user}\t-\t", parameters.digits()));
    HEXLOWER.encode_append(bytes, &mut line);
    if let Some(Last { step, code, time }) = last {
        let counter = if parameters.counts() { step.0 } else { 0 };
        line.push_str(&format!("\t{counter}\t"));
        [code.expose_digits(), "\t", time].iter().for_each(|part| line.push_str(part));
    }
    line.push('\n');
    Ok(line)
}

fn parameters(kind: &str) -> Result<Parameters, BadLine> {
    let unknown = || BadLine::UnknownType(shown(kind));
    let mut parts = kind.split('/');
    if parts.next() != Some("HOTP") {
        return Err(unknown());
    }
    let moving = parts.next().unwrap_or("E");
    let digits = parts.next().map_or(Ok(6), |digits| number(digits, "number of digits"))?;
    if parts.next().is_some() {
        return Err(unknown());
    }
    if moving == "E" {
        return Ok(Parameters::counting(Algorithm::Sha1, digits)?);
    }
    let period = number(moving.strip_prefix('T').ok_or_else(unknown)?, "period")?;
    Ok(Parameters::new(Algorithm::Sha1, digits, period)?)
}

fn key(hex: &str) -> Result<Key, BadLine> {
    // Nothing is decoded that cannot be a key, however long the field.
    if hex.len() > 2 * 64 {
        return Err(BadKey::TooLong.into());
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map(Zeroizing::new);
    Ok(Key::new(bytes.map_err(|_| BadLine::NotHex)?)?)
}

/// liboath's `%Y-%m-%dT%H:%M:%SL`, by its form alone: it is a local time, and nothing follows from it here.
fn check_time(time: &str) -> Result<(), BadLine> {
    let is = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    let form = b"0000-00-00T00:00:00L";
    let fits = time.len() == form.len() && time.bytes().zip(form.iter().copied()).all(is);
    if fits { Ok(()) } else { Err(BadLine::LastTime) }
}

/// The newest step after `now` that has this code, if any of the next few has.
fn step_ahead(key: &Key, parameters: Parameters, code: &Code, now: UnixTime) -> Option<Step> {
    let generator = Generator::new(key, parameters).ok()?;
    let now = now.step(parameters.period());
    (1..=AHEAD).rev().filter_map(|offset| now.at(offset)).find(|step| generator.matches(code, *step))
}

/// As far as pam_oath is usually told to look.
const AHEAD: i64 = 10;
/// liboath's.
const LONGEST_KEY: usize = 32;

#[cfg(test)]
mod tests;
