//! Answers that no honest daemon gives: they must not reach the terminal as they are, hang, or crash.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::Daemon;
use crate::support::device;
use crate::support::error;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\n\u{202e}\u{7f}x";

fn is_clean(text: &str) -> bool {
    !text.chars().any(|character| (character.is_control() && character != '\n') || character == '\u{202e}')
}

#[test]
fn control_characters_reach_the_terminal_in_no_form() {
    let devices = json!({"devices": [device(&json!({"name": EVIL, "last_service": EVIL, "last_used": 1}))],
        "more": false});
    for words in [["devices", "--color=never"], ["devices", "--json"]] {
        let ended = Daemon::saying(reply(&devices)).run(&words);
        assert!(ended.code == 0 && is_clean(&ended.out), "{ended:?}");
    }
    let strange = status(&json!({"user": EVIL, "requirement": {"state": EVIL, "since": null, "why": EVIL}}));
    assert!(is_clean(&Daemon::saying(reply(&strange)).run(&["status"]).out));
    for words in [["status", "--color=never"], ["status", "--json"]] {
        let ended = Daemon::saying(refused(EVIL, EVIL)).run(&words);
        assert!(ended.code == 1 && is_clean(&ended.err), "{ended:?}");
    }
    let ended = Daemon::saying(error(EVIL, &json!({}))).run(&["status"]);
    assert!(ended.code == 3 && is_clean(&ended.err), "{ended:?}");
}

#[test]
fn json_keeps_what_text_leaves_out() {
    let devices = json!({"devices": [device(&json!({"name": EVIL}))], "more": false});
    let ended = Daemon::saying(reply(&devices)).run(&["devices", "--json"]);
    assert_eq!(ended.object()["devices"][0]["name"], EVIL);
}

#[test]
fn an_answer_that_is_none_is_reported_and_not_believed() {
    let cases: [&[u8]; 5] = [
        b"\0",
        b"]\0",
        b"{\"parameters\":{}}\0",
        b"{\"parameters\":{\"user\":7}}\0",
        b"{\"error\":\"org.otpd.Account.Refused\",\"parameters\":{}}\0",
    ];
    for answer in cases {
        let ended = Daemon::saying(answer.to_vec()).run(&["status"]);
        assert_eq!(ended.code, 3, "{:?}: {ended:?}", String::from_utf8_lossy(answer));
    }
}

#[test]
fn an_endless_answer_is_cut() {
    let ended = Daemon::saying(vec![b' '; 1 << 20]).run(&["status"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("too long"), "{ended:?}");
}

#[test]
fn pages_that_do_not_advance_are_not_turned_forever() {
    let empty = Daemon::saying(reply(&json!({"devices": [], "accounts": [], "events": [], "more": true})));
    for command in ["devices", "accounts", "audit --since=1d"] {
        let words: Vec<&str> = command.split(' ').collect();
        let ended = empty.run(&words);
        assert_eq!(ended.code, 3, "{command}: {ended:?}");
        assert!(ended.err.contains("does not end"), "{ended:?}");
    }
    let same = Daemon::saying(reply(&json!({"devices": [device(&json!({}))], "more": true})));
    assert_eq!(same.run(&["devices"]).code, 3);
    assert_eq!(same.calls().len(), 2);
}

#[test]
fn numbers_outside_every_calendar_are_shown() {
    let devices = json!({"devices": [device(&json!({"last_used": i64::MIN, "activated": i64::MAX}))],
        "more": false});
    let ended = Daemon::saying(reply(&devices)).run(&["devices"]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains(&format!("@{}", i64::MAX)), "{}", ended.out);
}

#[test]
fn a_key_that_fits_no_qr_code_can_still_be_typed() {
    let uri = format!("otpauth://totp/x?secret={}", "A".repeat(4_000));
    let begun = json!({"device": 1, "name": "n", "key": "AAAA", "uri": uri, "expires": 0});
    let daemon = Daemon::saying(reply(&begun));
    let ended = daemon.run(&["bind", "--begin", "--qr", "utf8"]);
    assert!(ended.code == 1 && ended.err.contains("--qr none"), "{ended:?}");
    assert_eq!(daemon.run(&["bind", "--begin"]).code, 0);
}

#[test]
fn a_directory_that_others_may_write_is_not_trusted() {
    let daemon = Daemon::saying(reply(&status(&json!({}))));
    std::fs::set_permissions(daemon.directory(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ended = daemon.run(&["status"]);
    std::fs::set_permissions(daemon.directory(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("not trusting") && daemon.calls().is_empty(), "{ended:?}");
}
