//! `policy`: of whom protection is required, and who of them has no device.

use otpd_proto::admin;
use otpd_proto::admin::Concerned;
use otpd_proto::admin::GroupReleased;
use otpd_proto::admin::GroupRequired;
use otpd_proto::admin::PolicyReport;
use otpd_proto::admin::PolicyReportParameters;
use otpd_proto::admin::ReleaseGroupParameters;
use otpd_proto::admin::RequireGroupParameters;
use serde_json::json;

use super::Session;
use super::count;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::table::Table;
use crate::when::Clock;

/// Shows it, or changes it.
pub(crate) fn policy(session: &Session, typed: cli::Policy) -> Result<Exit, Failure> {
    match typed {
        cli::Policy::Report(report) => {
            let grace = report.group.as_ref().map(|_| report.grace_days);
            show(session, report.group, grace)
        }
        cli::Policy::Require(require) if require.dry_run => {
            show(session, Some(require.group), Some(require.grace_days))
        }
        cli::Policy::Require(typed) => require(session, &typed),
        cli::Policy::Release(typed) => release(session, &typed),
    }
}

fn show(session: &Session, group: Option<String>, grace_days: Option<u32>) -> Result<Exit, Failure> {
    let report = fetch(session, group.as_deref(), grace_days)?;
    session.output.result(&object(&report), || text(&report, group.as_deref(), &Clock::read()))?;
    Ok(Exit::Ok)
}

fn require(session: &Session, typed: &cli::Require) -> Result<Exit, Failure> {
    let code = proof::given(session, &typed.proof)?;
    let done: GroupRequired = proof::with_proof(session, code, |code| {
        let (group, grace_days) = (typed.group.clone(), typed.grace_days);
        let asked = RequireGroupParameters { group, grace_days, locks_out: typed.locks_out, code };
        session.calls.call(admin::REQUIRE_GROUP, &asked)
    })?;
    session.output.result(&done, || {
        let from = Clock::read().short(done.from);
        let mut lines =
            vec![format!("Protection is required of group {} from {from} on.", done.group).into()];
        if done.locks_out > 0 {
            let who = count(done.locks_out, "member is", "members are");
            lines.push(
                format!("{who} locked out until they have an enrol code: otpctl enrol-code USER").into(),
            );
        }
        lines
    })?;
    Ok(Exit::Ok)
}

fn release(session: &Session, typed: &cli::Release) -> Result<Exit, Failure> {
    let code = proof::given(session, &typed.proof)?;
    let done: GroupReleased = proof::with_proof(session, code, |code| {
        let asked = ReleaseGroupParameters { group: typed.group.clone(), code };
        session.calls.call(admin::RELEASE_GROUP, &asked)
    })?;
    session.output.result(&done, || {
        let group = &done.group;
        vec![if done.configured {
            format!("Group {group} is released, but otpd.toml requires protection of it still.").into()
        } else {
            format!("Group {group} is released.").into()
        }]
    })?;
    Ok(Exit::Ok)
}

/// Page after page, as one.
fn fetch(session: &Session, group: Option<&str>, grace_days: Option<u32>) -> Result<PolicyReport, Failure> {
    let mut whole: Option<PolicyReport> = None;
    loop {
        let after = whole.as_ref().and_then(|whole| whole.next.clone());
        let asked =
            PolicyReportParameters { group: group.map(str::to_owned), grace_days, after: after.clone() };
        let page: PolicyReport = session.calls.call(admin::POLICY_REPORT, &asked)?;
        let advances = page.next.as_ref().is_none_or(|next| after.is_none_or(|after| *next > after));
        if !advances {
            return Err(super::endless("people"));
        }
        let joined = match whole {
            None => page,
            Some(mut whole) => {
                whole.concerned.extend(page.concerned);
                PolicyReport {
                    looked_at: whole.looked_at.saturating_add(page.looked_at),
                    protected: whole.protected.saturating_add(page.protected),
                    locks_out: whole.locks_out.saturating_add(page.locks_out),
                    next: page.next,
                    ..whole
                }
            }
        };
        if joined.next.is_none() {
            return Ok(joined);
        }
        whole = Some(joined);
    }
}

fn object(report: &PolicyReport) -> serde_json::Value {
    json!({
        "require_everyone": report.require_everyone,
        "require_groups": report.require_groups,
        "exempt_users": report.exempt_users,
        "exempt_groups": report.exempt_groups,
        "grace_days": report.grace_days,
        "grace_until": report.grace_until,
        "required": report.required,
        "concerned": report.concerned,
        "looked_at": report.looked_at,
        "protected": report.protected,
        "locks_out": report.locks_out,
    })
}

fn text(report: &PolicyReport, group: Option<&str>, clock: &Clock) -> Vec<Line> {
    let mut lines = configured(report, clock);
    lines.push(Line::new());
    lines.extend(required(report, clock));
    lines.push(Line::new());
    let head = match group {
        Some(group) => format!("If it were required of group {group} too:"),
        None => "Who has no device:".to_owned(),
    };
    lines.push(Line::new().then(Tone::Strong, &head));
    lines.extend(concerned(report, clock));
    if report.locks_out > 0 {
        let who = count(report.locks_out, "of them loses", "of them lose");
        let say = format!("{who} the way in by this: give a grace, or say --locks-out {}.", report.locks_out);
        lines.push(Line::new().then(Tone::Warn, &say));
    }
    lines
}

/// What otpd.toml says.
fn configured(report: &PolicyReport, clock: &Clock) -> Vec<Line> {
    let by = if report.require_everyone {
        "everybody".to_owned()
    } else if report.require_groups.is_empty() {
        return vec!["otpd.toml requires protection of nobody.".into()];
    } else {
        report.require_groups.join(", ")
    };
    let mut lines = vec![format!("otpd.toml requires protection of {by}.").into()];
    let until = report.grace_until.map(|at| format!(", not before {}", clock.short(at)));
    let days = count(report.grace_days, "day", "days");
    lines.push(fact("Grace", &format!("{days} from the first login on{}", until.unwrap_or_default())));
    let groups = report.exempt_groups.iter().map(|group| format!("group {group}"));
    let exempt: Vec<String> = report.exempt_users.iter().cloned().chain(groups).collect();
    if !exempt.is_empty() {
        lines.push(fact("Except", &exempt.join(", ")));
    }
    lines
}

/// What administrators say.
fn required(report: &PolicyReport, clock: &Clock) -> Vec<Line> {
    if report.required.is_empty() {
        return vec!["Administrators require it of no other group.".into()];
    }
    let mut table = Table::new(["Group", "GID", "Required from", "By", "On"]);
    for one in &report.required {
        table.row([
            Line::new().then(Tone::Strong, &one.group),
            one.gid.to_string().into(),
            clock.short(one.from).into(),
            one.by.clone().into(),
            clock.short(one.at).into(),
        ]);
    }
    let mut lines = vec!["Administrators require it of these groups:".into()];
    lines.extend(table.lines());
    lines
}

fn concerned(report: &PolicyReport, clock: &Clock) -> Vec<Line> {
    let looked = format!("{} looked at, {} protected.", report.looked_at, report.protected);
    if report.concerned.is_empty() {
        return vec![format!("{looked} Nobody else must have a device.").into()];
    }
    let mut table = Table::new(["User", "UID", "What happens"]);
    for one in &report.concerned {
        table.row([
            Line::new().then(Tone::Strong, &one.user),
            one.uid.to_string().into(),
            standing(one, clock),
        ]);
    }
    let mut lines = table.lines();
    lines.push(looked.into());
    lines
}

fn standing(one: &Concerned, clock: &Clock) -> Line {
    match (one.standing.as_str(), one.from) {
        ("exempt", _) => "exempt".into(),
        ("grace", Some(from)) => {
            Line::new().then(Tone::Warn, "let in").plain(format!(" until {}", clock.short(from)))
        }
        _ if one.enrol_code => Line::new().then(Tone::Warn, "locked out").plain(", an enrol code waits"),
        _ => Line::new().then(Tone::Bad, "locked out"),
    }
}

fn fact(name: &str, value: &str) -> Line {
    Line::new().plain("  ").then(Tone::Dim, name).padded(FACT_WIDTH).plain(value)
}

/// Columns of the names on the left.
const FACT_WIDTH: usize = 10;
