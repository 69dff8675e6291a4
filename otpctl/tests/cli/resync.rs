//! `resync`, and devices that count their codes.

use serde_json::Value;
use serde_json::json;

use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::begun;
use crate::support::device;
use crate::support::refused;
use crate::support::reply;

fn done(kind: &str, moved: i64) -> Value {
    json!({"device": device(&json!({"kind": kind})), "moved": moved})
}

#[test]
fn what_was_off_is_told_in_words() {
    for (kind, moved, told) in [
        ("hotp", 23, "it was 23 codes ahead."),
        ("hotp", 1, "it was 1 code ahead."),
        ("totp", 0, "its clock is right."),
        ("totp", 4, "its clock is about 120 seconds fast, which is taken into account from now on."),
        ("totp", -1, "its clock is about 30 seconds slow, which is taken into account from now on."),
    ] {
        let daemon = Daemon::saying(reply(&done(kind, moved)));
        let ended = daemon.run(&["resync", "Phone", "--codes", "123456", "654321"]);
        let expected = format!("\"Phone\" is in step again: {told} Take its next code to log in.\n");
        assert_eq!((ended.code, ended.out), (0, expected));
        let asked = json!({"user": null, "device": "Phone", "first": "123456", "second": "654321"});
        assert_eq!(daemon.calls(), [("Account.Resync".to_owned(), asked)]);
    }
}

#[test]
fn two_codes_are_asked_for_at_a_terminal_and_demanded_without_one() {
    let daemon = Daemon::saying(reply(&done("hotp", 2)));
    let ended = daemon.run(&["resync", "Phone"]);
    assert!(ended.code == 2 && ended.err.contains("--codes FIRST SECOND"), "{ended:?}");
    assert_eq!(daemon.run(&["resync", "Phone", "--codes", "123456"]).code, 2);
    let mut screen = AtTerminal::start(daemon.otpctl(&["resync", "alice", "Phone"]));
    screen.wait_for("A code that it shows:");
    screen.enter("123 456");
    screen.wait_for("The code after that:");
    screen.enter("654-321");
    assert_eq!(screen.finish().0, 0);
    let asked = json!({"user": "alice", "device": "Phone", "first": "123456", "second": "654321"});
    assert_eq!(daemon.calls(), [("Account.Resync".to_owned(), asked)]);
}

#[test]
fn a_dash_reads_the_next_code_from_standard_input() {
    let daemon = Daemon::saying(reply(&done("hotp", 2)));
    for (codes, lines) in
        [(["-", "-"], "123 456\n654-321\n"), (["123456", "-"], "654321\n"), (["-", "654321"], "123456")]
    {
        let ended = daemon.run_with(&["resync", "Phone", "--codes", codes[0], codes[1]], lines);
        assert_eq!(ended.code, 0, "{ended:?}");
        let asked = json!({"user": null, "device": "Phone", "first": "123456", "second": "654321"});
        assert_eq!(daemon.calls().pop().unwrap().1, asked);
    }
    for (lines, missing) in [("", "first"), ("\n654321\n", "first"), ("123456\n", "second")] {
        let ended = daemon.run_with(&["resync", "Phone", "--codes", "-", "-"], lines);
        let expected = format!("otpctl: no {missing} code on standard input\n");
        assert_eq!((ended.code, ended.err), (2, expected));
    }
    assert_eq!(daemon.calls().len(), 3);
}

#[test]
fn a_refusal_is_handed_on() {
    let daemon = Daemon::saying(refused("code_wrong", "These are not two new codes in a row."));
    let ended = daemon.run(&["resync", "Phone", "--codes", "123456", "654321"]);
    assert_eq!((ended.code, ended.err.as_str()), (4, "otpctl: These are not two new codes in a row.\n"));
}

#[test]
fn a_hardware_token_is_bound_with_its_hexadecimal_key_and_its_counter() {
    let daemon = Daemon::saying(reply(&begun()));
    let hex = "3132 3334 3536 3738 3930 3132 3334 3536 3738 3930";
    let ended = daemon.run(&["bind", "--begin", "--hotp", "--counter", "7", "--hex", "--key", hex]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let (_, asked) = &daemon.calls()[0];
    assert_eq!((&asked["counter"], &asked["period"]), (&json!(7), &Value::Null));
    assert_eq!(asked["key"], "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    for wrong in [
        vec!["bind", "--begin", "--hotp", "--period", "30"],
        vec!["bind", "--begin", "--counter", "7"],
        vec!["bind", "--begin", "--hex"],
        vec!["bind", "--begin", "--hex", "--key", "313233343536373839303132333435363"],
        vec!["bind", "--begin", "--hex", "--key", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        vec!["bind", "--begin", "--hex", "--key", "3132"],
    ] {
        assert_eq!(daemon.run(&wrong).code, 2, "{wrong:?}");
    }
    let devices = json!({"devices": [device(&json!({"kind": "hotp", "period": 0, "needs_resync": true}))], "more": false});
    let listed = Daemon::saying(reply(&devices)).run(&["devices"]).out;
    assert!(listed.contains("resync") && listed.contains("hotp"), "{listed}");
}
