//! `otpctl --offline`: root's way to the registry while otpd is stopped, or with its disk in another machine.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use otpd_tests::Output;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

/// A system with alice and bob protected, and otpd stopped.
fn stopped() -> Testbed {
    let mut bed = Testbed::new();
    for user in ["alice", "bob"] {
        bed.user(user);
        bed.bind(user, "phone");
    }
    bed.take_daemon().stop();
    bed
}

fn offline(bed: &Testbed, arguments: &[&str]) -> Output {
    let config = bed.path("otpd.toml").display().to_string();
    bed.run("otpctl", &[&["--json", "--offline", "--config", &config], arguments].concat())
}

/// What a login is told first.
fn first_step(bed: &Testbed, user: &str) -> Value {
    let login = json!({"login": {"user": user, "service": "sudo"}});
    bed.daemon().login("org.otpd.Login.Start", &login).unwrap()["step"]["next"].take()
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, expected: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{output:?}");
    assert!(output.stderr.contains(expected), "no {expected:?} in {output:?}");
}

/// Everything below a directory: names, owners, modes, bytes.
fn picture(directory: &Path) -> Vec<(String, u32, u32, Vec<u8>)> {
    let entry = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, found.uid(), found.mode(), fs::read(entry.path()).unwrap())
    };
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(entry).collect();
    found.sort();
    found
}

/// Gives alice a secure email, in the place of otpd-mail.
fn add_email(bed: &Testbed) {
    let daemon = bed.daemon();
    let mailer = json!({"mailer": {"instance": "suite", "transport": "by hand"}});
    daemon.mail("org.otpd.Mail.Claim", &mailer).unwrap();
    let add = json!({"user": "alice", "address": "jane@example.org"});
    daemon.account("org.otpd.Account.AddEmail", &add).unwrap();
    let mail = daemon.mail("org.otpd.Mail.Claim", &mailer).unwrap();
    let confirm = json!({"user": "alice", "code": mail["message"]["code"]});
    daemon.account("org.otpd.Account.ConfirmEmail", &confirm).unwrap();
}

#[test]
fn an_address_that_needs_the_key_stands_in_nobodys_way() {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.bind("alice", "phone");
    add_email(&bed);
    bed.take_daemon().stop();
    let status = offline(&bed, &["status", "alice"]).ok().json();
    assert_eq!(
        (status["emails"][0]["address"].as_str(), &status["protected"]),
        (Some("(sealed)"), &json!(true))
    );
    offline(&bed, &["reset", "alice", "--yes"]).ok();
    bed.start();
    assert_eq!(first_step(&bed, "alice"), "not_required");
}

#[test]
fn a_stopped_otpd_is_administered_and_agrees_when_it_starts() {
    let mut bed = stopped();
    let devices = offline(&bed, &["devices", "alice"]).ok().json();
    assert_eq!(
        (&devices["devices"][0]["name"], &devices["devices"][0]["state"]),
        (&json!("phone"), &json!("active"))
    );
    assert_eq!(offline(&bed, &["accounts"]).ok().json()["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(offline(&bed, &["status", "bob"]).ok().json()["protected"], true);
    assert_eq!(offline(&bed, &["off", "alice", "--yes"]).ok().json(), json!({"retired": 1}));
    assert_eq!(offline(&bed, &["reset", "bob", "--yes"]).ok().json(), json!({"retired": 1}));
    let log = offline(&bed, &["audit", "alice", "-n", "1"]).ok().json();
    assert_eq!((&log["events"][0]["event"], &log["events"][0]["actor"]), (&json!("off"), &json!("root")));
    assert_eq!(offline(&bed, &["audit", "--verify"]).ok().json()["whole"], true);
    bed.start();
    assert_eq!(bed.last_event("bob")["event"], "reset");
    assert_eq!(bed.run("otpctl", &["--json", "audit", "--verify"]).ok().json()["flaws"], json!([]));
    for user in ["alice", "bob"] {
        assert_eq!(first_step(&bed, user), "not_required", "{user}");
    }
}

#[test]
fn a_closed_lane_is_opened() {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.bind("alice", "phone");
    let answer = json!({"login": {"user": "alice", "service": "sudo"}, "answer": "000000"});
    for _ in 0..4 {
        bed.daemon().login("org.otpd.Login.Answer", &answer).unwrap();
    }
    bed.take_daemon().stop();
    assert_eq!(offline(&bed, &["unlock", "alice"]).ok().json(), json!({"opened": ["local"]}));
    assert_eq!(offline(&bed, &["unlock", "alice"]).ok().json(), json!({"opened": []}));
}

#[test]
fn it_is_for_root_and_for_a_registry_that_nobody_has() {
    let mut bed = stopped();
    let refused = bed.run_as("alice", "otpctl", &["--json", "--offline", "devices"]);
    assert_refused(&refused, 5, "for root");
    bed.start();
    let refused = offline(&bed, &["off", "alice", "--yes"]);
    assert_refused(&refused, 3, "systemctl stop otpd");
    assert_eq!(first_step(&bed, "alice"), "ask");
    assert_refused(&offline(&bed, &["bind", "alice"]), 2, "needs a running otpd");
    assert_refused(&offline(&bed, &["audit", "--follow"]), 2, "needs a running otpd");
}

#[test]
fn without_the_master_key_what_is_done_is_said_not_to_be_chained() {
    let mut bed = stopped();
    let (key, kept) = (bed.path("state/registry.key"), bed.path("kept.key"));
    fs::rename(&key, &kept).unwrap();
    assert_eq!(offline(&bed, &["devices", "alice"]).ok().stderr, "");
    let said = offline(&bed, &["off", "alice", "--yes"]).ok().stderr;
    assert!(said.contains("cannot be chained") && said.contains("registry.key"), "{said}");
    assert_refused(&offline(&bed, &["audit", "--verify"]), 1, "The master key is not here");
    assert!(!key.exists());
    fs::rename(&kept, &key).unwrap();
    let named = |output: Output| {
        assert_eq!(output.code, 1, "{output:?}");
        let flaws = serde_json::from_str::<Value>(&output.stdout).unwrap()["flaws"].take();
        let flaws = flaws.as_array().unwrap().iter();
        flaws.map(|flaw| flaw["defect"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named(offline(&bed, &["audit", "--verify"])), ["unchained"]);
    bed.start();
    assert_eq!(named(bed.run("otpctl", &["--json", "audit", "--verify"])), ["unchained"]);
    assert_eq!(first_step(&bed, "alice"), "not_required");
}

#[test]
fn nothing_is_made() {
    let bed = stopped();
    fs::rename(bed.path("state/registry.db"), bed.path("kept.db")).unwrap();
    let before = picture(&bed.path("state"));
    assert_refused(&offline(&bed, &["accounts"]), 3, "is missing or empty");
    assert!(picture(&bed.path("state")) == before);
    fs::remove_dir_all(bed.path("state")).unwrap();
    assert_refused(&offline(&bed, &["accounts"]), 3, "No such file");
    assert!(!bed.path("state").exists());
}

#[test]
fn somebody_whom_only_the_registry_knows_is_found() {
    let mut bed = stopped();
    let passwd = fs::read_to_string(bed.path("etc/passwd")).unwrap();
    let others: Vec<&str> = passwd.lines().filter(|line| !line.starts_with("alice:")).collect();
    fs::write(bed.path("etc/passwd"), others.join("\n") + "\n").unwrap();
    // A directory server that is away may also have had the policy's groups.
    bed.configure("[policy]\nrequire_groups = [\"nas-users\"]");
    let reset = offline(&bed, &["reset", "alice", "--yes"]).ok();
    assert_eq!(reset.json(), json!({"retired": 1}));
    assert!(reset.stderr.contains("nas-users"), "{reset:?}");
    assert_refused(&offline(&bed, &["reset", "mallory", "--yes"]), 1, "no user");
    bed.configure("");
    fs::write(bed.path("etc/passwd"), passwd).unwrap();
    bed.start();
    assert_eq!(first_step(&bed, "alice"), "not_required");
}

#[test]
fn a_disk_of_another_machine_has_its_own_users_and_paths() {
    let bed = stopped();
    // Where nobody but root can enter, with users that this system does not have, under numbers of its own.
    let disk = bed.path("private/disk");
    for directory in ["etc", "srv/config"] {
        fs::create_dir_all(disk.join(directory)).unwrap();
    }
    std::os::unix::fs::symlink("/srv/config", disk.join("etc/otpd")).unwrap();
    fs::set_permissions(bed.path("private"), fs::Permissions::from_mode(0o700)).unwrap();
    let passwd = "root:x:0:0::/:/bin/sh\nsafe:x:70999:70999::/:/bin/false\nalice:x:61000:61000::/:/bin/sh\n";
    fs::write(disk.join("etc/passwd"), passwd).unwrap();
    fs::write(disk.join("srv/config/otpd.toml"), "user = \"safe\"\n[paths]\nstate = \"/srv/otpd\"\n")
        .unwrap();
    fs::rename(bed.path("state"), disk.join("srv/otpd")).unwrap();
    for entry in [".", "registry.db", "registry.key", "lock", "ballast"] {
        chown(disk.join("srv/otpd").join(entry), Some(70_999), Some(70_999)).unwrap();
    }
    let root = disk.display().to_string();
    let run = |arguments: &[&str]| {
        bed.run("otpctl", &[&["--json", "--offline", "--root", &root], arguments].concat())
    };
    assert_eq!(run(&["reset", "alice", "--yes"]).ok().json(), json!({"retired": 1}));
    // bob is in no file of that disk.
    assert_eq!(run(&["devices", "bob"]).ok().json()["devices"].as_array().unwrap().len(), 1);
    for (name, uid, _, _) in picture(&disk.join("srv/otpd")) {
        assert_eq!(uid, 70_999, "{name}");
    }
    let nowhere = bed.run("otpctl", &["--json", "--offline", "--root", "/proc/self", "accounts"]);
    assert_refused(&nowhere, 3, "is /proc/self the root directory of a system?");
    let alone = bed.run("otpctl", &["--json", "--root", &root, "accounts"]);
    assert_refused(&alone, 2, "--offline");
}

#[test]
fn it_ends_with_its_caller_and_talks_to_nothing_but_a_socket() {
    let mut bed = stopped();
    let start = |input: Stdio| {
        let mut command = bed.command(bed.path("bin/otpd"));
        command.arg("--offline").arg("--config").arg(bed.path("otpd.toml")).stdin(input);
        command.stderr(Stdio::piped()).spawn().unwrap()
    };
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = start(OwnedFd::from(theirs).into());
    std::io::Write::write_all(&mut ours, b"{\"method\":\"org.otpd.Account.Status\"}\0{\"method\":").unwrap();
    let mut reply = [0; 2];
    ours.read_exact(&mut reply).unwrap();
    drop(ours);
    assert!(child.wait().unwrap().success());
    let mut child = start(Stdio::null());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(said.contains("standard input is no socket"), "{said}");
    bed.start();
    assert_eq!(first_step(&bed, "alice"), "ask");
}
