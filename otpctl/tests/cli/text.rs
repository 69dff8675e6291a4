//! Text: tables, times, states, and what the daemon is asked for.

use serde_json::json;

use crate::support::Daemon;
use crate::support::device;
use crate::support::now;
use crate::support::otpctl;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

#[test]
fn a_healthy_account_is_shown_calmly() {
    let ended = Daemon::saying(reply(&status(&json!({})))).run(&["status"]);
    let expected = "\
alice: login protection is on

  Devices   2 active
  Recovery  9 codes left
  Email     jane@example.org
  Required  no
  Clock     2023-11-14 22:13:20 UTC, synchronised
";
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, expected, ""));
}

#[test]
fn trouble_is_named_with_what_to_do() {
    let lanes = json!([
        {"lane": "local", "failures": 4, "until": now() + 3_030, "closed": false},
        {"lane": "unknown", "failures": 100, "until": null, "closed": true},
    ]);
    let requirement = json!({"state": "required", "since": null, "why": "group wheel"});
    let changes = json!({"lanes": lanes, "requirement": requirement, "clock_synchronised": false,
        "warnings": ["The disk is full."]});
    let daemon = Daemon::saying(reply(&status(&changes)));
    let ended = daemon.run(&["status", "alice"]);
    assert!(ended.out.contains("on this machine: 4 wrong codes, next try in 50 min, at "), "{}", ended.out);
    assert!(ended.out.contains("from unknown addresses: 100 wrong codes, closed"), "{}", ended.out);
    assert!(ended.out.contains("Required  yes (group wheel)"), "{}", ended.out);
    assert!(ended.out.contains("not synchronised"), "{}", ended.out);
    assert!(ended.out.contains("\n\nThe disk is full.\n\n"), "{}", ended.out);
    assert!(ended.out.ends_with(": otpctl unlock alice\n"), "{}", ended.out);
    assert_eq!(daemon.calls(), [("Account.Status".to_owned(), json!({"user": "alice"}))]);
}

#[test]
fn an_account_without_protection_is_told_how_to_get_it() {
    let changes = json!({"protected": false, "active_devices": 0});
    let ended = Daemon::saying(reply(&status(&changes))).run(&["status"]);
    assert!(ended.out.starts_with("alice: login protection is off\n"), "{}", ended.out);
    assert!(ended.out.ends_with("Turn it on: otpctl bind\n"), "{}", ended.out);
}

#[test]
fn devices_stand_in_columns_whatever_their_names() {
    let changes =
        json!({"name": "電話", "last_used": now() - 190, "last_service": "sshd", "last_address": "::1"});
    let pending = json!({"id": 12, "name": "Tablet", "state": "pending", "activated": null});
    let devices = json!({"devices": [device(&changes), device(&pending)], "more": false});
    let ended = Daemon::saying(reply(&devices)).run(&["devices"]);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("ID  Name    State    Added       Last used  "), "{}", lines[0]);
    assert!(lines[1].starts_with("1   電話    active   2023-11-14  3 min ago ("), "{}", lines[1]);
    assert!(lines[1].ends_with("  sshd, ::1"), "{}", lines[1]);
    assert_eq!(lines[2], "12  Tablet  pending  2023-11-14  never");
}

#[test]
fn lists_are_paged_to_their_end() {
    let daemon = Daemon::new(|_, parameters| {
        let first = parameters["after"].as_u64().unwrap_or(0) + 1;
        let devices: Vec<_> = (first..first + 100).map(|id| device(&json!({"id": id}))).collect();
        reply(&json!({"devices": devices, "more": first < 201}))
    });
    let ended = daemon.run(&["devices", "--all"]);
    assert_eq!(ended.out.lines().count(), 1 + 300, "{}", ended.out);
    let asked =
        |after| ("Account.Devices".to_owned(), json!({"user": null, "retired": true, "after": after}));
    assert_eq!(daemon.calls(), [asked(None), asked(Some(100)), asked(Some(200))]);
}

#[test]
fn accounts_are_paged_by_name() {
    let daemon = Daemon::new(|_, parameters| {
        let user = if parameters["after"].is_null() { "alice" } else { "bob" };
        let account = json!({"user": user, "uid": 1000, "protected": user == "alice", "active_devices": 1,
            "last_used": null, "locked": user == "bob", "recovery_codes": 10, "emails": 1, "weakest": "device"});
        reply(&json!({"accounts": [account], "more": user == "alice"}))
    });
    let ended = daemon.run(&["accounts"]);
    let expected = "\
Account  UID   Protection   Devices  Last used
alice    1000  on           1        never
bob      1000  off, locked  1        never
";
    assert_eq!(ended.out, expected);
    assert_eq!(daemon.calls()[1].1["after"], "alice");
}

#[test]
fn changes_say_what_follows_from_them() {
    let gone = json!({"device": device(&json!({"state": "retired"})), "remaining": 0});
    for (requirement, follows) in [
        (
            json!({"state": "optional", "since": null, "why": "w"}),
            "Logins as alice ask for no code until a device is bound",
        ),
        (
            json!({"state": "required", "since": 0, "why": "w"}),
            "gets in with an enrol code only: otpctl enrol-code alice",
        ),
        (
            json!({"state": "required", "since": i64::MAX, "why": "w"}),
            "ask for no code until a device is bound",
        ),
    ] {
        let gone = gone.clone();
        let daemon = Daemon::new(move |method, _| match method {
            "Account.Status" => reply(&status(&json!({"requirement": requirement}))),
            _ => reply(&gone),
        });
        let ended = daemon.run(&["unbind", "Phone"]);
        assert!(ended.out.contains("It was the last one.") && ended.out.contains(follows), "{}", ended.out);
    }
    let renamed = json!({"device": device(&json!({"name": "Old"}))});
    let ended = Daemon::saying(reply(&renamed)).run(&["rename", "1", "Old"]);
    assert_eq!(ended.out, "Device 1 is now called \"Old\".\n");
    let ended = Daemon::saying(reply(&json!({"opened": ["own"]}))).run(&["unlock"]);
    assert_eq!(ended.out, "Failures are forgotten, and codes are looked at again (with otpctl).\n");
}

#[test]
fn colours_appear_only_where_they_are_wanted() {
    let daemon = Daemon::saying(reply(&status(&json!({}))));
    assert!(!daemon.run(&["status"]).out.contains('\x1b'));
    assert!(daemon.run(&["status", "--color", "always"]).out.contains("\x1b[32mon\x1b[0m"));
}

#[test]
fn a_daemon_that_is_not_there_is_told_from_one_that_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = otpctl(&["status", "--runtime-dir"]);
    let output = command.arg(directory.path()).output().unwrap();
    let socket = directory.path().join("account.sock");
    let said = format!(
        "otpctl: cannot reach otpd at {}: No such file or directory. Is it running? Try: systemctl status otpd",
        socket.display()
    );
    let is_root = nix::unistd::geteuid().is_root();
    let around = if is_root { ", or while it is stopped: otpctl --offline" } else { "" };
    let expected = format!("{said}{around}\n");
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(3), expected));
    let output = otpctl(&["unbind", "Phone", "--runtime-dir"]).arg(directory.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{said}\n"), "that needs a running otpd");
    let ended =
        Daemon::saying(refused("no_such_user", "There is no user named carol.")).run(&["status", "carol"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, "otpctl: There is no user named carol.\n"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let daemon = Daemon::saying(reply(&status(&json!({}))));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = daemon.otpctl(&["status"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
