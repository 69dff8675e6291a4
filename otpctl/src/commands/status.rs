//! `status`: whether logins ask for a code, and what stands in the way.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use otpd_proto::account;
use otpd_proto::account::Lane;
use otpd_proto::account::Requirement;
use otpd_proto::account::Status;
use otpd_proto::account::StatusParameters;
use serde::Serialize;

use super::Session;
use super::count;
use super::email;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::line::wrap;
use crate::when::Clock;

/// The state of an account, and of the page on which it can be changed.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    status: Status,
    page_fingerprint: Option<String>,
}

/// Shows the state of an account.
pub(crate) fn status(session: &Session, user: Option<String>) -> Result<Exit, Failure> {
    let status = fetch(session, user.clone())?;
    let shown = Shown { status, page_fingerprint: fingerprint(Path::new(FINGERPRINT)) };
    session.output.result(&shown, || text(&shown, user.as_deref(), &Clock::read(), session.output.size()))?;
    Ok(Exit::Ok)
}

/// The state of an account; also how its name is learned.
pub(crate) fn fetch(session: &Session, user: Option<String>) -> Result<Status, Failure> {
    session.calls.call(account::STATUS, &StatusParameters { user })
}

/// Of the certificate that the account page made for itself, if it runs and serves that one.
fn fingerprint(file: &Path) -> Option<String> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(file).ok()?;
    let mut text = String::new();
    file.take(FINGERPRINT_SIZE).read_to_string(&mut text).ok()?;
    let text = text.trim_end();
    let is_octet = |octet: &str| octet.len() == 2 && octet.bytes().all(|byte| byte.is_ascii_hexdigit());
    (text.split(':').count() == 32 && text.split(':').all(is_octet)).then(|| text.to_owned())
}

fn text(shown: &Shown, user: Option<&str>, clock: &Clock, size: Option<(usize, usize)>) -> Vec<Line> {
    let status = &shown.status;
    let width = size.map_or(usize::MAX, |(columns, _)| columns.max(30));
    let headline = Line::new().then(Tone::Strong, &status.user).plain(": login protection is ");
    let mut lines = vec![
        if status.protected { headline.then(Tone::Good, "on") } else { headline.then(Tone::Warn, "off") },
        Line::new(),
        fact("Devices").append(devices(status)),
        fact("Recovery").append(recovery(status)),
        fact("Email").append(emails(status, clock)),
        fact("Required").append(requirement(&status.requirement, status.protected, clock)),
    ];
    if status.sign_ins > 0 {
        let places = count(status.sign_ins, "place", "places");
        lines.push(fact("Web").plain(format!("signed in on the web in {places}")));
    }
    for (index, lane) in status.lanes.iter().enumerate() {
        lines.push(fact(if index == 0 { "Failures" } else { "" }).append(failures(lane, clock)));
    }
    lines.extend(status.rebind_until.map(|until| fact("Rebind").append(rebind(until, clock))));
    lines.push(fact("Clock").append(time(status, clock)));
    if let Some((first, second)) =
        shown.page_fingerprint.as_deref().and_then(|print| print.split_at_checked(48))
    {
        lines.push(fact("Page").plain("its own certificate has the SHA-256 fingerprint"));
        lines.extend([first, second].map(|half| fact("").plain(half)));
    }
    for (index, news) in status.news.iter().enumerate() {
        lines.push(fact(if index == 0 { "News" } else { "" }).plain(news));
    }
    for warning in &status.warnings {
        lines.push(Line::new());
        lines.extend(wrap(warning, width).into_iter().map(|words| Line::new().then(Tone::Bad, words)));
    }
    if let Some(next) = advice(status) {
        lines.push(Line::new());
        lines.push(format!("{next}{}", user.map(|user| format!(" {user}")).unwrap_or_default()).into());
    }
    lines
}

fn fact(name: &str) -> Line {
    Line::new().plain("  ").then(Tone::Dim, name).padded(FACT_WIDTH)
}

fn devices(status: &Status) -> Line {
    let active = match status.active_devices {
        0 => "none".to_owned(),
        number => format!("{number} active"),
    };
    match status.pending_devices {
        0 => active.into(),
        number => format!("{active}, {number} waiting to be proven").into(),
    }
}

fn recovery(status: &Status) -> Line {
    match status.recovery_codes.len() {
        0 => Line::new().then(if status.protected { Tone::Warn } else { Tone::Plain }, "no codes"),
        left => format!("{} left", count(u32::try_from(left).unwrap_or(u32::MAX), "code", "codes")).into(),
    }
}

fn emails(status: &Status, clock: &Clock) -> Line {
    match (email::in_words(&status.emails, clock), &status.mail_problem) {
        (None, _) => Line::new().then(if status.protected { Tone::Warn } else { Tone::Plain }, "none"),
        (Some(emails), None) => emails.into(),
        (Some(emails), Some(problem)) => Line::new()
            .plain(emails)
            .plain("; ")
            .then(Tone::Bad, "no mail goes out")
            .plain(format!(": {problem}")),
    }
}

fn rebind(until: i64, clock: &Clock) -> Line {
    let needed = Line::new().then(Tone::Warn, "needed").plain(", somebody came in without a device");
    if until <= clock.now() {
        return needed;
    }
    needed.plain(format!("; until {} no other code is needed", clock.hour_and_minute(until)))
}

fn requirement(requirement: &Requirement, is_protected: bool, clock: &Clock) -> Line {
    let why = if requirement.why.is_empty() { String::new() } else { format!(" ({})", requirement.why) };
    match (requirement.state.as_str(), requirement.since) {
        ("required", Some(since)) if since > clock.now() => {
            let tone = if is_protected { Tone::Plain } else { Tone::Warn };
            Line::new()
                .then(tone, format!("from {} on, {}", clock.short(since), clock.relative(since)))
                .plain(why)
        }
        ("required", _) => {
            Line::new().then(if is_protected { Tone::Plain } else { Tone::Bad }, "yes").plain(why)
        }
        ("exempt", _) => Line::new().plain(format!("never{why}")),
        ("optional", _) => Line::new().plain(format!("no{why}")),
        (other, _) => Line::new().plain(format!("{other}{why}")),
    }
}

fn failures(lane: &Lane, clock: &Clock) -> Line {
    let wrong = format!("{}: {}", lane_name(&lane.lane), count(lane.failures, "wrong code", "wrong codes"));
    match lane.until {
        _ if lane.closed => Line::new().plain(wrong).plain(", ").then(Tone::Bad, "closed"),
        Some(until) if until > clock.now() => {
            let wait = format!("next try {}, at {}", clock.relative(until), clock.time_of_day(until));
            Line::new().plain(wrong).plain(", ").then(Tone::Warn, wait)
        }
        _ => wrong.into(),
    }
}

/// A lane in words.
pub(crate) fn lane_name(lane: &str) -> String {
    match lane {
        "local" => "on this machine".to_owned(),
        "known" => "from known addresses".to_owned(),
        "unknown" => "from unknown addresses".to_owned(),
        "own" => "with otpctl".to_owned(),
        other => other.to_owned(),
    }
}

fn time(status: &Status, clock: &Clock) -> Line {
    let now = Line::new().plain(clock.with_zone(status.now));
    match status.clock_synchronised {
        Some(true) => now.plain(", synchronised"),
        Some(false) => now.plain(", ").then(Tone::Warn, "not synchronised"),
        None => now,
    }
}

/// Ends with a command, so that a user can be put behind it.
fn advice(status: &Status) -> Option<&'static str> {
    let has_email = status.emails.iter().any(|email| email.state == "confirmed");
    if status.lanes.iter().any(|lane| lane.closed) {
        Some("To let logins try again where they are closed: otpctl unlock")
    } else if !status.protected && status.requirement.state != "exempt" {
        Some("Turn it on: otpctl bind")
    } else if status.rebind_until.is_some() {
        Some("Bind the new device in place of the lost one (--replace): otpctl bind")
    } else if status.protected && status.recovery_codes.is_empty() {
        Some("For the day when every device is lost: otpctl codes new")
    } else if status.protected && status.mail_problem.is_none() && !has_email {
        Some("So that a code can be mailed when every device is lost: otpctl email add")
    } else if status.protected && status.active_devices == 1 {
        Some("In case this device is lost, add a second one: otpctl bind")
    } else {
        None
    }
}

/// Where otpd-web leaves it.
const FINGERPRINT: &str = "/run/otpd-web/fingerprint";
/// 32 bytes in hex with colons, and the end of the line.
const FINGERPRINT_SIZE: u64 = 96;
/// Columns of the names on the left.
const FACT_WIDTH: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fingerprint_is_shown_as_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fingerprint");
        assert_eq!(fingerprint(&file), None);
        let good = ["AB"; 32].join(":");
        for (content, shown) in [
            (format!("{good}\n"), Some(good.clone())),
            (["AB"; 31].join(":"), None),
            (good.replacen('A', "\u{1b}", 1), None),
            (format!("{good}:AB"), None),
        ] {
            std::fs::write(&file, &content).unwrap();
            assert_eq!(fingerprint(&file), shown, "{content:?}");
        }
        std::fs::remove_file(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(fingerprint(&file), None);
    }
}
