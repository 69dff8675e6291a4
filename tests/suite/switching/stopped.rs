//! What would keep people out is not even begun.

use otpd_tests::BoxClock;
use otpd_tests::Testbed;
use serde_json::json;

use crate::site::ASKS;
use crate::site::SSHD;
use crate::site::record;
use crate::site::settle;
use crate::site::site;
use crate::site::unchanged;

/// Stopped, with these words, and nothing is changed; whether `--force` could go on.
#[track_caller]
fn stops(bed: &Testbed, user: Option<&str>, words: &str, can_be_forced: bool) {
    let caller = format!("SUDO_USER={}", user.unwrap_or("root"));
    let run = |more: &[&str]| {
        bed.run("env", &[&[caller.as_str(), "otpctl", "pam", "enable", "sshd"], more].concat())
    };
    let stopped = run(&[]);
    assert!(![0, 2].contains(&stopped.code) && stopped.stderr.contains(words), "{stopped:?}");
    assert!(!record(bed).exists());
    let forced = run(&["--force", "--dry-run"]);
    assert_eq!(forced.code == 0, can_be_forced, "{forced:?}");
}

#[test]
fn without_a_device_of_anybody() {
    let bed = site(ASKS);
    stops(&bed, None, "nobody has bound a device", true);
    assert!(unchanged(&bed));
}

#[test]
fn a_caller_who_must_have_a_device_and_has_none() {
    let required = "[policy]\nrequire_everyone = true\n";
    let bed = settle(Testbed::with(required), ASKS);
    bed.bind("alice", "phone");
    stops(&bed, Some("bob"), "bob needs a code and has no device", false);
    assert!(unchanged(&bed));
}

#[test]
fn a_caller_without_a_way_back() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    // Recovery codes come with the first device when it is bound; here each is used up.
    let fresh = bed.daemon().account("org.otpd.Account.NewCodes", &json!({"user": "alice"})).unwrap();
    for code in fresh["codes"].as_array().unwrap() {
        let login = json!({"login": {"user": "alice", "service": "x"}, "answer": code});
        let answer = bed.daemon().login("org.otpd.Login.Answer", &login).unwrap();
        assert_eq!(answer["step"]["next"], "accept", "{answer}");
    }
    stops(&bed, Some("alice"), "alice has no way back without the phone", true);
    assert!(unchanged(&bed));
}

#[test]
fn with_a_clock_that_is_off() {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    let clock = BoxClock::start(&mut bed, 0);
    let bed = settle(bed, ASKS);
    bed.bind("alice", "phone");
    // Before the day this was built on.
    clock.set(-20 * 365 * 86_400);
    stops(&bed, None, "clock: it says", false);
    assert!(unchanged(&bed));
}

#[test]
fn with_otpd_away() {
    let mut bed = site(ASKS);
    bed.bind("alice", "phone");
    bed.take_daemon().stop();
    stops(&bed, None, "cannot reach otpd", false);
    assert!(unchanged(&bed));
}

#[test]
fn with_an_sshd_that_cannot_ask() {
    for config in [
        "UsePAM yes\nKbdInteractiveAuthentication no\nPasswordAuthentication yes\n",
        "UsePAM no\nKbdInteractiveAuthentication yes\n",
        "UsePAM yes\nAuthenticationMethods password\n",
    ] {
        let bed = site(config);
        bed.bind("alice", "phone");
        stops(&bed, None, "sshd could not ask for a code", false);
        assert!(unchanged(&bed));
    }
}

#[test]
fn with_stacks_in_which_nobody_could_log_in() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    for (stack, words) in [
        (SSHD.replace("pam_nologin.so", "pam_nosuch.so"), "pam_nosuch.so is not there"),
        (SSHD.replace("common-auth", "common-aut"), "asks for a password"),
        (SSHD.replace("account    required", "account    requird"), "is no control"),
    ] {
        bed.stack("sshd", &stack);
        stops(&bed, None, words, false);
        assert_eq!(crate::site::stack(&bed, "sshd"), stack + "\n");
    }
}

#[test]
fn without_the_module() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    std::fs::remove_file(bed.path("security/pam_otp.so")).unwrap();
    stops(&bed, None, "pam_otp.so is not there", false);
    assert!(unchanged(&bed));
}

#[test]
fn with_a_way_past_the_code() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    bed.stack("common-auth", "auth sufficient pam_unix.so\nauth required pam_deny.so");
    stops(&bed, None, "the code is skipped when pam_unix.so (common-auth:1)", false);
    assert!(unchanged(&bed));
}

#[test]
fn for_anybody_but_root() {
    let bed = site(ASKS);
    let output = bed.run_as("alice", "otpctl", &["pam", "enable", "sshd"]);
    assert!(output.code == 5 && output.stderr.contains("sudo"), "{output:?}");
}
