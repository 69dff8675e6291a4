//! `export`: where keys may go, and what is said when they do.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use serde_json::json;

use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::error;
use crate::support::reply;

const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const HEX: &str = "3132333435363738393031323334353637383930";

fn entry(user: &str, changes: &Value) -> Value {
    let mut entry = json!({"user": user, "device": "phone", "key": KEY, "algorithm": "SHA1", "digits": 6,
        "period": 30, "last_step": null});
    entry.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    entry
}

/// Two pages: alice has two devices, of which one cannot be written; bob has one that was used.
fn daemon() -> Daemon {
    Daemon::new(|_, parameters| match parameters["after"].as_str() {
        None => {
            let odd = entry("alice", &json!({"device": "token", "algorithm": "SHA256"}));
            reply(&json!({"entries": [entry("alice", &json!({})), odd], "next": "alice"}))
        }
        Some("alice") => {
            // RFC 4226's third code; a moment that was long ago.
            reply(&json!({"entries": [entry("bob", &json!({"last_step": 2}))], "next": null}))
        }
        Some(other) => panic!("{other}"),
    })
}

fn lines() -> String {
    format!("HOTP/T30/6\talice\t-\t{HEX}\nHOTP/T30/6\tbob\t-\t{HEX}\t0\t359152\t1970-01-01T00:01:00L\n")
}

#[test]
fn keys_go_into_a_new_file_of_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let words = ["export", "oath", "--output", path.to_str().unwrap()];
    let ended = daemon().run(&words);
    assert_eq!((ended.code, ended.out), (0, format!("Written to {}.\n", path.display())));
    assert!(ended.err.contains("alice \"token\" is left out: it uses SHA256"), "{}", ended.err);
    assert!(
        ended.err.contains("2 keys of 2 accounts left the seal of otpd: whoever reads them"),
        "{}",
        ended.err
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let daemon = daemon();
    let again = daemon.run(&words);
    assert!(again.code == 1 && again.err.contains("exists already"), "{again:?}");
    assert_eq!(daemon.calls(), [], "no key was asked for");
}

#[test]
fn json_tells_of_the_file_and_needs_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let ended = daemon().run(&["export", "oath", "--json", "--output", path.to_str().unwrap()]);
    let say = "it uses SHA256, and a users file has SHA-1 only";
    let left_out = json!([{"user": "alice", "device": "token", "say": say}]);
    assert_eq!(ended.object(), json!({"devices": 2, "accounts": 2, "left_out": left_out}));
    for words in [&["export", "oath", "--json"][..], &["export", "oath", "--json", "--output", "-"]] {
        assert_eq!(daemon().run(words).code, 2);
    }
}

#[test]
fn a_pipe_takes_keys_and_a_terminal_does_not_unless_told_to() {
    let ended = daemon().run(&["export", "oath"]);
    assert_eq!((ended.code, ended.out), (0, lines()));
    assert!(ended.err.contains("left the seal"), "{}", ended.err);
    let daemon = daemon();
    let (code, shown) = AtTerminal::start(daemon.otpctl(&["export", "oath"])).finish();
    assert!(code == 2 && shown.contains("not shown on a terminal") && !shown.contains(HEX), "{shown}");
    assert_eq!(daemon.calls(), []);
    let (code, shown) = AtTerminal::start(daemon.otpctl(&["export", "oath", "--output", "-"])).finish();
    assert!(code == 0 && shown.contains(HEX), "{shown}");
}

#[test]
fn what_fails_on_the_way_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let daemon = Daemon::new(|_, parameters| match parameters["after"].as_str() {
        None => reply(&json!({"entries": [entry("alice", &json!({}))], "next": "alice"})),
        Some(_) => error("org.otpd.Admin.Unavailable", &json!({"say": "The disk is gone."})),
    });
    let ended = daemon.run(&["export", "oath", "--output", path.to_str().unwrap()]);
    assert_eq!(ended.code, 3);
    assert!(!path.exists());
    let endless = Daemon::saying(reply(&json!({"entries": [], "next": "alice"})));
    assert_eq!(endless.run(&["export", "oath", "--output", path.to_str().unwrap()]).code, 3);
    let odd = Daemon::saying(reply(&json!({"entries": [entry("a", &json!({"digits": 5}))], "next": null})));
    assert_eq!(odd.run(&["export", "oath"]).code, 3);
}
