//! Words for visits: each takes the holder of a ticket to one host, once, within half a minute. They are in memory alone:
//! whoever loses one to a restart goes there again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use otpd_core::mark::Mark;
use otpd_core::ticket::Ticket;

/// At most [`MOST`], and [`MOST_OF_ONE`] of one ticket; of too many the oldest goes.
#[derive(Default)]
pub(super) struct Words(Mutex<HashMap<[u8; Mark::LENGTH], Word>>);

/// Where somebody is on the way to.
pub(super) struct Word {
    /// The ticket of their account.
    pub(super) ticket: Ticket,
    /// Where.
    pub(super) host: String,
    since: Instant,
}

impl Words {
    /// Keeps a word.
    pub(super) fn keep(&self, mark: Mark, ticket: Ticket, host: String, now: Instant) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.retain(|_, word| word.is_good(now));
        let of_ticket = words.values().filter(|word| word.ticket.id == ticket.id).count();
        let crowd = |word: &Word| of_ticket < MOST_OF_ONE || word.ticket.id == ticket.id;
        if of_ticket >= MOST_OF_ONE || words.len() >= MOST {
            let oldest = words.iter().filter(|(_, word)| crowd(word)).min_by_key(|(_, word)| word.since);
            let oldest = oldest.map(|(mark, _)| *mark);
            oldest.map(|mark| words.remove(&mark));
        }
        words.insert(mark.0, Word { ticket, host, since: now });
    }

    /// Takes a word: whatever comes of it, it is gone.
    pub(super) fn take(&self, mark: Mark, now: Instant) -> Option<Word> {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.remove(&mark.0).filter(|word| word.is_good(now))
    }
}

impl Word {
    fn is_good(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < GOOD_FOR
    }
}

const GOOD_FOR: Duration = Duration::from_secs(30);
const MOST: usize = 1024;
const MOST_OF_ONE: usize = 16;

#[cfg(test)]
mod tests {
    use otpd_core::name::AccountName;
    use otpd_core::name::Identity;
    use otpd_core::name::Uid;
    use otpd_core::ticket::Scope;
    use otpd_core::ticket::TicketId;
    use otpd_core::time::UnixTime;

    use super::*;
    use crate::clock::monotonic;

    fn ticket(id: i64) -> Ticket {
        Ticket {
            id: TicketId(id),
            who: Identity { uid: Uid::new(0).unwrap(), name: AccountName::new("root").unwrap() },
            scope: Scope::Account,
            issued: UnixTime(0),
            expires: UnixTime(1),
            seen: UnixTime(0),
            password_at: UnixTime(0),
            code_at: None,
            address: None,
            agent: None,
            device: None,
        }
    }

    fn mark(number: u16) -> Mark {
        let mut mark = [0; Mark::LENGTH];
        mark[..2].copy_from_slice(&number.to_be_bytes());
        Mark(mark)
    }

    #[test]
    fn a_word_is_good_once_and_for_half_a_minute() {
        let (words, now) = (Words::default(), monotonic());
        words.keep(mark(1), ticket(1), "nas".into(), now);
        assert_eq!(words.take(mark(1), now + GOOD_FOR / 2).unwrap().host, "nas");
        assert!(words.take(mark(1), now).is_none());
        words.keep(mark(2), ticket(1), "nas".into(), now);
        assert!(words.take(mark(2), now + GOOD_FOR).is_none());
    }

    #[test]
    fn whoever_takes_many_pushes_out_their_own() {
        let (words, now) = (Words::default(), monotonic());
        words.keep(mark(0), ticket(0), "nas".into(), now);
        (1..=40).for_each(|number| {
            words.keep(mark(number), ticket(1), "nas".into(), now + Duration::from_millis(number.into()));
        });
        assert!(words.take(mark(0), now).is_some());
        assert!(words.take(mark(24), now).is_none() && words.take(mark(25), now).is_some());
    }

    #[test]
    fn of_a_crowd_only_so_many_are_on_the_way() {
        let (words, now) = (Words::default(), monotonic());
        (0..1100).for_each(|number| {
            let since = now + Duration::from_millis(number.into());
            words.keep(mark(number), ticket(number.into()), "nas".into(), since);
        });
        assert_eq!(words.0.lock().unwrap().len(), MOST);
        assert!(words.take(mark(0), now).is_none() && words.take(mark(1099), now).is_some());
    }
}
