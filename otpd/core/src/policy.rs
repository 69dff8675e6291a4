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

    /// Every group that matters, for one look-up of them all.
    pub fn groups(&self) -> impl Iterator<Item = u32> {
        self.require_groups.iter().chain(&self.exempt_groups).copied()
    }

    /// The standing of a user who is a member of `groups`. `grace_since` is when the requirement first met them at
    /// a login; `None` means now.
    #[must_use]
    pub fn standing(
        &self,
        user: &str,
        groups: &[u32],
        grace_since: Option<UnixTime>,
        now: UnixTime,
    ) -> Standing {
        let member = |of: &[u32]| of.iter().any(|gid| groups.contains(gid));
        if !self.require_everyone && !member(&self.require_groups) {
            return Standing::Optional;
        }
        if self.exempt_users.iter().any(|exempt| exempt == user) || member(&self.exempt_groups) {
            return Standing::Exempt;
        }
        let own_grace = grace_since.unwrap_or(now).plus(self.grace);
        Standing::Required { from: self.grace_until.map_or(own_grace, |until| until.max(own_grace)) }
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
