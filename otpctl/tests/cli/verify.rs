//! `audit --verify`: the pages of a check, what is said of flaws, and how it ends.

use serde_json::Value;
use serde_json::json;

use crate::support::Daemon;
use crate::support::error;
use crate::support::reply;

const MAC: &str = "000102030405060708090a0b0c0d0e0f";

fn walk(last: i64) -> Value {
    json!({"last": last, "mac": MAC, "shift": 0, "holes": []})
}

fn page(last: i64, flaws: &Value, more: bool) -> Vec<u8> {
    let head = format!("30:{MAC}");
    reply(&json!({"walk": walk(last), "flaws": flaws, "first": 6, "head": head, "more": more}))
}

fn flaw(defect: &str, number: i64, say: &str) -> Value {
    json!({"defect": defect, "number": number, "last": number, "at": 1_700_000_000, "say": say})
}

#[test]
fn a_whole_log_is_checked_to_its_end() {
    let daemon = Daemon::new(|_, parameters| match parameters["walk"]["last"].as_i64() {
        None => page(10, &json!([]), true),
        Some(10) => page(20, &json!([]), true),
        Some(_) => page(30, &json!([]), false),
    });
    let ended = daemon.run(&["audit", "--verify"]);
    assert_eq!(ended.out, format!("The audit log is whole: events 6 to 30.\nIts head: 30:{MAC}\n"));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let calls = daemon.calls();
    assert_eq!(
        calls.iter().map(|call| call.1["walk"].clone()).collect::<Vec<_>>(),
        [Value::Null, walk(10), walk(20)]
    );
}

#[test]
fn flaws_are_told_with_their_time_and_fail() {
    let flaws = json!([flaw("changed", 17, "Event 17 is wrong."), flaw("removed", 18, "Event 18 was removed."),
        {"defect": "anchor", "number": 0, "last": 0, "at": null, "say": "The note is wrong."}]);
    let daemon = Daemon::saying(page(30, &flaws, false));
    let ended = daemon.run(&["audit", "--verify"]);
    let expected = format!(
        "\
2023-11-14 22:13:20         Event 17 is wrong.
before 2023-11-14 22:13:20  Event 18 was removed.
                            The note is wrong.
The audit log is not as otpd wrote it.
Its head: 30:{MAC}
"
    );
    assert_eq!(ended.out, expected);
    assert_eq!(ended.code, 1);
    let object = daemon.run(&["audit", "--verify", "--json"]).object();
    assert_eq!((&object["whole"], &object["first"]), (&json!(false), &json!(6)));
    assert_eq!((&object["flaws"], &object["more_flaws"]), (&flaws, &json!(0)));
}

#[test]
fn of_very_many_flaws_the_first_are_told_and_the_others_counted() {
    let flaws: Vec<Value> = (0..100).map(|number| flaw("changed", number, "Wrong.")).collect();
    let flaws = json!(flaws);
    let daemon = Daemon::new(move |_, parameters| {
        let last = parameters["walk"]["last"].as_i64().unwrap_or(0) + 100;
        page(last, &flaws, last < 300)
    });
    let ended = daemon.run(&["audit", "--verify"]);
    assert!(ended.out.contains("\n... and 100 more.\n"), "{ended:?}");
    assert_eq!(ended.out.matches("Wrong.").count(), 200);
}

#[test]
fn a_head_from_syslog_is_asked_for_in_each_call() {
    let daemon = Daemon::new(|_, parameters| {
        assert_eq!(parameters["known"], json!(format!("12:{MAC}")));
        if parameters["walk"].is_null() { page(20, &json!([]), true) } else { page(30, &json!([]), false) }
    });
    let ended = daemon.run(&["audit", "--verify", "--head", &format!("12:{}", MAC.to_uppercase())]);
    assert!(ended.code == 0 && ended.out.contains("\nThe head 12 is in it.\n"), "{ended:?}");
    assert_eq!(daemon.calls().len(), 2);
}

#[test]
fn pages_that_do_not_move_on_are_not_asked_for_for_ever() {
    let ended = Daemon::saying(page(30, &json!([]), true)).run(&["audit", "--verify"]);
    assert!(ended.code == 3 && ended.err.contains("does not end"), "{ended:?}");
}

#[test]
fn a_head_that_is_none_and_a_verify_of_a_part_are_usage_errors() {
    let daemon = Daemon::saying(Vec::new());
    for words in [
        &["audit", "--verify", "--head", "12"][..],
        &["audit", "--verify", "--head", "12:zz"],
        &["audit", "--head", &format!("12:{MAC}")],
        &["audit", "--verify", "alice"],
        &["audit", "--verify", "--since", "7d"],
        &["audit", "--verify", "--follow"],
        &["audit", "--verify", "-n", "5"],
    ] {
        let ended = daemon.run(words);
        assert_eq!(ended.code, 2, "{words:?}: {ended:?}");
    }
    assert!(daemon.calls().is_empty());
}

#[test]
fn a_head_that_is_too_old_is_refused_by_otpd() {
    let refused = json!({"reason": "bad_head", "say": "Take a newer head.", "until": null});
    let ended = Daemon::saying(error("org.otpd.Admin.Refused", &refused)).run(&["audit", "--verify"]);
    assert!(ended.code == 1 && ended.err.contains("Take a newer head."), "{ended:?}");
}
