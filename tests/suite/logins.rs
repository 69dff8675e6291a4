//! Real programs ask for a code and accept it once: sshd, sudo, su, login.

#[path = "logins/ssh.rs"]
mod ssh;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::json;
use ssh::Sshd;

#[test]
fn sshd_takes_password_and_code_once() {
    let mut bed = Testbed::new();
    bed.user("alice");
    let phone = bed.bind("alice", "phone");
    let sshd = Sshd::start(&bed, "");
    let code = phone.code(0);
    let first = sshd.login("alice", &[PASSWORD, &code]);
    assert_eq!((first.code, first.stdout.as_str()), (0, "in as alice\n"), "{first:?}");
    assert!(first.stderr.contains("One-time code for alice: "), "{first:?}");
    let again = sshd.login("alice", &[PASSWORD, &code]);
    assert_ne!(again.code, 0, "{again:?}");
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
}
