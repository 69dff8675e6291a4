//! A full disk: a login that needs a write is refused, none is accepted twice, and nothing is lost.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::time::Duration;

use otpd_proto::LOGIN_SOCKET;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::OTPD;
use crate::answer;
use crate::first_step;
use crate::login;

/// A system whose state is on a disk of 2 MiB.
fn small() -> Testbed {
    let mut bed = on_disk_of("2m");
    bed.start();
    bed
}

/// A system with alice and bob, whose state is on a disk of this size. Its daemon is to be started.
pub(crate) fn on_disk_of(size: &str) -> Testbed {
    let mut bed = Testbed::without_daemon();
    let state = bed.path("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(OTPD), Some(OTPD)).unwrap();
    let options = format!("size={size},mode=0700,uid={OTPD},gid={OTPD}");
    bed.run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", &state.display().to_string()]).ok();
    bed.configure("");
    bed.user("alice");
    bed.user("bob");
    bed
}

/// Fills the disk to the last page.
pub(crate) fn fill(bed: &Testbed) {
    let file = format!("of={}", bed.path("state/filler").display());
    let full = bed.run("dd", &["if=/dev/zero", &file, "bs=4k"]);
    assert!(full.stderr.contains("No space left"), "{full:?}");
}

pub(crate) fn free(bed: &Testbed) {
    bed.run("rm", &[&bed.path("state/filler").display().to_string()]).ok();
}

/// What a code gets: the next step, or the name of the error.
pub(crate) fn tried(runtime: &Path, code: &str) -> String {
    let mut parameters = login("alice");
    parameters["answer"] = code.into();
    let mut client = Client::connect(&runtime.join(LOGIN_SOCKET), Duration::from_secs(60)).unwrap();
    match client.call::<Value, Value>("org.otpd.Login.Answer", &parameters) {
        Ok(reply) => reply["step"]["next"].as_str().unwrap().to_owned(),
        Err(ClientError::Refused { error, .. }) => error,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn assert_intact(bed: &Testbed) {
    let doctor = bed.daemon().account("org.otpd.Admin.Doctor", &json!({})).unwrap();
    let checks = doctor["checks"].as_array().unwrap();
    let registry = checks.iter().find(|check| check["check"] == "registry").unwrap();
    assert_eq!(registry["verdict"], "ok", "{doctor}");
    let log = bed.run("otpctl", &["audit", "--verify"]);
    assert!(log.stdout.starts_with("The audit log is whole"), "{log:?}");
}

#[test]
fn on_a_full_disk_no_code_is_accepted_and_afterwards_each_once() {
    let mut bed = small();
    let runtime = bed.runtime();
    let phone = bed.bind("alice", "phone");
    fill(&bed);
    // Of the next step, so that it is good until the end of the test.
    let code = phone.code(1);
    let daemon = bed.daemon();
    assert_eq!(first_step(daemon, "sudo", "alice"), "ask");
    assert_eq!(first_step(daemon, "sudo", "bob"), "not_required", "who needs no code needs no disk");
    std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| tried(&runtime, &code))).collect();
        for next in tries {
            assert_eq!(next.join().unwrap(), "org.otpd.Login.Unavailable");
        }
    });
    assert_eq!(tried(&runtime, "000000"), "org.otpd.Login.Unavailable");
    free(&bed);
    let step = answer(daemon, "alice", &code);
    assert_eq!(step["next"], "accept", "{step} {}", daemon.log());
    assert_eq!(tried(&runtime, &code), "refuse");
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
    assert_intact(&bed);
    bed.take_daemon().stop();
    bed.start();
    assert_eq!(tried(&runtime, &code), "refuse");
    assert_intact(&bed);
}

#[test]
fn otpd_killed_on_a_full_disk_remembers_what_it_accepted() {
    let mut bed = small();
    let runtime = bed.runtime();
    let phone = bed.bind("alice", "phone");
    let (used, fresh) = (phone.code(0), phone.code(1));
    assert_eq!(tried(&runtime, &used), "accept");
    fill(&bed);
    assert_eq!(tried(&runtime, &fresh), "org.otpd.Login.Unavailable");
    bed.take_daemon().kill();
    free(&bed);
    bed.start();
    assert_eq!(tried(&runtime, &used), "refuse");
    assert_eq!(tried(&runtime, &fresh), "accept");
    assert_intact(&bed);
}

#[test]
fn binding_on_a_full_disk_is_unavailable_and_binds_nothing() {
    let bed = small();
    fill(&bed);
    let begun = bed.daemon().account("org.otpd.Account.Begin", &json!({"user": "alice"}));
    assert!(
        matches!(&begun, Err(ClientError::Refused { error, .. }) if error == "org.otpd.Account.Unavailable"),
        "{begun:?}"
    );
    free(&bed);
    let status: Value = bed.daemon().account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap();
    assert_eq!((&status["protected"], &status["pending_devices"]), (&json!(false), &json!(0)));
    bed.bind("alice", "phone");
    assert_intact(&bed);
}
