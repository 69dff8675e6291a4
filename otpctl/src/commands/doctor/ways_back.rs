//! How root gets in and mends things when otpd does not run, or its registry is gone.

use std::path::Path;

use otpd_proto::admin::Check;

use super::OK;
use super::WARN;
use super::check;
use super::our_lines;
use crate::offline;

/// The ways that there are on this machine without otpd.
pub(super) fn checks(stacks: &Path) -> Vec<Check> {
    vec![check_console(stacks), check_offline()]
}

/// The console: its PAM service is login.
fn check_console(stacks: &Path) -> Check {
    let lines = lines_of(stacks, "login");
    let ignores = |line: &&String| line.split_whitespace().any(|word| word == "unavailable=ignore");
    match (lines.len(), lines.iter().filter(ignores).count()) {
        (0, _) => check(CONSOLE, OK, "asks for no code, so root gets in there while otpd is away".to_owned()),
        (all, ignoring) if all == ignoring => {
            let say = "asks for a code, and for none while otpd is away (unavailable=ignore)";
            check(CONSOLE, OK, say.to_owned())
        }
        _ => {
            let at = stacks.join("login");
            let say = format!(
                "asks for a code, and lets nobody protected in while otpd is away, root neither: put unavailable=ignore on \
                 the lines in {}, or be sure of another way",
                at.display()
            );
            check(CONSOLE, WARN, say)
        }
    }
}

/// Our lines of a service, and of the files that it includes.
fn lines_of(stacks: &Path, service: &str) -> Vec<String> {
    let text = std::fs::read_to_string(stacks.join(service)).unwrap_or_default();
    let included = text.lines().filter_map(|line| line.trim().strip_prefix("@include")).map(str::trim);
    let texts = included.map(|name| std::fs::read_to_string(stacks.join(name)).unwrap_or_default());
    let texts: Vec<String> = texts.chain([text.clone()]).collect();
    texts.iter().flat_map(|text| our_lines(text)).map(str::to_owned).collect()
}

fn check_offline() -> Check {
    match offline::program() {
        Ok(_) => {
            let say = "root can list, unlock, reset and restore while otpd is stopped: otpctl --offline";
            check(OFFLINE, OK, say.to_owned())
        }
        Err(failure) => check(OFFLINE, WARN, failure.message),
    }
}

const CONSOLE: &str = "console";
const OFFLINE: &str = "offline";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_a_way_unless_it_needs_otpd() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let verdict = || check_console(directory.path()).verdict;
        assert_eq!(verdict(), OK, "no file, no code");
        write("login", "# auth required pam_otp.so\nauth requisite pam_unix.so\n@include common-auth\n");
        assert_eq!(verdict(), OK);
        write("common-auth", "auth required pam_otp.so\n");
        assert_eq!(verdict(), WARN);
        write("common-auth", "auth required pam_otp.so timeout=3 unavailable=ignore\n");
        assert_eq!(verdict(), OK);
        write("login", "auth required pam_otp.so unavailable=deny\n@include common-auth\n");
        let found = check_console(directory.path());
        assert!(found.verdict == WARN && found.say.contains("put unavailable=ignore"), "{}", found.say);
    }
}
