//! What is enabled and works is kept.

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::site::ASKS;
use crate::site::eventually;
use crate::site::guard_of;
use crate::site::otpctl;
use crate::site::outcome;
use crate::site::pending;
use crate::site::record;
use crate::site::site;
use crate::site::stack;
use crate::site::unchanged;
use crate::ssh::Sshd;

#[test]
fn a_login_with_a_code_keeps_it() {
    let bed = site(ASKS);
    let phone = bed.bind("alice", "phone");
    let enabled = otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    for words in [
        "  + auth       required     pam_otp.so",
        "  + account    required     pam_otp.so",
        "is kept in /var/lib/otpctl/backup/sshd.",
        "Now log in with a code, from another terminal",
        "taken back in ",
    ] {
        assert!(enabled.stdout.contains(words), "{words}: {enabled:?}");
    }
    assert_eq!(pending(&bed)[0]["name"], "sshd");
    let again = otpctl(&bed, &["pam", "enable", "sshd"]);
    assert!(again.code == 1 && again.stderr.contains("waits for a login"), "{again:?}");
    let sshd = Sshd::start(&bed, "");
    // Bob has no device: that he gets in proves nothing about codes.
    assert_eq!(sshd.login("bob", &[PASSWORD]).stdout, "in as bob\n");
    assert_eq!(pending(&bed)[0]["name"], "sshd");
    let output = sshd.login("alice", &[PASSWORD, &phone.code(0)]);
    assert_eq!(output.stdout, "in as alice\n", "{output:?} {}", sshd.log());
    eventually(10, "it is kept", || pending(&bed) == json!([]));
    assert_eq!(outcome(&bed), "sshd: kept, a code of alice was accepted through sshd.");
    assert_eq!(stack(&bed, "sshd").matches("pam_otp.so").count(), 2);
    eventually(10, "the guard ends", || guard_of(&bed).is_none());
    assert_ne!(sshd.login("alice", &[PASSWORD, "99999999"]).code, 0);
}

#[test]
fn root_can_keep_it_without_a_login() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    assert!(otpctl(&bed, &["pam", "confirm", "sshd"]).ok().stdout.contains("Kept: sshd."));
    assert!(!record(&bed).exists());
    eventually(10, "the guard ends", || guard_of(&bed).is_none());
    assert!(!unchanged(&bed));
    let nothing = otpctl(&bed, &["pam", "confirm", "sshd"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("root has confirmed it"), "{nothing:?}");
}

#[test]
fn a_dry_run_shows_the_same_and_changes_nothing() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    let shown = otpctl(&bed, &["pam", "enable", "sshd", "--dry-run"]).ok().stdout;
    assert!(shown.contains("+ auth       required     pam_otp.so"), "{shown}");
    let object = otpctl(&bed, &["--json", "pam", "enable", "sshd", "--dry-run"]).ok().json();
    assert_eq!(object["changes"][0]["files"][0]["added"].as_array().unwrap().len(), 2, "{object}");
    assert_eq!(object["until"], json!(null));
    assert!(unchanged(&bed) && !record(&bed).exists());
}

#[test]
fn two_services_are_proven_each_by_itself() {
    let bed = site(ASKS);
    bed.stack("su", "@include common-auth\n@include common-account\nsession required pam_permit.so");
    let phone = bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd", "su"]).ok();
    assert!(
        !stack(&bed, "su").contains("account    required     pam_otp.so"),
        "su runs the account phase alone"
    );
    let sshd = Sshd::start(&bed, "");
    assert_eq!(sshd.login("alice", &[PASSWORD, &phone.code(0)]).stdout, "in as alice\n");
    eventually(10, "sshd is kept", || outcome(&bed).contains("kept"));
    assert_eq!(pending(&bed)[0]["name"], "su");
    otpctl(&bed, &["pam", "confirm"]).ok();
}

#[test]
fn disabled_it_asks_nobody() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    otpctl(&bed, &["pam", "disable", "sshd", "--dry-run"]).ok();
    assert!(!unchanged(&bed));
    let disabled = otpctl(&bed, &["pam", "disable", "sshd"]).ok().stdout;
    assert!(disabled.contains("  - auth       required     pam_otp.so"), "{disabled}");
    assert!(unchanged(&bed) && pending(&bed) == json!([]));
    let sshd = Sshd::start(&bed, "");
    assert_eq!(sshd.login("alice", &[PASSWORD]).stdout, "in as alice\n");
}

#[test]
fn doctor_and_status_say_what_is_on() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    let sshd = |bed: &Testbed| -> Value {
        let status = otpctl(bed, &["--json", "pam", "status"]).ok().json();
        let services = status["services"].as_array().unwrap();
        services.iter().find(|service| service["service"] == "sshd").unwrap().clone()
    };
    assert_eq!(sshd(&bed), json!({"service": "sshd", "asks": false, "verdict": "ok", "say": ""}));
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    assert_eq!(sshd(&bed), json!({"service": "sshd", "asks": true, "verdict": "ok", "say": ""}));
    let doctor = otpctl(&bed, &["doctor"]).stdout;
    assert!(doctor.contains("no way past the code: sshd"), "{doctor}");
    otpctl(&bed, &["pam", "confirm"]).ok();
    bed.stack(
        "sshd",
        &stack(&bed, "sshd").replace("auth       required     pam_otp.so", "auth optional pam_otp.so"),
    );
    let doctor = otpctl(&bed, &["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains("the code is skipped when pam_otp.so"), "{doctor:?}");
}
