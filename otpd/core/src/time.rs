//! Points in time, as parameters. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// This much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The step this moment lies in, for steps of `period` seconds; 0 before 1970.
    #[must_use]
    pub fn step(self, period: u16) -> Step {
        let seconds = u64::try_from(self.0).unwrap_or(0);
        Step(seconds.checked_div(u64::from(period)).unwrap_or(0))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A counter of TOTP periods (RFC 6238's T) or of HOTP codes (RFC 4226's C).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step(pub u64);

impl Step {
    /// The step `offset` steps away; `None` below zero.
    #[must_use]
    pub fn at(self, offset: i64) -> Option<Self> {
        self.0.checked_add_signed(offset).map(Self)
    }

    /// `self - other`, in steps.
    #[must_use]
    pub fn distance(self, other: Self) -> i64 {
        i64::try_from(i128::from(self.0).saturating_sub(i128::from(other.0))).unwrap_or(i64::MAX)
    }

    /// When this step begins.
    #[must_use]
    pub fn begins(self, period: u16) -> UnixTime {
        UnixTime(i64::try_from(self.0.saturating_mul(u64::from(period))).unwrap_or(i64::MAX))
    }
}
