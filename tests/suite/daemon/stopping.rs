//! SIGTERM: what was asked is answered, then otpd ends, and the next one knows everything.

use std::fs;

use nix::sys::signal::Signal;
use otpd_proto::LOGIN_SOCKET;
use otpd_tests::Testbed;

use crate::answer;
use crate::eventually;
use crate::login;
use crate::peer::Peer;
use crate::peer::call;
use crate::proc_of;

/// Enough that some still wait when otpd is told to stop: each costs a commit.
const CALLS: usize = 100;

#[test]
fn calls_that_were_sent_are_answered_before_otpd_ends() {
    let mut bed = Testbed::new();
    bed.user("alice");
    let phone = bed.bind("alice", "phone");
    let mut daemon = bed.take_daemon();
    let code = phone.code(0);
    let mut parameters = login("alice");
    parameters["answer"] = "no code".into();
    let mut calls = call("org.varlink.service.GetInfo", &serde_json::json!({}));
    calls.extend(call("org.otpd.Login.Answer", &parameters).repeat(CALLS));
    parameters["answer"] = code.as_str().into();
    calls.extend(call("org.otpd.Login.Answer", &parameters));
    let mut peer = Peer::root(&bed, LOGIN_SOCKET);
    peer.send(&calls);
    assert_eq!(peer.reply().unwrap()["parameters"]["vendor"], "otpd");

    let workers = || fs::read_dir(proc_of(&daemon, "task")).map_or(0, Iterator::count);
    let before = workers();
    daemon.signal(Signal::SIGTERM);
    eventually("otpd begins to stop", || workers() < before);
    for number in 0..CALLS {
        let reply = peer.reply().unwrap_or_else(|| panic!("call {number} has no answer: {}", daemon.log()));
        assert_eq!(reply["parameters"]["step"]["next"], "refuse", "{reply}");
    }
    let last = peer.reply().unwrap();
    assert_eq!(last["parameters"]["step"]["next"], "accept", "{last}");
    assert!(peer.reply().is_none());
    assert!(daemon.wait().success(), "{}", daemon.log());

    bed.start();
    assert_eq!(answer(bed.daemon(), "alice", &code)["next"], "refuse");
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
}

#[test]
fn idle_connections_do_not_hold_it_up_and_no_log_is_left_behind() {
    let mut bed = Testbed::new();
    let mut daemon = bed.take_daemon();
    let mut idle = Peer::root(&bed, LOGIN_SOCKET);
    idle.call("org.varlink.service.GetInfo", &serde_json::json!({}));
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success(), "{}", daemon.log());
    assert!(idle.reply().is_none());
    for file in ["state/registry.db-wal", "state/registry.db-shm"] {
        assert!(!bed.path(file).exists(), "{file}");
    }
}
