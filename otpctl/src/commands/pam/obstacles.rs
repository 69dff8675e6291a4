//! What would keep people out, or leave them without a way back, if a service asked for codes now.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use nix::unistd::Uid;
use nix::unistd::User;
use otpd_proto::account::Status;
use otpd_proto::admin;
use otpd_proto::admin::Accounts;
use otpd_proto::admin::AccountsParameters;
use otpd_proto::admin::Doctor;
use serde_json::json;

use super::Session;
use super::plan::Plan;
use crate::commands::status;
use crate::failure::Failure;
use crate::pam::judge::Finding;
use crate::pam::judge::Weight;
use crate::site::Site;

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) say: String,
    /// Only doubtful: `--force` goes on.
    pub(super) is_doubt: bool,
}

fn wall(say: impl Into<String>) -> Obstacle {
    Obstacle { say: say.into(), is_doubt: false }
}

fn doubt(say: impl Into<String>) -> Obstacle {
    Obstacle { say: say.into(), is_doubt: true }
}

/// Of otpd, its clock, and the people.
///
/// # Errors
/// otpd cannot be asked, so nobody could be let in.
pub(super) fn of_people(session: &Session) -> Result<Vec<Obstacle>, Failure> {
    let doctor: Doctor = session.calls.call(admin::DOCTOR, &json!({}))?;
    // Whether mail is needed to get back in depends on who it is: see `of_caller`.
    let failed = doctor.checks.into_iter().filter(|check| check.verdict == "fail" && check.check != "mail");
    let mut found: Vec<Obstacle> = failed
        .map(|check| {
            let say = format!("{}: {}", check.check, check.say);
            // What decides whether a right code is accepted.
            if ["clock", "registry"].contains(&check.check.as_str()) { wall(say) } else { doubt(say) }
        })
        .collect();
    let login = session.calls.directory().join(otpd_proto::LOGIN_SOCKET);
    if !fs::symlink_metadata(&login).is_ok_and(|found| found.file_type().is_socket()) {
        found.push(wall(format!(
            "otpd does not listen at {}, where logins ask. Restart otpd",
            login.display()
        )));
    }
    let protected = protected(session)?;
    if protected == 0 {
        let say =
            "nobody has bound a device, so nobody could show that it works. Bind one first: otpctl bind";
        found.push(doubt(say));
    }
    if let Some(caller) = caller() {
        found.extend(of_caller(&status::fetch(session, Some(caller))?));
    }
    Ok(found)
}

fn protected(session: &Session) -> Result<usize, Failure> {
    let mut count = 0_usize;
    let mut after = None;
    loop {
        let page: Accounts = session
            .calls
            .call(admin::ACCOUNTS, &AccountsParameters { after, ..AccountsParameters::default() })?;
        let protected =
            page.accounts.iter().filter(|account| account.protected && account.active_devices > 0);
        count = count.saturating_add(protected.count());
        match page.accounts.last() {
            Some(last) if page.more => after = Some(last.user.clone()),
            _ => return Ok(count),
        }
    }
}

/// Who has typed this: whoever the session is of, however they became root.
fn caller() -> Option<String> {
    let uid = fs::read_to_string("/proc/self/loginuid").ok()?.trim().parse().ok()?;
    let of_session = if uid == u32::MAX { None } else { User::from_uid(Uid::from_raw(uid)).ok().flatten() };
    let by_sudo = || {
        let name = std::env::var_os("SUDO_USER")?.into_string().ok()?;
        User::from_name(&name).ok().flatten()
    };
    of_session
        .or_else(by_sudo)
        .or_else(|| User::from_uid(Uid::from_raw(0)).ok().flatten())
        .map(|user| user.name)
}

fn of_caller(status: &Status) -> Option<Obstacle> {
    let user = &status.user;
    if !status.protected {
        let grace = status.requirement.since.is_some_and(|since| since > status.now);
        let is_required = status.requirement.state == "required" && !grace;
        return is_required.then(|| {
            let say = format!("{user} needs a code and has no device, so you could not log in. Bind one first: otpctl bind {user}");
            wall(say)
        });
    }
    let mails = status.mail_problem.is_none()
        && status
            .emails
            .iter()
            .any(|email| email.state == "confirmed" && email.recovers.is_some_and(|from| from <= status.now));
    (status.recovery_codes.is_empty() && !mails).then(|| {
        let mail = status.mail_problem.as_deref().unwrap_or("no secure email can be used yet");
        let say = format!(
            "{user} has no way back without the phone: no recovery codes are left ({mail}). Make new ones: otpctl codes new"
        );
        doubt(say)
    })
}

/// Of stacks and sshd as they would be, and what is only to be known.
pub(super) fn of_stacks(plan: &Plan) -> (Vec<Obstacle>, Vec<String>) {
    let (mut found, mut remarks) = (Vec::new(), Vec::new());
    for service in &plan.services {
        let mut sort = |finding: Finding| {
            let say = format!("{service}: {}", finding.say);
            match finding.weight {
                Weight::LocksOut => found.push(wall(say)),
                Weight::Skips => found.push(doubt(say)),
                Weight::Warn | Weight::Note => remarks.push(say),
            }
        };
        plan.site.judge(service).findings.into_iter().for_each(&mut sort);
        if plan.site.is_sshd(service) && plan.site.has_sshd() {
            let ways = plan.site.ways(service);
            if ways.never_asks {
                let say = "sshd could not ask for a code, so nobody protected could log in. Write into \
                           /etc/ssh/sshd_config.d/10-otpd.conf: UsePAM yes, KbdInteractiveAuthentication yes, \
                           PasswordAuthentication no, AuthenticationMethods keyboard-interactive:pam; then sshd -t, and \
                           systemctl reload ssh";
                found.push(wall(say));
            } else {
                ways.findings.into_iter().for_each(&mut sort);
                if ways.misses_most {
                    let say = "sshd could ask for a code only whom a Match block matches, so nobody else who is \
                               protected could log in. Write KbdInteractiveAuthentication yes and \
                               AuthenticationMethods keyboard-interactive:pam above the first Match";
                    found.push(doubt(say));
                }
            }
        }
    }
    (found, remarks)
}

/// Of a root who would lose sshd: a key is not enough any more, and nothing else may be asked.
///
/// # Errors
/// otpd cannot be asked.
pub(super) fn of_root(session: &Session, plans: &[Plan]) -> Result<Option<Obstacle>, Failure> {
    let closes = |plan: &Plan| closes_to_root(&plan.site, &plan.services);
    let root = caller().filter(|caller| caller == "root" && plans.iter().any(closes));
    match root.map(|root| status::fetch(session, Some(root))).transpose()? {
        Some(root) if root.protected => Ok(Some(wall(
            "root has a device, and sshd would let root in neither by key alone nor with a code. Write PermitRootLogin \
             yes into /etc/ssh/sshd_config.d/10-otpd.conf, or PermitRootLogin no if root need not log in there; then \
             sshd -t, and systemctl reload ssh",
        ))),
        _ => Ok(None),
    }
}

fn closes_to_root(site: &Site, services: &[String]) -> bool {
    site.has_sshd()
        && services.iter().any(|service| site.is_sshd(service) && site.ways(service).root_is_never_asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::modules::Modules;
    use crate::pam::stack::Stacks;

    fn plan(sshd: &str) -> Plan {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), sshd).unwrap();
        let stacks = Stacks::in_directories(&[std::path::Path::new("/nonexistent")]);
        let site = Site::new(stacks, Modules::complete(), file.path());
        Plan { name: "sshd".into(), services: vec!["sshd".into()], files: Vec::new(), site, profile: false }
    }

    #[test]
    fn an_sshd_that_asks_only_whom_a_block_matches_is_doubted() {
        let block = "Match Address 192.0.2.0/24\n KbdInteractiveAuthentication yes\n";
        let doubts = |text: &str| {
            let (found, _) = of_stacks(&plan(&format!("UsePAM yes\n{text}{block}")));
            found.iter().any(|obstacle| obstacle.is_doubt && obstacle.say.contains("Match block"))
        };
        assert!(doubts("KbdInteractiveAuthentication no\n"));
        assert!(!doubts(""));
    }

    #[test]
    fn an_sshd_that_lets_root_in_by_key_alone_is_closed_to_a_root_who_has_a_device() {
        let closes = |sshd: &str, service: &str| closes_to_root(&plan(sshd).site, &[service.to_owned()]);
        assert!(closes("UsePAM yes\n", "sshd"));
        assert!(!closes("UsePAM yes\nPermitRootLogin yes\n", "sshd") && !closes("UsePAM yes\n", "login"));
        assert!(!closes("", "sshd"), "there is none");
    }

    fn status(changes: serde_json::Value) -> Status {
        let mut status = json!({"user": "alice", "protected": true,
            "requirement": {"state": "optional", "since": null, "why": ""}, "active_devices": 1, "pending_devices": 0,
            "lanes": [], "recovery_codes": [1], "now": 1000, "clock_synchronised": true, "warnings": []});
        status.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_caller_who_needs_a_code_and_has_none_is_stopped_for_good() {
        let required = |since| json!({"protected": false, "requirement": {"state": "required", "since": since, "why": ""}});
        for since in [json!(null), json!(1000)] {
            assert!(!of_caller(&status(required(since))).unwrap().is_doubt);
        }
        assert_eq!(of_caller(&status(required(json!(1001)))), None, "the grace lasts");
        assert_eq!(of_caller(&status(json!({"protected": false}))), None);
    }

    #[test]
    fn a_caller_without_a_way_back_is_asked_to_make_one() {
        assert_eq!(of_caller(&status(json!({}))), None);
        let email = |recovers: i64| json!([{"id": 1, "address": "a@b", "state": "confirmed", "added": 1, "recovers": recovers, "until": null}]);
        assert!(of_caller(&status(json!({"recovery_codes": []}))).unwrap().is_doubt);
        assert!(
            of_caller(&status(json!({"recovery_codes": [], "emails": email(2000)}))).is_some(),
            "not yet"
        );
        assert!(of_caller(&status(json!({"recovery_codes": [], "emails": email(500)}))).is_none());
        let broken = json!({"recovery_codes": [], "emails": email(500), "mail_problem": "no server"});
        assert!(of_caller(&status(broken)).unwrap().say.contains("no server"));
    }
}
