//! Which socket is whose, and what a caller gets who is nobody here or not the one they name.

use std::fs;
use std::os::unix::fs::MetadataExt;

use otpd_proto::ACCOUNT_SOCKET;
use otpd_proto::LOGIN_SOCKET;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::login;
use crate::peer;
use crate::peer::Peer;

const DENIED: &str = "org.varlink.service.PermissionDenied";
const LOGIN_CALLS: [&str; 3] = ["org.otpd.Login.Start", "org.otpd.Login.Answer", "org.otpd.Login.Account"];

/// alice protected, bob not, carol an administrator.
fn bed() -> (Testbed, [u32; 3]) {
    let mut bed = Testbed::without_daemon();
    let uids = ["alice", "bob", "carol"].map(|name| bed.user(name));
    bed.join("otpadmin", "carol");
    bed.configure("");
    bed.start();
    bed.bind("alice", "phone");
    (bed, uids)
}

/// Every call about an account, with what it needs.
fn calls_about(user: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("org.otpd.Account.Status", json!({"user": user})),
        ("org.otpd.Account.Devices", json!({"user": user})),
        ("org.otpd.Account.Begin", json!({"user": user, "name": "mine"})),
        ("org.otpd.Account.Confirm", json!({"user": user, "device": "phone", "code": "123456"})),
        ("org.otpd.Account.Rename", json!({"user": user, "device": "phone", "name": "mine"})),
        ("org.otpd.Account.Unbind", json!({"user": user, "device": "phone"})),
        ("org.otpd.Account.Off", json!({"user": user})),
        ("org.otpd.Account.Unlock", json!({"user": user})),
        ("org.otpd.Admin.Reset", json!({"user": user})),
    ]
}

fn admin_calls() -> [(&'static str, Value); 3] {
    ["org.otpd.Admin.Accounts", "org.otpd.Admin.Audit", "org.otpd.Admin.Doctor"].map(|name| (name, json!({})))
}

fn parameters_of(login_call: &str, user: &str) -> Value {
    let mut parameters = login(user);
    if login_call == "org.otpd.Login.Answer" {
        parameters["answer"] = "123456".into();
    }
    parameters
}

/// Asserts the refusal that tells nothing, whatever the call and whomever it names.
#[track_caller]
fn assert_not_permitted(peer: &mut Peer, method: &str, parameters: &Value) {
    let reply = peer.call(method, parameters);
    let interface = method.rsplit_once('.').unwrap().0;
    assert_eq!(reply["error"], format!("{interface}.Refused"), "{method} {parameters}: {reply}");
    assert_eq!(reply["parameters"]["reason"], "not_permitted", "{method} {parameters}: {reply}");
}

#[test]
fn login_sock_is_roots_and_account_sock_is_everybodys() {
    let (bed, [alice, ..]) = bed();
    let found = fs::metadata(bed.runtime()).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o755));
    for (socket, mode) in [(LOGIN_SOCKET, 0o600), (ACCOUNT_SOCKET, 0o666)] {
        let found = fs::symlink_metadata(bed.runtime().join(socket)).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (0, mode), "{socket}");
    }
    let refused = peer::command(&bed, alice, LOGIN_SOCKET).output().unwrap();
    assert_eq!(refused.status.code(), Some(77), "{refused:?}");
    assert_eq!(String::from_utf8_lossy(&refused.stderr), "Permission denied\n");
    assert!(peer::command(&bed, alice, ACCOUNT_SOCKET).output().unwrap().status.success());
}

#[test]
fn login_sock_serves_logins_and_nothing_else() {
    let (bed, _) = bed();
    let mut root = Peer::root(&bed, LOGIN_SOCKET);
    for (method, parameters) in calls_about("alice").into_iter().chain(admin_calls()) {
        assert_eq!(root.error(method, &parameters), "org.varlink.service.InterfaceNotFound", "{method}");
    }
}

#[test]
fn a_user_can_log_in_as_nobody_else() {
    let (bed, uids) = bed();
    for (uid, own) in uids.into_iter().zip(["alice", "bob", "carol"]) {
        let mut peer = Peer::user(&bed, uid, ACCOUNT_SOCKET);
        for method in LOGIN_CALLS {
            for other in ["alice", "bob", "root", "nobody", "nobody-here", ""] {
                let parameters = parameters_of(method, other);
                if other != own {
                    assert_eq!(peer.error(method, &parameters), DENIED, "{own}: {method} {parameters}");
                }
            }
        }
        let begun = peer.call("org.otpd.Login.Start", &login(own));
        assert!(begun["error"].is_null(), "{own}: {begun}");
    }
    let status = bed.daemon().account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap();
    assert_eq!(status["lanes"], json!([]), "wrong codes of others were counted");
}

#[test]
fn a_user_neither_reads_nor_changes_anybody_else() {
    let (bed, [_, bob, _]) = bed();
    let before = bed.daemon().account("org.otpd.Account.Devices", &json!({"user": "alice"})).unwrap();
    let mut peer = Peer::user(&bed, bob, ACCOUNT_SOCKET);
    for other in ["alice", "root", "carol", "nobody-here", ""] {
        for (method, parameters) in calls_about(other) {
            assert_not_permitted(&mut peer, method, &parameters);
        }
    }
    let after = bed.daemon().account("org.otpd.Account.Devices", &json!({"user": "alice"})).unwrap();
    assert_eq!(before, after);
}

#[test]
fn administration_is_refused_to_ordinary_users() {
    let (bed, [alice, bob, carol]) = bed();
    for uid in [alice, bob] {
        let mut peer = Peer::user(&bed, uid, ACCOUNT_SOCKET);
        for (method, parameters) in admin_calls() {
            assert_not_permitted(&mut peer, method, &parameters);
        }
        assert_not_permitted(&mut peer, "org.otpd.Admin.Reset", &json!({"user": "alice"}));
    }
    let mut administrator = Peer::user(&bed, carol, ACCOUNT_SOCKET);
    assert!(administrator.call("org.otpd.Admin.Doctor", &json!({}))["error"].is_null());
}

#[test]
fn who_is_nobody_here_gets_nothing() {
    let (bed, _) = bed();
    for uid in [65_534, 64_321, 4_000_000_000] {
        let mut peer = Peer::user(&bed, uid, ACCOUNT_SOCKET);
        let own =
            ["Status", "Devices", "Begin", "Off", "Unlock"].map(|name| format!("org.otpd.Account.{name}"));
        own.iter().for_each(|method| assert_not_permitted(&mut peer, method, &json!({})));
        for user in ["alice", "nobody"] {
            for (method, parameters) in calls_about(user).into_iter().chain(admin_calls()) {
                assert_not_permitted(&mut peer, method, &parameters);
            }
            for method in LOGIN_CALLS {
                let parameters = parameters_of(method, user);
                assert_eq!(peer.error(method, &parameters), DENIED, "uid {uid}: {method} {parameters}");
            }
        }
    }
    let accounts = bed.daemon().account("org.otpd.Admin.Accounts", &json!({})).unwrap();
    let names: Vec<&Value> =
        accounts["accounts"].as_array().unwrap().iter().map(|one| &one["user"]).collect();
    assert_eq!(names, ["alice"], "a refused call made an account");
}
