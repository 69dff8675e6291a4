//! The master key is replaced: in the file, under the hands of `kill -9`, and in two steps where otpd cannot write it.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::process::Stdio;

use otpd_tests::Daemon;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

/// Every key that the registry has, opened.
fn keys(bed: &Testbed) -> String {
    let exported = bed.run("otpctl", &["export", "oath", "--output", "-"]).ok().stdout;
    assert!(exported.contains("alice"), "{exported}");
    // What was used last changes.
    exported.lines().map(|line| line.split('\t').take(4).collect::<String>()).collect()
}

fn answer(bed: &Testbed, code: &str) -> Value {
    let login = json!({"login": {"user": "alice", "service": "sudo"}, "answer": code});
    bed.daemon().login("org.otpd.Login.Answer", &login).unwrap()["step"]["next"].take()
}

fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed
}

#[test]
fn a_new_key_takes_the_place_of_the_old_one_which_opens_nothing_more() {
    let mut bed = bed();
    let phone = bed.bind("alice", "phone");
    let path = bed.path("state/registry.key");
    let (old, before) = (fs::read(&path).unwrap(), keys(&bed));
    let refused = bed.run_as("alice", "otpctl", &["--json", "key", "rotate"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(fs::read(&path).unwrap() == old);
    let done = bed.run("otpctl", &["--json", "key", "rotate"]).ok();
    assert_eq!(done.json()["key"], path.display().to_string());
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid(), found.len()), (0o400, 60_999, 32));
    assert!(fs::read(&path).unwrap() != old && !bed.path("state/registry.key.new").exists());
    assert_eq!(bed.last_event("root")["event"], "master_key");
    assert_eq!(keys(&bed), before);
    bed.take_daemon().stop();
    bed.start();
    assert_eq!(keys(&bed), before);
    assert_eq!(answer(&bed, &phone.code(0)), "accept");
    bed.take_daemon().stop();
    let (new, registry) = (fs::read(&path).unwrap(), fs::read(bed.path("state/registry.db")).unwrap());
    fs::write(&path, old).unwrap();
    assert!(bed.try_start().unwrap_err().contains("is not the master key"));
    assert!(fs::read(bed.path("state/registry.db")).unwrap() == registry);
    fs::write(&path, new).unwrap();
    bed.start();
}

#[test]
fn where_otpd_cannot_write_the_key_both_open_until_it_starts_with_the_new_one() {
    let mut bed = bed();
    bed.bind("alice", "phone");
    let before = keys(&bed);
    bed.take_daemon().stop();
    let credentials = bed.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(bed.path("state/registry.key"), credentials.join("registry.key")).unwrap();
    chown(credentials.join("registry.key"), Some(0), Some(0)).unwrap();
    let start = |bed: &Testbed| {
        let mut command = bed.command(bed.path("bin/otpd"));
        command.arg("--config").arg(bed.path("otpd.toml")).env("CREDENTIALS_DIRECTORY", &credentials);
        Daemon::start(command, &bed.runtime())
    };
    let daemon = start(&bed).unwrap();
    let by_hand = bed.run("otpctl", &["--json", "key", "rotate"]);
    assert!(by_hand.code == 1 && by_hand.stderr.contains("--to FILE"), "{by_hand:?}");
    let new = bed.path("new.key");
    let to = |bytes: &[u8]| {
        fs::write(&new, bytes).unwrap();
        bed.run("otpctl", &["--json", "key", "rotate", "--to", &new.display().to_string()])
    };
    assert_eq!(to(&[7; 31]).code, 1);
    assert_eq!(to(&fs::read(credentials.join("registry.key")).unwrap()).code, 1);
    assert_eq!(to(&[7; 32]).ok().json(), json!({"key": null}));
    daemon.stop();
    // The old one goes on as long as it is what otpd gets.
    let daemon = start(&bed).unwrap();
    assert_eq!(keys(&bed), before);
    daemon.stop();
    let old = credentials.join("old");
    fs::rename(credentials.join("registry.key"), &old).unwrap();
    fs::copy(&new, credentials.join("registry.key")).unwrap();
    let daemon = start(&bed).unwrap();
    assert_eq!(keys(&bed), before);
    daemon.stop();
    fs::rename(&old, credentials.join("registry.key")).unwrap();
    assert!(start(&bed).err().unwrap().contains("is not the master key"));
}

/// Has otpd killed as any of its threads begins its `nth` `call`, in a rotation. Returns whether it was.
fn killed_at(bed: &mut Testbed, call: &str, nth: u32) -> bool {
    let pid = bed.daemon().pid().to_string();
    let inject = format!("inject={call}:signal=KILL:when={nth}");
    let mut strace = bed.command("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject, "-p", &pid]);
    let mut strace = strace.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(strace.stderr.take().unwrap());
    let mut line = String::new();
    // It names the process once all its threads are held.
    while !line.contains("attached") {
        assert!(said.read_line(&mut line).unwrap() > 0, "strace does not attach: {line}");
    }
    let done = bed.run("otpctl", &["--json", "key", "rotate"]).code == 0;
    if done {
        bed.take_daemon().stop();
    } else {
        bed.take_daemon().wait();
    }
    let _ = strace.wait();
    !done
}

#[test]
fn killed_at_any_instant_otpd_starts_with_the_key_that_is_there() {
    let mut bed = bed();
    let phone = bed.bind("alice", "phone");
    let before = keys(&bed);
    let mut killed = 0;
    for call in ["openat", "write", "fsync", "fdatasync", "pwrite64", "rename", "unlink"] {
        for nth in 1.. {
            let was_killed = killed_at(&mut bed, call, nth);
            bed.start();
            assert_eq!(keys(&bed), before, "killed at {call} {nth}");
            assert!(!bed.path("state/registry.key.new").exists(), "killed at {call} {nth}");
            if !was_killed {
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 8, "{killed}");
    assert_eq!(answer(&bed, &phone.code(1)), "accept");
    let mode = fs::metadata(bed.path("state/registry.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o400);
}
