//! Whom the policy meets without a device: before it is put in force, and after.

use std::collections::BTreeSet;
use std::time::Duration;

use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::policy::Policy;
use otpd_core::policy::Standing;
use otpd_core::registry::AccountQuery;
use otpd_core::registry::Only;
use otpd_core::registry::Registry;
use otpd_core::registry::Summary;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use crate::names::Groups;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// The policy, and who of its groups or with an account has no device, a page at a time.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn policy_report(
        &self,
        peer: Peer,
        call: &wire::PolicyReportParameters,
        now: UnixTime,
    ) -> Result<wire::PolicyReport, Failure> {
        let parties = self.administrator(peer, Request::PolicyReport, None, now)?;
        let in_force = &parties.settings.policy;
        let mut policy = in_force.clone();
        if let Some(days) = call.grace_days {
            policy.grace = Duration::from_secs(u64::from(days).saturating_mul(DAY));
        }
        if let Some(named) = &call.group {
            let group = self.own_names.listed(named)?;
            let say = format!("There is no group {named:?} here.");
            policy.require_groups.push(group.ok_or(Failure::refused(Reason::BadParameters, say))?.gid);
        }
        let mut names = self.candidates(&policy, call.after.as_deref())?;
        let more = names.len() > PAGE;
        names.truncate(PAGE);
        let mut report = wire::PolicyReport {
            require_everyone: in_force.require_everyone,
            require_groups: self.group_names(&in_force.require_groups)?,
            exempt_users: in_force.exempt_users.clone(),
            exempt_groups: self.group_names(&in_force.exempt_groups)?,
            grace_days: u32::try_from(in_force.grace.as_secs() / DAY).unwrap_or(u32::MAX),
            grace_until: in_force.grace_until.map(|at| at.0),
            concerned: Vec::new(),
            looked_at: 0,
            protected: 0,
            next: names.last().filter(|_| more).cloned(),
        };
        for name in names {
            self.look_at(&name, &policy, now, &mut report)?;
        }
        Ok(report)
    }

    /// Names behind `after`, more than a page has if there are: members of the groups, and accounts without a device.
    fn candidates(&self, policy: &Policy, after: Option<&str>) -> Result<Vec<String>, Failure> {
        let after = after.unwrap_or_default();
        let mut names = BTreeSet::new();
        for gid in &policy.require_groups {
            let group = self.own_names.listed(&gid.to_string())?;
            names.extend(group.into_iter().flat_map(|group| group.members));
        }
        names.retain(|name| name.as_str() > after);
        let query = AccountQuery {
            after: AccountName::new(after).ok(),
            only: Some(Only::Unprotected),
            limit: u32::try_from(PAGE).unwrap_or(u32::MAX).saturating_add(1),
            ..AccountQuery::default()
        };
        let accounts = self.registry.find_accounts(&query)?;
        names.extend(accounts.into_iter().map(|summary| summary.identity.name.to_string()));
        Ok(names.into_iter().collect())
    }

    fn look_at(
        &self,
        name: &str,
        policy: &Policy,
        now: UnixTime,
        report: &mut wire::PolicyReport,
    ) -> Result<(), Failure> {
        report.looked_at = report.looked_at.saturating_add(1);
        let account = self.summary(name)?;
        if account.as_ref().is_some_and(|account| account.active_devices > 0) {
            report.protected = report.protected.saturating_add(1);
            return Ok(());
        }
        // Whoever is listed in a group and is nobody does not log in either.
        let groups = Groups { needed: policy.groups().collect(), optional: None };
        let Some(person) = self.own_names.by_name(name, groups)? else { return Ok(()) };
        let grace_since = account.as_ref().and_then(|account| account.grace_since);
        let (standing, from) = match policy.standing(name, &person.groups, grace_since, now) {
            Standing::Optional => return Ok(()),
            Standing::Exempt => ("exempt", None),
            Standing::Required { from } if from <= now => ("locked_out", Some(from.0)),
            Standing::Required { from } => ("grace", Some(from.0)),
        };
        report.concerned.push(wire::Concerned {
            user: name.to_owned(),
            uid: person.identity.uid.as_u32(),
            standing: standing.to_owned(),
            from,
            enrol_code: account.and_then(|account| account.enrolment).is_some_and(|until| now < until),
        });
        Ok(())
    }

    fn summary(&self, name: &str) -> Result<Option<Summary>, Failure> {
        let query = AccountQuery { prefix: name.to_owned(), limit: 1, ..AccountQuery::default() };
        // The shortest name that begins so comes first.
        let found = self.registry.find_accounts(&query)?.pop();
        Ok(found.filter(|summary| summary.identity.name.as_str() == name))
    }

    /// As the system calls them now.
    fn group_names(&self, gids: &[u32]) -> Result<Vec<String>, Failure> {
        let name = |gid: &u32| {
            let listed = self.own_names.listed(&gid.to_string())?;
            Ok(listed.map_or_else(|| gid.to_string(), |group| group.name))
        };
        gids.iter().map(name).collect()
    }
}

const PAGE: usize = 100;
const DAY: u64 = 86_400;
