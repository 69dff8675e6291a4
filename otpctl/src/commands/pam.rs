//! `pam`: switches codes on and off, service by service, so that nobody is locked out by it.

use std::time::Duration;

use nix::unistd::Uid;
use serde_json::json;

use super::Session;
use crate::cli::pam::Confirm;
use crate::cli::pam::Pam;
use crate::cli::pam::Settle;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::switch::Change;
use crate::switch::Records;
use crate::switch::settle;
use crate::switch::settle::Decision;

mod diff;
mod disable;
mod enable;
mod guard;
mod obstacles;
mod plan;
mod status;

/// Does what was typed.
pub(crate) fn pam(session: &Session, typed: Pam) -> Result<Exit, Failure> {
    if !matches!(typed, Pam::Status) && !Uid::effective().is_root() {
        let say = "only root can change how people log in. Try it with sudo";
        return Err(Failure::new(Exit::NotPermitted, "not_permitted", say));
    }
    let records = Records::of_this_machine();
    match typed {
        Pam::Enable(enable) => enable::enable(session, &records, &enable),
        Pam::Disable(disable) => disable::disable(session, &records, &disable),
        Pam::Status => status::status(session, &records),
        Pam::Confirm(confirm) => keep(session, &records, &confirm),
        Pam::Settle(Settle { service: Some(name), wait: true, .. }) => guard::wait(session, &records, &name),
        Pam::Settle(settle) => settle_now(session, &records, &settle),
    }
}

fn keep(session: &Session, records: &Records, typed: &Confirm) -> Result<Exit, Failure> {
    let _lock = records.lock()?;
    let names: Vec<String> = records.pending()?.into_iter().map(|change| change.name).collect();
    if let Some(unknown) = typed.services.iter().find(|service| !names.contains(service)) {
        let happened = records.outcome(unknown).map(|outcome| format!(": {outcome}")).unwrap_or_default();
        let say = format!("nothing about {unknown} waits to be confirmed{happened}");
        return Err(Failure::new(Exit::Refused, "nothing_pending", say));
    }
    let wanted: Vec<String> =
        names.into_iter().filter(|name| typed.services.is_empty() || typed.services.contains(name)).collect();
    for name in &wanted {
        records.end(name, &format!("{name}: kept, as root has confirmed it."))?;
    }
    session.output.result(&json!({ "kept": wanted }), || match wanted.as_slice() {
        [] => vec!["Nothing waits to be confirmed.".into()],
        names => vec![format!("Kept: {}.", names.join(", ")).into()],
    })?;
    Ok(Exit::Ok)
}

fn settle_now(session: &Session, records: &Records, typed: &Settle) -> Result<Exit, Failure> {
    let _lock = records.lock()?;
    let mut changes = records.pending()?;
    changes.retain(|change| typed.service.as_ref().is_none_or(|name| change.name == *name));
    changes.retain(|change| !typed.at_boot || change.boot != crate::switch::boot());
    let (mut kept, mut taken_back, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for change in &changes {
        match settle::settle(records, change)? {
            Decision::Waiting => waiting.push(change.name.clone()),
            Decision::Kept(say) => kept.push(say),
            Decision::TakenBack(say) => taken_back.push(say),
        }
    }
    let object = json!({ "kept": kept, "taken_back": taken_back, "waiting": waiting });
    session.output.result(&object, || {
        let said = kept.iter().chain(&taken_back).map(|say| Line::from(say.as_str()));
        said.chain(waiting.iter().map(|name| Line::from(format!("{name}: waits for a login.")))).collect()
    })?;
    Ok(Exit::Ok)
}

/// Takes back what should have been taken back before: whoever was to do it is gone. Says so, and does not stand in the
/// way of what was typed.
pub(crate) fn settle_what_is_stale(session: &Session) {
    if !Uid::effective().is_root() {
        return;
    }
    let records = Records::of_this_machine();
    let late = |change: &Change| {
        change.boot != crate::switch::boot()
            || crate::switch::uptime().as_secs() > change.until.saturating_add(GRACE.as_secs())
    };
    let Ok(changes) = records.pending() else { return };
    for change in changes.iter().filter(|change| late(change)) {
        let settled = records.lock().and_then(|_lock| match records.find(&change.name)? {
            Some(change) => settle::settle(&records, &change),
            None => Ok(Decision::Waiting),
        });
        let say = match settled {
            Ok(Decision::Waiting) => continue,
            Ok(Decision::Kept(say) | Decision::TakenBack(say)) => say,
            Err(failure) => format!("{}: cannot be taken back: {}", change.name, failure.message),
        };
        let _ = session.output.remark(&say);
    }
}

/// For the guard to do it itself.
const GRACE: Duration = Duration::from_secs(10);
