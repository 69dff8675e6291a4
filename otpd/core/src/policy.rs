//! Who must have login protection, from when on, and which services ask.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::UnixTime;

/// The policy, its groups resolved to numbers.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Everybody must have protection.
    pub require_everyone: bool,
    /// Members of these groups must have it (by gid; names can lie, CVE-2025-49012).
    pub require_groups: Vec<u32>,
    /// These users need not, whatever their groups.
    pub exempt_users: Vec<String>,
    /// Members of these groups need not.
    pub exempt_groups: Vec<u32>,
    /// No requirement before this moment.
    pub grace_until: Option<UnixTime>,
    /// No requirement so long after the first login at which it applied.
    pub grace: Duration,
    /// What each service does; unlisted ones ask.
    pub services: BTreeMap<String, Ask>,
    /// What administrators require beside all that.
    pub requirements: Vec<Requirement>,
}

/// A group whose members must have protection because an administrator said so. The registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Which group (by gid; names can lie, CVE-2025-49012).
    pub gid: u32,
    /// As it was called then, to be shown.
    pub group: String,
    /// No requirement before this moment, which is the same for all members.
    pub from: UnixTime,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: UnixTime,
}

impl Requirement {
    /// So many are enough.
    pub const MOST: usize = 64;
    /// The longest grace, in days.
    pub const LONGEST_GRACE: u32 = 3650;
}

/// What somebody without a device can do, and what they must have set up before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPolicy {
    /// What a recovery code and a mailed code open.
    pub grants: Grants,
    /// The services that take them; none: all.
    pub services: Vec<String>,
    /// Whether an account needs a secure email.
    pub require_email: RequireEmail,
    /// How long a secure email that is not the first waits before it recovers.
    pub hold: Duration,
}

/// What a recovery code and a mailed code open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grants {
    /// The login, and for a while the binding of a new device.
    Login,
    /// The binding alone: in a session that is open already.
    Rebind,
}

/// Whether an account needs a secure email before its first device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequireEmail {
    /// Unless this box cannot send mail.
    IfMailWorks,
    /// Without one there is no protection.
    Always,
    /// It is the user's own choice.
    Never,
}

impl Default for RecoveryPolicy {
    fn default() -> Self {
        Self {
            grants: Grants::Login,
            services: Vec::new(),
            require_email: RequireEmail::IfMailWorks,
            hold: Duration::from_secs(86_400),
        }
    }
}

impl RecoveryPolicy {
    /// Whether a service takes recovery codes and mailed codes.
    #[must_use]
    pub fn opens(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|listed| listed == service)
    }
}

/// Whether a service asks for codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Protected accounts are asked.
    Always,
    /// Nobody is: for screen lockers that cannot show a second prompt.
    Never,
}

/// What the policy says of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Protection is the user's own choice.
    Optional,
    /// It is, by an exception from a requirement.
    Exempt,
    /// Required from this moment on (which may be past).
    Required {
        /// The end of the grace.
        from: UnixTime,
    },
}

impl Standing {
    /// Whether protection is demanded now.
    #[must_use]
    pub fn is_demanded(&self, now: UnixTime) -> bool {
        matches!(self, Self::Required { from } if *from <= now)
    }
}

impl Policy {
    /// Whether a service asks at all.
    #[must_use]
    pub fn asks(&self, service: &str) -> bool {
        self.services.get(service).copied() != Some(Ask::Never)
    }

    /// Every group of the configuration, for one look-up of them all.
    pub fn groups(&self) -> impl Iterator<Item = u32> {
        self.require_groups.iter().chain(&self.exempt_groups).copied()
    }

    /// Adds what an administrator requires, in the place of what was required of that group before.
    pub fn require(&mut self, requirement: Requirement) {
        self.release(requirement.gid);
        self.requirements.push(requirement);
        self.requirements.sort_by_key(|requirement| requirement.gid);
    }

    /// Takes out what administrators require of a group.
    pub fn release(&mut self, gid: u32) {
        self.requirements.retain(|requirement| requirement.gid != gid);
    }

    /// The groups of which administrators require it. Of one that is gone nobody is a member any more.
    pub fn required_by_administrators(&self) -> impl Iterator<Item = u32> {
        self.requirements.iter().map(|requirement| requirement.gid)
    }

    /// Whether the configuration requires protection of members of `groups`, so that they have a grace of their own,
    /// unless they are exempt.
    #[must_use]
    pub fn gives_own_grace(&self, groups: &[u32]) -> bool {
        self.require_everyone || self.require_groups.iter().any(|gid| groups.contains(gid))
    }

    /// The standing of a user who is a member of `groups`: required from the earliest moment that anything says.
    /// `grace_since` is when the configuration's requirement first met them at a login; `None` means now.
    #[must_use]
    pub fn standing(
        &self,
        user: &str,
        groups: &[u32],
        grace_since: Option<UnixTime>,
        now: UnixTime,
    ) -> Standing {
        let configured = self.gives_own_grace(groups).then(|| {
            let own_grace = grace_since.unwrap_or(now).plus(self.grace);
            self.grace_until.map_or(own_grace, |until| until.max(own_grace))
        });
        let required = self.requirements.iter().filter(|requirement| groups.contains(&requirement.gid));
        let Some(from) = required.map(|requirement| requirement.from).chain(configured).min() else {
            return Standing::Optional;
        };
        let in_exempt = self.exempt_groups.iter().any(|gid| groups.contains(gid));
        if in_exempt || self.exempt_users.iter().any(|exempt| exempt == user) {
            return Standing::Exempt;
        }
        Standing::Required { from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn policy() -> Policy {
        Policy {
            require_groups: vec![100],
            exempt_users: vec!["backup".into()],
            exempt_groups: vec![200],
            ..Policy::default()
        }
    }

    #[test]
    fn without_a_rule_protection_is_optional() {
        assert_eq!(policy().standing("alice", &[7], None, NOW), Standing::Optional);
        assert_eq!(Policy::default().standing("alice", &[], None, NOW), Standing::Optional);
    }

    #[test]
    fn members_must_and_the_exempt_need_not() {
        assert!(policy().standing("alice", &[7, 100], None, NOW).is_demanded(NOW));
        assert_eq!(policy().standing("backup", &[100], None, NOW), Standing::Exempt);
        assert_eq!(policy().standing("alice", &[100, 200], None, NOW), Standing::Exempt);
        let everyone = Policy { require_everyone: true, ..policy() };
        assert!(everyone.standing("bob", &[], None, NOW).is_demanded(NOW));
    }

    #[test]
    fn grace_ends_at_the_later_of_date_and_days() {
        let graced = Policy { grace: DAY * 7, grace_until: Some(NOW.plus(DAY * 3)), ..policy() };
        let from = |since| match graced.standing("alice", &[100], since, NOW) {
            Standing::Required { from } => from,
            other => panic!("{other:?}"),
        };
        assert_eq!(from(None), NOW.plus(DAY * 7));
        assert_eq!(from(Some(UnixTime(NOW.0 - 6 * 86_400))), NOW.plus(DAY * 3));
        assert!(!graced.standing("alice", &[100], None, NOW).is_demanded(NOW));
        let over = Some(UnixTime(NOW.0 - 30 * 86_400));
        assert!(graced.standing("alice", &[100], over, NOW.plus(DAY * 3)).is_demanded(NOW.plus(DAY * 3)));
    }

    fn required(gid: u32, from: UnixTime) -> Requirement {
        Requirement { gid, group: "staff".into(), from, by: "root".into(), at: NOW }
    }

    #[test]
    fn what_an_administrator_requires_begins_for_all_at_one_moment() {
        let policy = Policy { requirements: vec![required(300, NOW.plus(DAY))], ..policy() };
        let from = Standing::Required { from: NOW.plus(DAY) };
        for since in [None, Some(UnixTime(0)), Some(NOW.plus(DAY * 9))] {
            assert_eq!(policy.standing("alice", &[300], since, NOW), from);
        }
        assert!(!policy.standing("alice", &[300], None, UnixTime(NOW.plus(DAY).0 - 1)).is_demanded(NOW));
        assert!(policy.standing("alice", &[300], None, NOW).is_demanded(NOW.plus(DAY)));
        assert_eq!(policy.standing("alice", &[7], None, NOW), Standing::Optional);
        assert!(!policy.gives_own_grace(&[300]) && policy.gives_own_grace(&[100]));
    }

    #[test]
    fn of_two_requirements_the_earlier_counts() {
        let graced = |days: u32, after: u32| Policy {
            grace: DAY * days,
            requirements: vec![required(300, NOW.plus(DAY * after)), required(400, NOW.plus(DAY * 9))],
            ..policy()
        };
        let from = |policy: &Policy, groups: &[u32]| match policy.standing("alice", groups, None, NOW) {
            Standing::Required { from } => from,
            other => panic!("{other:?}"),
        };
        assert_eq!(from(&graced(5, 2), &[100, 300]), NOW.plus(DAY * 2));
        assert_eq!(from(&graced(2, 5), &[100, 300]), NOW.plus(DAY * 2));
        assert_eq!(from(&graced(2, 5), &[300, 400]), NOW.plus(DAY * 5));
        assert_eq!(from(&graced(2, 5), &[400]), NOW.plus(DAY * 9));
    }

    #[test]
    fn who_is_exempt_is_so_from_both() {
        let policy = Policy { requirements: vec![required(300, NOW)], ..policy() };
        assert_eq!(policy.standing("backup", &[300], None, NOW), Standing::Exempt);
        assert_eq!(policy.standing("alice", &[200, 300], None, NOW), Standing::Exempt);
    }

    #[test]
    fn recovery_opens_every_service_or_those_that_are_listed() {
        let mut policy = RecoveryPolicy::default();
        assert!(policy.opens("sshd") && policy.opens(""));
        policy.services = vec!["sshd".into()];
        assert!(policy.opens("sshd") && !policy.opens("ssh") && !policy.opens("sudo"));
    }

    #[test]
    fn only_a_listed_never_silences_a_service() {
        let mut policy = policy();
        policy.services.insert("swaylock".into(), Ask::Never);
        policy.services.insert("sshd".into(), Ask::Always);
        assert!(policy.asks("sshd") && policy.asks("other"));
        assert!(!policy.asks("swaylock"));
    }
}
