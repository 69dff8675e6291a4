//! Decides about a change that is written down: a login has proven it, or its time is over, or the machine was started
//! anew meanwhile. Whoever decides holds the lock, and can be killed at any instant: the record goes last.

use otpd_proto::admin;
use otpd_proto::admin::Audit;
use otpd_proto::admin::AuditParameters;

use super::Change;
use super::Records;
use super::boot;
use super::profile;
use super::profile::Switch;
use super::undo;
use super::undo::Undone;
use super::uptime;
use crate::call::Calls;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::site::Site;

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing yet.
    Waiting,
    /// It stays; why, a sentence.
    Kept(String),
    /// It is taken back; why and how, a sentence.
    TakenBack(String),
}

/// Whether nobody can be waiting for it any more.
pub(crate) fn is_stale(change: &Change) -> bool {
    change.boot != boot() || uptime().as_secs() >= change.until
}

/// Looks for a proof, and at the time.
///
/// # Errors
/// A file could not be changed: try again.
pub(crate) fn settle(records: &Records, change: &Change) -> Result<Decision, Failure> {
    // What was not proven before the machine went down stays unproven: nobody could log in to it since.
    if change.boot == boot()
        && let Some(proof) = proof(change)
    {
        records.end(&change.name, &proof)?;
        return Ok(Decision::Kept(proof));
    }
    if !is_stale(change) {
        return Ok(Decision::Waiting);
    }
    let why = if change.boot == boot() {
        "no login with a code came in time"
    } else {
        "the machine was started anew before a login came"
    };
    take_back(records, change, why).map(Decision::TakenBack)
}

/// Makes the files what they were.
///
/// # Errors
/// A file could not be changed; the others are what they were.
pub(crate) fn take_back(records: &Records, change: &Change, why: &str) -> Result<String, Failure> {
    let switched = if change.profile { profile::switch(Switch::Off, None) } else { Ok(()) };
    take_back_files(records, change, why, switched, &Site::of_this_machine())
}

/// Goes on past what fails: each line of ours that is gone is a way in again. What pam-auth-update says is no proof that
/// it has done it: each file is looked at.
fn take_back_files(
    records: &Records,
    change: &Change,
    why: &str,
    switched: Result<(), Failure>,
    site: &Site,
) -> Result<String, Failure> {
    let mut failures: Vec<Failure> = switched.err().into_iter().collect();
    let mut say = format!("{}: taken back, {why}.", change.name);
    for changed in &change.files {
        let at = changed.file.display();
        match undo::undo(changed, &change.open, site) {
            Ok(Undone::Whole) => {}
            Ok(Undone::LinesOnly) => {
                say.push_str(&format!(" {at} was edited meanwhile, so only our lines were taken out."))
            }
            Ok(Undone::StandIns) => say.push_str(&format!(
                " {at} was edited meanwhile, and a jump counts on our lines: others that ask nobody are in their place."
            )),
            Ok(Undone::Left) => {
                say.push_str(&format!(" {at} was edited meanwhile: look at the lines with pam_otp.so there."))
            }
            Err(failure) => failures.push(failure),
        }
    }
    if !failures.is_empty() {
        let messages: Vec<String> = failures.into_iter().map(|failure| failure.message).collect();
        return Err(Failure::new(Exit::Refused, "not_taken_back", messages.join("; ")));
    }
    records.end(&change.name, &say)?;
    Ok(say)
}

/// A code accepted through one of the services since. otpd not answering is no proof.
fn proof(change: &Change) -> Option<String> {
    let calls = Calls::new(&change.runtime_dir);
    let mut after = change.after_event;
    loop {
        let parameters = AuditParameters { after: Some(after), ..AuditParameters::default() };
        let page: Audit = calls.call(admin::AUDIT, &parameters).ok()?;
        if let Some(event) = page.events.iter().find(|event| proves(change, event)) {
            let service = event.service.as_deref().unwrap_or_default();
            return Some(format!(
                "{}: kept, a code of {} was accepted through {service}.",
                change.name, event.user
            ));
        }
        match page.events.last() {
            Some(last) if page.more => after = last.id,
            _ => return None,
        }
    }
}

/// Whether a service's own process has asked for the code: in the lane "own" a user's process did, which says by itself
/// what service it is.
fn proves(change: &Change, event: &admin::Event) -> bool {
    event.event == "login"
        && event.verdict == "accept"
        && event.lane.as_deref() != Some("own")
        && event.service.as_ref().is_some_and(|service| change.proven_by.contains(service))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::FileChange;
    use super::super::tests::stale;
    use super::*;

    fn added(path: &Path) -> FileChange {
        let line = "auth required pam_otp.so";
        FileChange {
            file: path.to_owned(),
            before: Some("a\n".to_owned()),
            after: format!("a\n{line}\n"),
            added: vec![line.to_owned()],
        }
    }

    #[test]
    fn what_fails_is_told_and_the_other_files_are_undone_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::at(&directory.path().join("records"));
        let (broken, sound) = (directory.path().join("broken"), directory.path().join("sound"));
        fs::create_dir(&broken).unwrap();
        fs::write(&sound, added(&sound).after).unwrap();
        let change = stale("sshd", vec![added(&broken), added(&sound)]);
        let _lock = records.lock().unwrap();
        records.write(&change, "now").unwrap();
        let switched = Err(Failure::new(Exit::Refused, "pam_auth_update", "it does not run"));
        let failure = take_back_files(&records, &change, "", switched, &Site::of_this_machine()).unwrap_err();
        assert!(
            failure.message.contains("it does not run") && failure.message.contains("broken"),
            "{failure}"
        );
        assert_eq!(fs::read_to_string(&sound).unwrap(), "a\n");
        assert_eq!(records.pending().unwrap(), std::slice::from_ref(&change), "it is tried again");
        fs::remove_dir(&broken).unwrap();
        fs::write(&broken, added(&broken).after).unwrap();
        take_back(&records, &change, "").unwrap();
        assert_eq!(
            (fs::read_to_string(&broken).unwrap(), records.pending().unwrap()),
            ("a\n".into(), vec![])
        );
    }

    #[test]
    fn a_code_proves_the_service_that_asked_and_none_that_a_users_process_names() {
        let change = stale("sshd", Vec::new());
        let event = |key: &str, value: &str| {
            let mut event = serde_json::json!({"id": 1, "at": 1, "user": "alice", "actor": "sshd", "event": "login",
                "verdict": "accept", "reason": "code", "service": "sshd", "lane": "known"});
            event[key] = value.into();
            serde_json::from_value::<admin::Event>(event).unwrap()
        };
        assert!(proves(&change, &event("lane", "unknown")));
        for (key, value) in
            [("lane", "own"), ("service", "login"), ("verdict", "not_required"), ("event", "bind")]
        {
            assert!(!proves(&change, &event(key, value)), "{key} {value}");
        }
    }
}
