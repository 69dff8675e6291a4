//! Times as people read and type them. The only file that reads the clock.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// One moment and this machine's time zone; every time in one answer is told from it.
pub(crate) struct Clock {
    now: i64,
    zone: TimeZone,
}

impl Clock {
    /// The moment of the call.
    pub(crate) fn read() -> Self {
        Self { now: Timestamp::now().as_second(), zone: TimeZone::system() }
    }

    /// A moment of the caller's choice, in UTC.
    #[cfg(test)]
    pub(crate) fn at(now: i64) -> Self {
        Self { now, zone: TimeZone::UTC }
    }

    /// Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// `3 min ago`, `in 25 s`, `now`.
    pub(crate) fn relative(&self, at: i64) -> String {
        let seconds = at.abs_diff(self.now);
        let span = span(seconds);
        match at.cmp(&self.now) {
            _ if seconds == 0 => "now".to_owned(),
            std::cmp::Ordering::Less => format!("{span} ago"),
            _ => format!("in {span}"),
        }
    }

    /// `21:36` today, `Nov 19 14:02` this year, else `2025-11-19`.
    pub(crate) fn short(&self, at: i64) -> String {
        if self.format(at, "%F") == self.format(self.now, "%F") {
            self.format(at, "%H:%M")
        } else if self.format(at, "%Y") == self.format(self.now, "%Y") {
            self.format(at, "%b %-d %H:%M")
        } else {
            self.format(at, "%F")
        }
    }

    /// `3 min ago (21:36)`.
    pub(crate) fn when(&self, at: i64) -> String {
        format!("{} ({})", self.relative(at), self.short(at))
    }

    /// `21:36:02`.
    pub(crate) fn time_of_day(&self, at: i64) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `21:36`.
    pub(crate) fn hour_and_minute(&self, at: i64) -> String {
        self.format(at, "%H:%M")
    }

    /// `2026-11-21`.
    pub(crate) fn date(&self, at: i64) -> String {
        self.format(at, "%F")
    }

    /// `2026-11-21 21:36:02`.
    pub(crate) fn full(&self, at: i64) -> String {
        self.format(at, "%F %T")
    }

    /// `2026-11-21 21:36:02 CET`.
    pub(crate) fn with_zone(&self, at: i64) -> String {
        self.format(at, "%F %T %Z")
    }

    /// `2026-11-21T21:36:02L`, as liboath writes it.
    pub(crate) fn liboath(&self, at: i64) -> String {
        self.format(at, "%FT%TL")
    }

    /// A number that is no time of this calendar is shown as it came.
    fn format(&self, at: i64, pattern: &str) -> String {
        match Timestamp::from_second(at) {
            Ok(moment) => moment.to_zoned(self.zone.clone()).strftime(pattern).to_string(),
            Err(_) => format!("@{at}"),
        }
    }
}

/// The largest unit that is not zero, rounded down.
fn span(seconds: u64) -> String {
    let units = [(365 * 86_400, "y"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "s"));
    format!("{} {}", seconds.checked_div(unit.0).unwrap_or(0), unit.1)
}

/// A point in the past as typed: `2h`, `7d`, `2026-11-21`, `2026-11-21T21:36:00+01:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many seconds before now.
    Ago(i64),
    /// Unix seconds.
    At(i64),
    /// The beginning of a day here.
    Day(Date),
}

impl Since {
    /// Unix seconds, or `None` if it lies outside the calendar.
    pub(crate) fn resolve(self, clock: &Clock) -> Option<i64> {
        match self {
            Self::Ago(seconds) => clock.now.checked_sub(seconds),
            Self::At(at) => Some(at),
            Self::Day(day) => {
                day.to_zoned(clock.zone.clone()).ok().map(|start| start.timestamp().as_second())
            }
        }
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(seconds) = ago(text) {
            return Ok(Self::Ago(seconds));
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self::At(moment.as_second()));
        }
        if text.len() == "2026-11-21".len()
            && let Ok(day) = text.parse::<Date>()
        {
            return Ok(Self::Day(day));
        }
        Err("not a time. Write 30min, 2h, 7d, 2026-11-21 or 2026-11-21T21:36:00Z".to_owned())
    }
}

fn ago(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let length = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21 21:36:00 UTC.
    const NOW: i64 = 1_795_296_960;

    #[test]
    fn spans_change_unit_at_their_limits() {
        let cases = [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h")];
        let more = [(86_399, "23 h"), (86_400, "1 d"), (365 * 86_400 - 1, "364 d"), (365 * 86_400, "1 y")];
        for (seconds, text) in cases.into_iter().chain(more) {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn times_are_as_short_as_their_distance_allows() {
        let clock = Clock::at(NOW);
        assert_eq!(clock.when(NOW - 190), "3 min ago (21:32)");
        assert_eq!(clock.when(NOW - 2 * 86_400), "2 d ago (Nov 19 21:36)");
        assert_eq!(clock.when(NOW - 400 * 86_400), "1 y ago (2025-10-17)");
        assert_eq!(clock.relative(NOW + 25), "in 25 s");
        assert_eq!(clock.relative(NOW), "now");
    }

    #[test]
    fn a_time_outside_the_calendar_is_shown_and_does_no_harm() {
        assert_eq!(Clock::at(NOW).full(i64::MAX), format!("@{}", i64::MAX));
        assert!(Clock::at(NOW).relative(i64::MIN).ends_with(" y ago"));
    }

    #[test]
    fn since_takes_spans_days_and_rfc_3339() {
        let resolve =
            |text: &str| text.parse::<Since>().ok().and_then(|since| since.resolve(&Clock::at(NOW)));
        assert_eq!(resolve("2h"), Some(NOW - 7_200));
        assert_eq!(resolve("90s"), Some(NOW - 90));
        assert_eq!(resolve("7d"), resolve("1w"));
        assert_eq!(resolve("2026-11-21T21:36:00Z"), Some(NOW));
        assert_eq!(resolve("2026-11-21T22:36:00+01:00"), Some(NOW));
        assert_eq!(resolve("2026-11-21"), Some(NOW - (21 * 60 + 36) * 60));
        for wrong in [
            "",
            "2",
            "h",
            "2x",
            "-2h",
            "yesterday",
            "2026-13-01",
            "2026-11-21T21:36:00",
            "999999999999999999d",
        ] {
            assert_eq!(resolve(wrong), None, "{wrong}");
        }
    }
}
