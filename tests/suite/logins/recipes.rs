//! The examples of pam_otp(8), as they stand there, in the files that Debian ships.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::Token;
use otpd_tests::manual::examples;
use otpd_tests::manual::follow;
use serde_json::Value;
use serde_json::json;

use crate::programs::bed;
use crate::programs::steps;
use crate::ssh::Sshd;
use crate::sshd::key_of;
use crate::sshd::with_key;

/// The PAM files of the distribution that its services include.
const COMMON: [&str; 5] =
    ["common-auth", "common-account", "common-session", "common-session-noninteractive", "common-password"];

/// The nth example below a heading of pam_otp(8).
pub(crate) fn example(title: &str, number: usize) -> String {
    let examples = examples("pam_otp.8", title);
    examples.get(number).unwrap_or_else(|| panic!("{title:?} has {} examples", examples.len())).clone()
}

/// What `session` does is for a whole system, and none of ours.
fn without_sessions(stack: &str) -> String {
    stack.lines().filter(|line| !line.starts_with("session")).map(|line| format!("{line}\n")).collect()
}

/// Puts Debian's file of a service in its place, with the lines of an example.
fn follow_for(bed: &Testbed, service: &str, example: &str) {
    for name in COMMON {
        bed.stack(name, &without_sessions(&shipped(name)));
    }
    let stack = follow(example, &shipped(service));
    put(bed, service, &format!("{}session required pam_permit.so", without_sessions(&stack)));
}

/// Puts a stack of the manual in its place.
fn put(bed: &Testbed, service: &str, stack: &str) {
    bed.stack(service, &stack.replace("pam_otp.so", "@otp"));
}

fn shipped(service: &str) -> String {
    fs::read_to_string(format!("/etc/pam.d/{service}")).unwrap()
}

/// sshd with the lines of an example, without those that the test's own configuration has.
fn sshd<'a>(bed: &'a Testbed, example: &str) -> Sshd<'a> {
    let own = ["UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no"];
    let lines = example.lines().filter(|line| !own.contains(line) && !line.starts_with('#'));
    Sshd::start(bed, &lines.collect::<Vec<_>>().join("\n"))
}

/// Password and code let in, once; a wrong password does not get as far as the code.
fn password_and_code(bed: &Testbed, sshd: &Sshd<'_>, phone: &Token) {
    let code = phone.code(0);
    let wrong = sshd.login("alice", &["wrong", &code]);
    assert!(wrong.code != 0 && !wrong.stderr.contains("One-time code"), "{wrong:?}");
    let right = sshd.login("alice", &[PASSWORD, &code]);
    assert_eq!(right.stdout, "in as alice\n", "{right:?} {}", sshd.log());
    let again = sshd.login("alice", &[PASSWORD, &code]);
    assert_ne!(again.code, 0, "the same code: {again:?}");
    let bob = sshd.login("bob", &[PASSWORD]);
    assert_eq!(bob.stdout, "in as bob\n", "no protection: {bob:?} {}", sshd.log());
    bed.run("otpctl", &["unlock", "alice"]).ok();
}

#[test]
fn ssh_with_password_and_code() {
    const TITLE: &str = "SSH on Debian: password and code";
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    follow_for(&bed, "sshd", &example(TITLE, 0));
    password_and_code(&bed, &sshd(&bed, &example(TITLE, 1)), &phone);
}

#[test]
fn ssh_with_key_password_and_code() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let key = key_of(&bed, "alice");
    follow_for(&bed, "sshd", &example("SSH on Debian: password and code", 0));
    let sshd = sshd(&bed, &example("SSH: key, password and code", 0));
    let methods = "publickey,keyboard-interactive";
    let output = with_key(&sshd, "alice", &key, methods, &[PASSWORD, &phone.code(0)]);
    assert_eq!(output.stdout, "in as alice\n", "{output:?} {}", sshd.log());
    assert_ne!(with_key(&sshd, "alice", &key, "publickey", &[]).code, 0, "the key alone");
    assert_ne!(sshd.login("alice", &[PASSWORD, &phone.code(1)]).code, 0, "no key");
}

#[test]
fn ssh_with_key_and_code() {
    const TITLE: &str = "SSH: key and code, no password";
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let (alices, bobs) = (key_of(&bed, "alice"), key_of(&bed, "bob"));
    let lines = example(TITLE, 0);
    let with_account = follow(&example("SSH on Debian: password and code", 0), &shipped("sshd"));
    let in_its_place = with_account.lines().filter(|line| !line.starts_with("auth"));
    let stack: Vec<&str> =
        in_its_place.map(|line| if line == "@include common-auth" { lines.as_str() } else { line }).collect();
    for name in COMMON {
        bed.stack(name, &without_sessions(&shipped(name)));
    }
    put(&bed, "sshd", &format!("{}session required pam_permit.so", without_sessions(&stack.join("\n"))));
    let sshd = sshd(&bed, &example(TITLE, 1));
    let methods = "publickey,keyboard-interactive";
    let output = with_key(&sshd, "alice", &alices, methods, &[&phone.code(0)]);
    assert_eq!(output.stdout, "in as alice\n", "{output:?} {}", sshd.log());
    assert_ne!(with_key(&sshd, "alice", &alices, methods, &["99999999"]).code, 0, "a wrong code");
    assert_eq!(with_key(&sshd, "bob", &bobs, methods, &[]).stdout, "in as bob\n", "no protection");
    assert_ne!(sshd.login("bob", &[]).code, 0, "no key");
}

#[test]
fn sudo_with_password_and_code() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    follow_for(&bed, "sudo", &example("sudo on Debian", 0));
    let command = ["sudo", "-k", "sh", "-c", "echo in as $(id -un)"];
    let code = phone.code(0);
    let output = bed.drive(&steps(Some(&code), &[]), Some("alice"), &command);
    assert!(output.stdout.contains("in as root"), "{output:?}");
    let output = bed.drive(&steps(Some(&code), &[]), Some("alice"), &command);
    assert!(!output.stdout.contains("in as root"), "the same code: {output:?}");
    let output = bed.drive(&steps(None, &[]), Some("bob"), &command);
    assert!(output.stdout.contains("in as root"), "no protection: {output:?}");
}

#[test]
fn the_console_with_otpd_and_without() {
    let mut bed = bed();
    let phone = bed.bind("alice", "phone");
    let lines = format!("@include common-auth\n{}", example("The console", 0));
    follow_for(&bed, "login", &lines);
    let more = [json!({r"\$ $": "exec echo in as $(id -un)", "login: $": null})];
    let login = |bed: &Testbed, code: Option<&str>| {
        bed.drive(&steps(code, &more), None, &["login", "alice"]).stdout.contains("\nin as alice")
    };
    assert!(login(&bed, Some(&phone.code(0))));
    assert!(!login(&bed, Some("99999999")), "a wrong code");
    bed.take_daemon().stop();
    assert!(login(&bed, None), "with otpd stopped");
}

#[test]
fn a_stack_without_common_files() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let stack = example("Without common files", 0).replace("session    required     pam_unix.so", "");
    put(&bed, "sshd", &format!("{stack}session required pam_permit.so"));
    password_and_code(&bed, &Sshd::start(&bed, ""), &phone);
}

#[test]
fn a_screen_locker_with_password_and_code() {
    const TITLE: &str = "A screen locker";
    let mut bed = Testbed::with(&example(TITLE, 1));
    bed.user("alice");
    bed.user("bob");
    let phone = bed.bind("alice", "phone");
    for name in COMMON {
        bed.stack(name, &without_sessions(&shipped(name)));
    }
    put(&bed, "vlock", &example(TITLE, 0));
    // As its user, and set-uid root, as Debian has this one.
    for (mode, code) in [(0o755, phone.code(0)), (0o4755, phone.code(1))] {
        // The one before may still be running: it cannot be written.
        let program = bed.path("bin/vlock.new");
        fs::copy(otpd_tests::vlock(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&program, bed.path("bin/vlock")).unwrap();
        let unlock = |user: &str, answers: &[(&str, &str)]| {
            // What is typed before it listens it drops.
            let answers = answers.iter().map(|(prompt, answer)| json!({*prompt: {"again": answer}}));
            // Whom it refuses it offers to unlock as root.
            let steps: Value = std::iter::once(json!({"locked": {"again": ""}}))
                .chain(answers)
                .chain([json!({"root's Password: $|unlocked": null})])
                .collect();
            let lock = "VLOCK_MESSAGE=locked vlock && echo unlocked";
            bed.drive(&steps, Some(user), &["sh", "-c", lock]).stdout
        };
        let password = ("[Pp]assword: $", PASSWORD);
        let wrong = unlock("alice", &[("[Pp]assword: $", "wrong")]);
        assert!(!wrong.contains("unlocked") && !wrong.contains("One-time code"), "{wrong}");
        let right = unlock("alice", &[password, ("One-time code.*: $", &code)]);
        assert!(right.contains("unlocked"), "{right}");
        let again = unlock("alice", &[password, ("One-time code.*: $", &code)]);
        assert!(!again.contains("unlocked") && again.contains("used already"), "{again}");
        let bob = unlock("bob", &[password]);
        assert!(bob.contains("unlocked"), "no protection: {bob}");
    }
}
