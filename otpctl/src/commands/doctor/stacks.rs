//! Whether a service's code can be skipped, and how: every stack and sshd's configuration, walked through.

use otpd_proto::admin::Check;

use super::FAIL;
use super::OK;
use super::WARN;
use super::check;
use crate::pam::judge::Finding;
use crate::pam::judge::Weight;
use crate::site::Site;

/// A line for each service with something to say of, one for the others that ask, and one for those that do not.
pub(super) fn checks(site: &Site) -> Vec<Check> {
    let (mut sound, mut silent, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for service in site.stacks.services() {
        let found = site.judge(&service);
        if !found.asks && !found.guards_account && found.findings.is_empty() {
            if site.asks_for_password(&service) && !service.starts_with("common-") {
                silent.push(service.clone());
            }
        } else if found.findings.is_empty() {
            sound.push(service.clone());
        } else {
            checks.push(check(
                &format!("PAM {service}"),
                verdict(&found.findings),
                sentence(&found.findings),
            ));
        }
        if found.asks && site.is_sshd(&service) && site.has_sshd() {
            checks.push(check_sshd(site, &service));
        }
    }
    let lists = [("PAM stacks", sound, "no way past the code"), ("PAM others", silent, "ask for no code")];
    let lists = lists.into_iter().filter(|(_, services, _)| !services.is_empty());
    let lists =
        lists.map(|(name, services, words)| check(name, OK, format!("{words}: {}", services.join(", "))));
    lists.chain(checks).collect()
}

fn check_sshd(site: &Site, service: &str) -> Check {
    let ways = site.ways(service);
    let name = "sshd_config";
    match (ways.findings.is_empty(), ways.never_asks) {
        (true, _) => check(name, OK, "can ask for a code".into()),
        (false, true) => check(name, FAIL, sentence(&ways.findings)),
        (false, false) => check(name, verdict(&ways.findings), sentence(&ways.findings)),
    }
}

fn verdict(findings: &[Finding]) -> &'static str {
    match findings.iter().map(|finding| finding.weight).max() {
        None | Some(Weight::Note) => OK,
        Some(Weight::Warn) => WARN,
        Some(Weight::Skips | Weight::LocksOut) => FAIL,
    }
}

fn sentence(findings: &[Finding]) -> String {
    findings.iter().map(|finding| finding.say.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pam::modules::Modules;
    use crate::pam::stack::Stacks;

    fn found(files: &[(&str, &str)], sshd: &str) -> Vec<(String, String, String)> {
        let directory = tempfile::tempdir().unwrap();
        let pam = directory.path().join("pam.d");
        std::fs::create_dir(&pam).unwrap();
        for (name, text) in files {
            std::fs::write(pam.join(name), text).unwrap();
        }
        let config = directory.path().join("sshd_config");
        std::fs::write(&config, sshd).unwrap();
        let stacks = Stacks::in_directories(&[&pam, Path::new("/nonexistent")]);
        let checks = checks(&Site::new(stacks, Modules::complete(), &config));
        checks.into_iter().map(|check| (check.check, check.verdict, check.say)).collect()
    }

    fn line(check: &str, verdict: &str, say: &str) -> (String, String, String) {
        (check.into(), verdict.into(), say.into())
    }

    const GUARDED: &str = "auth requisite pam_unix.so\nauth required pam_otp.so\naccount required pam_otp.so\naccount required pam_unix.so\n";
    const ASKS: &str = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n";

    #[test]
    fn sound_stacks_share_a_line_and_so_do_those_that_do_not_ask() {
        let plain = "auth required pam_unix.so\naccount required pam_unix.so\n";
        let quiet = "auth required pam_rootok.so\n";
        let files =
            [("sshd", GUARDED), ("dovecot", GUARDED), ("cron", plain), ("chsh", plain), ("runuser", quiet)];
        let expected = [
            line("PAM stacks", OK, "no way past the code: dovecot, sshd"),
            line("PAM others", OK, "ask for no code: chsh, cron"),
            line("sshd_config", OK, "can ask for a code"),
        ];
        assert_eq!(found(&files, ASKS), expected);
    }

    #[test]
    fn a_way_past_the_code_fails_and_is_told() {
        let text = "auth sufficient pam_unix.so\nauth required pam_otp.so\n";
        let found = found(&[("sudo", text)], "");
        let [(name, verdict, say)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((name.as_str(), verdict.as_str()), ("PAM sudo", FAIL));
        assert!(say.starts_with("the code is skipped when pam_unix.so (sudo:1) answers success"), "{say}");
    }

    #[test]
    fn an_sshd_that_never_asks_fails_and_one_for_whom_keys_are_enough_needs_the_account_line() {
        let files = [("sshd", GUARDED)];
        let never = found(&files, "UsePAM yes\nKbdInteractiveAuthentication no\nPubkeyAuthentication no\n");
        assert!(never.iter().any(|(name, verdict, _)| name == "sshd_config" && verdict == FAIL), "{never:?}");
        let auth_only = GUARDED.replace("account required pam_otp.so\n", "");
        let open = found(&[("sshd", &auth_only)], ASKS);
        assert!(
            open.iter()
                .any(|(name, verdict, say)| name == "PAM sshd" && verdict == FAIL && say.contains("by key")),
            "{open:?}"
        );
        let both = format!("{ASKS}AuthenticationMethods publickey,keyboard-interactive:pam\n");
        assert!(found(&[("sshd", &auth_only)], &both).contains(&line(
            "PAM stacks",
            OK,
            "no way past the code: sshd"
        )));
    }
}
