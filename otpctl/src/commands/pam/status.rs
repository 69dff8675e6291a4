//! `pam status`: which services ask, and what no login has proven yet.

use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::pam::judge::Weight;
use crate::site::Site;
use crate::switch::Records;
use crate::when::Clock;

struct Row {
    service: String,
    asks: bool,
    verdict: &'static str,
    say: String,
}

/// Shows every service that asks for a password or a code.
pub(super) fn status(session: &Session, records: &Records) -> Result<Exit, Failure> {
    let site = Site::of_this_machine();
    let services = site.stacks.services().into_iter().filter(|service| !service.starts_with("common-"));
    let rows: Vec<Row> = services.filter_map(|service| row(&site, service)).collect();
    // Ordinary users cannot read the records, and see none.
    let pending = records.pending()?;
    let list: Vec<_> = rows
        .iter()
        .map(
            |row| json!({ "service": row.service, "asks": row.asks, "verdict": row.verdict, "say": row.say }),
        )
        .collect();
    let waits: Vec<_> =
        pending.iter().map(|change| json!({ "name": change.name, "until": change.until_by_clock })).collect();
    session.output.result(&json!({ "services": list, "pending": waits }), || {
        let clock = Clock::read();
        let mut lines: Vec<Line> = rows.iter().map(|row| text(row, records)).collect();
        for change in &pending {
            let words = format!(
                "{}: not proven yet; it is taken back {} unless somebody logs in there with a code.",
                change.name,
                clock.relative(change.until_by_clock)
            );
            lines.extend([Line::new(), Line::new().then(Tone::Warn, words)]);
        }
        lines
    })?;
    Ok(Exit::Ok)
}

fn row(site: &Site, service: String) -> Option<Row> {
    let found = site.judge(&service);
    let asks = found.asks;
    if !asks && found.findings.is_empty() && !site.asks_for_password(&service) {
        return None;
    }
    let verdict = match found.weight() {
        None | Some(Weight::Note) => "ok",
        Some(Weight::Warn) => "warn",
        Some(Weight::Skips | Weight::LocksOut) => "fail",
    };
    let say: Vec<String> = found.findings.into_iter().map(|finding| finding.say).collect();
    Some(Row { service, asks, verdict, say: say.join("; ") })
}

fn text(row: &Row, records: &Records) -> Line {
    let line = Line::new().then(Tone::Strong, &row.service).padded(SERVICE_WIDTH);
    let line = match (row.asks, row.verdict) {
        (true, "ok") => line.then(Tone::Good, "asks"),
        (true, "warn") => line.then(Tone::Warn, "asks"),
        (true, _) => line.then(Tone::Bad, "asks"),
        (false, _) => line.then(Tone::Dim, "does not ask"),
    };
    let line = if row.say.is_empty() { line } else { line.plain(format!(": {}", row.say)) };
    match records.outcome(&row.service).filter(|_| !row.asks) {
        Some(outcome) => line.plain(format!(" ({outcome})")),
        None => line,
    }
}

const SERVICE_WIDTH: usize = 16;
