//! The module beside others of a stack, and facts that a program gets wrong or leaves out.

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::programs::STACK;
use crate::programs::bed;
use crate::programs::steps;
use crate::ssh::Sshd;

const WRONG: &str = "99999999";

/// pam_faillock counts a wrong password and, since we stand before an `authfail` of its own, a refused code too.
const FAILLOCK: &str = "\
auth  requisite                                 pam_faillock.so preauth dir=@dir deny=3
auth  [success=1 default=ignore]                pam_unix.so nodelay
auth  [default=die]                             pam_faillock.so authfail dir=@dir deny=3
auth  [success=1 ignore=1 default=ignore]       @otp
auth  [default=die]                             pam_faillock.so authfail dir=@dir deny=3
auth  required                                  pam_faillock.so authsucc dir=@dir deny=3";

fn try_in(bed: &Testbed, service: &str, user: &str, steps: &Value) -> Output {
    bed.drive(steps, None, &["pamtester", service, user, "authenticate"])
}

#[test]
fn faillock_around_us_counts_our_refusals() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let directory = bed.path("faillock").to_str().unwrap().to_owned();
    bed.stack("guarded", &FAILLOCK.replace("@dir", &directory));
    let failures = |user: &str| {
        let listed = bed.run("faillock", &["--dir", &directory, "--user", user]).ok();
        listed.stdout.lines().filter(|line| line.ends_with('V')).count()
    };
    let right = try_in(&bed, "guarded", "alice", &steps(Some(&phone.code(0)), &[]));
    assert!(right.stdout.contains("successfully authenticated"), "{right:?}");
    assert!(!try_in(&bed, "guarded", "alice", &json!([{"assword: $": "no"}])).stdout.contains("One-time"));
    for _ in 0..2 {
        assert_eq!(try_in(&bed, "guarded", "alice", &steps(Some(WRONG), &[])).code, 1);
    }
    assert_eq!(failures("alice"), 3);
    let shut = try_in(&bed, "guarded", "alice", &json!([]));
    assert!(shut.code == 1 && !shut.stdout.contains("assword:"), "{shut:?}");
    bed.run("faillock", &["--dir", &directory, "--user", "alice", "--reset"]).ok();
    let opened = try_in(&bed, "guarded", "alice", &steps(Some(&phone.code(1)), &[]));
    assert!(opened.stdout.contains("successfully authenticated"), "{opened:?}");
    let bob = try_in(&bed, "guarded", "bob", &steps(None, &[]));
    assert!(bob.stdout.contains("successfully authenticated"), "no protection: {bob:?}");
    assert_eq!((failures("alice"), failures("bob")), (0, 0));
}

#[test]
fn a_web_server_is_refused_and_not_served() {
    let bed = bed();
    bed.bind("alice", "phone");
    bed.stack("web", "auth required @otp\naccount required @otp");
    for user in ["alice", "bob", "www-data"] {
        for phase in ["authenticate", "acct_mgmt"] {
            let output = bed.run_as("www-data", "pamtester", &["web", user, phase]);
            assert_eq!(output.code, 1, "{user}: {output:?}");
            assert!(!output.stdout.contains("One-time"), "{output:?}");
            if user != "www-data" {
                let event = bed.last_event(user);
                assert_eq!((&event["reason"], &event["actor"]), (&json!("not_permitted"), &json!("uid 33")));
            }
        }
    }
}

#[test]
fn a_name_for_the_remote_host_is_recorded_and_not_believed() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let sshd = Sshd::start(&bed, "UseDNS yes");
    let lane_and_address = || {
        let event = bed.last_event("alice");
        [&event["lane"], &event["address"]].map(|value| value.as_str().unwrap_or("none").to_owned())
    };
    assert_ne!(sshd.login("alice", &[PASSWORD, WRONG]).code, 0);
    assert_eq!(lane_and_address(), ["unknown", "localhost"]);
    assert_eq!(sshd.login("alice", &[PASSWORD, &phone.code(0)]).stdout, "in as alice\n");
    // What is known from now on is the number in SSH_CONNECTION, not the name.
    assert_ne!(sshd.login("alice", &[PASSWORD, WRONG]).code, 0);
    assert_eq!(lane_and_address(), ["known", "localhost"]);
    let named = json!({"login": {"user": "alice", "service": "sshd", "rhost": "localhost"}, "answer": WRONG});
    bed.daemon().login("org.otpd.Login.Answer", &named).unwrap();
    assert_eq!(lane_and_address(), ["unknown", "localhost"]);
}

#[test]
fn logins_empty_remote_host_is_none() {
    let bed = bed();
    bed.bind("alice", "phone");
    bed.stack("login", STACK);
    let more = [json!({"login: $": null})];
    let output = bed.drive(&steps(Some(WRONG), &more), None, &["login", "alice"]);
    assert!(output.stdout.contains("Wrong code") || output.stdout.contains("incorrect"), "{output:?}");
    let event = bed.last_event("alice");
    assert_eq!(
        (&event["lane"], &event["address"], &event["service"]),
        (&json!("local"), &json!(null), &json!("login"))
    );
}
