//! `pam enable`: looks first, writes down what it will do, starts whoever takes it back, and only then changes a file.

use otpd_proto::admin;
use otpd_proto::admin::Audit;
use otpd_proto::admin::AuditParameters;
use serde_json::json;

use super::Session;
use super::diff;
use super::guard;
use super::obstacles;
use super::obstacles::Obstacle;
use super::plan;
use super::plan::Plan;
use crate::cli::pam::Enable;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::pam::text;
use crate::site::Site;
use crate::switch;
use crate::switch::Change;
use crate::switch::EVERYTHING;
use crate::switch::Records;
use crate::switch::file;
use crate::switch::profile;
use crate::switch::profile::Switch;
use crate::switch::settle;
use crate::when::Clock;

/// Enables what was named.
pub(super) fn enable(session: &Session, records: &Records, typed: &Enable) -> Result<Exit, Failure> {
    let plans = plans(typed)?;
    refuse_twice(records, &plans)?;
    let mut found =
        obstacles::of_people(session).map_err(|failure| failure.advise("Nothing was changed."))?;
    found.extend(obstacles::of_root(session, &plans)?);
    let mut remarks = Vec::new();
    for plan in &plans {
        let (obstacles, remarked) = obstacles::of_stacks(plan);
        found.extend(obstacles);
        remarks.extend(remarked);
    }
    if !session.output.is_json() {
        show(session, &plans, &remarks)?;
    }
    let (doubts, walls): (Vec<Obstacle>, Vec<Obstacle>) =
        found.into_iter().partition(|obstacle| obstacle.is_doubt);
    if !walls.is_empty() || !(doubts.is_empty() || typed.force) {
        return Err(refusal(&walls, &doubts));
    }
    remarks.extend(doubts.into_iter().map(|doubt| doubt.say));
    let plans: Vec<Plan> = plans.into_iter().filter(|plan| !plan.files.is_empty()).collect();
    let (mut until, mut backups, mut enabled) = (None, Vec::new(), Vec::new());
    if !typed.dry_run {
        for plan in &plans {
            let made = change(session, plan, typed).and_then(|change| {
                backups.extend(make(records, &change)?);
                Ok(change.until_by_clock)
            });
            until = Some(made.map_err(|failure| tell_of_enabled(failure, &enabled))?);
            enabled.push(&plan.name);
        }
    }
    report(session, &plans, &remarks, &backups, until)
}

/// What was enabled before it failed stays so, and waits for its login.
fn tell_of_enabled(failure: Failure, enabled: &[&str]) -> Failure {
    if enabled.is_empty() {
        return failure;
    }
    let names = enabled.join(" ");
    let message = format!(
        "{}. Enabled before that, and taken back unless a login comes: {names}. To keep it without: otpctl pam confirm {names}",
        failure.message.trim_end_matches('.')
    );
    Failure { message, ..failure }
}

fn plans(typed: &Enable) -> Result<Vec<Plan>, Failure> {
    let mut site = Site::of_this_machine();
    if typed.all {
        return plan::for_everything(&site).map(|plan| vec![plan]);
    }
    let mut plans: Vec<Plan> = Vec::new();
    for service in &typed.services {
        let plan = plan::for_service(&site, service)?;
        site = plan.site.clone();
        if !plans.iter().any(|other| other.name == plan.name) {
            plans.push(plan);
        }
    }
    Ok(plans)
}

/// Nothing that no login has proven yet is touched by a second change: neither could be taken back alone.
fn refuse_twice(records: &Records, plans: &[Plan]) -> Result<(), Failure> {
    let pending = records.pending()?;
    for plan in plans {
        let is_in_the_way = |change: &&Change| change.name == plan.name || plan.name == EVERYTHING;
        if let Some(Change { name, .. }) = pending.iter().find(is_in_the_way) {
            let say = format!(
                "{name} is enabled and waits for a login. Log in there, or: otpctl pam confirm {name}"
            );
            return Err(Failure::new(Exit::Refused, "pending", say));
        }
    }
    Ok(())
}

fn show(session: &Session, plans: &[Plan], remarks: &[String]) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for plan in plans {
        if plan.files.is_empty() {
            lines.push(Line::from(format!("{}: asks for a code already.", plan.name)));
        }
        for changed in &plan.files {
            lines.extend(diff::lines(
                &changed.file,
                changed.before.as_deref().unwrap_or_default(),
                &changed.after,
            ));
        }
    }
    lines.extend(remarks.iter().map(|remark| Line::new().then(Tone::Warn, "Note: ").plain(remark)));
    Ok(session.output.lines(&lines)?)
}

fn refusal(walls: &[Obstacle], doubts: &[Obstacle]) -> Failure {
    let says: Vec<&str> =
        walls.iter().chain(doubts).map(|obstacle| obstacle.say.trim_end_matches('.')).collect();
    let force = if walls.is_empty() { ". To do it all the same: --force" } else { "" };
    Failure::new(Exit::Refused, "not_safe", format!("nothing was changed. {}{force}", says.join(". ")))
}

fn change(session: &Session, plan: &Plan, typed: &Enable) -> Result<Change, Failure> {
    let newest = AuditParameters { tail: Some(1), ..AuditParameters::default() };
    let newest: Audit = session.calls.call(admin::AUDIT, &newest)?;
    let seconds = typed.within.as_secs();
    Ok(Change {
        name: plan.name.clone(),
        proven_by: plan.services.clone(),
        boot: switch::boot(),
        until: switch::uptime().as_secs().saturating_add(seconds),
        until_by_clock: Clock::read().now().saturating_add_unsigned(seconds),
        after_event: newest.events.last().map_or(0, |event| event.id),
        runtime_dir: session.calls.directory().to_owned(),
        profile: plan.profile,
        open: Site::of_this_machine().open(),
        files: plan.files.clone(),
    })
}

/// Record, guard, files: in this order, so that at no instant a change is there that nobody takes back.
fn make(records: &Records, change: &Change) -> Result<Vec<std::path::PathBuf>, Failure> {
    let stamp = Clock::read().full(Clock::read().now()).replace(' ', "T");
    let kept = {
        let _lock = records.lock()?;
        records.write(change, &stamp)?
    };
    if let Err(failure) = guard::arm(change) {
        records.end(&change.name, &failure.message)?;
        return Err(failure);
    }
    let _lock = records.lock()?;
    if let Err(failure) = plan::refuse_edited(&change.files) {
        records.end(&change.name, &failure.message)?;
        return Err(failure);
    }
    let mut made = if change.profile { profile::ensure(Switch::On, None) } else { Ok(()) };
    for changed in &change.files {
        // What pam-auth-update has written is there already.
        let is_there = std::fs::read(&changed.file).is_ok_and(|now| text::of(&now) == changed.after);
        if made.is_ok() && !is_there {
            made = file::replace(&changed.file, &changed.after);
        }
    }
    if let Err(failure) = made {
        let undone = settle::take_back(records, change, &failure.message)?;
        return Err(Failure { message: undone, ..failure });
    }
    Ok(kept)
}

fn report(
    session: &Session,
    plans: &[Plan],
    remarks: &[String],
    backups: &[std::path::PathBuf],
    until: Option<i64>,
) -> Result<Exit, Failure> {
    let changes: Vec<_> = plans
        .iter()
        .map(|plan| {
            let files: Vec<_> = plan
                .files
                .iter()
                .map(|changed| json!({ "file": changed.file, "added": changed.added }))
                .collect();
            json!({ "name": plan.name, "files": files })
        })
        .collect();
    let object = json!({ "changes": changes, "remarks": remarks, "backups": backups, "until": until });
    session.output.result(&object, || {
        let Some(until) = until else { return Vec::new() };
        let clock = Clock::read();
        let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        let kept =
            backups.iter().map(|path| Line::from(format!("What it was is kept in {}.", path.display())));
        let tail = [
            Line::new(),
            Line::new().then(Tone::Strong, "Now log in with a code, from another terminal").plain(format!(
                ", through {}. Stay logged in here.",
                if names == [EVERYTHING] {
                    "any of the services".to_owned()
                } else {
                    format!("each of: {}", names.join(", "))
                }
            )),
            format!(
                "Without that it is taken back {}, at {}. To keep it without: otpctl pam confirm",
                clock.relative(until),
                clock.time_of_day(until)
            )
            .into(),
        ];
        kept.chain(tail).collect()
    })?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pam::modules::Modules;
    use crate::pam::stack::Stacks;

    #[test]
    fn all_waits_until_each_service_is_proven() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::at(directory.path());
        let site = Site::new(Stacks::default(), Modules::complete(), Path::new("/nowhere"));
        let plan = |name: &str| {
            let (name, site) = (name.to_owned(), site.clone());
            vec![Plan { name, files: Vec::new(), profile: false, services: Vec::new(), site }]
        };
        assert!(refuse_twice(&records, &plan(EVERYTHING)).is_ok());
        let change = Change {
            name: "sshd".into(),
            proven_by: Vec::new(),
            boot: String::new(),
            until: 0,
            until_by_clock: 0,
            after_event: 0,
            runtime_dir: directory.path().to_owned(),
            profile: false,
            open: Vec::new(),
            files: Vec::new(),
        };
        records.write(&change, "stamp").unwrap();
        assert!(refuse_twice(&records, &plan("su")).is_ok());
        for name in ["sshd", EVERYTHING] {
            let refused = refuse_twice(&records, &plan(name)).unwrap_err();
            assert!(refused.message.contains("otpctl pam confirm sshd"), "{}", refused.message);
        }
    }

    #[test]
    fn what_was_enabled_before_a_failure_is_told() {
        let failure = || Failure::new(Exit::Refused, "no_guard", "nobody could take it back");
        assert_eq!(tell_of_enabled(failure(), &[]).message, failure().message);
        assert!(tell_of_enabled(failure(), &["sshd", "su"]).message.ends_with("otpctl pam confirm sshd su"));
    }
}
