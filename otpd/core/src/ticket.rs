//! Tickets: who is signed in on the web. The registry keeps a keyed mark of each, so that nothing that is read from it
//! signs anybody in.
//!
//! A ticket of an account has the account page; one of a visit, which comes of it and ends with it, says at one other
//! host whose it is, and no more. Lifetimes are those of NIST SP 800-63B-4 for AAL2.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::mark::Mark;
use crate::name::Identity;
use crate::name::Uid;
use crate::time::UnixTime;

/// The registry's number for a ticket, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TicketId(pub i64);

/// What a ticket is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The account page.
    Account,
    /// One other host.
    Visit {
        /// The ticket that it came of.
        parent: TicketId,
        /// Which host.
        host: String,
    },
}

/// A ticket that is to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    /// What is known of it.
    pub mark: Mark,
    /// Whose it is.
    pub who: Identity,
    /// What it is good for.
    pub scope: Scope,
    /// When it was issued.
    pub issued: UnixTime,
    /// Over at this moment, however much it is used.
    pub expires: UnixTime,
    /// Of the browser.
    pub address: Option<String>,
    /// What the browser said of itself.
    pub agent: Option<String>,
    /// The device that the sign-in was proven with.
    pub device: Option<String>,
}

/// A ticket as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its number.
    pub id: TicketId,
    /// Whose it is.
    pub who: Identity,
    /// What it is good for.
    pub scope: Scope,
    /// When it was issued.
    pub issued: UnixTime,
    /// Over at this moment, however much it is used.
    pub expires: UnixTime,
    /// When it was last used, as far as that was written down.
    pub seen: UnixTime,
    /// When the password was last given for it.
    pub password_at: UnixTime,
    /// When an administrator last gave a code for it.
    pub code_at: Option<UnixTime>,
    /// Of the browser, when it was last used.
    pub address: Option<String>,
    /// What the browser said of itself.
    pub agent: Option<String>,
    /// The device that the sign-in was proven with.
    pub device: Option<String>,
}

/// A use of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub at: UnixTime,
    /// Of the browser.
    pub address: Option<String>,
}

/// A change of tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketChange {
    /// Issues one, if that which it came of is still there. Where an account has too many of its kind, the oldest goes.
    Issue(NewTicket),
    /// Gives one another mark, and notes that the password was given for it.
    Renew {
        /// Which: what was known of it.
        mark: Mark,
        /// What is from now on.
        new: Mark,
        /// When.
        at: UnixTime,
    },
    /// Notes that an administrator gave a code for one.
    Prove {
        /// Which.
        id: TicketId,
        /// When.
        at: UnixTime,
    },
    /// Ends one of somebody's, and the visits that came of it.
    End {
        /// Whose.
        who: Identity,
        /// Which.
        id: TicketId,
    },
    /// Ends all that were issued to this number or this name, but for one and its visits.
    EndAll {
        /// The number.
        uid: Option<Uid>,
        /// The name.
        name: Option<String>,
        /// The one that stays.
        but: Option<TicketId>,
    },
}

impl TicketChange {
    /// Ends all of somebody's but one.
    #[must_use]
    pub fn end_all(who: &Identity, but: Option<TicketId>) -> Self {
        Self::EndAll { uid: Some(who.uid), name: Some(who.name.to_string()), but }
    }
}

impl Ticket {
    /// Bytes of one: nobody guesses it.
    pub const BYTES: usize = 32;
    /// Characters of one.
    pub const LENGTH: usize = 43;
    /// The most of one account for the account page.
    pub const MOST: u32 = 50;
    /// The most visits of one account.
    pub const MOST_VISITS: u32 = 100;
    /// How long a password or a code stands for what follows.
    pub const FRESH_FOR: Duration = Duration::from_secs(600);
    /// So far back a clock may be set without ending what was used before.
    const SET_BACK: Duration = Duration::from_secs(60);

    /// The text of one: letters, digits, `-` and `_`.
    #[must_use]
    pub fn text(random: &[u8; Self::BYTES]) -> Zeroizing<String> {
        Zeroizing::new(BASE64URL_NOPAD.encode(random))
    }

    /// Whether it is good now, if it was last used at `seen`. One from the future (the clock went back) is not.
    #[must_use]
    pub fn is_good(&self, seen: UnixTime, idle: Duration, now: UnixTime) -> bool {
        let is_used = seen <= now.plus(Self::SET_BACK) && now.since(seen) < idle;
        self.issued <= now && now < self.expires && is_used
    }

    /// Until when changes need no password, if so.
    #[must_use]
    pub fn password_until(&self, now: UnixTime) -> Option<UnixTime> {
        fresh_until(Some(self.password_at), now)
    }

    /// Until when the acts of an administrator need no code, if so.
    #[must_use]
    pub fn code_until(&self, now: UnixTime) -> Option<UnixTime> {
        fresh_until(self.code_at, now)
    }
}

/// Until when what was given at `at` stands for what follows.
#[must_use]
pub fn fresh_until(at: Option<UnixTime>, now: UnixTime) -> Option<UnixTime> {
    at.filter(|at| *at <= now && now.since(*at) < Ticket::FRESH_FOR).map(|at| at.plus(Ticket::FRESH_FOR))
}

/// What a browser says of itself, as far as it is kept: printable ASCII, at most 200 characters.
#[must_use]
pub fn printable(agent: &str) -> String {
    agent.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AccountName;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn ticket() -> Ticket {
        Ticket {
            id: TicketId(1),
            who: Identity { uid: Uid::new(1000).unwrap(), name: AccountName::new("alice").unwrap() },
            scope: Scope::Account,
            issued: NOW,
            expires: NOW.plus(HOUR * 24),
            seen: NOW,
            password_at: NOW,
            code_at: None,
            address: None,
            agent: None,
            device: None,
        }
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime(NOW.0 + seconds)
    }

    #[test]
    fn it_is_over_after_an_hour_without_use_and_after_a_day_of_use() {
        let ticket = ticket();
        assert!(ticket.is_good(NOW, HOUR, NOW) && ticket.is_good(NOW, HOUR, at(3599)));
        assert!(!ticket.is_good(NOW, HOUR, at(3600)));
        assert!(ticket.is_good(at(86_399), HOUR, at(86_399)));
        assert!(!ticket.is_good(at(86_400), HOUR, at(86_400)));
    }

    #[test]
    fn a_clock_that_went_back_ends_what_was_issued_or_used_in_the_future() {
        let ticket = ticket();
        assert!(!ticket.is_good(NOW, HOUR, at(-1)));
        assert!(ticket.is_good(at(160), HOUR, at(100)) && !ticket.is_good(at(161), HOUR, at(100)));
    }

    #[test]
    fn a_password_stands_for_ten_minutes_and_none_from_the_future() {
        let ticket = ticket();
        assert_eq!(ticket.password_until(at(599)), Some(at(600)));
        assert_eq!((ticket.password_until(at(600)), ticket.password_until(at(-1))), (None, None));
        assert_eq!(ticket.code_until(NOW), None);
    }

    #[test]
    fn its_text_is_for_a_cookie_and_its_agent_for_a_terminal() {
        let text = Ticket::text(&[0xff; Ticket::BYTES]);
        assert_eq!(text.len(), Ticket::LENGTH);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        assert_eq!(printable("Mozilla/5.0\x1b[2J\r\n \u{202e}(X11)"), "Mozilla/5.0[2J (X11)");
        assert_eq!(printable(&"x".repeat(999)).len(), 200);
    }
}
