//! Recovery codes: shown once, and not thrown away by mistake.

use serde_json::Value;
use serde_json::json;

use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::device;
use crate::support::now;
use crate::support::reply;
use crate::support::status;

fn sheet() -> Vec<String> {
    (0..10).map(|number| format!("{number}111-2222-3333-4444")).collect()
}

/// A daemon with so many codes left.
fn daemon(left: &Value) -> Daemon {
    let status = status(&json!({"recovery_codes": left}));
    Daemon::new(move |method, _| match method {
        "Account.Status" => reply(&status),
        "Account.NewCodes" => reply(&json!({"codes": sheet()})),
        other => panic!("{other}"),
    })
}

#[test]
fn those_that_are_left_are_named_by_their_numbers() {
    let ended = daemon(&json!([2, 5, 10])).run(&["codes", "left"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "3 recovery codes are left: number 2, 5, 10\n"));
    let ended = daemon(&json!([7])).run(&["codes", "left"]);
    assert_eq!(ended.out, "1 recovery code is left: number 7\n");
    let ended = daemon(&json!([])).run(&["codes", "left"]);
    assert_eq!(ended.out, "No recovery codes are left for alice. Make some: otpctl codes new\n");
}

#[test]
fn new_ones_are_numbered_and_fit_a_narrow_screen() {
    let ended = daemon(&json!([])).run(&["codes", "new"]);
    let expected = "\
Recovery codes of alice
Each lets in once, typed in place of a code when every device is lost.

   1  0111-2222-3333-4444        6  5111-2222-3333-4444
   2  1111-2222-3333-4444        7  6111-2222-3333-4444
   3  2111-2222-3333-4444        8  7111-2222-3333-4444
   4  3111-2222-3333-4444        9  8111-2222-3333-4444
   5  4111-2222-3333-4444       10  9111-2222-3333-4444

Write them down or print them now: they are not shown again.
Keep them away from the phone.
";
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, expected, ""));
}

#[test]
fn codes_that_still_work_are_not_voided_without_a_yes() {
    let left = json!([1, 2]);
    let ended = daemon(&left).run(&["codes", "new"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("2 recovery codes are left for alice") && ended.err.contains("--yes"),
        "{}",
        ended.err
    );
    assert_eq!(daemon(&left).run(&["codes", "new", "--yes", "--json"]).object(), json!({"codes": sheet()}));
    let declining = daemon(&left);
    let mut screen = AtTerminal::start(declining.otpctl(&["codes", "new"]));
    screen.wait_for("Make new ones?");
    screen.enter("n");
    let (code, shown) = screen.finish();
    assert!(code == 1 && shown.contains("nothing was changed"), "{shown}");
    assert!(declining.calls().iter().all(|(method, _)| method != "Account.NewCodes"));
}

#[test]
fn the_first_device_brings_them() {
    let confirmed = json!({"device": device(&json!({})), "offset": 0, "first": true, "recovery_codes": sheet(),
        "retired": null, "now": now(), "clock_synchronised": true});
    let ended = Daemon::saying(reply(&confirmed)).run(&["confirm", "alice", "1", "123456"]);
    assert!(ended.out.contains("Recovery codes of alice\n"), "{}", ended.out);
    assert!(ended.out.contains("  10  9111-2222-3333-4444\n"), "{}", ended.out);
}

#[test]
fn a_recovery_is_shown_until_the_new_device_is_bound() {
    let changes = json!({"rebind_until": now() + 600});
    let ended = Daemon::saying(reply(&status(&changes))).run(&["status"]);
    assert!(
        ended.out.contains("Rebind    needed, somebody came in without a device; until "),
        "{}",
        ended.out
    );
    assert!(ended.out.ends_with("(--replace): otpctl bind\n"), "{}", ended.out);
    let changes = json!({"rebind_until": now() - 1});
    let ended = Daemon::saying(reply(&status(&changes))).run(&["status"]);
    assert!(ended.out.contains("Rebind    needed, somebody came in without a device\n"), "{}", ended.out);
}

#[test]
fn a_reset_of_who_must_have_a_device_prints_an_enrol_code() {
    let requirement = json!({"state": "required", "since": 0, "why": "everyone"});
    let demanded = status(&json!({"requirement": requirement}));
    let daemon = Daemon::new(move |method, _| match method {
        "Account.Status" => reply(&demanded),
        "Admin.Reset" => reply(&json!({"retired": 2})),
        "Admin.EnrolCode" => reply(&json!({"enrol_code": "ABCD-EFGH", "expires": now() + 600})),
        other => panic!("{other}"),
    });
    let ended = daemon.run(&["reset", "alice", "--yes"]);
    assert!(
        ended.out.starts_with("alice was reset: 2 devices retired.\nEnrol code: ABCD-EFGH\n"),
        "{}",
        ended.out
    );
    assert!(ended.out.ends_with("then alice runs: otpctl bind\n"), "{}", ended.out);
    assert_eq!(daemon.run(&["enrol-code", "alice", "--json"]).object()["enrol_code"], "ABCD-EFGH");
}
