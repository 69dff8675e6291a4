//! sshd's other ways in: keys with and without a code, users who must not, other clients, sftp.

use std::fs;

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::json;

use crate::ssh::Sshd;

/// Only the code is asked for: the first factor is a key.
const CODE_ONLY: &str = "\
auth     required   @otp
account  required   @otp
account  required   pam_unix.so
session  required   pam_permit.so";

const EXPIRING: &str = "\
auth     requisite  pam_unix.so
auth     required   @otp
account  required   @otp
account  [success=1 new_authtok_reqd=done default=ignore]  pam_unix.so
account  requisite  pam_deny.so
account  required   pam_permit.so
session  required   pam_permit.so";

/// A user with a key that sshd takes, and its private half.
pub(crate) fn key_of(bed: &Testbed, user: &str) -> String {
    let key = bed.path(&format!("{user}.key"));
    let path = key.to_str().unwrap().to_owned();
    bed.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &path]).ok();
    let home = bed.path("home").join(user).join(".ssh");
    fs::create_dir(&home).unwrap();
    fs::copy(format!("{path}.pub"), home.join("authorized_keys")).unwrap();
    path
}

/// Logs in with that key and more methods.
pub(crate) fn with_key(sshd: &Sshd<'_>, user: &str, key: &str, methods: &str, answers: &[&str]) -> Output {
    let methods = format!("PreferredAuthentications={methods}");
    sshd.client(user, answers, &["-i", key, "-o", "IdentitiesOnly=yes", "-o", &methods])
}

fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.user("bob");
    bed
}

#[test]
fn a_key_and_a_code_let_in_in_either_order() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let key = key_of(&bed, "alice");
    bed.stack("sshd", CODE_ONLY);
    for (methods, code) in
        [("publickey,keyboard-interactive", phone.code(0)), ("keyboard-interactive,publickey", phone.code(1))]
    {
        let sshd = Sshd::start(&bed, &format!("AuthenticationMethods {methods}"));
        let output = with_key(&sshd, "alice", &key, methods, &[&code]);
        assert_eq!(output.stdout, "in as alice\n", "{methods}: {output:?} {}", sshd.log());
    }
    let event = bed.last_event("alice");
    assert_eq!((event["reason"].as_str(), event["device"].as_str()), (Some("ok"), Some("phone")));
}

#[test]
fn a_key_alone_is_refused_in_the_account_phase() {
    let mut bed = bed();
    bed.bind("alice", "phone");
    let (alices, bobs) = (key_of(&bed, "alice"), key_of(&bed, "bob"));
    let sshd = Sshd::start(&bed, "");
    let output = with_key(&sshd, "alice", &alices, "publickey", &[]);
    assert_ne!(output.code, 0, "{output:?}");
    assert_eq!(output.stdout, "");
    let event = bed.last_event("alice");
    assert_eq!((event["event"].as_str(), event["reason"].as_str()), (Some("account"), Some("no_code_given")));
    let output = with_key(&sshd, "bob", &bobs, "publickey", &[]);
    assert_eq!(output.stdout, "in as bob\n", "{output:?} {}", sshd.log());
    drop(sshd);
    bed.take_daemon().stop();
    let sshd = Sshd::start(&bed, "");
    let output = with_key(&sshd, "bob", &bobs, "publickey", &[]);
    assert_ne!(output.code, 0, "with otpd stopped: {output:?}");
}

#[test]
fn a_key_with_an_expired_password_is_no_way_round_the_code() {
    let bed = bed();
    bed.bind("alice", "phone");
    let key = key_of(&bed, "alice");
    // As Debian's common-account: a password that must be changed leaves the stack early.
    bed.stack("sshd", EXPIRING);
    let shadow = bed.path("etc/shadow");
    let text = fs::read_to_string(&shadow).unwrap();
    let expired = text.replace(":20000:0:99999:", ":0:0:99999:");
    assert_ne!(text, expired);
    fs::write(&shadow, expired).unwrap();
    let sshd = Sshd::start(&bed, "");
    let output = with_key(&sshd, "alice", &key, "publickey", &[]);
    assert_ne!(output.code, 0, "{output:?}");
    assert!(!output.stderr.contains("expired"), "the way to change the password was open: {output:?}");
    assert_eq!(bed.last_event("alice")["reason"], "no_code_given");
}

#[test]
fn dummy_answers_of_sshd_are_refused_and_not_counted() {
    let bed = bed();
    let daemon = bed.daemon();
    bed.stack("sshd", CODE_ONLY);
    let root = daemon.account("org.otpd.Account.Begin", &json!({"user": "root", "name": "phone"})).unwrap();
    let phone = otpd_tests::Token::new(root["key"].as_str().unwrap());
    let confirm = json!({"user": "root", "device": "phone", "code": phone.code(-1)});
    daemon.account("org.otpd.Account.Confirm", &confirm).unwrap();
    let before = bed.last_event("root")["id"].clone();
    let sshd = Sshd::start(&bed, "PermitRootLogin no");
    for (user, typed) in [("root", phone.code(0)), ("ghost", "123456".to_owned())] {
        let output = sshd.login(user, &[&typed]);
        assert_ne!(output.code, 0, "{user}: {output:?}");
    }
    // What sshd sent instead of what was typed never reached the daemon.
    assert_eq!(bed.last_event("root")["id"], before);
    let ghosts = daemon.account("org.otpd.Admin.Audit", &json!({"user": "ghost"})).unwrap();
    assert_eq!(ghosts["events"], json!([]));
    let status = daemon.account("org.otpd.Account.Status", &json!({"user": "root"})).unwrap();
    assert_eq!(status["lanes"], json!([]));
}

#[test]
fn a_wrong_password_never_reaches_the_code() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let before = bed.last_event("alice")["id"].clone();
    let sshd = Sshd::start(&bed, "");
    let output = sshd.login("alice", &["not the password", &phone.code(0)]);
    assert_ne!(output.code, 0);
    assert!(!output.stderr.contains("One-time code"), "{output:?}");
    assert_eq!(bed.last_event("alice")["id"], before);
}

#[test]
fn the_password_method_that_repeats_one_answer_is_refused_and_not_counted() {
    let bed = bed();
    bed.bind("alice", "phone");
    bed.stack("sshd", crate::ssh::STACK);
    let before = bed.last_event("alice")["id"].clone();
    let sshd = Sshd::start(&bed, "AuthenticationMethods password");
    let output = sshd.client("alice", &[PASSWORD], &["-o", "PreferredAuthentications=password"]);
    assert_ne!(output.code, 0, "{output:?}");
    assert_eq!(bed.last_event("alice")["id"], before, "a replayed password reached the daemon");
}

#[test]
fn asyncssh_logs_in_too() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let sshd = Sshd::start(&bed, "");
    let python = otpd_tests::python();
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/asyncssh_login.py");
    let port = sshd.port().to_string();
    let code = phone.code(0);
    let login = || bed.run(&python, &[tool, &port, "alice", PASSWORD, &code]);
    let first = login();
    assert!(first.stdout.starts_with("Password: \n"), "{first:?}");
    assert!(first.stdout.ends_with("One-time code for alice: \nin as alice\n"), "{first:?}");
    let again = login();
    assert_ne!(again.code, 0, "{again:?}");
}

#[test]
fn sftp_works_with_a_code_and_not_without() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    fs::write(bed.path("home/alice/hello"), "hello from alice\n").unwrap();
    let sshd = Sshd::start(&bed, "");
    let fetched = bed.path("fetched");
    let get = format!("get hello {}\n", fetched.display());
    let good = sshd.sftp("alice", &[PASSWORD, &phone.code(0)], &get);
    assert_eq!(good.code, 0, "{good:?}");
    assert_eq!(fs::read_to_string(&fetched).unwrap(), "hello from alice\n");
    fs::remove_file(&fetched).unwrap();
    assert_ne!(sshd.sftp("alice", &[PASSWORD, "99999999"], &get).code, 0);
    assert!(!fetched.exists());
}
