//! TOTP (RFC 6238) on totp-rs, one step at a time; and HOTP (RFC 4226), which is the same with a counter for the step.
//!
//! totp-rs probes the oldest step of a window first and would refuse a good code whose older twin is used up, so
//! the window is walked here: every step of it, always, whatever matched before.

use std::fmt;
use std::str::FromStr;

use crate::code::Code;
use crate::key::Key;
use crate::time::Step;

/// The hash of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// What every authenticator app knows; HMAC-SHA-1 is not weakened by SHA-1's collisions.
    Sha1,
    /// Few apps.
    Sha256,
    /// Few apps.
    Sha512,
}

impl Algorithm {
    /// As in key URIs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = BadParameters;

    fn from_str(text: &str) -> Result<Self, BadParameters> {
        match text {
            "SHA1" => Ok(Self::Sha1),
            "SHA256" => Ok(Self::Sha256),
            "SHA512" => Ok(Self::Sha512),
            _ => Err(BadParameters::Algorithm),
        }
    }
}

/// How a device makes its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    algorithm: Algorithm,
    digits: u8,
    moving: Moving,
}

/// What makes a device's codes change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moving {
    /// Time (TOTP): every so many seconds.
    Time(u16),
    /// Each code shown (HOTP).
    Events,
}

impl Moving {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time(_) => "totp",
            Self::Events => "hotp",
        }
    }
}

/// Parameters outside what is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadParameters {
    /// Unknown hash.
    #[error("the algorithm is SHA1, SHA256 or SHA512")]
    Algorithm,
    /// Not 6 to 8.
    #[error("a code has 6 to 8 digits")]
    Digits,
    /// Not 15 to 120.
    #[error("the period is 15 to 120 seconds")]
    Period,
}

impl Parameters {
    /// Of a device that follows the time. Checks the ranges: 6 to 8 digits, 15 to 120 seconds.
    ///
    /// # Errors
    /// [`BadParameters`].
    pub fn new(algorithm: Algorithm, digits: u8, period: u16) -> Result<Self, BadParameters> {
        Self::checked(algorithm, digits, Moving::Time(period))
    }

    /// Of a device that counts its codes. Checks the range: 6 to 8 digits.
    ///
    /// # Errors
    /// [`BadParameters`].
    pub fn counting(algorithm: Algorithm, digits: u8) -> Result<Self, BadParameters> {
        Self::checked(algorithm, digits, Moving::Events)
    }

    /// As stored and sent: a period of 0 is that of a device that counts.
    ///
    /// # Errors
    /// [`BadParameters`].
    pub fn with_period(algorithm: Algorithm, digits: u8, period: u16) -> Result<Self, BadParameters> {
        let moving = if period == 0 { Moving::Events } else { Moving::Time(period) };
        Self::checked(algorithm, digits, moving)
    }

    fn checked(algorithm: Algorithm, digits: u8, moving: Moving) -> Result<Self, BadParameters> {
        if !(6..=8).contains(&digits) {
            return Err(BadParameters::Digits);
        }
        if matches!(moving, Moving::Time(period) if !(15..=120).contains(&period)) {
            return Err(BadParameters::Period);
        }
        Ok(Self { algorithm, digits, moving })
    }

    /// The hash.
    #[must_use]
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// Digits of a code.
    #[must_use]
    pub fn digits(self) -> u8 {
        self.digits
    }

    /// What makes the codes change.
    #[must_use]
    pub fn moving(self) -> Moving {
        self.moving
    }

    /// Seconds of a step; 0 for a device that counts.
    #[must_use]
    pub fn period(self) -> u16 {
        match self.moving {
            Moving::Time(period) => period,
            Moving::Events => 0,
        }
    }

    /// Whether the device counts its codes (HOTP).
    #[must_use]
    pub fn counts(self) -> bool {
        self.moving == Moving::Events
    }
}

impl Default for Parameters {
    /// What every app supports: SHA-1, 6 digits, 30 seconds.
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: 6, moving: Moving::Time(30) }
    }
}

/// Makes and compares the codes of one key.
pub struct Generator {
    totp: totp_rs::Totp,
    digits: u8,
    /// For a counter any period does: totp-rs is given the time at which the step with the counter's number begins.
    period: u16,
}

/// totp-rs refused a key or parameters that passed our own checks.
#[derive(Debug, thiserror::Error)]
#[error("totp-rs refuses this key: {0}")]
pub struct GeneratorError(String);

impl Generator {
    /// Prepares a key.
    ///
    /// # Errors
    /// [`GeneratorError`]; a [`Key`] and [`Parameters`] made here never cause it.
    pub fn new(key: &Key, parameters: Parameters) -> Result<Self, GeneratorError> {
        let algorithm = match parameters.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        let period = match parameters.moving {
            Moving::Time(period) => period,
            Moving::Events => 1,
        };
        let totp = totp_rs::Builder::new()
            .with_algorithm(algorithm)
            .with_digits(parameters.digits)
            .with_step_duration(u64::from(period))
            .with_skew(0)
            .with_secret(totp_rs::Secret::new(key.expose_bytes().into()))
            .build()
            .map_err(|error| GeneratorError(error.to_string()))?;
        Ok(Self { totp, digits: parameters.digits, period })
    }

    /// Whether `code` is the one of `step`, in constant time.
    #[must_use]
    pub fn matches(&self, code: &Code, step: Step) -> bool {
        step.0
            .checked_mul(u64::from(self.period))
            .is_some_and(|time| self.totp.check(code.expose_digits_for(self.digits), time).is_some())
    }

    /// Those of `steps` that have this code. All of them are computed whatever matches.
    pub fn matching(&self, code: &Code, steps: impl Iterator<Item = Step>) -> Vec<Step> {
        steps.filter(|step| self.matches(code, *step)).collect()
    }

    /// The offsets from `centre` in `-reach..=reach` at which `code` is the right one, nearest first, the earlier
    /// one first among equals. All of them are computed whatever matches.
    #[must_use]
    pub fn offsets(&self, code: &Code, centre: Step, reach: i64) -> Vec<i64> {
        let mut found: Vec<i64> = (reach.saturating_neg()..=reach)
            .filter(|offset| centre.at(*offset).is_some_and(|step| self.matches(code, step)))
            .collect();
        found.sort_by_key(|offset| offset.abs());
        found
    }

    /// The code of `step`, for tests and for devices that are ours.
    #[must_use]
    pub fn code_at(&self, step: Step) -> String {
        self.totp.generate(step.0.saturating_mul(u64::from(self.period))).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;
    use zeroize::Zeroizing;

    fn key(bytes: &[u8]) -> Key {
        Key::new(Zeroizing::new(bytes.to_vec())).unwrap()
    }

    /// `time algorithm code` a line, from appendix B.
    #[test]
    fn rfc_6238_vectors_hold() {
        let mut checked = 0;
        for line in include_str!("../../../tests/vectors/rfc6238.txt").lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [seconds, algorithm, code] = fields[..] else { continue };
            let Ok(seconds) = seconds.parse() else { continue };
            let algorithm: Algorithm = algorithm.parse().unwrap();
            let seed: &[u8] = match algorithm {
                Algorithm::Sha1 => b"12345678901234567890",
                Algorithm::Sha256 => b"12345678901234567890123456789012",
                Algorithm::Sha512 => b"1234567890123456789012345678901234567890123456789012345678901234",
            };
            let generator = Generator::new(&key(seed), Parameters::new(algorithm, 8, 30).unwrap()).unwrap();
            let step = UnixTime(seconds).step(30);
            assert_eq!(generator.code_at(step), code, "{line}");
            assert!(generator.matches(&Code::parse(code).unwrap(), step), "{line}");
            assert!(!generator.matches(&Code::parse(code).unwrap(), Step(step.0 + 1)), "{line}");
            checked += 1;
        }
        assert_eq!(checked, 18);
    }

    /// `count code` a line, from appendix D.
    #[test]
    fn rfc_4226_vectors_hold() {
        let mut checked = 0;
        let counting = Parameters::counting(Algorithm::Sha1, 6).unwrap();
        let generator = Generator::new(&key(b"12345678901234567890"), counting).unwrap();
        for line in include_str!("../../../tests/vectors/rfc4226.txt").lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [count, code] = fields[..] else { continue };
            let Ok(count) = count.parse() else { continue };
            assert_eq!(generator.code_at(Step(count)), code);
            let all = generator.matching(&Code::parse(code).unwrap(), (0..10).map(Step));
            assert_eq!(all, [Step(count)]);
            checked += 1;
        }
        assert_eq!(checked, 10);
    }

    #[test]
    fn ranges_are_checked_on_both_sides() {
        let new = |digits, period| Parameters::new(Algorithm::Sha1, digits, period).map(|_| ()).err();
        assert_eq!(new(5, 30), Some(BadParameters::Digits));
        assert_eq!(new(6, 15), None);
        assert_eq!(new(8, 120), None);
        assert_eq!(new(9, 30), Some(BadParameters::Digits));
        assert_eq!(new(6, 14), Some(BadParameters::Period));
        assert_eq!(new(6, 121), Some(BadParameters::Period));
        assert_eq!("MD5".parse::<Algorithm>(), Err(BadParameters::Algorithm));
        assert_eq!("sha1".parse::<Algorithm>(), Err(BadParameters::Algorithm));
    }

    #[test]
    fn a_code_of_another_length_never_matches() {
        let six = Generator::new(&key(b"12345678901234567890"), Parameters::default()).unwrap();
        let eight = Parameters::new(Algorithm::Sha1, 8, 30).unwrap();
        let eight = Generator::new(&key(b"12345678901234567890"), eight).unwrap();
        let long = Code::parse(&eight.code_at(Step(1))).unwrap();
        assert!(!six.matches(&long, Step(1)));
        assert!(eight.matches(&long, Step(1)));
    }

    #[test]
    fn a_tail_matches_by_as_many_of_its_last_digits_as_a_code_has() {
        let generator = |digits| {
            let parameters = Parameters::new(Algorithm::Sha1, digits, 30).unwrap();
            Generator::new(&key(b"12345678901234567890"), parameters).unwrap()
        };
        let tail = |digits: &str| Code::parse_tail(digits).unwrap();
        let (six, eight) = (generator(6), generator(8));
        let (short, long) = (six.code_at(Step(1)), eight.code_at(Step(1)));
        assert!(six.matches(&tail(&format!("00{short}")), Step(1)));
        assert!(six.matches(&tail(&short), Step(1)) && !eight.matches(&tail(&short), Step(1)));
        assert!(
            eight.matches(&tail(&long), Step(1)) && !eight.matches(&tail(&format!("00{short}")), Step(1))
        );
        assert!(!six.matches(&tail(&format!("{short}00")), Step(1)));
    }

    #[test]
    fn offsets_come_nearest_first() {
        let generator = Generator::new(&key(b"12345678901234567890"), Parameters::default()).unwrap();
        let code = Code::parse(&generator.code_at(Step(1000))).unwrap();
        assert_eq!(generator.offsets(&code, Step(1001), 1), vec![-1]);
        assert_eq!(generator.offsets(&code, Step(1000), 1), vec![0]);
        assert_eq!(generator.offsets(&code, Step(999), 1), vec![1]);
        assert_eq!(generator.offsets(&code, Step(1002), 1), Vec::<i64>::new());
        assert_eq!(generator.offsets(&code, Step(1002), 10), vec![-2]);
        assert_eq!(generator.offsets(&code, Step(0), 1), Vec::<i64>::new());
    }
}
