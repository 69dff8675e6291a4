//! The one file that reads the clock. Everything else is told what time it is.

use std::time::Instant;

/// Now, Unix seconds.
#[must_use]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A moment for deadlines, which no adjustment of the clock moves.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}
