use std::path::Path;

use super::*;

fn stacks(files: &[(&str, &str)]) -> Stacks {
    files.iter().fold(Stacks::in_directories(&[Path::new("/p")]), |stacks, (name, text)| {
        stacks.imagine(&Path::new("/p").join(name), text)
    })
}

/// Findings of a service with these files, those that are no notes.
fn findings(files: &[(&str, &str)], service: &str) -> Vec<(Weight, String)> {
    let found = judge(&stacks(files), &Modules::complete(), service, service == "sshd");
    let found = found.findings.into_iter().filter(|finding| finding.weight > Weight::Note);
    found.map(|finding| (finding.weight, finding.say)).collect()
}

#[track_caller]
fn only(files: &[(&str, &str)], service: &str, weight: Weight, words: &[&str]) {
    let found = findings(files, service);
    let [(found_weight, say)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*found_weight, weight, "{say}");
    for words in words {
        assert!(say.contains(words), "{say}");
    }
}

/// The common files of Debian 12.
const COMMON: [(&str, &str); 2] = [
    (
        "common-auth",
        "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
         auth optional pam_cap.so\n",
    ),
    (
        "common-account",
        "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n\
         account required pam_permit.so\n",
    ),
];

fn with_common<'a>(name: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    COMMON.into_iter().chain([(name, text)]).collect()
}

const SSHD: &str = "@include common-auth\nauth required pam_otp.so\naccount required pam_otp.so\n\
                    account required pam_nologin.so\n@include common-account\n";

#[test]
fn the_stacks_of_the_manual_are_sound() {
    assert_eq!(findings(&with_common("sshd", SSHD), "sshd"), []);
    let sudo = "@include common-auth\nauth required pam_otp.so\n@include common-account\n";
    assert_eq!(findings(&with_common("sudo", sudo), "sudo"), []);
    let su = format!("auth sufficient pam_rootok.so\n{sudo}");
    assert_eq!(findings(&with_common("su", &su), "su"), []);
    let login = "auth optional pam_faildelay.so delay=3000000\nauth requisite pam_nologin.so\n@include common-auth\n\
                 auth required pam_otp.so unavailable=ignore\nauth optional pam_group.so\n@include common-account\n";
    assert_eq!(findings(&with_common("login", login), "login"), []);
    let without = "auth requisite pam_unix.so\nauth required pam_otp.so\naccount required pam_otp.so\naccount required pam_unix.so\n";
    assert_eq!(findings(&[("sshd", without)], "sshd"), []);
    let key_and_code = "auth required pam_otp.so\nauth required pam_permit.so\naccount required pam_otp.so\n@include common-account\n";
    assert_eq!(findings(&with_common("sshd", key_and_code), "sshd"), []);
    for one_prompt in [
        "auth required pam_otp.so forward_pass=unchecked\nauth requisite pam_unix.so use_first_pass\n\
         auth required pam_otp.so use_first_pass\naccount required pam_otp.so\naccount required pam_unix.so\n",
        "auth required pam_otp.so forward_pass\nauth required pam_unix.so use_first_pass\naccount required pam_otp.so\n\
         account required pam_unix.so\n",
    ] {
        assert_eq!(findings(&[("dovecot", one_prompt)], "dovecot"), [], "{one_prompt}");
    }
}

#[test]
fn pam_auth_update_makes_a_sound_common_auth() {
    let common = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n\
                  auth required pam_permit.so\nauth required pam_otp.so\nauth optional pam_cap.so\n";
    let files =
        [("common-auth", common), COMMON[1], ("sudo", "@include common-auth\n@include common-account\n")];
    assert_eq!(findings(&files, "sudo"), []);
}

#[test]
fn a_second_line_that_asks_is_found_wherever_it_stands() {
    let common = format!("{}auth required pam_otp.so\n", COMMON[0].1);
    let files = [("common-auth", common.as_str()), COMMON[1], ("sshd", SSHD)];
    only(&files, "sshd", Weight::LocksOut, &["two codes", "common-auth:5, sshd:2"]);
    let either = "auth requisite pam_unix.so\nauth [success=done ignore=ignore default=die] pam_otp.so\n\
                  auth required pam_otp.so\nauth required pam_permit.so\n";
    assert_eq!(findings(&[("x", either)], "x"), [], "who has shown one is not asked again");
}

/// google-authenticator-libpam#187: an update of Gentoo's system-auth brought a sufficient password module.
#[test]
fn ga_187_a_sufficient_password_in_an_included_file_is_found() {
    let system_auth = "auth required pam_env.so\nauth required pam_unix.so try_first_pass likeauth nullok\n\
                       auth optional pam_permit.so\nauth required pam_faillock.so preauth\n\
                       auth sufficient pam_unix.so nullok try_first_pass\nauth [default=die] pam_faillock.so authfail\n\
                       account required pam_unix.so\n";
    let sshd = "auth include system-auth\nauth required pam_otp.so\naccount required pam_otp.so\naccount include system-auth\n";
    let found = findings(&[("system-auth", system_auth), ("sshd", sshd)], "sshd");
    let say = "the code is skipped when pam_unix.so (system-auth:5) answers success: sufficient goes past pam_otp.so";
    assert!(found.contains(&(Weight::Skips, say.into())), "{found:?}");
}

/// truenas/middleware#16563: pam_faillock's success was sufficient in common-auth.
#[test]
fn truenas_16563_a_sufficient_faillock_is_found() {
    let common = "auth [success=1 default=ignore] pam_unix.so\nauth [default=die] pam_faillock.so authfail\n\
                  auth sufficient pam_faillock.so authsucc\n";
    let files = [("common-auth", common), COMMON[1], ("sshd", SSHD)];
    only(&files, "sshd", Weight::Skips, &["pam_faillock.so (common-auth:3) answers success", "sufficient"]);
}

/// NixOS/nixpkgs#14997: either of the two was enough.
#[test]
fn nixpkgs_14997_sufficient_for_both_is_found_both_ways() {
    let sshd = "auth sufficient pam_unix.so likeauth try_first_pass\nauth sufficient pam_otp.so\nauth required pam_deny.so\n\
                account required pam_otp.so\naccount required pam_unix.so\n";
    let found = findings(&[("sshd", sshd)], "sshd");
    let has = |words: &str| found.iter().any(|(weight, say)| *weight == Weight::Skips && say.contains(words));
    assert!(has("when pam_unix.so (sshd:1) answers success"), "{found:?}");
    assert!(has("the password is skipped when the code is right"), "{found:?}");
}

/// duosecurity/puppet-duo_unix#8: every error of the factor counted for nothing.
#[test]
fn puppet_duo_unix_8_a_factor_whose_errors_are_ignored_is_found() {
    let sudo = "auth requisite pam_unix.so nullok_secure\nauth [success=1 default=ignore] pam_otp.so\n\
                auth required pam_permit.so\nauth required pam_permit.so\naccount required pam_unix.so\n";
    only(&[("sudo", sudo)], "sudo", Weight::Skips, &["pam_otp.so (sudo:2) answers", "default=ignore"]);
}

/// google-authenticator-libpam#97: a wrong password went on to the code, which sshd could not even ask for (see
/// `sshd::judge`).
#[test]
fn ga_97_a_wrong_password_that_reaches_the_code_is_found() {
    let password_auth = "auth required pam_env.so\nauth sufficient pam_unix.so nullok try_first_pass\n\
                         auth requisite pam_succeed_if.so uid >= 1000 quiet_success\nauth required pam_deny.so\n\
                         account required pam_unix.so\n";
    let sshd = "auth required pam_sepermit.so\nauth substack password-auth\nauth required pam_otp.so\n\
                account required pam_otp.so\naccount include password-auth\n";
    only(
        &[("password-auth", password_auth), ("sshd", sshd)],
        "sshd",
        Weight::Warn,
        &["a wrong password reaches the code"],
    );
}

#[test]
fn every_control_that_lets_a_wrong_code_pass_is_found() {
    for control in [
        "optional",
        "sufficient",
        "[default=ignore]",
        "[success=ok default=ignore]",
        "[success=ok auth_err=ignore default=die]",
    ] {
        let text =
            format!("auth requisite pam_unix.so\nauth {control} pam_otp.so\nauth required pam_permit.so\n");
        let found = findings(&[("x", &text)], "x");
        assert!(found.iter().any(|(weight, _)| *weight == Weight::Skips), "{control}: {found:?}");
    }
    for control in [
        "required",
        "requisite",
        "[success=ok ignore=ignore default=bad]",
        "[success=1 ignore=ignore default=die]",
    ] {
        let text =
            format!("auth requisite pam_unix.so\nauth {control} pam_otp.so\nauth required pam_permit.so\n");
        assert_eq!(findings(&[("x", &text)], "x"), [], "{control}");
    }
}

#[test]
fn a_jump_over_the_line_is_found_whoever_jumps() {
    let text = "auth [success=3 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
                auth required pam_otp.so\nauth required pam_permit.so\n";
    only(
        &[("x", text)],
        "x",
        Weight::Skips,
        &["pam_unix.so (x:1) answers success", "[success=3 default=ignore]"],
    );
    let text = "auth [user_unknown=1 success=ok default=die] pam_unix.so\nauth required pam_otp.so\nauth required pam_permit.so\n";
    only(&[("x", text)], "x", Weight::Skips, &["answers user_unknown"]);
}

#[test]
fn a_condition_is_a_warning_and_root_a_note() {
    let text = "auth requisite pam_unix.so\nauth [success=1 default=ignore] pam_succeed_if.so user ingroup nocode\n\
                auth required pam_otp.so\n";
    only(&[("x", text)], "x", Weight::Warn, &["pam_succeed_if.so user ingroup nocode (x:2)"]);
    let su = "auth sufficient pam_rootok.so\nauth requisite pam_unix.so\nauth required pam_otp.so\n";
    let found = judge(&stacks(&[("su", su)]), &Modules::complete(), "su", false);
    assert_eq!(found.weight(), Some(Weight::Note), "{found:?}");
}

#[test]
fn the_account_line_is_missed_where_keys_let_in_and_behind_an_expired_password() {
    let missing = "@include common-auth\nauth required pam_otp.so\n@include common-account\n";
    only(&with_common("sshd", missing), "sshd", Weight::Skips, &["logs in by key"]);
    let late = "@include common-auth\nauth required pam_otp.so\n@include common-account\naccount required pam_otp.so\n";
    only(
        &with_common("sshd", late),
        "sshd",
        Weight::Skips,
        &["pam_unix.so (common-account:1) answers new_authtok_reqd"],
    );
}

#[test]
fn an_account_line_where_nobody_is_asked_locks_out() {
    let sudo = "@include common-auth\nauth required pam_otp.so\naccount required pam_otp.so\n@include common-account\n";
    only(&with_common("sudo", sudo), "sudo", Weight::LocksOut, &["sudo runs the account phase"]);
}

#[test]
fn a_stack_that_lets_nobody_in_says_what_stands_in_the_way() {
    let broken = "auth requisite pam_unix.so\nauth required pam_otp.so\nauth requird pam_env.so\naccount required pam_unix.so\n";
    only(&[("x", broken)], "x", Weight::LocksOut, &["nobody gets in", "x:3: \"requird\" is no control"]);
    only(
        &[("x", "auth required pam_deny.so\nauth required pam_otp.so\n")],
        "x",
        Weight::LocksOut,
        &["nobody gets in"],
    );
    let missing = "@include common-nothing\nauth required pam_otp.so\n";
    only(&[("x", missing)], "x", Weight::LocksOut, &["common-nothing is included and does not exist"]);
    let inside_out = "auth requisite pam_unix.so\nauth [ignore=ignore default=bad] pam_otp.so\n";
    only(&[("x", inside_out)], "x", Weight::LocksOut, &["nobody gets in with a right code"]);
    let alone = "auth required pam_otp.so\n";
    only(&[("x", alone)], "x", Weight::Warn, &["pam_permit.so"]);
}

#[test]
fn codes_that_are_only_split_off_are_judged_by_nobody() {
    let text = "auth required pam_otp.so forward_pass=unchecked\nauth requisite pam_unix.so use_first_pass\n";
    only(&[("x", text)], "x", Weight::Skips, &["no line judges them"]);
}
