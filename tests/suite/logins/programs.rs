//! Every program through the same six cases.

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

use crate::ssh::Sshd;

/// Of no device here: they all have six digits.
const WRONG: &str = "99999999";

/// A password, then a code. pam_unix would make libpam wait two seconds over every refusal, its own or ours.
pub(crate) const STACK: &str = "\
auth     requisite  pam_unix.so nodelay
auth     required   @otp
account  required   pam_unix.so
session  required   pam_permit.so";

/// What a person who tries to log in gets.
pub(crate) struct Try {
    /// Whether they are in.
    pub(crate) inside: bool,
    /// What they saw.
    pub(crate) text: String,
}

/// Tries a login of a user with a code; without one, no code may be asked for.
pub(crate) type Login<'a> = &'a dyn Fn(&Testbed, &str, Option<&str>) -> Try;

/// The six cases.
pub(crate) fn six_cases(bed: &mut Testbed, login: Login<'_>) {
    let second = bed.bind("alice", "tablet");
    // On a machine so slow that the code is of no step of now when it comes again, once more.
    let in_time = (0..4).any(|number| right_once(bed, login, &format!("phone {number}")));
    assert!(in_time, "the program takes longer than a code is good for");
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

/// A right code, then the same code again. Returns whether it was in time for both.
fn right_once(bed: &Testbed, login: Login<'_>, name: &str) -> bool {
    let phone = bed.bind("alice", name);
    let code = phone.code(0);
    let right = login(bed, "alice", Some(&code));
    assert!(right.inside, "the right code: {}", right.text);
    assert!(right.text.contains("One-time code for alice: "), "{}", right.text);
    let again = login(bed, "alice", Some(&code));
    assert!(!again.inside, "the same code: {}", again.text);
    if code != phone.code(0) && code != phone.code(-1) {
        bed.run("otpctl", &["unlock", "alice"]).ok();
        return false;
    }
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
    true
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

/// A system with alice, who is protected later, and bob, who never is.
pub(crate) fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.user("bob");
    bed
}

/// Prompts in order, answered; the code's only if there is one.
pub(crate) fn steps(code: Option<&str>, more: &[Value]) -> Value {
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
fn doas_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("doas", STACK);
    // doas reads /etc/doas.conf and nothing else, and the host has none: an /etc of the test's own.
    let script = r#"
        set -e
        mkdir "$1/whole"
        cp -a /etc/. "$1/whole"
        echo permit :everybody >"$1/whole/doas.conf"
        mount --bind "$1/whole" /etc
        for file in passwd shadow group pam.d; do mount --bind "$1/etc/$file" "/etc/$file"; done"#;
    bed.etc("group", "everybody:x:60995:alice,bob");
    bed.run("sh", &["-c", script, "sh", bed.path("").to_str().unwrap()]).ok();
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let output = bed.drive(&steps(code, &[]), Some(user), &["doas", "sh", "-c", "echo in as $(id -un)"]);
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
