//! The secure emails of an account: where a code can be mailed to when every device is lost, and where its owner is told
//! what happened. An address counts only after a code that was mailed to it came back (NIST SP 800-63B-4, 4.2.1.2).

use std::time::Duration;

use crate::mark::Mark;
use crate::time::UnixTime;
use crate::waiting::Waiting;

/// An address as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAddress(pub Vec<u8>);

/// One secure email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Number within the account; the address is sealed to it.
    pub number: u32,
    /// The address.
    pub address: SealedAddress,
    /// When it was given.
    pub added: UnixTime,
    /// How far it is.
    pub stage: Stage,
}

/// How far a secure email is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// A code was mailed to it, and has not come back.
    Pending(Waiting),
    /// It is read by the owner.
    Confirmed {
        /// From when on codes for a login are mailed to it.
        recovers: UnixTime,
    },
    /// It was removed, and is told for a while what happens.
    Removed {
        /// So long.
        until: UnixTime,
    },
}

/// The secure emails of one account, by rising number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emails(pub Vec<Email>);

/// Why an address cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotAdd {
    /// [`Emails::MOST`] are confirmed.
    TooMany,
    /// [`Emails::MOST_REMOVED`] were removed not long ago.
    TooManyChanges,
}

/// What became of a code that was to confirm an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The email of this number is confirmed.
    Confirmed(u32),
    /// It was wrong.
    Wrong,
    /// No address waits for one.
    NothingWaits,
}

impl Emails {
    /// The most that are confirmed.
    pub const MOST: usize = 2;
    /// The most that were removed and are still told what happens.
    pub const MOST_REMOVED: usize = 4;

    /// The number of the next one.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        self.0.iter().map(|email| email.number).max().unwrap_or(0).saturating_add(1)
    }

    /// Those that are confirmed.
    pub fn confirmed(&self) -> impl Iterator<Item = &Email> {
        self.0.iter().filter(|email| matches!(email.stage, Stage::Confirmed { .. }))
    }

    /// Those that a code for a login is mailed to.
    pub fn recovering(&self, now: UnixTime) -> impl Iterator<Item = &Email> {
        self.0
            .iter()
            .filter(move |email| matches!(email.stage, Stage::Confirmed { recovers } if recovers <= now))
    }

    /// Those that are told what happens.
    pub fn told(&self, now: UnixTime) -> impl Iterator<Item = &Email> {
        self.0.iter().filter(move |email| match email.stage {
            Stage::Pending(_) => false,
            Stage::Confirmed { .. } => true,
            Stage::Removed { until } => now < until,
        })
    }

    /// Drops those whose time is over.
    pub fn expire(&mut self, now: UnixTime) {
        self.0.retain(|email| match &email.stage {
            Stage::Pending(waiting) => waiting.waits(now),
            Stage::Confirmed { .. } => true,
            Stage::Removed { until } => now < *until,
        });
    }

    /// Drops those whose time is over, and looks whether there is room for another one.
    ///
    /// # Errors
    /// [`CannotAdd`].
    pub fn check_room(&mut self, now: UnixTime) -> Result<(), CannotAdd> {
        self.expire(now);
        let removed = |email: &&Email| matches!(email.stage, Stage::Removed { .. });
        if self.confirmed().count() >= Self::MOST {
            Err(CannotAdd::TooMany)
        } else if self.0.iter().filter(removed).count() >= Self::MOST_REMOVED {
            Err(CannotAdd::TooManyChanges)
        } else {
            Ok(())
        }
    }

    /// Drops the one that waits for its code.
    pub fn drop_pending(&mut self) {
        self.0.retain(|email| !matches!(email.stage, Stage::Pending(_)));
    }

    /// The one that waits for its code.
    #[must_use]
    pub fn pending(&self, now: UnixTime) -> Option<&Email> {
        self.0.iter().find(|email| matches!(&email.stage, Stage::Pending(waiting) if waiting.waits(now)))
    }

    /// Adds an address that waits for its code. One that still waited gives way: its owner began anew.
    ///
    /// # Errors
    /// [`CannotAdd`]; nothing changed then but for those whose time is over.
    pub fn add(&mut self, address: SealedAddress, mark: Mark, now: UnixTime) -> Result<u32, CannotAdd> {
        self.check_room(now)?;
        let number = self.next_number();
        self.drop_pending();
        let stage = Stage::Pending(Waiting::begin(mark, now));
        self.0.push(Email { number, address, added: now, stage });
        Ok(number)
    }

    /// Takes the code that was mailed to the address that waits. It can recover at once if it is the first that counts;
    /// else after `hold`, so that whoever has a device for a moment does not have the account for good.
    pub fn confirm(&mut self, mark: Mark, hold: Duration, now: UnixTime) -> Confirmation {
        self.expire(now);
        let is_first = self.told(now).next().is_none();
        let waiting = self.0.iter_mut().find_map(|email| match &mut email.stage {
            Stage::Pending(waiting) => Some((email.number, waiting)),
            _ => None,
        });
        let Some((number, waiting)) = waiting else { return Confirmation::NothingWaits };
        if !waiting.is(mark, now) {
            return Confirmation::Wrong;
        }
        let recovers = if is_first { now } else { now.plus(hold) };
        if let Some(email) = self.0.iter_mut().find(|email| email.number == number) {
            email.stage = Stage::Confirmed { recovers };
        }
        Confirmation::Confirmed(number)
    }

    /// Removes an email. One that was confirmed is still told what happens for as long as a new one waits.
    pub fn remove(&mut self, number: u32, hold: Duration, now: UnixTime) {
        self.expire(now);
        for email in self.0.iter_mut().filter(|email| email.number == number) {
            email.stage = Stage::Removed {
                until: if matches!(email.stage, Stage::Confirmed { .. }) { now.plus(hold) } else { now },
            };
        }
        self.expire(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn mark(byte: u8) -> Mark {
        Mark([byte; Mark::LENGTH])
    }

    fn add(emails: &mut Emails, byte: u8, now: UnixTime) -> Result<u32, CannotAdd> {
        emails.add(SealedAddress(vec![byte]), mark(byte), now)
    }

    fn bound(emails: &mut Emails, byte: u8, now: UnixTime) -> u32 {
        let number = add(emails, byte, now).unwrap();
        assert_eq!(emails.confirm(mark(byte), DAY, now), Confirmation::Confirmed(number));
        number
    }

    #[test]
    fn an_address_counts_only_after_its_code_came_back() {
        let mut emails = Emails::default();
        add(&mut emails, 1, NOW).unwrap();
        assert_eq!(emails.told(NOW).count() + emails.recovering(NOW).count(), 0);
        assert_eq!(emails.confirm(mark(2), DAY, NOW), Confirmation::Wrong);
        assert_eq!(emails.confirm(mark(1), DAY, NOW), Confirmation::Confirmed(1));
        assert_eq!(emails.recovering(NOW).count(), 1);
        assert_eq!(emails.confirm(mark(1), DAY, NOW), Confirmation::NothingWaits);
    }

    #[test]
    fn it_waits_ten_minutes_and_for_ten_tries() {
        let mut emails = Emails::default();
        add(&mut emails, 1, NOW).unwrap();
        assert_eq!(emails.clone().confirm(mark(1), DAY, UnixTime(NOW.0 + 599)), Confirmation::Confirmed(1));
        assert_eq!(emails.clone().confirm(mark(1), DAY, UnixTime(NOW.0 + 600)), Confirmation::NothingWaits);
        (0..10).for_each(|_| assert_eq!(emails.confirm(mark(2), DAY, NOW), Confirmation::Wrong));
        assert_eq!(emails.confirm(mark(1), DAY, NOW), Confirmation::NothingWaits);
    }

    #[test]
    fn the_first_recovers_at_once_and_every_later_one_after_the_hold() {
        let mut emails = Emails::default();
        bound(&mut emails, 1, NOW);
        let second = bound(&mut emails, 2, NOW);
        let recovers =
            |emails: &Emails, at: UnixTime| emails.recovering(at).any(|email| email.number == second);
        assert!(!recovers(&emails, UnixTime(NOW.0 + 86_399)) && recovers(&emails, UnixTime(NOW.0 + 86_400)));
    }

    #[test]
    fn removing_the_old_one_first_makes_no_new_one_the_first() {
        let mut emails = Emails::default();
        let old = bound(&mut emails, 1, NOW);
        emails.remove(old, DAY, NOW);
        assert_eq!(emails.recovering(NOW).count(), 0);
        bound(&mut emails, 2, NOW);
        assert_eq!((emails.recovering(NOW).count(), emails.told(NOW).count()), (0, 2));
        let later = NOW.plus(DAY);
        assert_eq!((emails.recovering(later).count(), emails.told(later).count()), (1, 1));
    }

    #[test]
    fn there_are_two_and_four_removed_ones_at_most() {
        let mut emails = Emails::default();
        bound(&mut emails, 1, NOW);
        let second = bound(&mut emails, 2, NOW);
        assert_eq!(add(&mut emails, 3, NOW), Err(CannotAdd::TooMany));
        emails.remove(second, DAY, NOW);
        for byte in 3..6 {
            let next = bound(&mut emails, byte, NOW);
            emails.remove(next, DAY, NOW);
        }
        assert_eq!(add(&mut emails, 9, NOW), Err(CannotAdd::TooManyChanges));
        assert!(add(&mut emails, 9, NOW.plus(DAY)).is_ok());
    }

    #[test]
    fn of_two_that_wait_the_later_one_stays_and_a_removed_one_that_never_counted_is_gone() {
        let mut emails = Emails::default();
        add(&mut emails, 1, NOW).unwrap();
        let second = add(&mut emails, 2, NOW).unwrap();
        assert_eq!(emails.0.len(), 1);
        assert_eq!(emails.confirm(mark(1), DAY, NOW), Confirmation::Wrong);
        emails.remove(second, DAY, NOW);
        assert_eq!(emails, Emails::default());
    }
}
