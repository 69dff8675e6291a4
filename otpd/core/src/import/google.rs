//! The file of pam_google_authenticator, `~/.google_authenticator`: the key in the first line, options in lines that
//! begin with `" `, scratch codes of eight digits.

use zeroize::Zeroizing;

use super::BadLine;
use super::Token;
use super::number;
use super::shown;
use super::text;
use crate::device::Device;
use crate::key::BadKey;
use crate::key::Key;
use crate::time::Step;
use crate::totp::Algorithm;
use crate::totp::Parameters;

/// What a file holds.
#[derive(Debug)]
pub struct Secrets {
    /// Its token.
    pub token: Token,
    /// Scratch codes, which are not carried over: they are not of our making.
    pub scratch_codes: u32,
}

/// Reads a file.
///
/// # Errors
/// Everything that is wrong with it, with the numbers of the lines, from 1.
pub fn read(file: &[u8]) -> Result<Secrets, Vec<(usize, BadLine)>> {
    let mut reader = Reader::default();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let read = text(line).and_then(|line| reader.line(number, line));
        if let Err(error) = read {
            wrong.push((number, error));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let scratch_codes = reader.scratch_codes;
    let token = reader.token().map_err(|error| vec![(1, error)])?;
    Ok(Secrets { token, scratch_codes })
}

/// What was read so far. Of an option that stands twice the module takes the first.
#[derive(Default)]
struct Reader {
    key: Option<Key>,
    is_time_based: bool,
    counter: Option<u64>,
    period: Option<u16>,
    skew: Option<i8>,
    last_step: Option<Step>,
    scratch_codes: u32,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), BadLine> {
        if number == 1 {
            self.key = Some(key(line)?);
            return Ok(());
        }
        if let Some(option) = line.strip_prefix("\" ") {
            let (name, value) = option.split_once([' ', '\t']).unwrap_or((option, ""));
            return self.option(name, value.trim());
        }
        let is_code = line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code && !line.is_empty() {
            return Err(BadLine::Unknown);
        }
        self.scratch_codes = self.scratch_codes.saturating_add(is_code.into());
        Ok(())
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), BadLine> {
        match name {
            "TOTP_AUTH" => self.is_time_based = true,
            "HOTP_COUNTER" => {
                let counter = number(value, "counter")?;
                self.counter.get_or_insert(counter);
            }
            "STEP_SIZE" => {
                let period = number(value, "step size")?;
                Parameters::new(Algorithm::Sha1, 6, period)?;
                self.period.get_or_insert(period);
            }
            "TIME_SKEW" => {
                let skew: i64 = value.parse().map_err(|_| BadLine::NotANumber("time skew"))?;
                let stored = i8::try_from(skew).ok().filter(|skew| skew.unsigned_abs() <= FURTHEST);
                self.skew.get_or_insert(stored.ok_or(BadLine::Skew(skew))?);
            }
            "DISALLOW_REUSE" => {
                for step in value.split_ascii_whitespace() {
                    self.last_step = self.last_step.max(Some(Step(number(step, "used step")?)));
                }
            }
            // How often, from where and how late codes were tried: otpd has rules of its own.
            "RATE_LIMIT" | "WINDOW_SIZE" | "RESETTING_TIME_SKEW" => {}
            last if is_last_login(last) => {}
            other => return Err(BadLine::UnknownOption(shown(other))),
        }
        Ok(())
    }

    /// The token, if there is a whole one.
    fn token(self) -> Result<Token, BadLine> {
        let key = self.key.ok_or(BadLine::Missing("key"))?;
        if let (Some(next), false) = (self.counter, self.is_time_based) {
            let parameters = Parameters::counting(Algorithm::Sha1, 6)?;
            return Ok(Token { key, parameters, drift: 0, last_step: Step(next).at(-1) });
        }
        if self.counter.is_some() || !self.is_time_based {
            return Err(BadLine::TimeOrCounter);
        }
        let period = self.period.unwrap_or(Parameters::default().period());
        let parameters = Parameters::new(Algorithm::Sha1, 6, period)?;
        Ok(Token { key, parameters, drift: self.skew.unwrap_or(0), last_step: self.last_step })
    }
}

/// `LAST0` to `LAST9`.
fn is_last_login(name: &str) -> bool {
    name.strip_prefix("LAST").is_some_and(|rest| matches!(rest.as_bytes(), [b'0'..=b'9']))
}

/// Base32 as the module reads it: 0, 1 and 8 for O, L and B, and bits behind the last byte do not matter.
fn key(line: &str) -> Result<Key, BadLine> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_KEY));
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in line.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'-' | b'\r')) {
        let value = match byte.to_ascii_uppercase() {
            b'0' => 14,
            b'1' => 11,
            b'8' => 1,
            letter @ b'A'..=b'Z' => letter.wrapping_sub(b'A'),
            digit @ b'2'..=b'7' => digit.wrapping_sub(b'2').wrapping_add(26),
            _ => return Err(BadKey::NotBase32.into()),
        };
        buffer = (buffer << 5) | u32::from(value);
        bits = bits.saturating_add(5);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            // Never past its room: a vector that grows leaves a copy of the key behind.
            if bytes.len() == LONGEST_KEY {
                return Err(BadKey::TooLong.into());
            }
            bytes.push(u8::try_from((buffer >> bits) & 0xff).unwrap_or(0));
        }
    }
    if bytes.is_empty() {
        return Err(BadLine::Missing("key"));
    }
    Ok(Key::new(bytes)?)
}

const LONGEST_KEY: usize = 64;
const FURTHEST: u8 = Device::MAX_DRIFT.unsigned_abs();

#[cfg(test)]
mod tests;
