//! `audit --verify`: whether the audit log is as it was written, and if not, where.

use otpd_core::chain::Link;
use otpd_proto::admin;
use otpd_proto::admin::Flaw;
use otpd_proto::admin::VerifiedAudit;
use otpd_proto::admin::VerifyAuditParameters;
use serde::Serialize;

use super::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::when::Clock;

/// Has every event checked; fails if one is not as it was written.
pub(crate) fn verify(session: &Session, known: Option<Link>) -> Result<Exit, Failure> {
    let report = walk(session, known)?;
    session.output.result(&report, || text(&report, known))?;
    Ok(if report.whole { Exit::Ok } else { Exit::Refused })
}

/// What is to be printed.
#[derive(Serialize)]
struct Report {
    whole: bool,
    first: Option<i64>,
    head: String,
    flaws: Vec<Flaw>,
    more_flaws: u64,
}

fn walk(session: &Session, known: Option<Link>) -> Result<Report, Failure> {
    let mut report = Report { whole: true, first: None, head: String::new(), flaws: vec![], more_flaws: 0 };
    let mut call = VerifyAuditParameters { walk: None, known: known.map(|link| link.to_string()) };
    let mut progress = session.output.progress("Checking", 0);
    loop {
        let page: VerifiedAudit = session.calls.call(admin::VERIFY_AUDIT, &call)?;
        let last = call.walk.as_ref().map(|walk| walk.last);
        if page.more && last.is_some_and(|last| page.walk.last <= last) {
            return Err(super::endless("events"));
        }
        if call.walk.is_none() {
            report.first = page.first;
            let whole = number(&page.head).saturating_sub(page.first.unwrap_or(1));
            progress = session.output.progress("Checking", u64::try_from(whole).unwrap_or(0));
        }
        let done = page.walk.last.saturating_sub(report.first.unwrap_or(1));
        progress.reach(u64::try_from(done).unwrap_or(0));
        report.add(page.flaws);
        report.head = page.head;
        call.walk = Some(page.walk);
        if !page.more {
            return Ok(report);
        }
    }
}

impl Report {
    fn add(&mut self, flaws: Vec<Flaw>) {
        self.whole &= flaws.is_empty();
        for flaw in flaws {
            if self.flaws.len() < SHOWN {
                self.flaws.push(flaw);
            } else {
                self.more_flaws = self.more_flaws.saturating_add(1);
            }
        }
    }
}

fn text(report: &Report, known: Option<Link>) -> Vec<Line> {
    let clock = Clock::read();
    let mut lines: Vec<Line> = report.flaws.iter().map(|flaw| line(flaw, &clock)).collect();
    if report.more_flaws > 0 {
        lines.push(Line::from(format!("... and {} more.", report.more_flaws).as_str()));
    }
    let (tone, verdict) = match report.first {
        _ if !report.whole => (Tone::Bad, "The audit log is not as otpd wrote it.".to_owned()),
        Some(first) if first == number(&report.head) => {
            (Tone::Good, format!("The audit log is whole: event {first}."))
        }
        Some(first) if first < number(&report.head) => {
            (Tone::Good, format!("The audit log is whole: events {first} to {}.", number(&report.head)))
        }
        _ => (Tone::Good, "The audit log is whole: it has no events.".to_owned()),
    };
    lines.push(Line::new().then(tone, verdict));
    if let Some(known) = known.filter(|_| report.whole) {
        lines.push(Line::from(format!("The head {} is in it.", known.number).as_str()));
    }
    lines.push(Line::from(format!("Its head: {}", report.head).as_str()));
    lines
}

/// The time, then what is wrong. An event that is gone has no time: there the next one's is told.
fn line(flaw: &Flaw, clock: &Clock) -> Line {
    let at = match flaw.at {
        Some(at) if flaw.defect == "removed" => format!("before {}", clock.full(at)),
        Some(at) => clock.full(at),
        None => String::new(),
    };
    Line::new().then(Tone::Dim, at).padded(TIME).then(Tone::Bad, flaw.say.as_str())
}

fn number(head: &str) -> i64 {
    head.split(':').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Flaws that are told one by one.
const SHOWN: usize = 200;
/// Columns of `before 2026-11-22 04:30:00` and a gap.
const TIME: usize = 28;
