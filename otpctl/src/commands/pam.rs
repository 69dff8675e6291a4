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
    let Settled { kept, taken_back, waiting, left } = settle_all(records, &changes);
    let mut failed: Vec<String> = records.unreadable()?.into_iter().map(|failure| failure.message).collect();
    for (change, failure) in &left {
        failed.push(cannot(&change.name, failure));
        // At boot nobody waits for it yet: the one who did is gone with the machine.
        if typed.at_boot
            && let Err(failure) = guard::arm(change)
        {
            failed.push(cannot(&change.name, &failure));
        }
    }
    let object = json!({ "kept": kept, "taken_back": taken_back, "waiting": waiting, "left": failed });
    session.output.result(&object, || {
        let said = kept.iter().chain(&taken_back).chain(&failed).map(|say| Line::from(say.as_str()));
        said.chain(waiting.iter().map(|name| Line::from(format!("{name}: waits for a login.")))).collect()
    })?;
    Ok(if failed.is_empty() { Exit::Ok } else { Exit::Refused })
}

/// What became of changes.
#[derive(Default)]
struct Settled {
    kept: Vec<String>,
    taken_back: Vec<String>,
    waiting: Vec<String>,
    /// What could not be taken back, and why.
    left: Vec<(Change, Failure)>,
}

/// One that fails stops no other.
fn settle_all(records: &Records, changes: &[Change]) -> Settled {
    let mut settled = Settled::default();
    for change in changes {
        match settle::settle(records, change) {
            Ok(Decision::Waiting) => settled.waiting.push(change.name.clone()),
            Ok(Decision::Kept(say)) => settled.kept.push(say),
            Ok(Decision::TakenBack(say)) => settled.taken_back.push(say),
            Err(failure) => settled.left.push((change.clone(), failure)),
        }
    }
    settled
}

fn cannot(name: &str, failure: &Failure) -> String {
    format!("{name}: cannot be taken back: {}", failure.message)
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
    for failure in records.unreadable().unwrap_or_default() {
        let _ = session.output.remark(&failure.message);
    }
    let Ok(changes) = records.pending() else { return };
    for change in changes.iter().filter(|change| late(change)) {
        let settled = records.lock().and_then(|_lock| match records.find(&change.name)? {
            Some(change) => settle::settle(&records, &change),
            None => Ok(Decision::Waiting),
        });
        let say = match settled {
            Ok(Decision::Waiting) => continue,
            Ok(Decision::Kept(say) | Decision::TakenBack(say)) => say,
            Err(failure) => cannot(&change.name, &failure),
        };
        let _ = session.output.remark(&say);
    }
}

/// For the guard to do it itself.
const GRACE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switch::FileChange;
    use crate::switch::tests::stale;

    #[test]
    fn a_change_that_cannot_be_taken_back_stops_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::at(&directory.path().join("records"));
        let path = directory.path().join("sshd");
        std::fs::write(&path, "a\nours\n").unwrap();
        let changed = |file: &std::path::Path| FileChange {
            file: file.to_owned(),
            before: Some("a\n".into()),
            after: "a\nours\n".into(),
            added: vec!["ours".into()],
        };
        // A directory is no file.
        let changes = [stale("login", vec![changed(directory.path())]), stale("sshd", vec![changed(&path)])];
        let _lock = records.lock().unwrap();
        let settled = settle_all(&records, &changes);
        assert_eq!(settled.left.first().map(|(change, _)| change.name.as_str()), Some("login"));
        assert_eq!((settled.left.len(), settled.taken_back.len()), (1, 1));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n");
    }
}
