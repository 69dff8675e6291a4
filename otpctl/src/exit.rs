//! Exit codes: what a script can tell apart. Printed in `--help` and in the manual; never renumber them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// `otpd` refused, or a check failed.
    Refused = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// `otpd` cannot be reached or cannot answer.
    Unreachable = 3,
    /// A code is needed, or the one given was refused.
    Code = 4,
    /// The caller may not do this.
    NotPermitted = 5,
}

impl Exit {
    /// The code for a `Refused` of `otpd`, by its `reason`.
    pub(crate) fn of_refusal(reason: &str) -> Self {
        match reason {
            "code_needed" | "code_wrong" | "code_used" | "code_malformed" | "locked" => Self::Code,
            "not_permitted" | "not_on_root" => Self::NotPermitted,
            _ => Self::Refused,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_documented_code() {
        for reason in ["code_needed", "code_wrong", "code_used", "code_malformed", "locked"] {
            assert_eq!(Exit::of_refusal(reason) as u8, 4, "{reason}");
        }
        assert_eq!(Exit::of_refusal("not_permitted") as u8, 5);
        for reason in ["no_such_device", "clock_unset", "a word of tomorrow", ""] {
            assert_eq!(Exit::of_refusal(reason) as u8, 1, "{reason}");
        }
    }
}
