//! A short code that was given out and waits to be typed.

use std::time::Duration;

use crate::mark::Mark;
use crate::time::UnixTime;

/// A code that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// What is known of it.
    pub mark: Mark,
    /// Dies at this moment.
    pub expires: UnixTime,
    /// Wrong codes given for it.
    pub tries: u32,
}

impl Waiting {
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

    /// Whether this is the code; a wrong one is counted. Whoever uses it takes it away.
    #[must_use]
    pub fn is(&mut self, mark: Mark, now: UnixTime) -> bool {
        if !self.waits(now) {
            return false;
        }
        if self.mark.is(mark) {
            return true;
        }
        self.tries = self.tries.saturating_add(1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const MARK: Mark = Mark([1; Mark::LENGTH]);
    const OTHER: Mark = Mark([2; Mark::LENGTH]);

    #[test]
    fn it_waits_ten_minutes_and_for_ten_tries() {
        let waiting = Waiting::begin(MARK, NOW);
        let at = |seconds: i64| UnixTime(NOW.0 + seconds);
        assert!(waiting.waits(NOW) && waiting.waits(at(599)));
        assert!(!waiting.waits(at(600)) && !waiting.waits(at(-1)));
        assert!(Waiting { tries: 9, ..waiting }.waits(NOW));
        assert!(!Waiting { tries: 10, ..waiting }.waits(NOW));
    }

    #[test]
    fn the_right_one_is_known_until_ten_wrong_ones() {
        let mut waiting = Waiting::begin(MARK, NOW);
        for tries in 1..Waiting::TRIES {
            assert!(!waiting.is(OTHER, NOW));
            assert_eq!(waiting.tries, tries);
        }
        let expires = waiting.expires;
        assert!(waiting.is(MARK, NOW) && !waiting.is(MARK, expires));
        assert!(!waiting.is(OTHER, NOW) && !waiting.is(MARK, NOW));
    }
}
