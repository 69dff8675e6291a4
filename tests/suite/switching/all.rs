//! `--all`: Debian's own pam-auth-update, on files of its own making.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::json;

use crate::site::ASKS;
use crate::site::SSHD;
use crate::site::eventually;
use crate::site::expire;
use crate::site::kill_guard;
use crate::site::otpctl;
use crate::site::outcome_of;
use crate::site::pending;
use crate::site::site;
use crate::site::stack;
use crate::ssh::Sshd;

/// A system whose common files pam-auth-update has written, and which has otpd's profile to choose.
fn debian() -> Testbed {
    let bed = site(ASKS);
    let profiles = bed.path("profiles");
    fs::create_dir(&profiles).unwrap();
    fs::copy("/usr/share/pam-configs/unix", profiles.join("unix")).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pam/otpd");
    fs::copy(ours, profiles.join("otpd")).unwrap();
    let script = r#"
        set -e
        mount --bind "$1/profiles" /usr/share/pam-configs
        mkdir "$1/debconf" "$1/work2"
        mount -t overlay -o "lowerdir=/var/cache/debconf,upperdir=$1/debconf,workdir=$1/work2" overlay /var/cache/debconf
        rm -rf /var/lib/pam
        mkdir /var/lib/pam
        DEBIAN_FRONTEND=noninteractive pam-auth-update --package --force"#;
    bed.run("sh", &["-c", script, "sh", bed.path("").to_str().unwrap()]).ok();
    let common = stack(&bed, "common-auth");
    assert!(common.contains("pam_unix.so") && !common.contains("pam_otp.so"), "{common}");
    bed
}

/// Another program in the place of pam-auth-update.
fn replace_pam_auth_update(bed: &Testbed, script: &str) {
    let stub = bed.path("stub");
    fs::write(&stub, format!("#!/bin/sh\n{script}\n")).unwrap();
    bed.run("chmod", &["755", stub.to_str().unwrap()]).ok();
    bed.run("mount", &["--bind", stub.to_str().unwrap(), "/usr/sbin/pam-auth-update"]).ok();
}

/// Every file below that is the system's own, with what it says and when it was written.
fn tree(bed: &Testbed) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
    fn walk(directory: &Path, found: &mut BTreeMap<PathBuf, (Vec<u8>, i64, i64)>) {
        for entry in fs::read_dir(directory).unwrap().filter_map(Result::ok) {
            let (path, metadata) = (entry.path(), entry.metadata().unwrap());
            if metadata.is_dir() {
                found.insert(path.clone(), (Vec::new(), 0, 0));
                walk(&path, found);
            } else {
                let said = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                found.insert(path, (said, metadata.mtime(), metadata.mtime_nsec()));
            }
        }
    }
    let mut found = BTreeMap::new();
    for directory in ["etc", "varlib", "debconf", "profiles"] {
        walk(&bed.path(directory), &mut found);
    }
    for entry in fs::read_dir(bed.inside("run")).unwrap().filter_map(Result::ok) {
        found.insert(entry.path(), (Vec::new(), 0, 0));
    }
    found
}

/// What PAM reads.
fn stacks(bed: &Testbed) -> [String; 3] {
    ["common-auth", "common-account", "sshd"].map(|service| stack(bed, service))
}

fn chosen(bed: &Testbed) -> String {
    fs::read_to_string(bed.path("debconf/config.dat")).unwrap_or_default()
}

#[test]
fn all_asks_everywhere_is_kept_by_a_login_and_goes_again() {
    let bed = debian();
    let before = stacks(&bed);
    let phone = bed.bind("alice", "phone");
    let asks = |service: &str| {
        let status = otpctl(&bed, &["--json", "pam", "status"]).ok().json();
        let services = status["services"].as_array().unwrap();
        services.iter().find(|row| row["service"] == service).map(|row| row["asks"].clone())
    };
    assert_eq!(asks("sshd"), Some(json!(false)));
    let enabled = otpctl(&bed, &["pam", "enable", "--all"]).ok();
    assert!(enabled.stdout.contains("any of the services"), "{enabled:?}");
    assert_eq!(stack(&bed, "common-auth").matches("pam_otp.so").count(), 1);
    assert_eq!(stack(&bed, "sshd").matches("pam_otp.so").count(), 1, "what keeps keys from letting in alone");
    assert_eq!((asks("sshd"), pending(&bed)[0]["name"].clone()), (Some(json!(true)), json!("all")));
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("alice", &[PASSWORD]).code, 0);
    assert_eq!(sshd.login("alice", &[PASSWORD, &phone.code(0)]).stdout, "in as alice\n", "{}", sshd.log());
    eventually(10, "it is kept", || pending(&bed) == json!([]));
    assert_eq!(outcome_of(&bed, "all"), "all: kept, a code of alice was accepted through sshd.");
    assert_eq!(sshd.login("bob", &[PASSWORD]).stdout, "in as bob\n");
    otpctl(&bed, &["pam", "disable", "--all"]).ok();
    assert_eq!((stacks(&bed), asks("sshd")), (before, Some(json!(false))));
    assert_eq!(sshd.login("alice", &[PASSWORD]).stdout, "in as alice\n");
    assert!(!chosen(&bed).contains("otpd,"), "pam-auth-update would choose it again: {}", chosen(&bed));
}

#[test]
fn a_dry_run_of_all_writes_nothing_anywhere() {
    let bed = debian();
    bed.bind("alice", "phone");
    let before = tree(&bed);
    let shown = otpctl(&bed, &["pam", "enable", "--all", "--dry-run"]).ok().stdout;
    assert!(shown.contains("common-auth") && shown.contains("pam_otp.so"), "{shown}");
    assert!(tree(&bed) == before);
    otpctl(&bed, &["pam", "enable", "--all"]).ok();
    otpctl(&bed, &["pam", "confirm"]).ok();
    eventually(10, "the guard ends", || crate::site::guard_of(&bed).is_none());
    let before = tree(&bed);
    let shown = otpctl(&bed, &["pam", "disable", "--all", "--dry-run"]).ok().stdout;
    assert!(shown.contains("common-auth") && shown.contains("pam_otp.so"), "{shown}");
    assert!(tree(&bed) == before);
}

/// Nobody proves it, and whoever should take it back is gone.
fn enable_and_expire(bed: &Testbed) {
    bed.bind("alice", "phone");
    otpctl(bed, &["pam", "enable", "--all"]).ok();
    kill_guard(bed);
    expire(bed, "all");
}

#[test]
fn all_that_nobody_proves_is_taken_back_with_the_profile() {
    let bed = debian();
    let before = stacks(&bed);
    enable_and_expire(&bed);
    otpctl(&bed, &["pam", "settle"]).ok();
    assert_eq!(stacks(&bed), before);
    assert!(outcome_of(&bed, "all").contains("no login with a code came in time"));
    // Whatever is installed next runs this, and must not bring it back.
    bed.run("env", &["DEBIAN_FRONTEND=noninteractive", "pam-auth-update", "--package"]).ok();
    assert_eq!(stacks(&bed), before);
}

#[test]
fn a_pam_auth_update_that_does_nothing_or_fails_keeps_nobody_out() {
    for (script, is_done) in [("exit 0", true), ("echo broken >&2; exit 1", false)] {
        let bed = debian();
        let before = stacks(&bed);
        enable_and_expire(&bed);
        replace_pam_auth_update(&bed, script);
        let settled = otpctl(&bed, &["pam", "settle"]);
        assert_eq!((stacks(&bed), settled.code == 0), (before.clone(), is_done), "{script}: {settled:?}");
        assert_eq!(pending(&bed) == json!([]), is_done, "what is not whole is tried again");
        let sshd = Sshd::start(&bed, "");
        assert_eq!(sshd.login("alice", &[PASSWORD]).stdout, "in as alice\n");
    }
}

#[test]
fn files_in_another_character_set_come_back_byte_by_byte() {
    let bed = debian();
    bed.bind("alice", "phone");
    let path = bed.path("etc/pam.d/sshd");
    let before = [b"# f\xfcr alle\r\n".as_slice(), SSHD.as_bytes(), b"\n# \xe9nd"].concat();
    fs::write(&path, &before).unwrap();
    for way in [["sshd"], ["--all"]] {
        let enable = || otpctl(&bed, &[&["pam", "enable"], way.as_slice()].concat()).ok();
        enable();
        let enabled = fs::read(&path).unwrap();
        assert!(enabled.starts_with(b"# f\xfcr alle\r\n") && enabled.ends_with(b"\n# \xe9nd"));
        assert_ne!(enabled, before);
        otpctl(&bed, &[&["pam", "disable"], way.as_slice()].concat()).ok();
        assert!(fs::read(&path).unwrap() == before, "disabled {way:?}");
        eventually(10, "the guard ends", || crate::site::guard_of(&bed).is_none());
        enable();
        kill_guard(&bed);
        expire(&bed, if way == ["sshd"] { "sshd" } else { "all" });
        otpctl(&bed, &["pam", "settle"]).ok();
        assert!(fs::read(&path).unwrap() == before, "taken back {way:?}");
    }
}
