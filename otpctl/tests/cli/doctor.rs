//! `doctor`: the view from outside and the daemon's own.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use serde_json::Value;
use serde_json::json;

use crate::support::Daemon;
use crate::support::Ended;
use crate::support::error;
use crate::support::reply;

fn daemon(version: &'static str, checks: Value) -> Daemon {
    let daemon = Daemon::new(move |method, _| match method {
        "org.varlink.service.GetInfo" => reply(&json!({"vendor": "v", "product": "otpd", "version": version,
            "url": "u", "interfaces": []})),
        "Admin.Doctor" if checks.is_null() => error("org.varlink.service.PermissionDenied", &json!({})),
        _ => reply(&json!({ "checks": checks })),
    });
    set_mode(&daemon, "account.sock", 0o666);
    let _listener = UnixListener::bind(daemon.directory().join("login.sock")).unwrap();
    set_mode(&daemon, "login.sock", 0o600);
    daemon
}

fn set_mode(daemon: &Daemon, name: &str, mode: u32) {
    std::fs::set_permissions(daemon.directory().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

fn verdicts(ended: &Ended) -> Vec<(String, String)> {
    let word = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = ended.object()["checks"].as_array().unwrap().clone();
    // What this machine's PAM files name is not the tests' business; the check has tests of its own.
    let of_machine = ["PAM", "sshd_config", "console", "offline"];
    let is_of_machine = |name: &str| of_machine.iter().any(|start| name.starts_with(start));
    let checks = checks.iter().filter(|check| !check["check"].as_str().is_some_and(is_of_machine));
    checks.map(|check| (word(check, "check"), word(check, "verdict"))).collect()
}

fn expect(ended: &Ended, code: i32, expected: &[(&str, &str)]) {
    let found = verdicts(ended);
    let found: Vec<(&str, &str)> =
        found.iter().map(|(check, verdict)| (check.as_str(), verdict.as_str())).collect();
    assert_eq!((ended.code, found.as_slice()), (code, expected));
}

const OUTSIDE: [(&str, &str); 4] =
    [("runtime directory", "ok"), ("account.sock", "ok"), ("login.sock", "ok"), ("answer", "ok")];

#[test]
fn all_well_is_well() {
    let daemon =
        daemon(env!("CARGO_PKG_VERSION"), json!([{"check": "clock", "verdict": "warn", "say": "Odd."}]));
    expect(&daemon.run(&["doctor", "--json"]), 0, &[OUTSIDE.as_slice(), &[("clock", "warn")]].concat());
    let text = daemon.run(&["doctor"]).out;
    assert!(text.contains("ok    account.sock       mode 0666"), "{text}");
    assert!(text.ends_with("warn  clock              Odd.\n"), "{text}");
}

#[test]
fn one_failure_fails_and_so_does_an_unknown_verdict() {
    for verdict in ["fail", "FAIL", "dubious"] {
        let checks = json!([{"check": "key", "verdict": verdict, "say": "s"}]);
        assert_eq!(daemon(env!("CARGO_PKG_VERSION"), checks).run(&["doctor"]).code, 1, "{verdict}");
    }
}

#[test]
fn an_ordinary_user_sees_the_outside() {
    let ended = daemon(env!("CARGO_PKG_VERSION"), Value::Null).run(&["doctor", "--json"]);
    expect(&ended, 0, &[OUTSIDE.as_slice(), &[("otpd", "warn")]].concat());
}

#[test]
fn a_daemon_of_another_version_is_noticed() {
    let ended = daemon("9.9.9", json!([])).run(&["doctor", "--json"]);
    assert_eq!(verdicts(&ended)[3], ("answer".to_owned(), "warn".to_owned()));
}

#[test]
fn sockets_with_wrong_modes_fail() {
    let daemon = daemon(env!("CARGO_PKG_VERSION"), json!([]));
    set_mode(&daemon, "login.sock", 0o660);
    set_mode(&daemon, "account.sock", 0o660);
    let ended = daemon.run(&["doctor", "--json"]);
    assert_eq!(ended.code, 1);
    let found = verdicts(&ended);
    assert_eq!((found[1].1.as_str(), found[2].1.as_str()), ("fail", "fail"));
}

#[test]
fn nothing_there_fails_without_asking_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none");
    let output = crate::support::otpctl(&["doctor", "--json", "--runtime-dir"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks: Vec<&Value> =
        object["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "fail").collect();
    let named: Vec<&str> = checks.iter().filter_map(|check| check["check"].as_str()).collect();
    assert_eq!(named, OUTSIDE.map(|(name, _)| name), "{object}");
}
