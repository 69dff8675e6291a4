//! Codes that prove a change: asked for at a terminal, passed otherwise; and questions that want a yes.

use serde_json::Value;
use serde_json::json;

use crate::support::Answer;
use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

/// Unlocks for the code 111111.
fn guarded(method: &str, parameters: &Value) -> Answer {
    match (method, parameters["code"].as_str()) {
        ("Account.Status", _) => reply(&status(&json!({}))),
        (_, None) => refused("code_needed", "Your devices are asked."),
        (_, Some("111111")) => reply(&json!({"opened": [], "retired": 2})),
        (_, Some("999999")) => refused("locked", "Too many."),
        (_, Some(_)) => refused("code_wrong", "Not that one."),
    }
}

#[test]
fn without_a_terminal_it_says_what_to_pass() {
    let ended = Daemon::new(guarded).run(&["unlock"]);
    let expected = "otpctl: Your devices are asked. Pass one with --code CODE.\n";
    assert_eq!((ended.code, ended.err.as_str()), (4, expected));
}

#[test]
fn a_code_that_is_given_is_used_once_and_not_asked_for_again() {
    let daemon = Daemon::new(guarded);
    assert_eq!(daemon.run(&["unlock", "--code", "111 111"]).code, 0);
    assert_eq!(daemon.calls(), [("Account.Unlock".to_owned(), json!({"user": null, "code": "111111"}))]);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["unlock", "--code", "222222"]));
    terminal.wait_for("Not that one.");
    assert_eq!(terminal.finish().0, 4);
}

#[test]
fn a_dash_reads_the_code_from_standard_input() {
    let daemon = Daemon::new(guarded);
    assert_eq!(daemon.run_with(&["unlock", "--code", "-"], "111-111\n").code, 0);
    let ended = daemon.run_with(&["unlock", "--code", "-"], "");
    assert_eq!((ended.code, ended.err.as_str()), (2, "otpctl: no code on standard input\n"));
}

#[test]
fn at_a_terminal_a_wrong_code_may_be_mended() {
    let daemon = Daemon::new(guarded);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["unlock"]));
    terminal.wait_for("Code from one of your devices:");
    terminal.enter("222222");
    terminal.wait_for("Code from one of your devices:");
    terminal.enter("111111");
    let (code, seen) = terminal.finish();
    assert_eq!(code, 0);
    assert!(seen.contains("Not that one."), "{seen}");
}

#[test]
fn a_lock_ends_the_questions() {
    let daemon = Daemon::new(guarded);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["unlock"]));
    terminal.wait_for("Code from one of your devices:");
    terminal.enter("999999");
    let (code, seen) = terminal.finish();
    assert_eq!(code, 4);
    assert!(seen.contains("Too many.") && daemon.calls().len() == 2, "{seen}");
}

#[test]
fn three_wrong_codes_end_the_questions() {
    let daemon = Daemon::new(guarded);
    let mut terminal = AtTerminal::start(daemon.otpctl(&["unlock"]));
    for _ in 0..3 {
        terminal.wait_for("Code from one of your devices:");
        terminal.enter("222222");
    }
    assert_eq!(terminal.finish().0, 4);
    assert_eq!(daemon.calls().len(), 4);
}

#[test]
fn reset_and_off_want_a_yes_or_the_option() {
    for words in [&["reset", "alice"], &["off", "alice"]] {
        let daemon = Daemon::new(guarded);
        let ended = daemon.run(words);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.err.contains("pass --yes"), "{ended:?}");
        assert!(
            daemon.calls().iter().all(|(method, _)| method == "Account.Status"),
            "nothing else was called"
        );
    }
}

#[test]
fn only_a_yes_is_a_yes() {
    for (answer, expected) in [("y", 0), ("YES", 0), ("", 1), ("n", 1), ("yo", 1)] {
        let daemon = Daemon::new(guarded);
        let mut terminal = AtTerminal::start(daemon.otpctl(&["reset", "alice", "--code", "111111"]));
        terminal.wait_for("2 devices are retired");
        terminal.wait_for("Reset alice? [y/N]");
        terminal.enter(answer);
        assert_eq!(terminal.finish().0, expected, "{answer:?}");
        assert_eq!(daemon.calls().iter().any(|(method, _)| method == "Admin.Reset"), expected == 0);
    }
}

#[test]
fn a_list_passes_the_code_with_its_first_page_only() {
    let daemon = Daemon::new(|_, parameters| {
        let user = if parameters["after"].is_null() { "alice" } else { "bob" };
        let account = json!({"user": user, "uid": 1, "protected": true, "active_devices": 1, "last_used": null,
            "locked": false, "recovery_codes": 10, "emails": 1, "weakest": "device"});
        reply(&json!({"accounts": [account], "more": user == "alice"}))
    });
    assert_eq!(daemon.run(&["accounts", "--code", "111111"]).code, 0);
    let codes: Vec<Value> =
        daemon.calls().into_iter().map(|(_, parameters)| parameters["code"].clone()).collect();
    assert_eq!(codes, [json!("111111"), Value::Null]);
}
