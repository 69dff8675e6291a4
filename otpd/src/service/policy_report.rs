//! Whom the policy meets without a device: before it is put in force, and after.

use std::collections::BTreeSet;
use std::time::Duration;

use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::policy::Policy;
use otpd_core::policy::Requirement;
use otpd_core::policy::Standing;
use otpd_core::registry::AccountQuery;
use otpd_core::registry::Only;
use otpd_core::registry::Registry;
use otpd_core::registry::Summary;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use crate::clock;
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
        let grace = call.grace_days.map(days);
        match &call.group {
            Some(named) => {
                let group = self.group_of(named)?;
                let from = now.plus(grace.unwrap_or(in_force.grace));
                policy.require(parties.requirement(group, from, now));
            }
            None => policy.grace = grace.unwrap_or(in_force.grace),
        }
        let page = self.policy_page(&Asked { in_force, policy: &policy, now }, call.after.as_deref())?;
        Ok(wire::PolicyReport {
            require_everyone: in_force.require_everyone,
            require_groups: self.group_names(&in_force.require_groups)?,
            exempt_users: in_force.exempt_users.clone(),
            exempt_groups: self.group_names(&in_force.exempt_groups)?,
            grace_days: u32::try_from(in_force.grace.as_secs() / DAY).unwrap_or(u32::MAX),
            grace_until: in_force.grace_until.map(|at| at.0),
            required: in_force.requirements.iter().map(wire_required).collect(),
            concerned: page.concerned,
            looked_at: page.looked_at,
            protected: page.protected,
            locks_out: page.locks_out,
            next: page.next,
        })
    }

    /// How many a policy would lock out at once whom nothing locks out now.
    pub(super) fn count_locked_out(&self, asked: &Asked<'_>) -> Result<u32, Failure> {
        let begun = clock::monotonic();
        let (mut all, mut after) = (0_u32, None);
        // Whoever asks has gone by then.
        while clock::monotonic().saturating_duration_since(begun) < LONGEST_COUNT {
            let page = self.policy_page(asked, after.as_deref())?;
            all = all.saturating_add(page.locks_out);
            let advances = page.next > after;
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
            if !advances {
                break;
            }
        }
        Err(Failure::refused(
            Reason::LocksOut,
            "Who would be locked out cannot be counted in time. Give a grace.",
        ))
    }

    /// Whether a policy would lock somebody out at once whom nothing locks out now.
    pub(super) fn would_lock_out(&self, asked: &Asked<'_>, name: &str) -> Result<bool, Failure> {
        let mut page = Page::default();
        self.look_at(name, asked, &mut page)?;
        Ok(page.locks_out > 0)
    }

    fn policy_page(&self, asked: &Asked<'_>, after: Option<&str>) -> Result<Page, Failure> {
        let mut names = self.candidates(asked.policy, after)?;
        let more = names.len() > PAGE;
        names.truncate(PAGE);
        let mut page = Page { next: names.last().filter(|_| more).cloned(), ..Page::default() };
        names.iter().try_for_each(|name| self.look_at(name, asked, &mut page))?;
        Ok(page)
    }

    /// Names behind `after`, more than a page has if there are: members of the groups, and accounts without a device.
    fn candidates(&self, policy: &Policy, after: Option<&str>) -> Result<Vec<String>, Failure> {
        let after = after.unwrap_or_default();
        let mut names = BTreeSet::new();
        for gid in policy.require_groups.iter().copied().chain(policy.required_by_administrators()) {
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

    fn look_at(&self, name: &str, asked: &Asked<'_>, page: &mut Page) -> Result<(), Failure> {
        let Asked { in_force, policy, now } = *asked;
        page.looked_at = page.looked_at.saturating_add(1);
        let account = self.summary(name)?;
        if account.as_ref().is_some_and(|account| account.active_devices > 0) {
            page.protected = page.protected.saturating_add(1);
            return Ok(());
        }
        // Whoever is listed in a group and is nobody does not log in either.
        let groups = Groups::of(policy, None);
        let Some(person) = self.own_names.by_name(name, groups)? else { return Ok(()) };
        let grace_since = account.as_ref().and_then(|account| account.grace_since);
        let (standing, from) = match policy.standing(name, &person.groups, grace_since, now) {
            Standing::Optional => return Ok(()),
            Standing::Exempt => ("exempt", None),
            Standing::Required { from } if from <= now => ("locked_out", Some(from.0)),
            Standing::Required { from } => ("grace", Some(from.0)),
        };
        let enrol_code = account.and_then(|account| account.enrolment).is_some_and(|until| now < until);
        let is_out = in_force.standing(name, &person.groups, grace_since, now).is_demanded(now);
        if standing == "locked_out" && !enrol_code && !is_out {
            page.locks_out = page.locks_out.saturating_add(1);
        }
        page.concerned.push(wire::Concerned {
            user: name.to_owned(),
            uid: person.identity.uid.as_u32(),
            standing: standing.to_owned(),
            from,
            enrol_code,
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

/// What is asked: whom this policy would meet, in the place of the one in force.
pub(super) struct Asked<'a> {
    pub(super) in_force: &'a Policy,
    pub(super) policy: &'a Policy,
    pub(super) now: UnixTime,
}

#[derive(Default)]
struct Page {
    concerned: Vec<wire::Concerned>,
    looked_at: u32,
    protected: u32,
    locks_out: u32,
    next: Option<String>,
}

/// So many days.
pub(super) fn days(number: u32) -> Duration {
    Duration::from_secs(u64::from(number).saturating_mul(DAY))
}

fn wire_required(requirement: &Requirement) -> wire::RequiredGroup {
    wire::RequiredGroup {
        group: requirement.group.clone(),
        gid: requirement.gid,
        from: requirement.from.0,
        by: requirement.by.clone(),
        at: requirement.at.0,
    }
}

const PAGE: usize = 100;
/// A call has 30 s.
const LONGEST_COUNT: Duration = Duration::from_secs(20);
const DAY: u64 = 86_400;
