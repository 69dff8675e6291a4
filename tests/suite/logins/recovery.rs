//! The phone is lost: a recovery code lets its owner in through a real sshd, and the new phone takes the old one's place.

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

use crate::ssh::STACK;
use crate::ssh::Sshd;

fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.user("mallory");
    bed.stack("sshd", STACK);
    bed
}

/// otpctl as a user, with `--json`.
fn ctl(bed: &Testbed, user: &str, arguments: &[&str]) -> otpd_tests::Output {
    bed.run_as(user, "otpctl", &[&["--json"], arguments].concat())
}

/// Binds alice's first phone as alice does, and returns it with her recovery codes.
fn first_phone(bed: &Testbed) -> (Token, Vec<String>) {
    let begun = ctl(bed, "alice", &["bind", "--begin", "--name", "phone"]).ok().json();
    let phone = Token::new(begun["key"].as_str().unwrap());
    let confirmed = ctl(bed, "alice", &["confirm", "phone", &phone.code(-1)]).ok().json();
    let codes = confirmed["recovery_codes"].as_array().unwrap();
    (phone, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[test]
fn a_recovery_code_lets_in_and_the_new_phone_replaces_the_lost_one() {
    let bed = bed();
    let (lost, codes) = first_phone(&bed);
    let sshd = Sshd::start(&bed, "");
    let login = sshd.login("alice", &[PASSWORD, &codes[0]]);
    assert_eq!(login.stdout, "in as alice\n", "{login:?} {}", sshd.log());
    let event = bed.last_event("alice");
    assert_eq!(
        (event["verdict"].as_str(), event["device"].as_str()),
        (Some("accept"), Some("recovery code 1"))
    );
    let begun = ctl(&bed, "alice", &["bind", "--begin", "--replace", "phone"]).ok().json();
    let new = Token::new(begun["key"].as_str().unwrap());
    let confirmed = ctl(&bed, "alice", &["confirm", "phone", &new.code(-1)]).ok().json();
    assert_eq!((confirmed["retired"].as_str(), &confirmed["recovery_codes"]), (Some("phone"), &Value::Null));
    assert_eq!(
        ctl(&bed, "alice", &["unbind", "phone"]).code,
        4,
        "the thirty minutes are over with the new phone"
    );
    assert_ne!(sshd.login("alice", &[PASSWORD, &lost.code(0)]).code, 0);
    let login = sshd.login("alice", &[PASSWORD, &new.code(0)]);
    assert_eq!(login.stdout, "in as alice\n", "{login:?} {}", sshd.log());
}

#[test]
fn a_used_an_invented_and_another_users_code_are_refused() {
    let mut bed = bed();
    let (_, codes) = first_phone(&bed);
    bed.bind("mallory", "phone");
    {
        let sshd = Sshd::start(&bed, "");
        assert_eq!(sshd.login("alice", &[PASSWORD, &codes[4].to_lowercase()]).stdout, "in as alice\n");
        assert_ne!(sshd.login("mallory", &[PASSWORD, &codes[5]]).code, 0);
        assert_ne!(sshd.login("alice", &["not the password", &codes[5]]).code, 0);
        assert_ne!(sshd.login("alice", &[PASSWORD, "ABCD-EFGH-JKMN-PQRS"]).code, 0);
    }
    // Killed and started again, the daemon has forgotten nothing.
    bed.take_daemon().kill();
    bed.start();
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("alice", &[PASSWORD, &codes[4]]).code, 0);
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
    assert_eq!(
        ctl(&bed, "alice", &["codes", "left"]).ok().json()["left"],
        json!([1, 2, 3, 4, 6, 7, 8, 9, 10])
    );
    assert_eq!(sshd.login("alice", &[PASSWORD, &codes[5]]).stdout, "in as alice\n");
}

#[test]
fn sudo_takes_one_where_wrong_codes_have_locked_the_lane() {
    let bed = bed();
    bed.stack("sudo", "auth required @otp\naccount required pam_permit.so\nsession required pam_permit.so");
    let (_, codes) = first_phone(&bed);
    let login = json!({"login": {"user": "alice", "service": "sudo"}, "answer": "99999999"});
    for _ in 0..4 {
        bed.daemon().login("org.otpd.Login.Answer", &login).unwrap();
    }
    let steps =
        json!([{"Locked until .* A recovery code still works. One-time code for alice: $": codes[9]}]);
    let output = bed.drive(&steps, Some("alice"), &["sudo", "-k", "sh", "-c", "echo in as $(id -un)"]);
    assert!(output.stdout.contains("in as root"), "{output:?}");
    // sudo hides what follows the prompt (pam_silent), so it is told again by otpctl.
    let status = bed.run_as("alice", "otpctl", &["status"]).ok().stdout;
    assert!(status.contains("Rebind    needed") && status.contains("9 codes left"), "{status}");
}

#[test]
fn who_must_have_a_device_and_was_reset_gets_in_with_an_enrol_code_and_binds_one() {
    let mut bed = Testbed::with("[policy]\nrequire_everyone = true\n");
    bed.user("alice");
    bed.stack("sshd", STACK);
    bed.bind("alice", "phone");
    let shown = bed.run("otpctl", &["reset", "alice", "--yes"]).ok().stdout;
    let code =
        shown.lines().find_map(|line| line.strip_prefix("Enrol code: ")).unwrap_or_else(|| panic!("{shown}"));
    let sshd = Sshd::start(&bed, "");
    let refused = sshd.login("alice", &[PASSWORD, "123456"]);
    assert!(refused.code != 0 && refused.stderr.contains("otpctl enrol-code"), "{refused:?}");
    assert_eq!(sshd.login("alice", &[PASSWORD, code]).stdout, "in as alice\n", "{}", sshd.log());
    assert_ne!(sshd.login("alice", &[PASSWORD, code]).code, 0);
    let (phone, _) = first_phone(&bed);
    assert_eq!(sshd.login("alice", &[PASSWORD, &phone.code(0)]).stdout, "in as alice\n", "{}", sshd.log());
}
