//! `audit`: which events are asked for, how they are shown, and following them.

use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::support::Daemon;
use crate::support::now;
use crate::support::reply;

fn event(id: i64, changes: &Value) -> Value {
    let mut event = json!({"id": id, "at": 1_700_000_000 + id, "user": "alice", "uid": 1000, "actor": "sshd",
        "event": "login", "verdict": "accept", "reason": "ok", "service": "sshd", "address": "192.0.2.7",
        "device": "Phone", "lane": "known", "detail": null});
    event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    event
}

#[test]
fn an_event_is_a_line_with_the_reason_of_a_refusal() {
    let refusal = json!({"verdict": "refuse", "reason": "code_wrong", "device": null});
    let events = json!({"events": [event(1, &json!({})), event(2, &refusal)], "more": false});
    let ended = Daemon::saying(reply(&events)).run(&["audit"]);
    let expected = "\
2023-11-14 22:13:21  accept   login    alice    \"Phone\", from 192.0.2.7, by sshd, lane known
2023-11-14 22:13:22  refuse   login    alice    code_wrong, from 192.0.2.7, by sshd, lane known
";
    assert_eq!(ended.out, expected);
}

#[test]
fn the_newest_fifty_are_asked_for_unless_told_otherwise() {
    let daemon = Daemon::saying(reply(&json!({"events": [], "more": false})));
    let asked = |words: &[&str]| {
        let ended = daemon.run(words);
        assert!(ended.code == 0 && ended.out == "No events.\n", "{ended:?}");
        daemon.calls().last().unwrap().1.clone()
    };
    let whole = |user: Value, since: Value, tail: Value| json!({"user": user, "since": since, "after": null, "before": null, "tail": tail, "event": null, "verdict": null, "code": null});
    assert_eq!(asked(&["audit"]), whole(Value::Null, Value::Null, json!(50)));
    assert_eq!(asked(&["audit", "alice", "-n", "3"]), whole(json!("alice"), Value::Null, json!(3)));
    let at = 1_700_000_000;
    assert_eq!(
        asked(&["audit", "--since", "2023-11-14T22:13:20Z"]),
        whole(Value::Null, json!(at), Value::Null)
    );
    let before = now() - 7_200;
    let since = asked(&["audit", "--since", "2h"])["since"].as_i64().unwrap();
    assert!((before..=now() - 7_200).contains(&since));
}

#[test]
fn everything_since_a_time_is_paged_through() {
    let daemon = Daemon::new(|_, parameters| {
        let id = parameters["after"].as_i64().unwrap_or(0) + 1;
        reply(&json!({"events": [event(id, &json!({}))], "more": id < 3}))
    });
    assert_eq!(daemon.run(&["audit", "--since", "2023-01-01"]).out.lines().count(), 3);
    let ended = daemon.run(&["audit", "--since", "2023-01-01", "--json"]);
    assert_eq!(ended.object()["events"].as_array().unwrap().len(), 3);
}

#[test]
fn the_newest_events_are_the_end_of_the_list() {
    let daemon = Daemon::saying(reply(&json!({"events": [event(9, &json!({}))], "more": true})));
    assert_eq!(daemon.run(&["audit", "-n", "1"]).out.lines().count(), 1);
    assert_eq!(daemon.calls().len(), 1);
}

#[test]
fn following_asks_for_what_is_new_and_prints_it_once() {
    let daemon = Daemon::new(|_, parameters| match parameters["after"].as_i64() {
        None => reply(&json!({"events": [event(7, &json!({}))], "more": false})),
        Some(7) => reply(&json!({"events": [event(8, &json!({}))], "more": false})),
        Some(_) => reply(&json!({"events": [], "more": false})),
    });
    let mut command = daemon.otpctl(&["audit", "--follow", "--json"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(2);
    let ids: Vec<i64> = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["id"].as_i64().unwrap())
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ids, [7, 8]);
    let calls = daemon.calls();
    assert_eq!((&calls[0].1["tail"], &calls[1].1["tail"]), (&json!(50), &Value::Null));
}

#[test]
fn a_time_that_is_none_is_a_usage_error() {
    let ended = Daemon::saying(Vec::new()).run(&["audit", "--since", "yesterday"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("2026-11-21"), "{ended:?}");
}
