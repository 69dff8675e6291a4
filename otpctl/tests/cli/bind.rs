//! The conversation of `bind`, and its two halves for scripts.

use serde_json::Value;
use serde_json::json;

use crate::support::Answer;
use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::KEY;
use crate::support::begun;
use crate::support::device;
use crate::support::error;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

/// Binds for the code 123456; wants no proof.
fn binding(method: &str, parameters: &Value) -> Answer {
    match (method, parameters["code"].as_str()) {
        ("Account.Status", _) => reply(&status(&json!({"clock_synchronised": false}))),
        ("Account.Emails", _) => {
            reply(&json!({"emails": [], "mail_problem": "otpd-mail is not running here"}))
        }
        ("Account.Begin", _) => reply(&begun()),
        ("Account.Confirm", Some("123456")) => reply(&json!({"device": device(&json!({})), "offset": -30,
            "first": true, "retired": null, "now": 1_700_000_000, "clock_synchronised": false})),
        ("Account.Confirm", Some("000000")) => refused("pending_expired", "Too late. Begin again."),
        _ => refused("code_wrong", "Not that one."),
    }
}

#[test]
fn a_right_code_binds_and_says_what_changes() {
    let daemon = Daemon::new(binding);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind", "--name", "Phone"]));
    terminal.wait_for("Code from the new device:");
    terminal.enter("123 456");
    let (code, seen) = terminal.finish();
    assert_eq!(code, 0, "{seen}");
    for part in [
        "JBSW Y3DP EHPK 3PXP",
        "alice (Phone)",
        "time-based, 6 digits, 30 s",
        "for your account.",
        "otpctl bind",
        "otpctl off",
        "about 30 s old by this machine's clock, 2023-11-14 22:13:20.",
        "not synchronised and may be fast, unless you typed the code late",
    ] {
        assert!(seen.contains(part), "{part:?} is missing in {seen}");
    }
    let confirm = json!({"user": null, "device": "3", "code": "123456"});
    assert!(daemon.calls().contains(&("Account.Confirm".to_owned(), confirm)));
    assert!(
        seen.contains(
            ": otpd-mail is not running here. If the device is lost, recovery codes are the way back."
        ),
        "{seen}"
    );
}

#[test]
fn a_wrong_code_may_be_mended_and_the_second_one_brings_the_time() {
    let daemon = Daemon::new(binding);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind", "alice"]));
    for _ in 0..2 {
        terminal.wait_for("Code from the new device:");
        terminal.enter("222222");
    }
    terminal.wait_for("Code from the new device:");
    terminal.enter("123456");
    let (code, seen) = terminal.finish();
    assert_eq!(code, 0);
    assert_eq!(seen.matches("Not that one.").count(), 2);
    assert!(seen.contains("clock says 2023-11-14 22:13:20 (not synchronised)"), "{seen}");
    assert!(seen.contains("for alice."), "{seen}");
}

#[test]
fn five_wrong_codes_end_it_and_name_the_way_on() {
    let daemon = Daemon::new(binding);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind"]));
    for _ in 0..5 {
        terminal.wait_for("Code from the new device:");
        terminal.enter("222222");
    }
    let (code, seen) = terminal.finish();
    assert_eq!(code, 4);
    assert!(seen.contains("nothing has changed") && seen.contains("otpctl confirm 3 CODE"), "{seen}");
}

#[test]
fn what_no_code_can_mend_ends_it_at_once() {
    let daemon = Daemon::new(binding);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind"]));
    terminal.wait_for("Code from the new device:");
    terminal.enter("000000");
    let (code, seen) = terminal.finish();
    assert_eq!(code, 1);
    assert!(seen.contains("Too late. Begin again."), "{seen}");
}

#[test]
fn a_person_who_leaves_has_bound_nothing_and_is_told_so() {
    let daemon = Daemon::new(binding);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind"]));
    terminal.wait_for("Code from the new device:");
    terminal.end_input();
    let (code, seen) = terminal.finish();
    assert_eq!(code, 1);
    assert!(seen.contains("not bound and nothing has changed"), "{seen}");
}

#[test]
fn a_protected_account_is_asked_for_an_old_device_first() {
    let daemon = Daemon::new(|method, parameters| match (method, parameters["code"].is_null()) {
        ("Account.Begin", true) => refused("code_needed", "Your devices are asked."),
        _ => binding(method, parameters),
    });
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind"]));
    terminal.wait_for("Code from one of your devices:");
    terminal.enter("333333");
    terminal.wait_for("Code from the new device:");
    terminal.enter("123456");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(daemon.calls()[1].1["code"], "333333");
}

#[test]
fn without_a_terminal_it_does_not_begin() {
    let daemon = Daemon::new(binding);
    let ended = daemon.run(&["bind"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("otpctl bind --begin, then otpctl confirm"), "{ended:?}");
    assert!(daemon.calls().is_empty());
}

#[test]
fn begin_passes_everything_on_and_stops() {
    let daemon = Daemon::new(binding);
    let words = [
        "bind",
        "alice",
        "--begin",
        "--name",
        "Tablet",
        "--key",
        "-",
        "--algorithm",
        "sha256",
        "--digits",
        "8",
        "--period",
        "60",
        "--replace",
        "Phone",
        "--code",
        "111111",
    ];
    let ended = daemon.run_with(&words, "jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    let begin = json!({"user": "alice", "name": "Tablet", "key": KEY, "algorithm": "SHA256", "counter": null, "digits": 8,
        "period": 60, "replaces": "Phone", "code": "111111"});
    assert_eq!(daemon.calls(), [("Account.Begin".to_owned(), begin)]);
    assert!(ended.out.contains("Type this into an authenticator app:"), "{}", ended.out);
    assert!(ended.out.contains("otpctl confirm alice 3 CODE"), "{}", ended.out);
    assert!(!ended.out.contains('▀'), "no QR code into a pipe unless asked for");
}

#[test]
fn a_key_that_is_no_key_is_not_sent() {
    let daemon = Daemon::new(binding);
    for key in ["not-base32!", "AAAA", ""] {
        let ended = daemon.run_with(&["bind", "--begin", "--key", "-"], key);
        assert_eq!(ended.code, 2, "{key:?}: {ended:?}");
    }
    assert!(daemon.calls().is_empty());
}

#[test]
fn confirm_reads_its_words_by_their_number() {
    let daemon = Daemon::new(binding);
    assert_eq!(daemon.run_with(&["confirm", "alice", "3", "-"], "123456\n").code, 0);
    assert_eq!(daemon.run(&["confirm", "3", "123456"]).code, 0);
    let calls = daemon.calls();
    assert_eq!(calls[0].1, json!({"user": "alice", "device": "3", "code": "123456"}));
    assert_eq!(calls[1].1, json!({"user": null, "device": "3", "code": "123456"}));
    assert_eq!(daemon.run(&["confirm", "3"]).code, 2);
}

#[test]
fn a_file_for_the_qr_code_is_settled_before_anything_begins() {
    let daemon = Daemon::new(binding);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qr.png");
    std::fs::write(&path, "mine").unwrap();
    let ended = daemon.run(&["bind", "--begin", "--qr", path.to_str().unwrap()]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("exists already and is not overwritten"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert!(daemon.calls().is_empty());
}

#[test]
fn a_refused_begin_leaves_no_file() {
    let refusal = error("org.otpd.Account.Refused", &json!({"reason": "clock_unset", "say": "No clock."}));
    let daemon = Daemon::saying(refusal);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qr.svg");
    assert_eq!(daemon.run(&["bind", "--begin", "--qr", path.to_str().unwrap()]).code, 1);
    assert!(!path.exists());
}
