//! What nobody proves is taken back, whatever became of whoever enabled it.

use otpd_tests::BoxClock;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::json;

use crate::site::ASKS;
use crate::site::SSHD;
use crate::site::eventually;
use crate::site::expire;
use crate::site::guard_of;
use crate::site::kill_guard;
use crate::site::otpctl;
use crate::site::outcome;
use crate::site::record;
use crate::site::rewrite;
use crate::site::settle;
use crate::site::site;
use crate::site::stack;
use crate::site::unchanged;
use crate::ssh::Sshd;

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
    expire(&bed, "sshd");
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
    rewrite(&bed, "sshd", "boot", json!("another"));
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
    expire(&bed, "sshd");
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
    expire(&bed, "sshd");
    otpctl(&bed, &["pam", "settle"]).ok();
    assert!(unchanged(&bed) && !record(&bed).exists());
}

/// Time runs out, and whoever was kept out logs in with the password again.
#[track_caller]
fn taken_back_and_let_in(bed: &Testbed, user: &str) {
    kill_guard(bed);
    expire(bed, "sshd");
    otpctl(bed, &["pam", "settle"]).ok();
    assert!(unchanged(bed), "{}", outcome(bed));
    let sshd = Sshd::start(bed, "");
    assert_eq!(sshd.login(user, &[PASSWORD]).stdout, format!("in as {user}\n"), "{}", sshd.log());
}

#[test]
fn forced_with_nobody_who_has_a_device_it_is_taken_back() {
    let bed = site(ASKS);
    otpctl(&bed, &["pam", "enable", "sshd", "--force"]).ok();
    // A login without a code is no proof that codes work.
    assert_eq!(Sshd::start(&bed, "").login("bob", &[PASSWORD]).stdout, "in as bob\n");
    taken_back_and_let_in(&bed, "bob");
}

#[test]
fn forced_without_a_way_back_a_lost_phone_locks_nobody_out() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    let fresh = bed.daemon().account("org.otpd.Account.NewCodes", &json!({"user": "alice"})).unwrap();
    for code in fresh["codes"].as_array().unwrap() {
        let login = json!({"login": {"user": "alice", "service": "x"}, "answer": code});
        bed.daemon().login("org.otpd.Login.Answer", &login).unwrap();
    }
    let alice = |more: &[&str]| {
        bed.run("env", &[&["SUDO_USER=alice", "otpctl", "pam", "enable", "sshd"], more].concat())
    };
    let stopped = alice(&[]);
    // No mail either: in the brackets is what is wrong with it.
    assert!(stopped.code == 1 && stopped.stderr.contains("no recovery codes are left ("), "{stopped:?}");
    alice(&["--force"]).ok();
    assert_ne!(Sshd::start(&bed, "").login("alice", &[PASSWORD, "99999999"]).code, 0);
    taken_back_and_let_in(&bed, "alice");
}

#[test]
fn a_clock_that_goes_wrong_meanwhile_locks_nobody_out() {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    let clock = BoxClock::start(&mut bed, 0);
    let bed = settle(bed, ASKS);
    let phone = bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    clock.set(7200);
    let refused = Sshd::start(&bed, "").login("alice", &[PASSWORD, &phone.code(0)]);
    assert_ne!(refused.code, 0, "the code is of another time: {refused:?}");
    taken_back_and_let_in(&bed, "alice");
}

#[test]
fn a_stack_that_breaks_meanwhile_locks_nobody_out() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    // As by a package that was removed in spite of everything.
    std::fs::remove_file(bed.path("security/pam_otp.so")).unwrap();
    assert_ne!(Sshd::start(&bed, "").login("bob", &[PASSWORD]).code, 0, "nobody gets in");
    taken_back_and_let_in(&bed, "bob");
}

#[test]
fn a_jump_that_the_administrator_wrote_over_our_line_leaves_out_no_other() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    kill_guard(&bed);
    // Without a line in the place of ours, whoever is of this machine would need no password.
    let enabled = stack(&bed, "sshd");
    let line = enabled.lines().find(|line| line.starts_with("auth ") && line.contains("pam_otp.so")).unwrap();
    let edited = format!(
        "auth [success=1 default=ignore] pam_localuser.so\n{line}\n{}",
        enabled.replace(&format!("{line}\n"), "")
    );
    bed.stack("sshd", edited.trim_end());
    let sshd = Sshd::start(&bed, "");
    assert_eq!(sshd.login("bob", &[PASSWORD]).stdout, "in as bob\n", "{}", sshd.log());
    expire(&bed, "sshd");
    otpctl(&bed, &["pam", "settle"]).ok();
    assert!(outcome(&bed).contains("others that ask nobody are in their place"), "{}", outcome(&bed));
    assert!(!stack(&bed, "sshd").contains("pam_otp.so"), "{}", stack(&bed, "sshd"));
    assert_eq!(sshd.login("alice", &[PASSWORD]).stdout, "in as alice\n", "{}", sshd.log());
    assert_ne!(sshd.login("alice", &["wrong"]).code, 0, "the password is asked for still");
}
