//! What a phase ended with, and the PAM code that says so. PAM_IGNORE comes from three outcomes only: the daemon said
//! *not required*; the administrator wrote `unavailable=ignore` and a local login found nobody to ask; or the line says
//! `forward_pass=unchecked`, so that another one decides (CVE-2025-23013: a result that starts as PAM_IGNORE drops the
//! factor at the first error).

use pam::constants::PamResultCode;

/// The end of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Outcome {
    /// A code was accepted.
    Passed,
    /// The daemon said that no code is asked for here.
    NotRequired,
    /// Password and code were told apart, and nothing was decided: a later line of ours does.
    Split,
    /// Not let in.
    Refused,
    /// Not let in, and no code is looked at for a while.
    Locked,
    /// Nothing was decided.
    Unavailable,
    /// Nothing was decided, and the line says to let local logins through then.
    LetThroughUnchecked,
    /// The module's line in the service file is wrong.
    Misconfigured,
}

impl Outcome {
    /// The same, for somebody who may know no password: a locked lane is a refusal like any other.
    pub(crate) fn in_front_of_a_password(self) -> Self {
        if self == Self::Locked { Self::Refused } else { self }
    }

    /// The result of `pam_sm_authenticate`.
    pub(crate) fn of_authenticate(self) -> PamResultCode {
        match self {
            Self::Passed => PamResultCode::PAM_SUCCESS,
            Self::NotRequired | Self::LetThroughUnchecked | Self::Split => PamResultCode::PAM_IGNORE,
            Self::Refused => PamResultCode::PAM_AUTH_ERR,
            Self::Locked => PamResultCode::PAM_MAXTRIES,
            Self::Unavailable => PamResultCode::PAM_AUTHINFO_UNAVAIL,
            Self::Misconfigured => PamResultCode::PAM_SERVICE_ERR,
        }
    }

    /// The result of `pam_sm_acct_mgmt`, which knows no wrong password, only an account that may not enter.
    pub(crate) fn of_account(self) -> PamResultCode {
        match self {
            Self::Refused | Self::Locked => PamResultCode::PAM_PERM_DENIED,
            other => other.of_authenticate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_locked_lane_is_hidden_from_who_may_know_no_password() {
        assert_eq!(Outcome::Locked.in_front_of_a_password(), Outcome::Refused);
        for other in [Outcome::Passed, Outcome::NotRequired, Outcome::Refused, Outcome::Unavailable] {
            assert_eq!(other.in_front_of_a_password(), other);
        }
    }

    #[test]
    fn every_outcome_has_its_code_cve_2025_23013() {
        use PamResultCode::*;
        let table = [
            (Outcome::Passed, PAM_SUCCESS, PAM_SUCCESS),
            (Outcome::NotRequired, PAM_IGNORE, PAM_IGNORE),
            (Outcome::Split, PAM_IGNORE, PAM_IGNORE),
            (Outcome::Refused, PAM_AUTH_ERR, PAM_PERM_DENIED),
            (Outcome::Locked, PAM_MAXTRIES, PAM_PERM_DENIED),
            (Outcome::Unavailable, PAM_AUTHINFO_UNAVAIL, PAM_AUTHINFO_UNAVAIL),
            (Outcome::LetThroughUnchecked, PAM_IGNORE, PAM_IGNORE),
            (Outcome::Misconfigured, PAM_SERVICE_ERR, PAM_SERVICE_ERR),
        ];
        for (outcome, authenticate, account) in table {
            assert_eq!(outcome.of_authenticate(), authenticate, "{outcome:?}");
            assert_eq!(outcome.of_account(), account, "{outcome:?}");
        }
    }
}
