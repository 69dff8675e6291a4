//! Break-glass: otpd is dead, or its registry is gone, and root mends it from the console. Each way by itself: the line that
//! lets in while nobody answers, the registry by `otpctl --offline`, the backup.

use std::fs;

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

use crate::ssh::STACK;
use crate::ssh::Sshd;

const CONSOLE: &str = "\
auth     requisite  pam_unix.so
auth     required   @otp unavailable=ignore
account  required   pam_unix.so
session  required   pam_permit.so";

/// admin, who is protected at the console and over ssh, with a backup of that.
fn bed() -> (Testbed, Token, String) {
    let mut bed = Testbed::new();
    bed.user("admin");
    let phone = bed.bind("admin", "phone");
    bed.stack("login", CONSOLE);
    bed.stack("sshd", STACK);
    let backup = bed.path("otpd-backup").display().to_string();
    fs::write(bed.path("words"), "correct horse battery\n").unwrap();
    let words = bed.path("words").display().to_string();
    bed.run("otpctl", &["backup", &backup, "--passphrase-file", &words]).ok();
    (bed, phone, backup)
}

/// A login at the console by the real login(1); whether it let in.
fn console(bed: &Testbed, code: Option<&str>) -> bool {
    let inside = json!({r"\$ $": "exec echo in as $(id -un)", "login: $": null});
    let password = json!({"Password: $": [PASSWORD]});
    let steps: Vec<Value> =
        [Some(password), code.map(|code| json!({"One-time code.*: $": [code]})), Some(inside)]
            .into_iter()
            .flatten()
            .collect();
    bed.drive(&Value::from(steps), None, &["login", "admin"]).stdout.contains("\nin as admin")
}

fn offline(bed: &Testbed, arguments: &[&str]) -> Output {
    let config = bed.path("otpd.toml").display().to_string();
    bed.run("otpctl", &[&["--offline", "--config", &config], arguments].concat())
}

#[test]
fn with_otpd_dead_the_console_lets_in_without_a_code_and_ssh_does_not() {
    let (mut bed, phone, _) = bed();
    assert!(console(&bed, Some(&phone.code(0))));
    bed.take_daemon().kill();
    assert!(console(&bed, None), "the way in while nobody answers");
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("admin", &[PASSWORD]).code, 0);
    drop(sshd);
    bed.start();
    assert!(!console(&bed, Some(&phone.same_code())), "used before");
    assert!(console(&bed, Some(&phone.code(1))));
}

#[test]
fn with_otpd_dead_root_resets_an_account_and_ssh_lets_in_without_a_code_when_it_lives_again() {
    let (mut bed, ..) = bed();
    bed.take_daemon().kill();
    let reset = offline(&bed, &["reset", "admin", "--yes"]).ok();
    assert!(reset.stdout.contains("admin"), "{reset:?}");
    bed.start();
    let sshd = Sshd::start(&bed, "");
    assert_eq!(sshd.login("admin", &[PASSWORD]).stdout, "in as admin\n", "{}", sshd.log());
}

#[test]
fn with_the_registry_gone_otpd_does_not_begin_anew_and_a_backup_brings_the_phones_back() {
    let (mut bed, phone, backup) = bed();
    bed.take_daemon().kill();
    for file in ["registry.db", "registry.db-wal", "registry.db-shm"] {
        let _ = fs::remove_file(bed.path("state").join(file));
    }
    let said = bed.try_start().unwrap_err();
    assert!(said.contains("restore it from a backup"), "{said}");
    assert!(console(&bed, None), "the way in meanwhile");
    let words = bed.path("words").display().to_string();
    offline(&bed, &["restore", &backup, "--passphrase-file", &words]).ok();
    bed.start();
    // That the phone's next codes are good again is shown where the time can be set (suite backup).
    assert!(!console(&bed, Some(&phone.code(0))), "codes up to the restore are spent");
    assert_eq!(bed.last_event("admin")["reason"], "code_used");
}

#[test]
fn doctor_names_the_ways_that_there_are() {
    let (bed, ..) = bed();
    let checks = bed.run("otpctl", &["doctor", "--json"]).json()["checks"].clone();
    let say = |name: &str| {
        let found = checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap();
        (found["verdict"].as_str().unwrap().to_owned(), found["say"].as_str().unwrap().to_owned())
    };
    let (verdict, console) = say("console");
    assert!(verdict == "ok" && console.contains("for none while otpd is away"), "{console}");
    let (verdict, offline) = say("offline");
    assert!(verdict == "ok" && offline.contains("otpctl --offline"), "{offline}");
    let (verdict, backup) = say("backup");
    assert!(verdict == "ok" && backup.contains("the last one was made on"), "{backup}");
    let (verdict, mail) = say("mail");
    assert!(verdict == "warn" && mail.contains("otpd-mail is not running"), "{mail}");
}
