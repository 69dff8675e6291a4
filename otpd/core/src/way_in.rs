//! The weakest thing that opens an account besides its password: what a thief of the password would go for.

use crate::policy::Grants;
use crate::policy::RecoveryPolicy;
use crate::registry::Summary;
use crate::time::UnixTime;

/// What lets somebody in after the password, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WayIn {
    /// Nothing is asked; or, where protection is demanded, nothing that there is would do.
    None,
    /// A code in a mailbox, which is as strong as the mailbox (NIST SP 800-63B-4, 3.1.3.1).
    MailedCode,
    /// A code that an administrator reads out.
    EnrolCode,
    /// A code on paper.
    RecoveryCode,
    /// A device.
    Device,
}

impl WayIn {
    /// As shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::MailedCode => "mailed_code",
            Self::EnrolCode => "enrol_code",
            Self::RecoveryCode => "recovery_code",
            Self::Device => "device",
        }
    }

    /// The weakest one of an account. Of one without a device only an enrol code opens anything: recovery codes and mailed
    /// codes are for getting a lost device back.
    #[must_use]
    pub fn weakest(of: &Summary, policy: &RecoveryPolicy, now: UnixTime) -> Self {
        if of.active_devices == 0 {
            let waits = of.enrolment.is_some_and(|until| now < until);
            return if waits { Self::EnrolCode } else { Self::None };
        }
        if policy.grants == Grants::Rebind {
            return Self::Device;
        }
        match of {
            Summary { recovers: Some(from), .. } if *from <= now => Self::MailedCode,
            Summary { recovery_codes: 1.., .. } => Self::RecoveryCode,
            _ => Self::Device,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::AccountName;
    use crate::name::Identity;
    use crate::name::Uid;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn protected() -> Summary {
        Summary {
            identity: Identity { uid: Uid::new(1).unwrap(), name: AccountName::new("a").unwrap() },
            active_devices: 1,
            last_used: None,
            locked: false,
            recovery_codes: 0,
            emails: 0,
            recovers: None,
            enrolment: None,
            grace_since: None,
        }
    }

    #[track_caller]
    fn is(of: Summary, way: WayIn) {
        assert_eq!(WayIn::weakest(&of, &RecoveryPolicy::default(), NOW), way, "{of:?}");
    }

    #[test]
    fn the_weakest_way_in_is_the_first_that_is_open() {
        is(protected(), WayIn::Device);
        is(Summary { recovery_codes: 1, ..protected() }, WayIn::RecoveryCode);
        is(
            Summary { recovery_codes: 1, recovers: Some(UnixTime(NOW.0 + 1)), ..protected() },
            WayIn::RecoveryCode,
        );
        is(Summary { recovery_codes: 1, recovers: Some(NOW), ..protected() }, WayIn::MailedCode);
    }

    #[test]
    fn without_a_device_only_an_enrol_code_opens_anything() {
        let bare = Summary { active_devices: 0, recovery_codes: 9, recovers: Some(NOW), ..protected() };
        is(bare.clone(), WayIn::None);
        is(Summary { enrolment: Some(NOW), ..bare.clone() }, WayIn::None);
        is(Summary { enrolment: Some(UnixTime(NOW.0 + 1)), ..bare }, WayIn::EnrolCode);
    }

    #[test]
    fn where_recovery_opens_no_login_it_is_no_way_in() {
        let policy = RecoveryPolicy { grants: Grants::Rebind, ..RecoveryPolicy::default() };
        let open = Summary { recovery_codes: 9, recovers: Some(NOW), ..protected() };
        assert_eq!(WayIn::weakest(&open, &policy, NOW), WayIn::Device);
    }
}
