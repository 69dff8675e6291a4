//! A private Debian: its common files, the module where libpam looks for it, an sshd_config, a /var/lib of its own.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use otpd_tests::Output;
use otpd_tests::Testbed;
use serde_json::Value;

/// As Debian's sshd_config with the lines of the README.
pub(crate) const ASKS: &str = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n";

pub(crate) const SSHD: &str = "\
# Standard Un*x authentication.
@include common-auth

account    required     pam_nologin.so
@include common-account
session    required     pam_permit.so";

const COMMON_AUTH: &str = "\
auth	[success=1 default=ignore]	pam_unix.so nullok
auth	requisite			pam_deny.so
auth	required			pam_permit.so";

const COMMON_ACCOUNT: &str = "\
account	[success=1 new_authtok_reqd=done default=ignore]	pam_unix.so
account	requisite			pam_deny.so
account	required			pam_permit.so";

/// A system with alice and bob, and an sshd of this configuration.
pub(crate) fn site(sshd_config: &str) -> Testbed {
    settle(Testbed::new(), sshd_config)
}

/// The same on a system with other settings.
pub(crate) fn settle(mut bed: Testbed, sshd_config: &str) -> Testbed {
    bed.user("alice");
    bed.user("bob");
    for (name, text) in [("common-auth", COMMON_AUTH), ("common-account", COMMON_ACCOUNT), ("sshd", SSHD)] {
        bed.stack(name, text);
    }
    fs::write(bed.path("sshd_config"), sshd_config).unwrap();
    let script = r#"
        set -e
        mkdir "$1/varlib" "$1/work" "$1/security"
        mount -t overlay -o "lowerdir=/var/lib,upperdir=$1/varlib,workdir=$1/work" overlay /var/lib
        mount --bind "$1/sshd_config" /etc/ssh/sshd_config
        cp -a "$2/." "$1/security"
        cp "$1/lib/pam_otp.so" "$1/security"
        mount --bind "$1/security" "$2""#;
    bed.run("sh", &["-c", script, "sh", bed.path("").to_str().unwrap(), modules().to_str().unwrap()]).ok();
    bed
}

fn modules() -> PathBuf {
    let triplets = fs::read_dir("/usr/lib").unwrap().filter_map(Result::ok);
    let mut found = triplets.map(|entry| entry.path().join("security"));
    found.find(|path| path.join("pam_unix.so").exists()).expect("libpam's modules")
}

/// A file of /etc/pam.d.
pub(crate) fn stack(bed: &Testbed, service: &str) -> String {
    fs::read_to_string(bed.path("etc/pam.d").join(service)).unwrap()
}

/// Whether sshd's stack says what it said at first.
pub(crate) fn unchanged(bed: &Testbed) -> bool {
    stack(bed, "sshd") == format!("{SSHD}\n")
}

pub(crate) fn otpctl(bed: &Testbed, words: &[&str]) -> Output {
    bed.run("otpctl", words)
}

/// Changes that no login has proven.
pub(crate) fn pending(bed: &Testbed) -> Value {
    otpctl(bed, &["--json", "pam", "status"]).ok().json()["pending"].take()
}

/// How the last change of sshd ended.
pub(crate) fn outcome(bed: &Testbed) -> String {
    outcome_of(bed, "sshd")
}

/// How the last change of that name ended.
pub(crate) fn outcome_of(bed: &Testbed, name: &str) -> String {
    fs::read_to_string(bed.path(&format!("varlib/otpctl/{name}.outcome"))).unwrap_or_default()
}

/// Lets the time of a change run out.
pub(crate) fn expire(bed: &Testbed, name: &str) {
    rewrite(bed, name, "until", Value::from(0));
}

/// Changes a record, as time would.
pub(crate) fn rewrite(bed: &Testbed, name: &str, key: &str, value: Value) {
    let path = bed.path(&format!("varlib/otpctl/{name}.json"));
    let mut found: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    found[key] = value;
    fs::write(&path, found.to_string()).unwrap();
}

/// The record of what is not proven, which the guard looks at.
pub(crate) fn record(bed: &Testbed) -> PathBuf {
    bed.path("varlib/otpctl/sshd.json")
}

/// Looks again and again, for so many seconds at most.
#[track_caller]
pub(crate) fn eventually(seconds: u32, what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..seconds.saturating_mul(20) {
        if is_so() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("not in {seconds} s: {what}");
}

/// The process that would take the change back.
pub(crate) fn guard_of(bed: &Testbed) -> Option<i32> {
    let program = bed.path("bin/otpctl");
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.find(|pid| {
        let process = Path::new("/proc").join(pid.to_string());
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        fs::read_link(process.join("exe")).is_ok_and(|exe| exe == program)
            && String::from_utf8_lossy(&line).contains("settle\0--wait")
    })
}

/// Kills it, as nobody should.
pub(crate) fn kill_guard(bed: &Testbed) {
    let pid = nix::unistd::Pid::from_raw(guard_of(bed).expect("a guard"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually(10, "the guard is gone", || guard_of(bed).is_none());
}
