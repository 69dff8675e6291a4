//! Every program through the same six cases.

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

use crate::ssh::Sshd;

/// Of no device here: they all have six digits.
const WRONG: &str = "99999999";

const STACK: &str = "\
auth     requisite  pam_unix.so
auth     required   @otp
account  required   pam_unix.so
session  required   pam_permit.so";

/// What a person who tries to log in gets.
struct Try {
    inside: bool,
    text: String,
}

/// Tries a login of a user with a code; without one, no code may be asked for.
type Login<'a> = &'a dyn Fn(&Testbed, &str, Option<&str>) -> Try;

/// The six cases.
fn six_cases(bed: &mut Testbed, login: Login<'_>) {
    let (first, second) = (bed.bind("alice", "phone"), bed.bind("alice", "tablet"));
    let code = first.code(0);
    let right = login(bed, "alice", Some(&code));
    assert!(right.inside, "the right code: {}", right.text);
    assert!(right.text.contains("One-time code for alice: "), "{}", right.text);
    let again = login(bed, "alice", Some(&code));
    assert!(!again.inside, "the same code: {}", again.text);
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
    let wrong = login(bed, "alice", Some(WRONG));
    assert!(!wrong.inside, "a wrong code: {}", wrong.text);
    assert!(wrong.text.contains("used already; the next one comes in"), "{}", wrong.text);
    assert_eq!(bed.last_event("alice")["reason"], "code_wrong");
    locked(bed, login, &second);
    let bob = login(bed, "bob", None);
    assert!(bob.inside, "no protection: {}", bob.text);
    let daemon = bed.take_daemon();
    daemon.stop();
    for user in ["alice", "bob"] {
        let stopped = login(bed, user, None);
        assert!(!stopped.inside, "{user} with otpd stopped: {}", stopped.text);
    }
}

/// Three more wrong codes, and the right one is not looked at.
fn locked(bed: &Testbed, login: Login<'_>, phone: &Token) {
    for _ in 0..3 {
        assert!(!login(bed, "alice", Some(WRONG)).inside);
    }
    let code = phone.code(0);
    let locked = login(bed, "alice", Some(&code));
    assert!(!locked.inside, "locked: {}", locked.text);
    assert!(locked.text.contains("Locked until"), "{}", locked.text);
    assert_eq!(bed.last_event("alice")["reason"], "locked");
    bed.run("otpctl", &["unlock", "alice"]).ok();
    let opened = login(bed, "alice", Some(&phone.code(1)));
    assert!(opened.inside, "unlocked: {}", opened.text);
}

fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.user("bob");
    bed
}

/// Prompts in order, answered; the code's only if there is one.
fn steps(code: Option<&str>, more: &[Value]) -> Value {
    let code = code.map(|code| json!({"One-time code.*: $": code}));
    std::iter::once(json!({"[Pp]assword.*: $": PASSWORD})).chain(code).chain(more.iter().cloned()).collect()
}

#[test]
fn sshd_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("sshd", crate::ssh::STACK);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let sshd = Sshd::start(bed, "");
        let answers: Vec<&str> = std::iter::once(PASSWORD).chain(code).collect();
        let output = sshd.login(user, &answers);
        let inside = output.stdout == format!("in as {user}\n");
        assert_eq!(inside, output.code == 0, "{output:?}");
        Try { inside, text: output.stderr }
    };
    six_cases(&mut bed, &login);
}

#[test]
fn sudo_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("sudo", STACK);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let output =
            bed.drive(&steps(code, &[]), Some(user), &["sudo", "-k", "sh", "-c", "echo in as $(id -un)"]);
        Try { inside: output.stdout.contains("in as root"), text: output.stdout }
    };
    six_cases(&mut bed, &login);
}

#[test]
fn su_asks_for_the_code_of_the_target() {
    let mut bed = bed();
    bed.user("caller");
    bed.stack("su", STACK);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let output =
            bed.drive(&steps(code, &[]), Some("caller"), &["su", user, "-c", "echo in as $(id -un)"]);
        Try { inside: output.stdout.contains(&format!("in as {user}")), text: output.stdout }
    };
    six_cases(&mut bed, &login);
}

#[test]
fn login_at_the_console_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("login", STACK);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        // A shell's prompt, or login's own once more.
        let more = [json!({r"\$ $": "exec echo in as $(id -un)", "login: $": null})];
        let output = bed.drive(&steps(code, &more), None, &["login", user]);
        Try { inside: output.stdout.contains(&format!("\nin as {user}")), text: output.stdout }
    };
    six_cases(&mut bed, &login);
}

#[test]
fn a_screen_locker_asks_as_the_user_it_runs_as() {
    let mut bed = bed();
    bed.stack("locker", "auth requisite pam_permit.so\nauth required @otp\n");
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let script: Value = code.iter().map(|code| json!({"One-time code.*: $": code})).collect();
        let output = bed.drive(&script, Some(user), &["pamtester", "locker", user, "authenticate"]);
        Try { inside: output.stdout.contains("successfully authenticated"), text: output.stdout }
    };
    six_cases(&mut bed, &login);
}
