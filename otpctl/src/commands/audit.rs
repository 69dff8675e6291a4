//! `audit`: what was decided, when, and why.

use std::time::Duration;

use otpd_proto::Secret;
use otpd_proto::admin;
use otpd_proto::admin::AuditParameters;
use otpd_proto::admin::Event;
use serde_json::json;

use super::Session;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::when::Clock;

/// Prints events, and with `--follow` those to come.
pub(crate) fn read(session: &Session, typed: cli::Audit) -> Result<Exit, Failure> {
    let since = match typed.since.map(|since| since.resolve(&Clock::read())) {
        Some(None) => return Err(Failure::usage("--since lies outside the calendar")),
        Some(since) => since,
        None => None,
    };
    let tail = typed.lines.or(if since.is_none() { Some(NEWEST) } else { None });
    let code = proof::given(session, &typed.proof)?;
    let mut log = Log { session, user: typed.user, since, last: None, code };
    if typed.follow {
        print(&mut log, tail)?;
        follow(&mut log)
    } else if session.output.is_json() {
        let mut events = Vec::new();
        log.each_page(tail, |page| {
            events.extend(page);
            Ok(())
        })?;
        session.output.object(&json!({ "events": events }))?;
        Ok(Exit::Ok)
    } else {
        print(&mut log, tail)?;
        if log.last.is_none() {
            session.output.lines(&["No events.".into()])?;
        }
        Ok(Exit::Ok)
    }
}

fn print(log: &mut Log<'_>, tail: Option<u32>) -> Result<(), Failure> {
    let session = log.session;
    log.each_page(tail, |page| show(session, &page))
}

/// Ends when nobody reads the output any more, or by an interrupt.
fn follow(log: &mut Log<'_>) -> Result<Exit, Failure> {
    let mut gone = false;
    loop {
        pause();
        match print(log, None) {
            // A restart of otpd is when somebody is watching.
            Err(failure) if failure.exit == Exit::Unreachable => {
                if !gone {
                    log.session.output.remark("otpd does not answer; waiting for it ...")?;
                }
                gone = true;
            }
            Err(failure) => return Err(failure),
            Ok(()) => gone = false,
        }
    }
}

/// A place in the log.
struct Log<'a> {
    session: &'a Session,
    user: Option<String>,
    since: Option<i64>,
    last: Option<i64>,
    code: Option<Secret>,
}

impl Log<'_> {
    /// Every page behind the last event; or the newest events, which are one page and the end of the log.
    fn each_page(
        &mut self,
        tail: Option<u32>,
        mut take: impl FnMut(Vec<Event>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let (events, more) = self.next(tail)?;
            take(events)?;
            if !more || tail.is_some() {
                return Ok(());
            }
        }
    }

    /// The next page, and whether another one is ready.
    fn next(&mut self, tail: Option<u32>) -> Result<(Vec<Event>, bool), Failure> {
        let page: admin::Audit = proof::with_proof(self.session, self.code.take(), |code| {
            let (user, since, after) = (self.user.clone(), self.since, self.last);
            self.session.calls.call(
                admin::AUDIT,
                &AuditParameters { user, since, after, tail, code, ..AuditParameters::default() },
            )
        })?;
        let last = page.events.last().map(|event| event.id);
        if page.more && last <= self.last {
            return Err(super::endless("events"));
        }
        self.last = last.or(self.last);
        Ok((page.events, page.more))
    }
}

fn show(session: &Session, events: &[Event]) -> Result<(), Failure> {
    if session.output.is_json() {
        for event in events {
            session.output.object(event)?;
        }
    } else {
        let clock = Clock::read();
        let lines: Vec<Line> = events.iter().map(|event| line(event, &clock)).collect();
        session.output.lines(&lines)?;
    }
    Ok(())
}

/// Columns of fixed width, since the next event is not known yet; what has no fixed width comes last.
fn line(event: &Event, clock: &Clock) -> Line {
    let tone = match event.verdict.as_str() {
        "accept" => Tone::Good,
        "refuse" => Tone::Bad,
        _ => Tone::Dim,
    };
    let mut line = Line::new().plain(clock.full(event.at)).plain("  ");
    let mut width = line.width();
    for (tone, words, columns) in
        [(tone, verdict(&event.verdict), 9), (Tone::Plain, &event.event, 9), (Tone::Strong, &event.user, 9)]
    {
        width = width.saturating_add(columns);
        line = line.then(tone, words).padded(width.saturating_sub(1)).plain(" ");
    }
    line.plain(details(event).join(", "))
}

fn verdict(verdict: &str) -> &str {
    if verdict == "not_required" { "no code" } else { verdict }
}

fn details(event: &Event) -> Vec<String> {
    let labelled =
        |label: &str, value: &Option<String>| value.as_ref().map(|value| format!("{label}{value}"));
    let reason = if event.verdict == "accept" { "" } else { &event.reason };
    let actor = if event.actor == event.user { "" } else { &event.actor };
    [
        Some(reason.to_owned()),
        event.device.as_ref().map(|device| format!("\"{device}\"")),
        labelled("", &event.service).filter(|service| *service != event.actor),
        labelled("from ", &event.address),
        Some(if actor.is_empty() { String::new() } else { format!("by {actor}") }),
        labelled("lane ", &event.lane),
        event.detail.clone(),
    ]
    .into_iter()
    .flatten()
    .filter(|detail| !detail.is_empty())
    .collect()
}

#[expect(clippy::disallowed_methods, reason = "between two looks at a log there is nothing else to do")]
fn pause() {
    std::thread::sleep(Duration::from_secs(1));
}

/// Events, unless told otherwise.
const NEWEST: u32 = 50;
