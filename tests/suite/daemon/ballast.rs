//! The room that otpd keeps for a full disk: given up once, told loudly, made anew by itself; and disks that take
//! nothing for other reasons.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use otpd_proto::client::ClientError;
use otpd_tests::Daemon;
use otpd_tests::Faults;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::eventually;
use crate::full_disk::assert_intact;
use crate::full_disk::fill;
use crate::full_disk::free;
use crate::full_disk::on_disk_of;
use crate::full_disk::tried;
use crate::login;

const SIZE: u64 = 16 << 20;
const UNAVAILABLE: &str = "org.otpd.Login.Unavailable";

fn ballast(bed: &Testbed) -> PathBuf {
    bed.path("state/ballast")
}

/// Seen from inside, where the disk is.
fn is_whole(bed: &Testbed) -> bool {
    let found = bed.run("stat", &["-c", "%s %b %a", &ballast(bed).display().to_string()]);
    found.stdout == format!("{SIZE} {} 600\n", SIZE / 512)
}

/// What doctor says of a thing: verdict and words.
fn doctor(daemon: &Daemon, what: &str) -> (String, String) {
    let doctor = daemon.account("org.otpd.Admin.Doctor", &json!({})).unwrap();
    let checks = doctor["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == what).unwrap();
    (check["verdict"].as_str().unwrap().into(), check["say"].as_str().unwrap().into())
}

fn warnings(daemon: &Daemon) -> Value {
    daemon.account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap()["warnings"].clone()
}

/// The daemon's own events of a reason.
fn told(bed: &Testbed, reason: &str) -> Vec<String> {
    let audit = bed.daemon().account("org.otpd.Admin.Audit", &json!({"user": "-"})).unwrap();
    let events = audit["events"].as_array().unwrap().iter().filter(|event| event["reason"] == reason);
    events.map(|event| event["detail"].as_str().unwrap().to_owned()).collect()
}

/// The next line to syslog with these words.
fn line(syslog: &UnixDatagram, words: &str) -> String {
    syslog.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut buffer = [0; 2048];
    loop {
        let length = syslog.recv(&mut buffer).unwrap_or_else(|error| panic!("no {words:?}: {error}"));
        let line = String::from_utf8_lossy(&buffer[..length]);
        if line.contains(words) {
            return line.into_owned();
        }
    }
}

/// What is said to somebody whose code cannot be used up.
fn said(daemon: &Daemon, code: &str) -> String {
    let mut parameters = login("alice");
    parameters["answer"] = code.into();
    match daemon.login("org.otpd.Login.Answer", &parameters) {
        Err(ClientError::Refused { error, parameters, .. }) if error == UNAVAILABLE => {
            serde_json::from_str::<Value>(&parameters).unwrap()["say"].as_str().unwrap().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

/// So that the file may lie there when otpd starts.
fn fill_as_otpd(bed: &Testbed) {
    fill(bed);
    let filler = bed.path("state/filler").display().to_string();
    bed.run("chown", &["otpd:otpd", &filler]).ok();
    bed.run("chmod", &["600", &filler]).ok();
}

#[test]
fn on_a_full_disk_logins_go_on_at_the_cost_of_the_ballast_which_comes_back_by_itself() {
    let mut bed = on_disk_of("96m");
    let syslog = UnixDatagram::bind(bed.path("log")).unwrap();
    // syslogd is root's; otpd only writes to it.
    fs::set_permissions(bed.path("log"), fs::Permissions::from_mode(0o666)).unwrap();
    bed.start();
    let (runtime, phone) = (bed.runtime(), bed.bind("alice", "phone"));
    eventually("a ballast", || is_whole(&bed));
    assert_eq!(warnings(bed.daemon()), json!([]));
    fill(&bed);
    let used = phone.code(0);
    let tries: Vec<String> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| tried(&runtime, &used))).collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).collect()
    });
    let accepted = tries.iter().filter(|next| *next == "accept").count();
    assert!(accepted == 1 && !tries.iter().any(|next| next == UNAVAILABLE), "{tries:?}");
    assert!(!is_whole(&bed));
    assert_eq!(tried(&runtime, &used), "refuse");
    eventually("an event", || told(&bed, "disk_full").len() == 1);
    assert!(told(&bed, "disk_full")[0].contains("Make room"), "{:?}", told(&bed, "disk_full"));
    assert!(line(&syslog, "the last 16 MiB were set free").starts_with("<84>"), "a warning");
    let (verdict, say) = doctor(bed.daemon(), "disk");
    assert!(verdict == "fail" && say.contains("nothing in reserve"), "{verdict} {say}");
    assert!(warnings(bed.daemon())[0].as_str().unwrap().contains("nothing in reserve"));
    // Now it is full in earnest.
    fill(&bed);
    let fresh = phone.code(1);
    let say = said(bed.daemon(), &fresh);
    assert!(say.contains("disk") && say.contains("full") && say.contains("make room"), "{say}");
    assert_eq!(tried(&runtime, &used), UNAVAILABLE);
    assert!(
        line(&syslog, "nothing is left to set free").starts_with("<84>"),
        "a warning, though it is not on disk"
    );
    free(&bed);
    assert_eq!(tried(&runtime, &fresh), "accept");
    eventually("the ballast again", || is_whole(&bed));
    eventually("an end of it", || told(&bed, "ok").iter().any(|detail| detail.contains("room again")));
    assert_eq!((told(&bed, "disk_full").len(), warnings(bed.daemon())), (1, json!([])));
    assert_intact(&bed);
}

#[test]
fn a_small_disk_is_not_filled_with_a_ballast() {
    let mut bed = on_disk_of("24m");
    bed.start();
    bed.bind("alice", "phone");
    let (verdict, say) = doctor(bed.daemon(), "disk");
    assert!(verdict == "warn" && say.contains("nothing in reserve"), "{verdict} {say}");
    assert!(!is_whole(&bed));
    assert_eq!(warnings(bed.daemon()), json!([]));
}

#[test]
fn otpd_starts_on_a_full_disk_at_the_cost_of_the_ballast_and_not_without_one() {
    let mut bed = on_disk_of("96m");
    bed.start();
    let phone = bed.bind("alice", "phone");
    eventually("a ballast", || is_whole(&bed));
    bed.take_daemon().stop();
    fill_as_otpd(&bed);
    bed.start();
    assert!(!is_whole(&bed));
    assert_eq!(tried(&bed.runtime(), &phone.code(0)), "accept");
    bed.take_daemon().stop();
    fill_as_otpd(&bed);
    let said = bed.try_start().unwrap_err();
    assert!(said.contains("the disk is full; make room on it"), "{said}");
    free(&bed);
    bed.start();
    assert_intact(&bed);
}

#[test]
fn a_quota_that_is_used_up_is_a_full_disk() {
    let mut bed = on_disk_of("96m");
    let faults = Faults::start(&mut bed);
    let phone = bed.bind("alice", "phone");
    eventually("a ballast", || is_whole(&bed));
    faults.disk(libc::EDQUOT);
    let code = phone.code(1);
    let say = said(bed.daemon(), &code);
    assert!(say.contains("full") && say.contains("make room"), "{say}");
    assert!(!is_whole(&bed), "the ballast is kept though nothing can be written");
    faults.clear();
    assert_eq!(tried(&bed.runtime(), &code), "accept");
    assert_eq!(tried(&bed.runtime(), &code), "refuse");
    eventually("the ballast again", || is_whole(&bed));
    assert_intact(&bed);
}

#[test]
fn a_disk_that_became_read_only_or_fails_is_named_and_keeps_the_ballast() {
    let mut bed = on_disk_of("96m");
    let faults = Faults::start(&mut bed);
    let phone = bed.bind("alice", "phone");
    eventually("a ballast", || is_whole(&bed));
    let code = phone.code(1);
    for (errno, words) in [(libc::EROFS, "Read-only file system"), (libc::EIO, "Input/output error")] {
        faults.disk(errno);
        let say = said(bed.daemon(), &code);
        assert!(say.contains("cannot be written") && say.contains("otpctl doctor"), "{say}");
        // What it says comes here by a pipe, and may come later than the answer.
        eventually(words, || bed.daemon().log().contains(words));
        let (verdict, say) = doctor(bed.daemon(), "disk");
        assert!(verdict == "fail" && say.contains(words), "{verdict} {say}");
        faults.clear();
        assert_eq!(doctor(bed.daemon(), "registry").0, "ok");
    }
    assert!(is_whole(&bed));
    assert_eq!(tried(&bed.runtime(), &code), "accept");
    assert_intact(&bed);
}

#[test]
fn a_state_directory_that_is_remounted_read_only_refuses_codes_until_it_is_writable() {
    let mut bed = on_disk_of("96m");
    bed.start();
    let phone = bed.bind("alice", "phone");
    bed.take_daemon().stop();
    let state = bed.path("state").display().to_string();
    bed.run("mount", &["-o", "remount,ro", &state]).ok();
    let said = bed.try_start().unwrap_err();
    assert!(said.contains("Read-only file system"), "{said}");
    bed.run("mount", &["-o", "remount,rw", &state]).ok();
    bed.start();
    assert_eq!(tried(&bed.runtime(), &phone.code(0)), "accept");
}
