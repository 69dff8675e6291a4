//! `adopt` and `prune`: what is shown and asked before anything changes.

use serde_json::Value;
use serde_json::json;

use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::refused;
use crate::support::reply;

fn adopted(changes: &Value) -> Value {
    let mut adopted = json!({"was_user": "alice", "was_uid": 1000, "user": "alicia", "uid": 1000,
        "active_devices": 2, "last_used": null, "changed": true});
    adopted.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    adopted
}

fn gone() -> Daemon {
    let account = |user: &str| {
        json!({"user": user, "uid": 1000, "protected": true, "active_devices": 1, "last_used": null,
            "locked": false, "recovery_codes": 10, "emails": 1, "weakest": "device"})
    };
    Daemon::new(move |method, parameters| match (method, parameters["after"].as_str()) {
        ("Admin.Gone", None) => reply(&json!({"accounts": [account("alice")], "next": "bob"})),
        ("Admin.Gone", Some("bob")) => reply(&json!({"accounts": [account("carol")], "next": null})),
        ("Admin.Prune", _) if parameters["user"] == "carol" => {
            refused("user_exists", "There is a user again.")
        }
        ("Admin.Prune", _) => reply(&json!({"retired": 1})),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_no_leaves_the_account_as_it_is() {
    let daemon = Daemon::saying(reply(&adopted(&json!({}))));
    let mut terminal = AtTerminal::start(daemon.otpctl(&["adopt", "alicia"]));
    terminal.wait_for("The account of alice (uid 1000), with 2 active devices");
    terminal.wait_for("Is it the same person? [y/N]");
    terminal.enter("n");
    assert_eq!(terminal.finish().0, 1);
    assert_eq!(daemon.calls(), [("Admin.Adopt".to_owned(), json!({"user": "alicia", "dry_run": true}))]);
}

#[test]
fn what_was_set_free_is_said_to_have_no_uid() {
    let daemon = Daemon::saying(reply(&adopted(&json!({"was_uid": null}))));
    let ended = daemon.run(&["adopt", "alicia", "--dry-run"]);
    assert!(ended.code == 0 && ended.out.contains("alice (no uid)"), "{ended:?}");
    let daemon = Daemon::saying(reply(&adopted(&json!({"changed": false}))));
    let ended = daemon.run(&["adopt", "alicia", "--yes"]);
    assert_eq!(ended.out, "Nothing to do: the account is that of alicia (uid 1000) already.\n");
    assert_eq!(daemon.calls().len(), 1);
}

#[test]
fn all_pages_are_listed_and_a_dry_run_prunes_nothing() {
    let daemon = gone();
    let ended = daemon.run(&["prune", "--dry-run"]);
    assert!(ended.out.contains("alice") && ended.out.contains("carol"), "{ended:?}");
    assert!(daemon.calls().iter().all(|(method, _)| method == "Admin.Gone"));
}

#[test]
fn who_came_back_is_left_and_counted() {
    let daemon = gone();
    let ended = daemon.run(&["prune", "--yes", "--json"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("carol is left as it is: There is a user again."), "{ended:?}");
    let object = ended.object();
    assert_eq!((&object["pruned"], &object["retired"]), (&json!(1), &json!(1)));
    assert_eq!(object["accounts"].as_array().unwrap().len(), 2);
}
