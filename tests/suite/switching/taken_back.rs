//! What nobody proves is taken back, whatever became of whoever enabled it.

use std::fs;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::site::ASKS;
use crate::site::SSHD;
use crate::site::eventually;
use crate::site::guard_of;
use crate::site::kill_guard;
use crate::site::otpctl;
use crate::site::outcome;
use crate::site::record;
use crate::site::site;
use crate::site::stack;
use crate::site::unchanged;
use crate::ssh::Sshd;

/// Changes the record, as time would.
fn rewrite(bed: &Testbed, key: &str, value: Value) {
    let path = record(bed);
    let mut found: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    found[key] = value;
    fs::write(&path, found.to_string()).unwrap();
}

#[test]
fn when_nobody_logs_in_it_is_taken_back_though_the_terminal_is_gone() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    // The terminal hangs up when the command has ended.
    let done = bed.drive(&json!([]), None, &["otpctl", "pam", "enable", "sshd", "--within", "30s"]);
    assert!(done.stdout.contains("taken back in "), "{done:?}");
    assert!(!unchanged(&bed));
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("alice", &[PASSWORD, "99999999"]).code, 0);
    eventually(60, "it is as it was", || unchanged(&bed));
    eventually(10, "the guard ends", || guard_of(&bed).is_none());
    assert_eq!(outcome(&bed), "sshd: taken back, no login with a code came in time.");
    assert_eq!(sshd.login("alice", &[PASSWORD]).stdout, "in as alice\n");
}

#[test]
fn an_otpd_that_dies_meanwhile_locks_nobody_out() {
    let mut bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd", "--within", "30s"]).ok();
    bed.take_daemon().kill();
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("bob", &[PASSWORD]).code, 0, "nobody gets in while otpd is away");
    eventually(60, "it is as it was", || unchanged(&bed));
    assert_eq!(sshd.login("bob", &[PASSWORD]).stdout, "in as bob\n");
}

#[test]
fn with_its_guard_killed_the_next_otpctl_takes_it_back() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    kill_guard(&bed);
    assert_eq!(otpctl(&bed, &["accounts"]).ok().stderr, "", "there is time yet");
    rewrite(&bed, "until", json!(0));
    let said = otpctl(&bed, &["accounts"]).ok().stderr;
    assert!(said.contains("sshd: taken back"), "{said}");
    assert!(unchanged(&bed));
}

#[test]
fn after_a_start_of_the_machine_it_is_taken_back_at_once() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    kill_guard(&bed);
    rewrite(&bed, "boot", json!("another"));
    // As the unit and the init script do.
    let said = otpctl(&bed, &["pam", "settle"]).ok();
    assert!(unchanged(&bed), "{said:?}");
    assert!(outcome(&bed).contains("the machine was started anew"), "{}", outcome(&bed));
}

#[test]
fn what_the_administrator_has_written_meanwhile_stays() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    kill_guard(&bed);
    bed.stack("sshd", &format!("{}# mine", stack(&bed, "sshd")));
    rewrite(&bed, "until", json!(0));
    otpctl(&bed, &["pam", "settle"]).ok();
    assert_eq!(stack(&bed, "sshd"), format!("{SSHD}\n# mine\n"));
    assert!(outcome(&bed).contains("/etc/pam.d/sshd was edited meanwhile"), "{}", outcome(&bed));
}

#[test]
fn killed_between_record_and_file_nothing_is_lost() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    kill_guard(&bed);
    // As if otpctl had been killed after the record and before the file.
    bed.stack("sshd", SSHD);
    rewrite(&bed, "until", json!(0));
    otpctl(&bed, &["pam", "settle"]).ok();
    assert!(unchanged(&bed) && !record(&bed).exists());
}
