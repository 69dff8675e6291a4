//! How root gets in and mends things when otpd does not run, or its registry is gone.

use otpd_proto::admin::Check;

use super::OK;
use super::WARN;
use super::check;
use crate::offline;
use crate::pam::line::Module;
use crate::pam::line::Phase;
use crate::pam::modules;
use crate::pam::modules::Kind;
use crate::pam::stack::Place;
use crate::pam::stack::Stack;
use crate::pam::stack::Stacks;

/// The ways that there are on this machine without otpd.
pub(super) fn checks(stacks: &Stacks) -> Vec<Check> {
    vec![check_console(stacks), check_offline()]
}

/// The console: its PAM service is login.
fn check_console(stacks: &Stacks) -> Check {
    let resolved = [Phase::Auth, Phase::Account].map(|phase| stacks.resolve("login", phase));
    let lines: Vec<(&Place, &Module)> = resolved
        .iter()
        .flat_map(Stack::modules)
        .filter(|(_, module)| matches!(modules::kind(module), Kind::Code | Kind::Splits))
        .collect();
    let mut strict: Vec<String> = lines
        .iter()
        .filter(|(_, module)| !module.has("unavailable=ignore"))
        .map(|(place, _)| format!("{}:{}", place.file.display(), place.line))
        .collect();
    strict.dedup();
    if lines.is_empty() {
        return check(CONSOLE, OK, "asks for no code, so root gets in there while otpd is away".to_owned());
    }
    if strict.is_empty() {
        let say = "asks for a code, and for none while otpd is away (unavailable=ignore)";
        return check(CONSOLE, OK, say.to_owned());
    }
    let say = format!(
        "asks for a code, and lets nobody protected in while otpd is away, root neither: put unavailable=ignore on {}, or \
         be sure of another way",
        strict.join(", ")
    );
    check(CONSOLE, WARN, say)
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
        let (directory, vendor) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let stacks = Stacks::in_directories(&[directory.path(), vendor.path()]);
        let verdict = || check_console(&stacks).verdict;
        assert_eq!(verdict(), OK, "no file, no code");
        write("login", "# auth required pam_otp.so\nauth requisite pam_unix.so\n@include common-auth\n");
        assert_eq!(verdict(), OK);
        write("common-auth", "auth required pam_otp.so\n");
        assert_eq!(verdict(), WARN);
        write("common-auth", "auth required pam_otp.so timeout=3 unavailable=ignore\n");
        assert_eq!(verdict(), OK);
        write("login", "auth required pam_otp.so unavailable=deny\n@include common-auth\n");
        let found = check_console(&stacks);
        let at = directory.path().join("login:1");
        let advice = format!("put unavailable=ignore on {}, or", at.display());
        assert!(found.verdict == WARN && found.say.contains(&advice), "{}", found.say);
        for text in [
            "auth substack deep\n",
            "auth include deep\n",
            "@include deep\n",
            "account required pam_otp.so\n",
        ] {
            write("login", text);
            write("deep", "auth include deeper\n");
            std::fs::write(vendor.path().join("deeper"), "auth required pam_otp.so\n").unwrap();
            assert_eq!(verdict(), WARN, "{text}");
        }
        std::fs::remove_file(directory.path().join("login")).unwrap();
        std::fs::write(vendor.path().join("login"), "auth include deeper\n").unwrap();
        assert_eq!(verdict(), WARN, "the vendor's");
    }
}
