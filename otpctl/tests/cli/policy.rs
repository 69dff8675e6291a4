//! Who must have login protection.

use serde_json::Value;
use serde_json::json;

use crate::support::Daemon;
use crate::support::refused;
use crate::support::reply;

fn report(changes: &Value) -> Value {
    let mut report = json!({"require_everyone": false, "require_groups": ["staff"], "exempt_users": ["backup"],
        "exempt_groups": ["robots"], "grace_days": 14, "grace_until": null, "required": [], "concerned": [],
        "looked_at": 1, "protected": 1, "locks_out": 0, "next": null});
    report.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    report
}

#[test]
fn the_report_tells_both_kinds_of_requirement_and_whom_they_meet() {
    let ended = Daemon::saying(reply(&report(&json!({})))).run(&["policy", "report"]);
    let expected = "\
otpd.toml requires protection of staff.
  Grace   14 days from the first login on
  Except  backup, group robots

Administrators require it of no other group.

Who has no device:
1 looked at, 1 protected. Nobody else must have a device.
";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    let required =
        json!([{"group": "family", "gid": 1500, "from": 1_700_000_000, "by": "carol", "at": 1_600_000_000}]);
    let concerned = |standing: &str, from: Value| {
        json!({"user": "alice", "uid": 1000, "standing": standing,
        "from": from, "enrol_code": false})
    };
    let met = json!([
        concerned("locked_out", json!(1)),
        concerned("grace", json!(1)),
        concerned("exempt", json!(null))
    ]);
    let changes = json!({"required": required, "concerned": met, "require_groups": []});
    let ended = Daemon::saying(reply(&report(&changes))).run(&["policy", "report"]);
    for told in
        ["requires protection of nobody", "family", "1500", "carol", "locked out", "let in until", "exempt"]
    {
        assert!(ended.out.contains(told), "{told}: {}", ended.out);
    }
}

#[test]
fn the_pages_of_a_report_are_one() {
    let daemon = Daemon::new(|_, asked| match asked["after"].as_str() {
        None => reply(&report(&json!({"next": "bob", "locks_out": 1}))),
        Some("bob") => reply(&report(&json!({"locks_out": 2, "protected": 0}))),
        Some(other) => panic!("{other}"),
    });
    let ended = daemon.run(&["policy", "report", "--group", "family", "--json"]);
    let object = ended.object();
    assert_eq!(
        (&object["looked_at"], &object["protected"], &object["locks_out"]),
        (&json!(2), &json!(1), &json!(3))
    );
    let asked = &daemon.calls()[1].1;
    assert_eq!((&asked["group"], &asked["grace_days"]), (&json!("family"), &json!(14)));
    let endless = Daemon::saying(reply(&report(&json!({"next": "bob"})))).run(&["policy", "report"]);
    assert_eq!(endless.code, 3, "{endless:?}");
}

#[test]
fn a_group_is_required_with_what_was_typed() {
    let done = json!({"group": "family", "gid": 1500, "from": 1_700_000_000, "locks_out": 2});
    let daemon = Daemon::saying(reply(&done));
    let ended = daemon.run(&[
        "policy",
        "require",
        "family",
        "--grace-days",
        "0",
        "--locks-out",
        "2",
        "--code",
        "123456",
    ]);
    assert!(ended.out.starts_with("Protection is required of group family from "), "{ended:?}");
    assert!(ended.out.contains("2 members are locked out"), "{ended:?}");
    let (method, asked) = &daemon.calls()[0];
    assert!(method.ends_with("Admin.RequireGroup"), "{method}");
    assert_eq!(*asked, json!({"group": "family", "grace_days": 0, "locks_out": 2, "code": "123456"}));
    let daemon = Daemon::saying(reply(&report(&json!({"locks_out": 1}))));
    let looked = daemon.run(&["policy", "require", "family", "--dry-run", "--grace-days", "0"]);
    assert!(looked.out.contains("1 of them loses the way in by this"), "{looked:?}");
    assert!(daemon.calls().iter().all(|(method, _)| method.ends_with("PolicyReport")));
    let refused = Daemon::saying(refused("locks_out", "2 members of it would be locked out."))
        .run(&["policy", "require", "x"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    for wrong in ["3651", "-1", "x"] {
        assert_eq!(daemon.run(&["policy", "require", "x", "--grace-days", wrong]).code, 2, "{wrong}");
    }
}

#[test]
fn a_released_group_may_be_required_by_the_configuration() {
    let done = |configured| json!({"group": "family", "gid": 1500, "configured": configured});
    let ended = Daemon::saying(reply(&done(false))).run(&["policy", "release", "family"]);
    assert_eq!(ended.out, "Group family is released.\n");
    let ended = Daemon::saying(reply(&done(true))).run(&["policy", "release", "family"]);
    assert!(ended.out.contains("otpd.toml requires protection of it still"), "{ended:?}");
}
