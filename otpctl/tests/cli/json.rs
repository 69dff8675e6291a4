//! `--json`: the documented shape of every command, and of failures.

use serde_json::Value;
use serde_json::json;

use crate::support::Daemon;
use crate::support::begun;
use crate::support::device;
use crate::support::email;
use crate::support::error;
use crate::support::refused;
use crate::support::reply;
use crate::support::status;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_command_prints_one_object_of_its_shape() {
    let account = json!({"user": "alice", "uid": 1000, "protected": true, "active_devices": 1,
        "last_used": null, "locked": false, "recovery_codes": 10, "emails": 1, "weakest": "device"});
    let adopted = json!({"was_user": "alice", "was_uid": 1, "user": "alice", "uid": 2, "active_devices": 1,
        "last_used": null, "changed": true});
    let policy = json!({"require_everyone": false, "require_groups": [], "exempt_users": [], "exempt_groups": [],
        "grace_days": 0, "grace_until": null, "required": [], "concerned": [], "looked_at": 0, "protected": 0,
        "locks_out": 0, "next": null});
    let policy_keys: &[&str] = &[
        "concerned",
        "exempt_groups",
        "exempt_users",
        "grace_days",
        "grace_until",
        "locks_out",
        "looked_at",
        "protected",
        "require_everyone",
        "require_groups",
        "required",
    ];
    let cases: [(&[&str], Value, &[&str]); 26] = [
        (&["bind", "--begin"], begun(), &["device", "expires", "key", "name", "uri"]),
        (
            &["confirm", "1", "123456"],
            json!({"device": device(&json!({})), "offset": 0, "first": true, "recovery_codes": ["0000-0000-0000-0000"],
                "retired": null, "now": 1,
                "clock_synchronised": null}),
            &["clock_synchronised", "device", "first", "now", "offset", "recovery_codes", "retired"],
        ),
        (
            &["status"],
            status(&json!({})),
            &[
                "active_devices",
                "clock_synchronised",
                "emails",
                "lanes",
                "mail_problem",
                "news",
                "now",
                "page_fingerprint",
                "pending_devices",
                "protected",
                "rebind_until",
                "recovery_codes",
                "requirement",
                "sign_ins",
                "user",
                "warnings",
            ],
        ),
        (&["devices"], json!({"devices": [device(&json!({}))], "more": false}), &["devices"]),
        (&["rename", "1", "Phone"], json!({"device": device(&json!({}))}), &["device"]),
        (&["unbind", "1"], json!({"device": device(&json!({})), "remaining": 1}), &["device", "remaining"]),
        (&["unlock"], json!({"opened": ["local"]}), &["opened"]),
        (&["codes", "left"], status(&json!({})), &["left"]),
        (&["email", "add", "jane@example.org"], json!({"email": email("pending")}), &["email"]),
        (&["email", "confirm", "ABCD-EFGH"], json!({"email": email("confirmed")}), &["email"]),
        (&["email", "list"], json!({"emails": [], "mail_problem": null}), &["emails", "mail_problem"]),
        (
            &["email", "remove", "1"],
            json!({"email": email("removed"), "remaining": 0}),
            &["email", "remaining"],
        ),
        (&["mail", "test", "jane@example.org"], mail_status(), &["address", "transport", "try"]),
        (&["sign-ins"], json!({"sign_ins": []}), &["sign_ins"]),
        (&["sign-out", "--all"], json!({"ended": 0}), &["ended"]),
        (&["reset", "alice", "--yes"], json!({"retired": 2}), &["retired"]),
        (
            &["adopt", "alice", "--yes"],
            adopted,
            &["active_devices", "changed", "last_used", "uid", "user", "was_uid", "was_user"],
        ),
        (
            &["prune", "--dry-run"],
            json!({"accounts": [account], "next": null}),
            &["accounts", "pruned", "retired"],
        ),
        (
            &["clock-reset", "--yes"],
            json!({"accounts": ["alice"], "devices": 1, "next": null, "now": 1, "clock_synchronised": true}),
            &["accounts", "clock_synchronised", "devices", "now"],
        ),
        (&["accounts"], json!({"accounts": [account], "more": false}), &["accounts"]),
        (&["policy", "report"], policy.clone(), policy_keys),
        (&["policy", "require", "family", "--dry-run"], policy, policy_keys),
        (
            &["policy", "require", "family"],
            json!({"group": "family", "gid": 100, "from": 1, "locks_out": 0}),
            &["from", "gid", "group", "locks_out"],
        ),
        (
            &["policy", "release", "family"],
            json!({"group": "family", "gid": 100, "configured": false}),
            &["configured", "gid", "group"],
        ),
        (&["audit"], json!({"events": [], "more": false}), &["events"]),
        (&["man"], json!({}), &["manual"]),
    ];
    for (words, result, shape) in cases {
        let ended = Daemon::saying(reply(&result)).run(&[words, &["--json"]].concat());
        let mut object = ended.object();
        object.sort_all_objects();
        assert_eq!(keys(&object), shape, "{words:?}");
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words:?}");
    }
}

/// What is also an answer to `MailTest`.
fn mail_status() -> Value {
    let delivered = json!({"at": 1, "outcome": "delivered", "answer": "250 OK", "advice": null});
    json!({"id": "ab", "transport": "SMTP", "problem": null, "waiting": 0, "oldest": null,
        "last_delivered": null, "last_trouble": null, "given_up": [], "test": delivered})
}

#[test]
fn off_prints_how_many_were_retired() {
    let daemon = Daemon::new(|method, _| match method {
        "Account.Status" => reply(&status(&json!({}))),
        _ => reply(&json!({"retired": 2})),
    });
    assert_eq!(daemon.run(&["off", "--yes", "--json"]).object(), json!({"retired": 2}));
}

#[test]
fn every_kind_of_refusal_has_its_exit_code_and_keeps_its_words() {
    let cases = [
        ("code_needed", 4),
        ("code_wrong", 4),
        ("code_used", 4),
        ("locked", 4),
        ("not_permitted", 5),
        ("no_such_device", 1),
        ("code_malformed", 4),
        ("last_device_required", 1),
    ];
    for (reason, code) in cases {
        let ended = Daemon::saying(refused(reason, "So it is. --code")).run(&["unbind", "1", "--json"]);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{reason}");
        let failure: Value = serde_json::from_str(&ended.err).unwrap();
        assert_eq!(failure, json!({"error": {"reason": reason, "message": "So it is. --code"}}));
    }
}

#[test]
fn a_refusal_for_a_while_says_until_when() {
    let parameters = json!({"reason": "locked", "say": "Wait.", "until": 4_000_000_000_i64});
    let ended = Daemon::saying(error("org.otpd.Admin.Refused", &parameters)).run(&["accounts", "--json"]);
    let failure: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(failure["error"]["until"], 4_000_000_000_i64);
    assert_eq!(ended.code, 4);
}

#[test]
fn the_other_errors_have_their_codes_too() {
    let cases = [
        ("org.varlink.service.PermissionDenied", json!({}), 5, "not_permitted"),
        ("org.varlink.service.InvalidParameter", json!({"parameter": "name"}), 1, "invalid_parameter"),
        ("org.varlink.service.MethodNotFound", json!({"method": "x"}), 3, "unknown_method"),
        ("org.otpd.Account.Unavailable", json!({"say": "The disk is gone."}), 3, "unavailable"),
        ("org.example.Strange", json!({}), 3, "broken"),
    ];
    for (name, parameters, code, reason) in cases {
        let ended = Daemon::saying(error(name, &parameters)).run(&["status", "--json"]);
        let failure: Value = serde_json::from_str(&ended.err).unwrap();
        assert_eq!((ended.code, failure["error"]["reason"].as_str()), (code, Some(reason)), "{name}");
    }
}

#[test]
fn a_wrong_command_line_is_json_too() {
    let ended = Daemon::saying(Vec::new()).run(&["--json", "bind", "--digits", "9"]);
    let failure: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!((ended.code, failure["error"]["reason"].as_str()), (2, Some("usage")));
    let ended = Daemon::saying(Vec::new()).run(&["--json", "bind"]);
    assert_eq!(ended.code, 2, "a conversation cannot be JSON: {ended:?}");
    assert!(ended.err.contains("--begin"), "{ended:?}");
}
