//! The rules of who may change what, played by an unprivileged user who tries to get round each of them, and by an
//! administrator. Through the real otpctl and, where otpctl would not ask such a thing, the socket itself.

use otpd_tests::Output;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

const WRONG: &str = "99999999";

fn bed() -> Testbed {
    let mut bed = Testbed::new();
    for user in ["alice", "bob"] {
        bed.user(user);
    }
    bed
}

/// otpctl as a user, with `--json`.
fn ctl(bed: &Testbed, user: &str, arguments: &[&str]) -> Output {
    let mut all = vec!["--json"];
    all.extend(arguments);
    bed.run_as(user, "otpctl", &all)
}

/// The reason of a refusal, and that nothing else happened.
#[track_caller]
fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.code, code, "{output:?}");
    assert_eq!(output.stdout, "", "{output:?}");
    let error: Value = serde_json::from_str(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
    error["error"]["reason"].as_str().unwrap().to_owned()
}

/// A call on a socket as a user, past otpctl.
fn call(bed: &Testbed, user: &str, socket: &str, method: &str, parameters: &Value) -> Value {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/call.py");
    let socket = format!("/run/otpd/{socket}");
    bed.run_as(user, "python3", &[tool, &socket, method, &parameters.to_string()]).ok().json()
}

/// Binds the user's own first device, as the user.
fn bind_own(bed: &Testbed, user: &str) -> Token {
    let begun = ctl(bed, user, &["bind", "--begin", "--name", "phone"]).ok().json();
    let phone = Token::new(begun["key"].as_str().unwrap());
    let confirmed = ctl(bed, user, &["confirm", "phone", &phone.code(-1)]).ok().json();
    assert_eq!(confirmed["first"], true);
    phone
}

#[test]
fn the_first_device_is_bound_without_a_code_and_announced_at_the_next_login() {
    let bed = bed();
    let phone = bind_own(&bed, "alice");
    let prompt = || {
        let login = json!({"login": {"user": "alice", "service": "sshd"}});
        let step = bed.daemon().login("org.otpd.Login.Start", &login).unwrap();
        step["step"]["prompt"].as_str().unwrap().to_owned()
    };
    let announced = prompt();
    assert!(announced.contains("turned on") && announced.contains("phone"), "{announced}");
    let login = json!({"login": {"user": "alice", "service": "sshd"}, "answer": phone.code(1)});
    assert_eq!(bed.daemon().login("org.otpd.Login.Answer", &login).unwrap()["step"]["next"], "accept");
    assert!(!prompt().contains("turned on"));
}

#[test]
fn every_change_of_a_protected_account_needs_a_code_of_its_own() {
    let bed = bed();
    let phone = bind_own(&bed, "alice");
    let bobs = bind_own(&bed, "bob");
    let changes: [&[&str]; 6] = [
        &["bind", "--begin", "--name", "second"],
        &["bind", "--begin", "--name", "phone", "--replace", "phone"],
        &["rename", "phone", "other"],
        &["unbind", "phone"],
        &["off", "--yes"],
        &["unlock"],
    ];
    for change in changes {
        assert_eq!(refused(&ctl(&bed, "alice", change), 4), "code_needed", "{change:?}");
        let mut with_bobs = change.to_vec();
        let code = bobs.code(0);
        with_bobs.extend(["--code", &code]);
        assert_eq!(refused(&ctl(&bed, "alice", &with_bobs), 4), "code_wrong", "{change:?}");
        bed.run("otpctl", &["unlock", "alice"]).ok();
    }
    let devices = ctl(&bed, "alice", &["devices"]).ok().json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1);
    assert_eq!(devices["devices"][0]["name"], "phone");
    let code = phone.code(0);
    ctl(&bed, "alice", &["rename", "phone", "other", "--code", &code]).ok();
    assert_eq!(refused(&ctl(&bed, "alice", &["off", "--yes", "--code", &code]), 4), "code_used");
    ctl(&bed, "alice", &["off", "--yes", "--code", &phone.code(1)]).ok();
    assert_eq!(ctl(&bed, "alice", &["status"]).ok().json()["protected"], false);
}

#[test]
fn a_device_begun_before_the_first_was_proven_is_no_second_way_in() {
    let bed = bed();
    let thief = ctl(&bed, "alice", &["bind", "--begin", "--name", "thief"]).ok().json();
    bind_own(&bed, "alice");
    let code = Token::new(thief["key"].as_str().unwrap()).code(0);
    assert_eq!(refused(&ctl(&bed, "alice", &["confirm", "thief", &code]), 1), "pending_expired");
    let active = ctl(&bed, "alice", &["status"]).ok().json()["active_devices"].clone();
    assert_eq!(active, 1);
}

#[test]
fn other_peoples_accounts_are_closed_and_tell_nothing() {
    let bed = bed();
    bind_own(&bed, "alice");
    let bobs = bind_own(&bed, "bob");
    let code = bobs.code(0);
    for arguments in [
        vec!["status", "alice"],
        vec!["status", "root"],
        vec!["status", "nosuchuser"],
        vec!["devices", "alice"],
        vec!["bind", "alice", "--begin"],
        vec!["confirm", "alice", "phone", "123456"],
        vec!["rename", "alice", "phone", "x", "--code", &code],
        vec!["unbind", "alice", "phone", "--code", &code],
        vec!["off", "alice", "--yes", "--code", &code],
        vec!["unlock", "alice", "--code", &code],
        vec!["reset", "alice", "--yes", "--code", &code],
        vec!["reset", "bob", "--yes", "--code", &code],
        vec!["accounts"],
        vec!["audit"],
    ] {
        assert_eq!(refused(&ctl(&bed, "bob", &arguments), 5), "not_permitted", "{arguments:?}");
    }
    assert_eq!(ctl(&bed, "alice", &["status"]).ok().json()["lanes"], json!([]));
}

#[test]
fn account_sock_is_no_way_round_login_sock() {
    let bed = bed();
    let phone = bind_own(&bed, "alice");
    bind_own(&bed, "bob");
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/call.py");
    let closed =
        bed.run_as("alice", "python3", &[tool, "/run/otpd/login.sock", "org.varlink.service.GetInfo", "{}"]);
    assert!(closed.stderr.contains("PermissionError"), "{closed:?}");
    let ask = |user: &str, name: &str, answer: &str| {
        let login =
            json!({"login": {"user": name, "service": "sshd", "rhost": "192.0.2.1"}, "answer": answer});
        call(&bed, user, "account.sock", "org.otpd.Login.Answer", &login)
    };
    // Somebody else's code, on one's own socket.
    assert_eq!(ask("bob", "alice", &phone.code(0))["error"], "org.varlink.service.PermissionDenied");
    let event = bed.last_event("alice");
    assert_eq!((&event["reason"], &event["actor"]), (&json!("not_permitted"), &json!("uid 61001")));
    // One's own wrong codes count in the lane of one's own processes, whatever address is claimed.
    for _ in 0..4 {
        assert_eq!(ask("alice", "alice", WRONG)["parameters"]["step"]["next"], "refuse");
    }
    assert_eq!(ask("alice", "alice", &phone.code(0))["parameters"]["step"]["next"], "locked");
    let status = bed.run("otpctl", &["--json", "status", "alice"]).ok().json();
    assert_eq!(status["lanes"].as_array().unwrap().len(), 1);
    assert_eq!(status["lanes"][0]["lane"], "own");
    let login = json!({"login": {"user": "alice", "service": "sudo"}, "answer": phone.code(0)});
    let step = bed.daemon().login("org.otpd.Login.Answer", &login).unwrap();
    assert_eq!(step["step"]["next"], "accept", "the lane of sudo was closed by the user's own processes");
    // And a code accepted at a login is spent for every socket.
    bed.run("otpctl", &["unlock", "alice"]).ok();
    assert_eq!(refused(&ctl(&bed, "alice", &["off", "--yes", "--code", &phone.same_code()]), 4), "code_used");
}

#[test]
fn users_mixed_between_start_and_answer_gain_nothing() {
    let bed = bed();
    let alices = bind_own(&bed, "alice");
    bind_own(&bed, "bob");
    let daemon = bed.daemon();
    let start = daemon
        .login("org.otpd.Login.Start", &json!({"login": {"user": "alice", "service": "sshd"}}))
        .unwrap();
    assert_eq!(start["step"]["next"], "ask");
    let mixed = json!({"login": {"user": "bob", "service": "sshd"}, "answer": alices.code(0)});
    assert_eq!(daemon.login("org.otpd.Login.Answer", &mixed).unwrap()["step"]["next"], "refuse");
    // An answer is judged by what it carries itself: a service that never asks is not believed because of Start.
    let other = json!({"login": {"user": "bob", "service": "sshd"}, "answer": "no code"});
    assert_eq!(daemon.login("org.otpd.Login.Answer", &other).unwrap()["step"]["next"], "refuse");
    assert_eq!(bed.last_event("bob")["reason"], "code_malformed");
    let status = bed.run("otpctl", &["--json", "status", "bob"]).ok().json();
    assert_eq!(status["lanes"][0]["failures"], 1, "what has no form of a code is not counted");
}

#[test]
fn administrators_prove_themselves_and_do_not_touch_themselves_or_root() {
    let mut bed = bed();
    bed.user("admin");
    bed.etc("group", "admins:x:60997:admin");
    bed.configure("admin.group = \"admins\"");
    bed.take_daemon().stop();
    bed.start();
    bind_own(&bed, "alice");
    bed.bind("root", "phone");
    assert_eq!(refused(&ctl(&bed, "admin", &["reset", "alice", "--yes"]), 1), "not_protected");
    let own = bind_own(&bed, "admin");
    assert_eq!(refused(&ctl(&bed, "admin", &["reset", "alice", "--yes"]), 4), "code_needed");
    assert_eq!(refused(&ctl(&bed, "admin", &["reset", "alice", "--yes", "--code", WRONG]), 4), "code_wrong");
    assert_eq!(ctl(&bed, "admin", &["status", "alice"]).ok().json()["protected"], true);
    ctl(&bed, "admin", &["unlock", "alice", "--code", &own.code(0)]).ok();
    // Ten minutes on the strength of that code.
    ctl(&bed, "admin", &["reset", "alice", "--yes"]).ok();
    assert_eq!(ctl(&bed, "admin", &["status", "alice"]).ok().json()["protected"], false);
    for arguments in [["reset", "admin", "--yes"], ["reset", "root", "--yes"], ["off", "root", "--yes"]] {
        assert_eq!(refused(&ctl(&bed, "admin", &arguments), 5), "not_permitted", "{arguments:?}");
    }
    assert_eq!(refused(&ctl(&bed, "admin", &["unlock", "root"]), 5), "not_permitted");
    assert_eq!(refused(&ctl(&bed, "admin", &["off", "--yes"]), 4), "code_needed");
    assert_eq!(refused(&ctl(&bed, "admin", &["bind", "bob", "--begin"]), 5), "not_permitted");
    let audit = ctl(&bed, "admin", &["audit"]).ok().json();
    let resets: Vec<&Value> =
        audit["events"].as_array().unwrap().iter().filter(|e| e["event"] == "reset").collect();
    let last = resets.iter().rev().find(|event| event["verdict"] == "accept").unwrap();
    assert_eq!((last["user"].as_str(), last["actor"].as_str()), (Some("alice"), Some("admin")));
}

#[test]
fn the_last_device_stays_while_policy_demands_one() {
    let mut bed = bed();
    bed.etc("group", "must:x:60996:alice");
    bed.configure("[policy]\nrequire_groups = [\"must\"]");
    bed.take_daemon().stop();
    bed.start();
    let login = json!({"login": {"user": "alice", "service": "sshd"}});
    // Required, unprotected, no grace: asked like anybody else, and refused.
    assert_eq!(bed.daemon().login("org.otpd.Login.Start", &login).unwrap()["step"]["next"], "ask");
    let answer = json!({"login": {"user": "alice", "service": "sshd"}, "answer": "123456"});
    assert_eq!(bed.daemon().login("org.otpd.Login.Answer", &answer).unwrap()["step"]["next"], "refuse");
    let phone = bind_own(&bed, "alice");
    let code = phone.code(0);
    assert_eq!(refused(&ctl(&bed, "alice", &["off", "--yes", "--code", &code]), 1), "last_device_required");
    assert_eq!(
        refused(&ctl(&bed, "alice", &["unbind", "phone", "--code", &phone.code(1)]), 1),
        "last_device_required"
    );
    assert_eq!(ctl(&bed, "alice", &["status"]).ok().json()["requirement"]["state"], "required");
    bed.run("otpctl", &["off", "alice", "--yes"]).ok();
}

#[test]
fn within_the_grace_a_login_passes_and_says_by_when_and_how() {
    let mut bed = bed();
    bed.configure("[policy]\nrequire_everyone = true\nexempt_users = [\"bob\"]\ngrace_days = 7");
    bed.take_daemon().stop();
    bed.start();
    let start = |user: &str| {
        let login = json!({"login": {"user": user, "service": "sshd"}});
        bed.daemon().login("org.otpd.Login.Start", &login).unwrap()["step"].clone()
    };
    let step = start("alice");
    assert_eq!((step["next"].as_str(), step["why"].as_str()), (Some("not_required"), Some("grace")));
    assert!(step["notice"].as_str().unwrap().contains("otpctl bind"), "{step}");
    assert_eq!(start("bob")["why"], "exempt");
    let status = ctl(&bed, "alice", &["status"]).ok().json();
    assert!(status["requirement"]["since"].as_i64().unwrap() > status["now"].as_i64().unwrap() + 6 * 86_400);
}

#[test]
fn one_key_is_bound_once_and_ten_devices_are_the_most() {
    let bed = bed();
    let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    bed.run("otpctl", &["--json", "bind", "alice", "--begin", "--name", "a", "--key", key]).ok();
    bed.run("otpctl", &["--json", "confirm", "alice", "a", &Token::new(key).code(0)]).ok();
    let again = bed.run("otpctl", &["--json", "bind", "alice", "--begin", "--name", "b", "--key", key]);
    assert_eq!(refused(&again, 1), "key_in_use");
    for number in 2..=10 {
        bed.bind("alice", &format!("phone {number}"));
    }
    let eleventh = bed.run("otpctl", &["--json", "bind", "alice", "--begin", "--name", "eleven"]);
    assert_eq!(refused(&eleventh, 1), "too_many_devices");
    let taken = bed.run("otpctl", &["--json", "bind", "alice", "--begin", "--name", "a"]);
    assert_eq!(refused(&taken, 1), "name_taken");
}

#[test]
fn a_renumbered_user_is_refused_until_root_clears_it() {
    let bed = bed();
    let phone = bind_own(&bed, "alice");
    let passwd = bed.path("etc/passwd");
    let text = std::fs::read_to_string(&passwd).unwrap();
    // In place: the file is mounted over /etc/passwd.
    std::fs::write(&passwd, text.replace("alice:x:61000:", "alice:x:61777:")).unwrap();
    let answer = json!({"login": {"user": "alice", "service": "sshd"}, "answer": phone.code(0)});
    let step = bed.daemon().login("org.otpd.Login.Answer", &answer).unwrap()["step"].clone();
    assert_eq!(step["next"], "refuse");
    let say = step["say"].as_str().unwrap();
    assert!(say.contains("otpctl reset alice") && say.contains("otpctl adopt alice"), "{step}");
    assert_eq!(bed.last_event("alice")["reason"], "identity_conflict");
    bed.run("otpctl", &["reset", "alice", "--yes"]).ok();
    let start = json!({"login": {"user": "alice", "service": "sshd"}});
    assert_eq!(bed.daemon().login("org.otpd.Login.Start", &start).unwrap()["step"]["why"], "optional");
}

#[test]
fn every_event_reaches_syslog_on_one_line() {
    let mut bed = bed();
    bed.take_daemon().stop();
    let syslog = std::os::unix::net::UnixDatagram::bind(bed.path("log")).unwrap();
    // syslogd is root's; otpd only writes to it.
    std::fs::set_permissions(bed.path("log"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    bed.start();
    let login =
        json!({"login": {"user": "alice\n<13>forged", "service": "sshd", "rhost": "x y"}, "answer": WRONG});
    bed.daemon().login("org.otpd.Login.Answer", &login).unwrap();
    let mut buffer = [0; 2048];
    let line = loop {
        let length = syslog.recv(&mut buffer).unwrap();
        let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if line.contains("login ") {
            break line;
        }
    };
    let said = r#"login user="alice\n<13>forged" actor=sshd verdict=refuse reason=no_such_user service=sshd address="x y""#;
    assert!(line.starts_with("<85>") && line.ends_with(said), "{line}");
}
