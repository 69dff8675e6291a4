//! Where an account is signed in on the web, and the end of that.

use serde_json::json;

use crate::support::Daemon;
use crate::support::now;
use crate::support::reply;
use crate::support::status;

#[test]
fn sign_ins_stand_in_columns_and_no_browser_reaches_the_terminal() {
    let here = json!({"id": 7, "scope": "account", "host": null, "current": false, "issued": now() - 7200,
        "seen": now() - 190, "expires": now() + 60, "address": "192.0.2.7", "agent": "Mozilla/5.0 \u{1b}[2J",
        "device": "Phone"});
    let away = json!({"id": 12, "scope": "visit", "host": "files.example.org", "current": false,
        "issued": now() - 190, "seen": now() - 190, "expires": now() + 60, "address": null, "agent": null,
        "device": null});
    let daemon = Daemon::saying(reply(&json!({"sign_ins": [away, here]})));
    let ended = daemon.run(&["sign-ins", "alice"]);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("ID  Where              Last seen"), "{}", lines[0]);
    assert!(lines[1].starts_with("12  files.example.org  3 min ago"), "{}", lines[1]);
    assert!(lines[2].starts_with("7   account page       3 min ago"), "{}", lines[2]);
    assert!(lines[2].contains("192.0.2.7") && lines[2].contains("Phone") && !ended.out.contains('\u{1b}'));
    assert_eq!(daemon.calls(), [("Account.SignIns".to_owned(), json!({"user": "alice"}))]);
    let ended = Daemon::saying(reply(&json!({"sign_ins": []}))).run(&["sign-ins"]);
    assert_eq!(ended.out, "Not signed in on the web anywhere.\n");
}

#[test]
fn one_is_ended_by_its_number_and_all_by_a_word() {
    let ended = |words: &[&str]| {
        let daemon = Daemon::saying(reply(&json!({"ended": 2})));
        let ended = daemon.run(words);
        (ended.code, daemon.calls().into_iter().next().map(|(_, parameters)| parameters), ended.out)
    };
    let asked = |user, id| Some(json!({"user": user, "id": id, "code": null}));
    let (code, call, out) = ended(&["sign-out", "12"]);
    assert_eq!((code, call, out.as_str()), (0, asked(None::<&str>, Some(12)), "Signed out in 2 places.\n"));
    assert_eq!(ended(&["sign-out", "alice", "12"]).1, asked(Some("alice"), Some(12)));
    assert_eq!(ended(&["sign-out", "--all"]).1, asked(None, None));
    assert_eq!(ended(&["sign-out", "alice", "--all"]).1, asked(Some("alice"), None));
    for wrong in [&["sign-out"][..], &["sign-out", "alice"], &["sign-out", "alice", "12", "--all"]] {
        let (code, call, _) = ended(wrong);
        assert_eq!((code, call), (2, None), "{wrong:?}");
    }
}

#[test]
fn status_counts_them() {
    let ended = Daemon::saying(reply(&status(&json!({"sign_ins": 2})))).run(&["status"]);
    assert!(ended.out.contains("  Web       signed in on the web in 2 places\n"), "{}", ended.out);
}
