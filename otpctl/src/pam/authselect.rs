//! authselect, by which Fedora and Enterprise Linux write what every service includes. What it has written is not edited
//! here: it would write it anew, and refuse to go on before that.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What it has selected on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authselect {
    profile: String,
    features: Vec<String>,
}

impl Authselect {
    /// None where it manages nothing.
    pub(crate) fn of_this_machine() -> Option<Self> {
        Self::parse(&fs::read_to_string(Path::new(DIRECTORY).join("authselect.conf")).ok()?)
    }

    /// The profile, then the features, each on a line.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
        Some(Self { profile: lines.next()?, features: lines.collect() })
    }

    /// What to run so that every service that includes postlogin asks for a code: the feature in a profile of the
    /// administrator's own, which is made if the selected one is not.
    pub(crate) fn commands_to_enable(&self) -> Vec<String> {
        if self.features.iter().any(|feature| feature == FEATURE) {
            return vec!["authselect apply-changes".into()];
        }
        let line = |profile: &str| {
            format!(
                "echo 'auth required pam_otp.so {{include if \"{FEATURE}\"}}' >>{DIRECTORY}/{profile}/postlogin"
            )
        };
        if self.profile.starts_with("custom/") {
            return vec![line(&self.profile), format!("authselect enable-feature {FEATURE}")];
        }
        let features: Vec<&str> = self.features.iter().map(String::as_str).chain([FEATURE]).collect();
        vec![
            format!(
                "authselect create-profile otpd --base-on={} --symlink-meta --symlink-nsswitch",
                self.profile
            ),
            line("custom/otpd"),
            format!("authselect select custom/otpd {}", features.join(" ")),
        ]
    }

    /// What to run so that it asks no more.
    pub(crate) fn command_to_disable() -> String {
        format!("authselect disable-feature {FEATURE}")
    }
}

/// Where a file really is, if it is one that authselect has written.
pub(crate) fn owned(file: &Path) -> Option<PathBuf> {
    fs::canonicalize(file).ok().filter(|target| target.starts_with(DIRECTORY))
}

const DIRECTORY: &str = "/etc/authselect";
const FEATURE: &str = "with-otpd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_of_the_distribution_is_copied_and_keeps_its_features() {
        let selected = Authselect::parse("sssd\nwith-mkhomedir\n\nwith-sudo\n").unwrap();
        assert_eq!(
            selected.commands_to_enable(),
            [
                "authselect create-profile otpd --base-on=sssd --symlink-meta --symlink-nsswitch",
                "echo 'auth required pam_otp.so {include if \"with-otpd\"}' >>/etc/authselect/custom/otpd/postlogin",
                "authselect select custom/otpd with-mkhomedir with-sudo with-otpd",
            ]
        );
    }

    #[test]
    fn the_administrators_own_profile_gets_the_feature() {
        assert_eq!(
            Authselect::parse("custom/attic\n").unwrap().commands_to_enable(),
            [
                "echo 'auth required pam_otp.so {include if \"with-otpd\"}' >>/etc/authselect/custom/attic/postlogin",
                "authselect enable-feature with-otpd",
            ]
        );
        let selected = Authselect::parse("custom/otpd\nwith-otpd\n").unwrap();
        assert_eq!(selected.commands_to_enable(), ["authselect apply-changes"]);
        assert_eq!(Authselect::parse("\n"), None);
    }
}
