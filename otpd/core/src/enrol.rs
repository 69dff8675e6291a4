//! Enrol codes: an administrator reads one out to somebody who must have a device and has none, or lost them all. It
//! lets in once, so that they can bind one (NIST SP 800-63B-4, 4.1.2.2: 40 bits with the name, 10 minutes, one use).

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::crockford;
use crate::mark::Mark;
use crate::time::UnixTime;

/// Eight symbols of Crockford's base32, at least one of them a letter: no code of a device looks like it. Wiped when
/// dropped, never printed.
#[derive(Clone)]
pub struct EnrolCode(Zeroizing<[u8; EnrolCode::SYMBOLS]>);

/// An enrol code that waits for its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// What is known of it.
    pub mark: Mark,
    /// Dies at this moment.
    pub expires: UnixTime,
    /// Wrong codes given for it.
    pub tries: u32,
}

impl EnrolCode {
    /// Random bytes of one code: 40 bits.
    pub const BYTES: usize = 5;
    /// Characters without the hyphen.
    pub const SYMBOLS: usize = 8;

    /// The code of these random bytes; `None` for the one in ten thousand that would be digits only.
    #[must_use]
    pub fn from_random(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        Self::with_letter(crockford::symbols(bytes))
    }

    /// Reads what was typed: in upper or lower case, with hyphens and spaces anywhere. `None`: it is something else.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        Self::with_letter(crockford::read(typed)?)
    }

    /// The symbols, for the mark.
    #[must_use]
    pub fn expose_symbols(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As it is shown and read out: two groups of four.
    #[must_use]
    pub fn expose_grouped(&self) -> Zeroizing<String> {
        crockford::grouped(self.expose_symbols())
    }

    fn with_letter(symbols: Zeroizing<[u8; Self::SYMBOLS]>) -> Option<Self> {
        symbols.iter().any(u8::is_ascii_alphabetic).then_some(Self(symbols))
    }
}

impl fmt::Debug for EnrolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolCode(..)")
    }
}

impl Enrolment {
    /// How long a code waits.
    pub const FOR: Duration = Duration::from_secs(600);
    /// Wrong codes that end it: a guesser's odds are ten in 2^40.
    pub const TRIES: u32 = 10;

    /// One that begins now.
    #[must_use]
    pub fn begin(mark: Mark, now: UnixTime) -> Self {
        Self { mark, expires: now.plus(Self::FOR), tries: 0 }
    }

    /// Whether it still waits. One from the future (the clock went back) does not.
    #[must_use]
    pub fn waits(&self, now: UnixTime) -> bool {
        now < self.expires && self.expires.since(now) <= Self::FOR && self.tries < Self::TRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    #[test]
    fn forty_random_bits_are_eight_symbols_and_read_back() {
        let code = EnrolCode::from_random(&[255, 0, 255, 0, 255]).unwrap();
        assert_eq!(code.expose_grouped().len(), 9);
        let typed = code.expose_grouped().to_lowercase().replace('-', " ");
        assert_eq!(EnrolCode::parse(&typed).unwrap().expose_symbols(), code.expose_symbols());
    }

    #[test]
    fn digits_alone_are_a_devices_code_and_no_enrol_code() {
        assert!(EnrolCode::from_random(&[0; 5]).is_none());
        for typed in ["12345678", "OIL00000", "1234-567", "ABCD-EFGHJ", "", "ABCD-EFGU"] {
            assert!(EnrolCode::parse(typed).is_none(), "{typed}");
        }
        assert!(EnrolCode::parse("1234-567A").is_some());
    }

    #[test]
    fn it_waits_ten_minutes_and_for_ten_tries() {
        let enrolment = Enrolment::begin(Mark([1; Mark::LENGTH]), NOW);
        let at = |seconds: i64| UnixTime(NOW.0 + seconds);
        assert!(enrolment.waits(NOW) && enrolment.waits(at(599)));
        assert!(!enrolment.waits(at(600)) && !enrolment.waits(at(-1)));
        assert!(Enrolment { tries: 9, ..enrolment }.waits(NOW));
        assert!(!Enrolment { tries: 10, ..enrolment }.waits(NOW));
    }
}
