//! sudo's settings that change whose code is wanted, and when.

use std::fs;

use otpd_tests::Testbed;
use serde_json::json;

use crate::programs::bed;

const CODE_ONLY: &str = "auth required @otp\naccount required pam_permit.so\nsession required pam_permit.so";

fn sudoers(bed: &Testbed, defaults: &str) {
    // In place: the file is mounted over /etc/sudoers.
    let text = format!("Defaults env_reset, !lecture, {defaults}\nALL ALL=(ALL) ALL\n");
    fs::write(bed.path("etc/sudoers"), text).unwrap();
}

#[test]
fn sudo_wants_the_code_of_whom_its_settings_name() {
    let bed = bed();
    bed.stack("sudo", CODE_ONLY);
    let phones = ["alice", "bob", "root"].map(|user| (user, bed.bind(user, "phone")));
    for (defaults, asked) in [("!targetpw", "alice"), ("targetpw", "bob"), ("rootpw", "root")] {
        sudoers(&bed, defaults);
        let phone = &phones.iter().find(|(user, _)| *user == asked).unwrap().1;
        let steps = json!([{format!("One-time code for {asked}: $"): phone.code(0)}]);
        let command = ["sudo", "-k", "-u", "bob", "sh", "-c", "echo in as $(id -un)"];
        let output = bed.drive(&steps, Some("alice"), &command);
        assert!(output.stdout.contains("in as bob"), "{defaults}: {output:?}");
        let event = bed.last_event(asked);
        assert_eq!((event["reason"].as_str(), event["actor"].as_str()), (Some("ok"), Some("alice")));
    }
}

#[test]
fn a_sudo_that_remembers_asks_once_and_our_account_line_would_stop_it() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    sudoers(&bed, "timestamp_timeout=5");
    let twice = ["sh", "-c", "sudo -k; sudo echo first; sudo echo second"];
    bed.stack("sudo", CODE_ONLY);
    let output = bed.drive(&json!([{"One-time code.*: $": phone.code(0)}]), Some("alice"), &twice);
    assert!(output.stdout.contains("\nfirst") && output.stdout.contains("\nsecond"), "{output:?}");
    // sudo does not authenticate the second time, so no code was given.
    bed.stack("sudo", &CODE_ONLY.replace("account required pam_permit.so", "account required @otp"));
    let output = bed.drive(&json!([{"One-time code.*: $": phone.code(1)}]), Some("alice"), &twice);
    assert!(output.stdout.contains("\nfirst") && !output.stdout.contains("\nsecond"), "{output:?}");
    assert_eq!(bed.last_event("alice")["reason"], "no_code_given");
}
