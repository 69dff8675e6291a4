//! More callers than otpd has workers, or descriptors: whoever holds on and says nothing holds up no login.

use otpd_proto::ACCOUNT_SOCKET;
use otpd_proto::LOGIN_SOCKET;
use otpd_tests::Daemon;
use otpd_tests::Testbed;
use serde_json::json;

use crate::answer;
use crate::descriptors;
use crate::eventually;
use crate::first_step;
use crate::peer::Crowd;
use crate::peer::Peer;

#[test]
fn a_crowd_that_says_nothing_holds_up_no_login() {
    let mut bed = Testbed::new();
    let alice = bed.user("alice");
    let phone = bed.bind("alice", "phone");
    let daemon = bed.daemon();
    let quiet = descriptors(daemon);
    let users: Vec<u32> = (62_000..62_014).collect();
    let crowds = [
        Crowd::gather(&bed, ACCOUNT_SOCKET, 15, true, &users),
        Crowd::gather(&bed, LOGIN_SOCKET, 210, true, &[0]),
    ];
    assert!(descriptors(daemon) >= 420);
    assert_eq!(first_step(daemon, "sudo", "alice"), "ask");
    assert_eq!(answer(daemon, "alice", &phone.code(0))["next"], "accept");
    let mut own = Peer::user(&bed, alice, ACCOUNT_SOCKET);
    assert_eq!(own.call("org.otpd.Account.Status", &json!({}))["parameters"]["protected"], true);
    drop(own);
    assert!(descriptors(daemon) >= 420, "the crowd was gone before the login was through");
    for crowd in crowds {
        assert_eq!(crowd.closed(), 210);
    }
    // A handful are the registry's, opened when they were needed.
    eventually("nothing of the crowd is left", || descriptors(daemon) <= quiet + 8);
}

#[test]
fn whoever_connects_and_sends_no_message_is_let_go() {
    let bed = Testbed::new();
    let users: Vec<u32> = (62_000..62_002).collect();
    let account = Crowd::gather(&bed, ACCOUNT_SOCKET, 10, false, &users);
    let login = Crowd::gather(&bed, LOGIN_SOCKET, 50, false, &[0]);
    assert_eq!((account.closed(), login.closed()), (20, 50));
}

#[test]
fn users_who_hold_all_the_connections_they_can_hold_up_no_login() {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    bed.user("alice");
    // What systemd and most shells give: 1024 descriptors, more for who asks.
    let mut command = bed.command("prlimit");
    command
        .args(["--nofile=1024:", "--"])
        .arg(bed.path("bin/otpd"))
        .arg("--config")
        .arg(bed.path("otpd.toml"));
    let daemon = Daemon::start(command, &bed.runtime()).unwrap();
    // Sub-uids make many users of one.
    let users: Vec<u32> = (100_000..100_064).collect();
    let crowd = Crowd::gather(&bed, ACCOUNT_SOCKET, 16, true, &users);
    let refused = daemon.log().lines().filter(|line| line.contains("accept: ")).count();
    assert_eq!(refused, 0, "otpd cannot hold the connections it is configured for");
    assert!(descriptors(&daemon) >= 1024);
    assert_eq!(first_step(&daemon, "sudo", "alice"), "not_required");
    assert!(descriptors(&daemon) >= 1024, "the crowd was gone before the login was through");
    assert_eq!(crowd.closed(), 1024);
}
