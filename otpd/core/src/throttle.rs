//! How wrong codes slow the next one down, per lane, so that a stranger who knows the password can neither guess a
//! code nor lock the owner out.
//!
//! Three failures are free, then each costs a wait: 30 s, doubling up to 1 h. At 100 in a row the lane closes until
//! somebody opens it. NIST SP 800-63B-4 (3.2.2) would disable the *authenticator* at 100; here only the lane closes,
//! because a disabled device locks the owner out, which is what a stranger may want. The odds are in `throttle/tests.rs`
//! and in the manual.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::time::UnixTime;

/// Where a try comes from. Failures of one lane never slow another one down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// login.sock without a remote host: console, sudo, su.
    Local,
    /// A numeric address with an accepted code in the last 30 days.
    Known,
    /// Any other remote host.
    Unknown,
    /// account.sock: the user's own processes.
    Own,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Local, Self::Known, Self::Unknown, Self::Own];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Known => "known",
            Self::Unknown => "unknown",
            Self::Own => "own",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a lane")]
pub struct NoSuchLane;

impl FromStr for Lane {
    type Err = NoSuchLane;

    fn from_str(text: &str) -> Result<Self, NoSuchLane> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or(NoSuchLane)
    }
}

/// What one lane of one account remembers. Default: nothing happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Wrong codes in a row, `0 <= failures <= CLOSES_AT`.
    pub failures: u32,
    /// When the last of them was counted.
    pub last: Option<UnixTime>,
}

/// Whether a code may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not before this moment.
    Wait(UnixTime),
    /// Not until the lane is opened by somebody.
    Closed,
}

impl Throttle {
    /// Wrong codes that cost no wait.
    pub const FREE: u32 = 3;
    /// Wrong codes in a row that close the lane.
    pub const CLOSES_AT: u32 = 100;

    /// Whether a code may be looked at now. A clock that went back behind the last failure starts the wait anew,
    /// so that it neither ends early nor lasts until the clock has caught up.
    pub fn gate(&mut self, now: UnixTime) -> Gate {
        if self.failures >= Self::CLOSES_AT {
            return Gate::Closed;
        }
        let Some(mut last) = self.last else { return Gate::Open };
        // A little ahead is only another call that was decided first.
        if last.since(now) > JITTER {
            last = now;
            self.last = Some(now);
        }
        let until = last.plus(wait_after(self.failures));
        if until > now { Gate::Wait(until) } else { Gate::Open }
    }

    /// The same without writing anything down, for showing.
    #[must_use]
    pub fn look(&self, now: UnixTime) -> Gate {
        self.clone().gate(now)
    }

    /// A wrong code was looked at.
    pub fn fail(&mut self, now: UnixTime) {
        self.failures = self.failures.saturating_add(1).min(Self::CLOSES_AT);
        self.last = self.last.max(Some(now));
    }

    /// A right code was accepted in this lane, or somebody opened it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The wait that the `failures`-th failure in a row costs.
fn wait_after(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(Throttle::FREE.saturating_add(1)) else {
        return Duration::ZERO;
    };
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_WAIT)
}

const JITTER: Duration = Duration::from_secs(60);
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
