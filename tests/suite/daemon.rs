//! The daemon as the system sees it: who it runs as, what it leaves on disk, when it refuses to start, what it does
//! to signals, to hostile callers, to a full disk.

#[path = "daemon/activation.rs"]
mod activation;
#[path = "daemon/ballast.rs"]
mod ballast;
#[path = "daemon/chain.rs"]
mod chain;
#[path = "daemon/configuration.rs"]
mod configuration;
#[path = "daemon/crowds.rs"]
mod crowds;
#[path = "daemon/doors.rs"]
mod doors;
#[path = "daemon/full_disk.rs"]
mod full_disk;
#[path = "daemon/hostile.rs"]
mod hostile;
#[path = "daemon/introspection.rs"]
mod introspection;
#[path = "daemon/limits.rs"]
mod limits;
#[path = "daemon/peer.rs"]
mod peer;
#[path = "daemon/privileges.rs"]
mod privileges;
#[path = "daemon/registry.rs"]
mod registry;
#[path = "daemon/state.rs"]
mod state;
#[path = "daemon/stopping.rs"]
mod stopping;

use std::path::PathBuf;
use std::time::Duration;

use otpd_tests::Daemon;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

/// The uid of the Testbed's user otpd.
const OTPD: u32 = 60_999;

/// A login on login.sock, as sudo at a terminal would describe it.
fn login(user: &str) -> Value {
    json!({"login": {"user": user, "service": "sudo"}})
}

/// What the daemon says to a code.
fn answer(daemon: &Daemon, user: &str, code: &str) -> Value {
    let mut parameters = login(user);
    parameters["answer"] = code.into();
    daemon.login("org.otpd.Login.Answer", &parameters).unwrap()["step"].take()
}

/// What the daemon says to a login that begins: `ask`, `not_required`, …
fn first_step(daemon: &Daemon, service: &str, user: &str) -> String {
    let parameters = json!({"login": {"user": user, "service": service}});
    let reply = daemon.login("org.otpd.Login.Start", &parameters).unwrap();
    reply["step"]["next"].as_str().unwrap().to_owned()
}

/// A file of the daemon in /proc.
fn proc_of(daemon: &Daemon, below: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}", daemon.pid())).join(below)
}

/// How many descriptors the daemon has.
fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(proc_of(daemon, "fd")).unwrap().count()
}

/// Waits until something is so.
fn eventually(what: &str, so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("not within two minutes: {what}");
}

/// What otpd says instead of starting.
#[track_caller]
fn refusal(bed: &mut Testbed) -> String {
    bed.try_start().expect_err("otpd has to refuse to start")
}
