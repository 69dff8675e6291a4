//! Cockpit: cockpit-session as its web server starts it.

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::programs::STACK;
use crate::programs::Try;
use crate::programs::bed;
use crate::programs::six_cases;

fn session(bed: &Testbed, user: &str, answers: &[&str]) -> Output {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/cockpit_login.py");
    let alone = ["--pid", "--fork", "--kill-child", "--mount-proc", "python3", tool, user, PASSWORD];
    bed.run("unshare", &[&alone[..], answers].concat())
}

fn is_inside(output: &Output) -> bool {
    let last: Value = output.stdout.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap();
    assert_eq!(last["command"], "init", "{output:?}");
    last.get("problem").is_none()
}

#[test]
fn cockpit_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("cockpit", STACK);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let output = session(bed, user, code.as_slice());
        Try { inside: is_inside(&output), text: output.stdout }
    };
    six_cases(&mut bed, &login);
}

#[test]
fn a_line_before_the_password_gets_cockpits_password_and_does_not_count_it() {
    let bed = bed();
    bed.bind("alice", "phone");
    bed.stack("cockpit", "auth required @otp\nauth required pam_unix.so\naccount required pam_permit.so");
    let output = session(&bed, "alice", &[PASSWORD]);
    assert!(!is_inside(&output), "{output:?}");
    assert_eq!(bed.last_event("alice")["reason"], "code_malformed");
    let status = bed.run("otpctl", &["--json", "status", "alice"]).ok().json();
    assert_eq!(status["lanes"], json!([]));
}
