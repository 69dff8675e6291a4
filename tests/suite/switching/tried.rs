//! `otpctl test`: the real stack by the real libpam, and what each module answered.

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::site::ASKS;
use crate::site::otpctl;
use crate::site::site;
use crate::site::stack;

fn bed() -> Testbed {
    let bed = site(ASKS);
    bed.stack(
        "sshd",
        &stack(&bed, "sshd")
            .replace("@include common-auth\n", "@include common-auth\nauth required pam_otp.so\n")
            .replace(
                "account    required     pam_nologin",
                "account required pam_otp.so\naccount required pam_nologin",
            ),
    );
    bed
}

/// Types at the prompts.
fn try_out(bed: &Testbed, words: &[&str], password: &str, code: Option<&str>) -> Output {
    let mut steps = vec![json!({"[Pp]assword.*: $": password})];
    steps.extend(code.map(|code| json!({"One-time code.*: $": code})));
    bed.drive(&Value::from(steps), None, &[&["otpctl", "--color", "never", "test"], words].concat())
}

#[test]
fn a_right_code_is_let_in_and_every_answer_is_told() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let output = try_out(&bed, &["sshd", "alice"], PASSWORD, Some(&phone.code(0)));
    let shown = &output.stdout;
    for words in [
        "common-auth:1  pam_unix.so    success: leaves out the next line ([success=1 default=ignore])",
        "common-auth:2  pam_deny.so    not reached",
        "sshd:3         pam_otp.so     success: counts (required)",
        "success: no line failed.",
        "sshd lets alice in.",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains(PASSWORD) && !shown.contains("please report"), "{shown}");
    assert_eq!(bed.last_event("alice")["verdict"], "accept");
    assert_eq!(
        std::fs::read_dir(bed.inside("run"))
            .unwrap()
            .filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("otpctl-test")
            })
            .count(),
        0
    );
}

#[test]
fn who_failed_it_is_told() {
    let bed = bed();
    bed.bind("alice", "phone");
    let wrong = try_out(&bed, &["sshd", "alice"], PASSWORD, Some("99999999")).stdout;
    assert!(wrong.contains("auth_err: pam_otp.so (sshd:3) failed it."), "{wrong}");
    assert!(wrong.contains("sshd does not let alice in."), "{wrong}");
    let wrong = try_out(&bed, &["sshd", "alice"], "wrong", None).stdout;
    assert!(wrong.contains("auth_err: pam_deny.so (common-auth:2) failed it."), "{wrong}");
    assert!(wrong.contains("pam_otp.so     not reached"), "{wrong}");
}

#[test]
fn a_stack_with_substacks_and_broken_lines_is_told_as_libpam_takes_it() {
    let bed = bed();
    bed.stack("x", "auth substack inner\nauth required pam_otp.so\naccount required pam_permit.so\naccount required pam_nosuch.so");
    bed.stack("inner", "auth sufficient pam_unix.so\nauth required pam_deny.so");
    let shown = try_out(&bed, &["x", "bob"], PASSWORD, None).stdout;
    assert!(shown.contains("inner:1  pam_unix.so  success: ends it (sufficient)"), "{shown}");
    assert!(shown.contains("ignore: counts for nothing (required)"), "{shown}");
    assert!(shown.contains("module_unknown: pam_nosuch.so (x:4) failed it."), "{shown}");
    let shown = try_out(&bed, &["x", "bob"], "wrong", None).stdout;
    assert!(shown.contains("auth_err: pam_deny.so (inner:2) failed it."), "{shown}");
    assert!(!shown.contains("please report"), "{shown}");
}

#[test]
fn it_is_no_proof_of_what_waits_for_one() {
    let bed = site(ASKS);
    bed.bind("alice", "phone");
    otpctl(&bed, &["pam", "enable", "sshd"]).ok();
    let refused = otpctl(&bed, &["test", "sshd", "alice"]);
    assert!(refused.code == 1 && refused.stderr.contains("log in through it"), "{refused:?}");
    otpctl(&bed, &["pam", "confirm"]).ok();
    let nobody = bed.run_as("alice", "otpctl", &["test", "sshd", "alice"]);
    assert_eq!(nobody.code, 5, "{nobody:?}");
    assert_eq!(otpctl(&bed, &["test", "nosuch", "alice"]).code, 2);
}
