//! Mailed codes: what lets somebody in who has the password and the mailbox, but no device any more (NIST SP 800-63B-4,
//! 4.2.2.2: an issued recovery code together with a single-factor authenticator).
//!
//! How many are mailed and how often a wrong one may be given is counted per lane: a stranger with the password can
//! neither fill the mailbox nor use up the owner's tries.

use std::time::Duration;

use crate::mark::Mark;
use crate::time::UnixTime;
use crate::waiting::Waiting;

/// The mailed codes that are good. A mail may be slow, so a newer code does not void the one before; the first that is
/// used voids them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailedCodes(pub Vec<MailedCode>);

/// A mailed code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailedCode {
    /// What is known of it.
    pub mark: Mark,
    /// Dies at this moment.
    pub expires: UnixTime,
}

/// What one lane of an account has had mailed and has tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Postage {
    /// When codes were mailed, oldest first; those of the last day.
    pub sent: Vec<UnixTime>,
    /// Wrong ones given since the last right code of the lane, within a day of each other.
    pub tries: u32,
    /// When the last wrong one was given.
    pub tried: Option<UnixTime>,
}

impl MailedCodes {
    /// The most that are good at once: as many as three lanes can have mailed in that time, so that none pushes another's
    /// out.
    pub const MOST: usize = 9;

    /// Adds a code. Returns until when it is good.
    pub fn begin(&mut self, mark: Mark, now: UnixTime) -> UnixTime {
        self.0.retain(|code| code.is_good(now));
        if self.0.len() >= Self::MOST {
            self.0.remove(0);
        }
        let expires = now.plus(Waiting::FOR);
        self.0.push(MailedCode { mark, expires });
        expires
    }

    /// Until when there is a good one.
    #[must_use]
    pub fn good_until(&self, now: UnixTime) -> Option<UnixTime> {
        self.0.iter().filter(|code| code.is_good(now)).map(|code| code.expires).max()
    }

    /// Uses up a code, and all others with it. All are compared, each in constant time.
    pub fn spend(&mut self, mark: Mark, now: UnixTime) -> bool {
        let right = self.0.iter().fold(false, |right, code| right | (code.mark.is(mark) & code.is_good(now)));
        if right {
            self.0.clear();
        }
        right
    }
}

impl MailedCode {
    /// Whether it is good. One from the future (the clock went back) is not.
    fn is_good(&self, now: UnixTime) -> bool {
        now < self.expires && self.expires.since(now) <= Waiting::FOR
    }
}

impl Postage {
    /// Mails in [`Self::SHORT`], and in a day.
    pub const MOST_IN_SHORT: usize = 3;
    /// Mails in a day.
    pub const MOST_IN_A_DAY: usize = 10;
    /// The shorter of the two times.
    pub const SHORT: Duration = Duration::from_secs(900);

    /// Notes that a mail is sent.
    ///
    /// # Errors
    /// There were too many; when it is worth trying again.
    pub fn send(&mut self, now: UnixTime) -> Result<(), UnixTime> {
        // Of a time to come (the clock went back) nobody knows when it was.
        self.sent.retain(|at| *at <= now && now.since(*at) < DAY);
        let limit = |most: usize, within: Duration| {
            let first = self.sent.len().checked_sub(most).and_then(|index| self.sent.get(index))?;
            (now.since(*first) < within).then(|| first.plus(within))
        };
        let limits = [limit(Self::MOST_IN_SHORT, Self::SHORT), limit(Self::MOST_IN_A_DAY, DAY)];
        match limits.into_iter().flatten().max() {
            Some(again) => Err(again),
            None => {
                self.sent.push(now);
                Ok(())
            }
        }
    }

    /// Whether a mailed code is looked at. Mailing another one does not begin the count anew.
    #[must_use]
    pub fn may_try(&self, now: UnixTime) -> bool {
        self.tries < Waiting::TRIES || self.is_old(now)
    }

    /// Counts a wrong one.
    pub fn fail(&mut self, now: UnixTime) {
        self.tries = if self.is_old(now) { 1 } else { self.tries.saturating_add(1) };
        self.tried = Some(now);
    }

    /// Forgets wrong ones, after a right code of the lane.
    pub fn succeed(&mut self) {
        (self.tries, self.tried) = (0, None);
    }

    fn is_old(&self, now: UnixTime) -> bool {
        self.tried.is_some_and(|tried| now.since(tried) >= DAY)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn mark(byte: u8) -> Mark {
        Mark([byte; Mark::LENGTH])
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime(NOW.0 + seconds)
    }

    #[test]
    fn a_code_is_good_for_ten_minutes_and_once() {
        let mut codes = MailedCodes::default();
        assert_eq!(codes.begin(mark(1), NOW), at(600));
        assert!(!codes.clone().spend(mark(1), at(600)) && !codes.clone().spend(mark(1), at(-1)));
        assert!(!codes.spend(mark(2), NOW));
        assert!(codes.spend(mark(1), at(599)) && !codes.spend(mark(1), at(599)));
    }

    #[test]
    fn a_late_mail_still_serves_and_one_that_is_used_voids_all() {
        let mut codes = MailedCodes::default();
        for byte in 1..=10 {
            assert_eq!(codes.begin(mark(byte), at(byte.into())), at(600 + i64::from(byte)));
        }
        assert!(!codes.spend(mark(1), at(10)), "the tenth takes its place");
        assert!(codes.spend(mark(2), at(10)));
        assert!(!codes.spend(mark(3), at(9)) && !codes.spend(mark(4), at(9)));
        assert_eq!(codes.good_until(at(9)), None);
    }

    #[test]
    fn three_mails_in_a_quarter_of_an_hour_and_ten_a_day() {
        let mut postage = Postage::default();
        for seconds in [0, 1, 2] {
            assert_eq!(postage.send(at(seconds)), Ok(()));
        }
        assert_eq!(postage.send(at(899)), Err(at(900)));
        for number in 0..7 {
            assert_eq!(postage.send(at(2000 + number * 1000)), Ok(()));
        }
        assert_eq!(postage.send(at(20_000)), Err(at(86_400)));
        assert_eq!(postage.send(at(86_399)), Err(at(86_400)));
        assert_eq!(postage.send(at(86_400)), Ok(()));
        assert!(postage.sent.len() <= Postage::MOST_IN_A_DAY);
    }

    #[test]
    fn a_clock_that_went_back_stops_no_mail() {
        let mut postage = Postage::default();
        (0..3).for_each(|_| postage.send(at(1_000_000)).unwrap());
        assert_eq!(postage.send(NOW), Ok(()));
    }

    #[test]
    fn ten_wrong_ones_end_it_for_a_day_and_another_mail_does_not_begin_anew() {
        let mut postage = Postage::default();
        for _ in 0..Waiting::TRIES {
            assert!(postage.may_try(NOW));
            postage.fail(NOW);
        }
        postage.send(NOW).unwrap();
        assert!(!postage.may_try(NOW) && !postage.may_try(at(86_399)) && postage.may_try(at(86_400)));
        postage.fail(at(86_400));
        assert_eq!(postage.tries, 1);
        postage.succeed();
        assert!(postage.may_try(NOW));
    }
}
