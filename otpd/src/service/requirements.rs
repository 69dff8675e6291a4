//! What administrators require beside the configuration: protection of a group, from a moment on. The registry keeps it,
//! and the settings in memory have it for logins.

use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::Uid;
use otpd_core::policy::Policy;
use otpd_core::policy::Requirement;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Parties;
use super::Service;
use super::admin::check;
use super::policy_report;
use super::policy_report::days;
use super::prompt;
use super::proof::Asked;
use crate::clock;
use crate::names::Groups;
use crate::names::Listed;
use crate::peer::Peer;
use crate::permit::Request;
use crate::settings::Settings;

impl<R: Registry> Service<R> {
    /// Requires protection of a group.
    ///
    /// # Errors
    /// [`Failure`]; refused if it locks somebody out at once, unless the caller knows how many, and always if that is
    /// the caller.
    pub fn require_group(
        &self,
        peer: Peer,
        call: &wire::RequireGroupParameters,
        now: UnixTime,
    ) -> Result<wire::GroupRequired, Failure> {
        let (request, kind) = (Request::RequireGroup, Kind::RequireGroup);
        let parties =
            self.administrator_for(peer, &Asked { request, kind, code: call.code.as_ref(), now })?;
        let _one_at_a_time = self.requiring();
        let decided = self.decide_requirement(&parties, call, now);
        let (requirement, locks_out) = match decided {
            Ok(decided) => decided,
            Err(failure) => return self.refuse(&parties, now, kind, failure),
        };
        let event = Event {
            detail: Some(format!("{}, from {} on", of_group(&requirement), prompt::date(requirement.from))),
            ..parties.event(now, kind, Decision::Accept, Reason::Ok)
        };
        if !self.registry.require_group(parties.ticket(), &requirement, event)? {
            let say = format!(
                "Protection is required of {} groups, and more do not fit. Release one first: otpctl policy release GROUP",
                Requirement::MOST
            );
            return self.refuse(&parties, now, kind, Failure::refused(Reason::TooManyGroups, say));
        }
        self.change_policy(|policy| policy.require(requirement.clone()));
        let Requirement { group, gid, from, .. } = requirement;
        Ok(wire::GroupRequired { group, gid, from: from.0, locks_out })
    }

    /// Releases a group from that.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn release_group(
        &self,
        peer: Peer,
        call: &wire::ReleaseGroupParameters,
        now: UnixTime,
    ) -> Result<wire::GroupReleased, Failure> {
        let (request, kind) = (Request::ReleaseGroup, Kind::ReleaseGroup);
        let parties =
            self.administrator_for(peer, &Asked { request, kind, code: call.code.as_ref(), now })?;
        let _one_at_a_time = self.requiring();
        let settings = self.settings();
        let policy = &settings.policy;
        // By its number it is released whether or not a directory answers.
        let numbered = call.group.parse().ok();
        let known = policy.requirements.iter().find(|requirement| numbered == Some(requirement.gid));
        let listed = if known.is_some() { None } else { self.own_names.listed(&call.group)? };
        let Some(requirement) = known.or_else(|| required(policy, &call.group, listed.as_ref())) else {
            let failure = not_required(policy, &call.group, listed.as_ref());
            return self.refuse(&parties, now, kind, failure);
        };
        if !parties.role.is_root() && self.is_roots(requirement.gid)? {
            return self.refuse(&parties, now, kind, of_root(&requirement.group, "release"));
        }
        let detail = Some(of_group(requirement));
        let event = Event { detail, ..parties.event(now, kind, Decision::Accept, Reason::Ok) };
        let gid = requirement.gid;
        self.registry.release_group(parties.ticket(), gid, event)?;
        self.change_policy(|policy| policy.release(gid));
        let configured = policy.require_everyone || policy.require_groups.contains(&gid);
        Ok(wire::GroupReleased { group: requirement.group.clone(), gid, configured })
    }

    /// Whom a requirement would lock out, and whether that is wanted.
    fn decide_requirement(
        &self,
        parties: &Parties,
        call: &wire::RequireGroupParameters,
        now: UnixTime,
    ) -> Result<(Requirement, u32), Failure> {
        if call.grace_days > Requirement::LONGEST_GRACE {
            let say = format!("A grace is of 0 to {} days.", Requirement::LONGEST_GRACE);
            return Err(Failure::refused(Reason::BadParameters, say));
        }
        if clock::is_unset(now) {
            let say = "This box's clock is not set, so a grace would be over as soon as it is. Set the clock first.";
            return Err(Failure::refused(Reason::ClockUnset, say));
        }
        let group = self.group_of(&call.group)?;
        if !parties.role.is_root() && self.is_roots(group.gid)? {
            return Err(of_root(&group.name, "require"));
        }
        let requirement = parties.requirement(group, now.plus(days(call.grace_days)), now);
        if requirement.from > now {
            return Ok((requirement, 0));
        }
        let settings = self.settings();
        let in_force = &settings.policy;
        let mut policy = in_force.clone();
        policy.require(requirement.clone());
        let asked = policy_report::Asked { in_force, policy: &policy, now };
        if self.would_lock_out(&asked, parties.caller.identity.name.as_str())? {
            let say = "You are a member of that group and have no device: you would be locked out yourself. Bind one first: otpctl bind";
            return Err(Failure::refused(Reason::LocksOut, say));
        }
        let locks_out = self.count_locked_out(&asked)?;
        if locks_out != call.locks_out.unwrap_or(0) {
            return Err(locked_out(&requirement.group, locks_out, call.locks_out));
        }
        Ok((requirement, locks_out))
    }

    /// Whether root is a member of a group: nobody but root could let root in again. Of one that is gone root is not.
    fn is_roots(&self, gid: u32) -> Result<bool, Failure> {
        let Some(uid) = Uid::new(0) else { return Ok(false) };
        let root = self.own_names.by_uid(uid, Groups { needed: vec![], optional: vec![gid] })?;
        Ok(root.is_some_and(|root| root.groups.contains(&gid)))
    }

    /// A group of this system, by name or number.
    pub(super) fn group_of(&self, named: &str) -> Result<Listed, Failure> {
        let say = format!("There is no group {named:?} here.");
        self.own_names.listed(named)?.ok_or(Failure::refused(Reason::NoSuchGroup, say))
    }

    /// The line of `doctor` for groups that are not what they were.
    pub(super) fn check_requirements(&self) -> Option<wire::Check> {
        let settings = self.settings();
        let mut odd = Vec::new();
        for Requirement { gid, group, .. } in &settings.policy.requirements {
            match self.own_names.listed(&gid.to_string()) {
                Ok(Some(listed)) if listed.name == *group => {}
                Ok(Some(listed)) => odd.push(format!("group {gid} was {group} and is {} now", listed.name)),
                Ok(None) => odd.push(format!("group {group} ({gid}) is gone, so it meets nobody")),
                // Whatever does not answer for this one makes the others wait as well.
                Err(error) => {
                    odd.push(format!("group {group} ({gid}): {error}"));
                    break;
                }
            }
        }
        let say = format!(
            "{}. If that is not meant to be required any more: otpctl policy release NUMBER",
            odd.join("; ")
        );
        (!odd.is_empty()).then(|| check("policy", "warn", &say))
    }

    fn requiring(&self) -> MutexGuard<'_, ()> {
        self.requiring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has logins decided by what the registry has just been told.
    fn change_policy(&self, change: impl FnOnce(&mut Policy)) {
        let mut current = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let mut settings = Settings::clone(&current);
        change(&mut settings.policy);
        *current = Arc::new(settings);
    }
}

impl Parties {
    /// What the caller requires of a group.
    pub(super) fn requirement(&self, group: Listed, from: UnixTime, now: UnixTime) -> Requirement {
        let by = self.caller.identity.name.to_string();
        Requirement { gid: group.gid, group: group.name, from, by, at: now }
    }
}

/// What is required of a group. One that the system has no more goes by the name that it had.
fn required<'a>(policy: &'a Policy, named: &str, listed: Option<&Listed>) -> Option<&'a Requirement> {
    let mut all = policy.requirements.iter();
    match (listed, named.parse::<u32>()) {
        (Some(listed), _) => all.find(|requirement| requirement.gid == listed.gid),
        (None, Ok(gid)) => all.find(|requirement| requirement.gid == gid),
        (None, Err(_)) => all.find(|requirement| requirement.group == named),
    }
}

fn not_required(policy: &Policy, named: &str, listed: Option<&Listed>) -> Failure {
    let is_configured = listed.is_some_and(|listed| policy.require_groups.contains(&listed.gid));
    match listed {
        Some(listed) if is_configured => {
            let say = format!(
                "Protection of {} is required in otpd.toml. Root takes it out of require_groups there, and runs: systemctl \
                 reload otpd",
                listed.name
            );
            Failure::refused(Reason::GroupNotRequired, say)
        }
        Some(listed) => {
            let say = format!(
                "No administrator requires protection of {}; there is nothing to release.",
                listed.name
            );
            Failure::refused(Reason::GroupNotRequired, say)
        }
        None => Failure::refused(Reason::NoSuchGroup, format!("There is no group {named:?} here.")),
    }
}

fn of_root(group: &str, act: &str) -> Failure {
    let say = format!(
        "Root is a member of {group}, and what is required of root is root's alone to say: sudo otpctl policy {act} {group}"
    );
    Failure::refused(Reason::NotOnRoot, say)
}

fn locked_out(group: &str, number: u32, said: Option<u32>) -> Failure {
    let who = match number {
        0 => "Nobody".to_owned(),
        1 => "1 member of it".to_owned(),
        many => format!("{many} members of it"),
    };
    let but = said.map_or_else(String::new, |said| format!(", not {said}"));
    let say = format!(
        "{who} would be locked out at once by requiring protection of {group} without a grace{but}. See who: otpctl policy \
         report --group {group} --grace-days 0. Give a grace, or say that you know: \
         --locks-out {number}"
    );
    Failure::refused(Reason::LocksOut, say)
}

fn of_group(requirement: &Requirement) -> String {
    format!("of group {} ({})", requirement.group, requirement.gid)
}
