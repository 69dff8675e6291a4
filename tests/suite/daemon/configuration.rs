//! otpd.toml: looked at with --check-config, read again on SIGHUP, and never half believed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use otpd_tests::Output;
use otpd_tests::Testbed;

use crate::first_step;

/// Writes a configuration and has it looked at.
fn check(bed: &Testbed, text: &str) -> Output {
    fs::write(bed.path("otpd.toml"), text).unwrap();
    look(bed, "otpd.toml")
}

fn look(bed: &Testbed, file: &str) -> Output {
    let config = bed.path(file).display().to_string();
    bed.run("otpd", &["--config", &config, "--check-config"])
}

#[track_caller]
fn assert_wrong(output: &Output, expected: &[&str]) {
    assert_eq!(output.code, 1, "{output:?}");
    expected
        .iter()
        .for_each(|expected| assert!(output.stderr.contains(expected), "no {expected:?} in {output:?}"));
}

#[test]
fn a_good_file_is_said_to_be_good_and_nothing_is_made() {
    let bed = Testbed::without_daemon();
    let state = bed.path("state");
    let output = check(&bed, &format!("[paths]\nstate = {state:?}\n[policy]\nrequire_groups = [\"root\"]\n"));
    assert!(output.ok().stderr.contains("no errors"));
    check(&bed, include_str!("../../../packaging/otpd.toml")).ok();
    assert!(!state.exists() && bed.run("ls", &["/run/otpd"]).code != 0);
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let bed = Testbed::without_daemon();
    for (text, expected) in [
        ("issuer = \"box\"\n[policy]\nrequire_group = []\n", ["line 3, column 1", "require_group"]),
        ("[policy]\n  require_everyone = \"yes\"\n", ["line 2, column 22", "yes"]),
        ("[service.sudo]\nask = \"sometimes\"\n", ["line 2, column 7", "sometimes"]),
        ("[limits]\ncalls_per_minute = 0\n", ["limits.calls_per_minute", "within 1 to 60000"]),
        ("[policy]\nrequire_groups = [\"no-such\"]\n", ["policy.require_groups", "no group \"no-such\""]),
        ("[policy]\nexempt_groups = [\"no-such\"]\n", ["policy.exempt_groups", "no group \"no-such\""]),
        ("[policy]\ngrace_until = \"2027-02-30\"\n", ["policy.grace_until", "YYYY-MM-DD"]),
        ("[paths]\nstate = \"otpd\"\n", ["paths.state", "absolute"]),
    ] {
        assert_wrong(&check(&bed, text), &expected);
    }
}

#[test]
fn a_user_that_otpd_could_not_become_is_found_by_a_look_at_the_file() {
    let bed = Testbed::without_daemon();
    assert_wrong(&check(&bed, "user = \"nobody-here\"\n"), &["nobody-here"]);
    assert_wrong(&check(&bed, "user = \"root\"\n"), &["root"]);
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    let bed = Testbed::without_daemon();
    check(&bed, "").ok();
    let path = bed.path("otpd.toml");
    for mode in [0o666, 0o664] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_wrong(&look(&bed, "otpd.toml"), &["writable by others", "chmod go-w"]);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::chown(&path, Some(61_000), None).unwrap();
    assert_wrong(&look(&bed, "otpd.toml"), &["belongs to uid 61000", "chown root"]);
    std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    symlink(&path, bed.path("link.toml")).unwrap();
    assert_wrong(&look(&bed, "link.toml"), &["link.toml"]);
    assert_wrong(&look(&bed, "missing.toml"), &["missing.toml"]);
    look(&bed, "otpd.toml").ok();
}

#[test]
fn otpd_does_not_start_on_a_wrong_file() {
    let mut bed = Testbed::without_daemon();
    bed.configure("isuer = \"box\"");
    let said = crate::refusal(&mut bed);
    assert!(said.contains("line 1, column 1") && said.contains("isuer"), "{said}");
    assert!(!bed.path("state").exists());
}

#[test]
fn sighup_takes_a_good_change_and_leaves_a_bad_one() {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.bind("alice", "phone");
    let mut daemon = bed.take_daemon();
    assert_eq!(first_step(&daemon, "kiosk", "alice"), "ask");

    bed.configure("[service.kiosk]\nask = \"never\"");
    daemon.signal(Signal::SIGHUP);
    assert!(daemon.wait_for("configuration reloaded"), "{}", daemon.log());
    assert_eq!(first_step(&daemon, "kiosk", "alice"), "not_required");
    assert_eq!(first_step(&daemon, "sudo", "alice"), "ask");

    for (number, (settings, expected)) in (1..).zip([
        ("[service.kiosk]\nask = \"sometimes\"", "sometimes"),
        ("[policy]\nrequire_groups = [\"no-such\"]", "no-such"),
        (
            "[limits]\ncalls_per_minute = 5",
            "[limits], [mail] and web.user change only when otpd is restarted",
        ),
        ("user = \"alice\"", "user, [paths]"),
    ]) {
        bed.configure(settings);
        daemon.signal(Signal::SIGHUP);
        assert!(daemon.wait_for(expected), "{}", daemon.log());
        let log = daemon.log();
        assert_eq!(log.matches("the configuration is wrong, the old one stays").count(), number, "{log}");
        assert_eq!(first_step(&daemon, "kiosk", "alice"), "not_required", "{settings}");
    }

    bed.configure("");
    daemon.signal(Signal::SIGHUP);
    assert!(daemon.wait_for("configuration reloaded"), "{}", daemon.log());
    assert_eq!(first_step(&daemon, "kiosk", "alice"), "ask");
}
