//! From what libpam says to what `otpd-web` is told. A wrong password, a wrong code and a user that does not exist are one.

use otpd_proto::session::Reason;

use crate::libpam::Code;

/// After pam_authenticate.
pub(crate) fn of_authenticate(code: Code) -> Reason {
    match code {
        Code::MAXTRIES => Reason::ManyTries,
        Code::ACCT_EXPIRED | Code::AUTHTOK_EXPIRED => Reason::Expired,
        other => failed_or_unavailable(other),
    }
}

/// After pam_acct_mgmt, with a reason other than an expired password that can be renewed.
pub(crate) fn of_account(code: Code) -> Reason {
    of_authenticate(code)
}

/// After pam_chauthtok for an expired password.
pub(crate) fn of_renewal(code: Code) -> Reason {
    match code {
        Code::MAXTRIES => Reason::ManyTries,
        Code::AUTHTOK_LOCK_BUSY | Code::TRY_AGAIN => Reason::Unavailable,
        other if failed_or_unavailable(other) == Reason::Unavailable => Reason::Unavailable,
        _ => Reason::Expired,
    }
}

fn failed_or_unavailable(code: Code) -> Reason {
    match code {
        Code::AUTH_ERR
        | Code::USER_UNKNOWN
        | Code::PERM_DENIED
        | Code::CRED_INSUFFICIENT
        | Code::CONV_ERR
        | Code::AUTHTOK_ERR
        | Code::AUTHTOK_RECOVERY_ERR => Reason::Failed,
        _ => Reason::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_never_tells_what_was_wrong() {
        for code in
            [Code::AUTH_ERR, Code::USER_UNKNOWN, Code::PERM_DENIED, Code::CRED_INSUFFICIENT, Code::CONV_ERR]
        {
            assert_eq!(of_authenticate(code), Reason::Failed);
            assert_eq!(of_account(code), Reason::Failed);
        }
    }

    #[test]
    fn what_could_not_be_checked_is_not_failed() {
        for code in (0..64).map(Code) {
            let known = matches!(code.0, 6 | 7 | 8 | 10 | 11 | 13 | 19 | 20 | 21 | 27);
            assert_eq!(of_authenticate(code) == Reason::Unavailable, !known, "{code:?}");
        }
    }

    #[test]
    fn an_expired_account_is_told_and_a_password_that_was_not_renewed_stays_expired() {
        assert_eq!(of_account(Code::ACCT_EXPIRED), Reason::Expired);
        assert_eq!(of_account(Code::AUTHTOK_EXPIRED), Reason::Expired);
        assert_eq!(of_account(Code::MAXTRIES), Reason::ManyTries);
        for code in [Code::AUTHTOK_ERR, Code::AUTHTOK_RECOVERY_ERR, Code::PERM_DENIED, Code::CONV_ERR] {
            assert_eq!(of_renewal(code), Reason::Expired);
        }
        assert_eq!(of_renewal(Code::AUTHTOK_LOCK_BUSY), Reason::Unavailable);
        assert_eq!(of_renewal(Code::SYSTEM_ERR), Reason::Unavailable);
        assert_eq!(of_renewal(Code::MAXTRIES), Reason::ManyTries);
    }
}
