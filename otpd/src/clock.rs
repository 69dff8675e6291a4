//! The one file that reads the clock. Everything else is told what time it is.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use otpd_core::time::UnixTime;

/// Now, by the system's clock. A clock before 1970 counts as 1970.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A moment for deadlines, which no adjustment of the clock moves.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Whether the clock was never set: it is older than this program.
#[must_use]
pub fn is_unset(now: UnixTime) -> bool {
    now < BUILT_AFTER
}

/// Whether the kernel says that its clock follows a time source; `None` if it does not say.
#[must_use]
#[expect(unsafe_code, reason = "no safe binding of adjtimex reads the flag; the call only fills a struct")]
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: timex is plain numbers, for which all bits zero is a value; modes = 0 asks to change nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of our own, alive during the call.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    (state >= 0).then_some(state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0)
}

/// 2026-11-01: no box that runs this program lives before it.
const BUILT_AFTER: UnixTime = UnixTime(1_793_491_200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_box_without_a_battery_is_unset() {
        assert!(is_unset(UnixTime(0)));
        assert!(is_unset(UnixTime(BUILT_AFTER.0 - 1)));
        assert!(!is_unset(BUILT_AFTER));
    }
}
