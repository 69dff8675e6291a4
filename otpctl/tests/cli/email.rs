//! Secure emails: added in one conversation, and before the first device.

use serde_json::Value;
use serde_json::json;

use crate::support::Answer;
use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::begun;
use crate::support::device;
use crate::support::email;
use crate::support::now;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

/// A daemon that mails `ABCD-EFGH`.
fn mailing(method: &str, parameters: &Value) -> Answer {
    match method {
        "Account.AddEmail" if parameters["address"] == "jane" => {
            refused("bad_address", "That is no address.")
        }
        "Account.AddEmail" => reply(&json!({"email": email("pending")})),
        "Account.ConfirmEmail" if parameters["code"] == "ABCDEFGH" => {
            reply(&json!({"email": email("confirmed")}))
        }
        "Account.ConfirmEmail" => refused("code_wrong", "That is not the code of the mail."),
        "Account.Emails" => reply(&json!({"emails": [email("confirmed")], "mail_problem": null})),
        other => panic!("{other}"),
    }
}

#[test]
fn an_address_is_added_and_proven_in_one_conversation() {
    let daemon = Daemon::new(mailing);
    let mut command = daemon.otpctl(&["email", "add", "jane@example.org"]);
    command.env("LANG", "zh_CN.UTF-8").env_remove("LC_ALL").env_remove("LC_MESSAGES");
    let mut terminal = AtTerminal::start(command);
    terminal.wait_for("A code was mailed to jane@example.org.");
    terminal.wait_for("Code from the mail:");
    terminal.enter("AAAA-AAAA");
    terminal.wait_for("That is not the code of the mail.");
    terminal.enter("ABCD-EFGH");
    let (code, seen) = terminal.finish();
    assert!(code == 0 && seen.contains("jane@example.org is a secure email now."), "{seen}");
    assert_eq!(daemon.calls()[0].1["language"], "zh_CN");
}

#[test]
fn without_a_terminal_the_code_is_given_later() {
    let ended = Daemon::new(mailing).run(&["email", "add", "alice", "jane@example.org"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("otpctl email confirm alice CODE"), "{}", ended.out);
    let ended = Daemon::new(mailing).run_with(&["email", "confirm", "-"], "abcd efgh\n");
    assert_eq!(ended.code, 4, "the daemon compares, not we: {ended:?}");
    let ended = Daemon::new(mailing).run_with(&["email", "confirm", "-"], "ABCD-EFGH\n");
    assert_eq!((ended.code, ended.out.as_str()), (0, "jane@example.org is a secure email now.\n"));
}

#[test]
fn each_stage_has_its_words() {
    let later = json!({"id": 2, "address": "new@example.org", "state": "confirmed", "added": 1,
        "recovers": now() + 90_000, "until": null});
    let emails = json!([email("confirmed"), later, email("pending"), email("removed")]);
    let daemon = Daemon::saying(reply(&json!({"emails": emails, "mail_problem": "the relay is away"})));
    let ended = daemon.run(&["email", "list"]);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines[0], "  1  jane@example.org               can be used to get back in");
    assert!(lines[1].contains("can be used to get back in from "), "{}", lines[1]);
    assert!(lines[2].contains("waits for its code until "), "{}", lines[2]);
    assert!(lines[3].contains("removed; told what happens until "), "{}", lines[3]);
    assert_eq!(lines[4], "No mail goes out: the relay is away.");
    let daemon = Daemon::saying(reply(&json!({"emails": [], "mail_problem": null})));
    let ended = daemon.run(&["email", "list", "alice"]);
    assert_eq!(ended.out, "No secure email. Add one: otpctl email add alice ADDRESS\n");
}

#[test]
fn the_last_one_that_goes_is_worth_a_warning() {
    let removed = json!({"email": email("removed"), "remaining": 0});
    let ended = Daemon::saying(reply(&removed)).run(&["email", "remove", "1", "--code", "123456"]);
    assert!(ended.out.contains("still told what happens") && ended.out.contains("No secure email is left"));
}

#[test]
fn the_first_device_is_led_to_through_a_secure_email() {
    let mut is_confirmed = false;
    let daemon = Daemon::new(move |method, parameters| match method {
        "Account.Begin" if !is_confirmed => refused("email_needed", "A secure email comes first."),
        "Account.Begin" => reply(&begun()),
        "Account.Status" => reply(&status(&json!({"protected": false}))),
        "Account.Confirm" => reply(&json!({"device": device(&json!({})), "offset": 0, "first": true,
            "recovery_codes": null, "retired": null, "now": now(), "clock_synchronised": true})),
        _ => {
            is_confirmed |= method == "Account.ConfirmEmail" && parameters["code"] == "ABCDEFGH";
            mailing(method, parameters)
        }
    });
    let mut terminal = AtTerminal::start(daemon.otpctl(&["bind"]));
    terminal.wait_for("Address:");
    terminal.enter("jane");
    terminal.wait_for("That is no address.");
    terminal.enter("jane@example.org");
    terminal.wait_for("Code from the mail:");
    terminal.enter("ABCD-EFGH");
    terminal.wait_for("Secure email: jane@example.org. Not yours?");
    terminal.wait_for("Code from the new device:");
    terminal.enter("123456");
    let (code, seen) = terminal.finish();
    assert_eq!(code, 0, "{seen}");
    assert!(seen.contains("a code comes to jane@example.org"), "{seen}");
}
