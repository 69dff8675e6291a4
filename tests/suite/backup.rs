//! Backups: made while people log in, restored on a new box, refused whole if a bit is wrong, and put in place in one
//! step.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use otpd_proto::LOGIN_SOCKET;
use otpd_proto::client::Client;
use otpd_tests::Daemon;
use otpd_tests::Output;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
const PASSPHRASE: &str = "correct horse battery";

/// A box with a running otpd, and what root calls there.
struct Place {
    bed: Testbed,
}

impl Place {
    /// A box that has alice, bob and a passphrase in a file, and no registry.
    fn empty() -> Self {
        let mut bed = Testbed::without_daemon();
        bed.configure("");
        for user in ["alice", "bob"] {
            bed.user(user);
        }
        fs::write(bed.path("words"), format!("{PASSPHRASE}\n")).unwrap();
        Self { bed }
    }

    fn path(&self, name: &str) -> String {
        self.bed.path(name).display().to_string()
    }

    fn backup(&self, file: &str, options: &[&str]) -> Output {
        self.bed.run("otpctl", &[&["--json", "backup", &self.path(file)], options].concat())
    }

    fn backup_with_key(&self, file: &str) -> Output {
        self.backup(file, &["--passphrase-file", &self.path("words")])
    }

    fn offline(&self, arguments: &[&str]) -> Output {
        self.bed.run(
            "otpctl",
            &[&["--json", "--offline", "--config", &self.path("otpd.toml")], arguments].concat(),
        )
    }

    fn restore(&self, file: &Path, options: &[&str]) -> Output {
        self.offline(&[&["restore", &file.display().to_string()], options].concat())
    }

    fn restore_with_key(&self, file: &Path, options: &[&str]) -> Output {
        self.restore(file, &[options, &["--passphrase-file", &self.path("words")]].concat())
    }

    /// Who is protected by the registry of a stopped otpd; `None` if there is no registry.
    fn protected(&self) -> Option<BTreeSet<String>> {
        let found = self.offline(&["accounts"]);
        if found.stderr.contains("is missing or empty") {
            return None;
        }
        let accounts = found.ok().json()["accounts"].take();
        Some(accounts.as_array().unwrap().iter().map(|row| row["user"].as_str().unwrap().into()).collect())
    }

    /// Starts otpd with a clock that is a minute ahead: past the steps that a restore spends.
    fn start_in_a_minute(&self) -> Daemon {
        let mut command = self.bed.command(self.bed.path("bin/otpd"));
        command.arg("--config").arg(self.bed.path("otpd.toml"));
        // Not by the program `faketime`, which would stand between us and otpd.
        command.env("LD_PRELOAD", FAKETIME).env("FAKETIME", "+60s").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Daemon::start(command, &self.bed.runtime()).unwrap()
    }

    /// Everything in the state directory.
    fn picture(&self) -> Vec<(String, u32, u32, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(self.bed.path("state")) else { return Vec::new() };
        let entry = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, found.uid(), found.mode(), fs::read(entry.path()).unwrap())
        };
        let mut found: Vec<_> = entries.map(entry).collect();
        found.sort();
        found
    }
}

/// A box where alice has a phone, with a backup of it beside, and bob has one that came later. otpd is stopped.
fn later() -> (Place, PathBuf) {
    let mut place = Place::empty();
    place.bed.start();
    place.bed.bind("alice", "phone");
    place.backup("early", &["--without-key"]).ok();
    place.bed.bind("bob", "phone");
    place.bed.take_daemon().stop();
    let early = place.bed.path("early");
    (place, early)
}

fn names(users: &[&str]) -> Option<BTreeSet<String>> {
    Some(users.iter().map(|user| (*user).to_owned()).collect())
}

fn answer(daemon: &Daemon, user: &str, code: &str) -> String {
    let login = json!({"login": {"user": user, "service": "sudo"}, "answer": code});
    let step = daemon.login("org.otpd.Login.Answer", &login).unwrap()["step"].take();
    step["next"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, reason: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{output:?}");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(error["error"]["reason"], reason, "{output:?}");
}

#[test]
fn a_new_box_goes_on_with_the_old_phones_and_no_code_that_was_used() {
    let mut old = Place::empty();
    old.bed.start();
    let (phone, other) = (old.bed.bind("alice", "phone"), old.bed.bind("bob", "phone"));
    let sheet = old.bed.daemon().account("org.otpd.Account.NewCodes", &json!({"user": "alice"})).unwrap();
    let made = old.backup_with_key("backup").ok().json();
    assert_eq!((&made["accounts"], &made["devices"], &made["has_key"]), (&json!(2), &json!(2), &json!(true)));
    assert_eq!(old.bed.last_event("root")["event"], "backup");
    let file = old.bed.path("backup");
    let found = fs::metadata(&file).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, 0));
    assert_refused(&old.backup_with_key("backup"), 1, "file");
    // What happened since is not in it: a code that was used, a device that is gone.
    let used = phone.code(0);
    assert_eq!(answer(old.bed.daemon(), "alice", &used), "accept");
    old.bed.run("otpctl", &["off", "bob", "--yes"]).ok();
    old.bed.take_daemon().stop();

    let mut new = Place::empty();
    let restored = new.restore_with_key(&file, &[]).ok().json();
    assert_eq!((&restored["taken"], &restored["kept"]), (&made["taken"], &json!(null)));
    assert_eq!(restored["key"], new.path("state/registry.key"));
    let users: Vec<&Value> = restored["first"].as_array().unwrap().iter().map(|row| &row["user"]).collect();
    assert_eq!(users, ["alice", "bob"]);
    new.bed.start();
    let event = new.bed.daemon().account("org.otpd.Admin.Audit", &json!({"user": "-", "tail": 9})).unwrap();
    let event = event["events"].as_array().unwrap().iter().find(|event| event["event"] == "restore").cloned();
    assert!(event.unwrap()["detail"].as_str().unwrap().contains("from a backup of"));
    let verified = new.bed.run("otpctl", &["--json", "audit", "--verify"]).ok().json();
    assert_eq!(verified["whole"], true, "{verified}");
    let at = restored["restored"].as_i64().unwrap();
    for step in [-30, 0, 30] {
        for (user, phone) in [("alice", &phone), ("bob", &other)] {
            assert_eq!(answer(new.bed.daemon(), user, &phone.code_at(at + step)), "refuse", "{user} {step}");
        }
    }
    assert_eq!(answer(new.bed.daemon(), "alice", &used), "refuse");
    assert_ne!(answer(new.bed.daemon(), "alice", sheet["codes"][0].as_str().unwrap()), "accept");
    let status = new.bed.daemon().account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap();
    assert_eq!(status["recovery_codes"], json!([]));
    new.bed.run("otpctl", &["unlock", "alice"]).ok();
    new.bed.take_daemon().stop();
    let daemon = new.start_in_a_minute();
    for (user, phone) in [("alice", &phone), ("bob", &other)] {
        let code = phone.code_at(at + 60);
        assert_eq!(answer(&daemon, user, &code), "accept", "{user}");
        assert_eq!(answer(&daemon, user, &code), "refuse", "{user}");
    }
}

#[test]
fn a_token_that_counts_is_refused_until_it_is_set_right() {
    const HEX: &str = "3132333435363738393031323334353637383930";
    let press = |counter: u64| {
        let mut oathtool = std::process::Command::new("oathtool");
        let shown = oathtool.args(["--hotp", "-c", &counter.to_string(), HEX]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap().trim().to_owned()
    };
    let mut old = Place::empty();
    old.bed.start();
    let bind = ["bind", "--begin", "--name", "token", "--hotp", "--hex", "--key", HEX];
    old.bed.run_as("alice", "otpctl", &bind).ok();
    old.bed.run_as("alice", "otpctl", &["confirm", "token", &press(0)]).ok();
    old.backup_with_key("backup").ok();
    // Used since, and of that the backup knows nothing.
    assert_eq!(answer(old.bed.daemon(), "alice", &press(1)), "accept");
    old.bed.take_daemon().stop();
    let mut new = Place::empty();
    new.restore_with_key(&old.bed.path("backup"), &[]).ok();
    new.bed.start();
    for counter in [1, 2] {
        assert_eq!(answer(new.bed.daemon(), "alice", &press(counter)), "refuse", "{counter}");
    }
    let resync = ["--json", "resync", "token", "--codes", &press(2), &press(3)];
    new.bed.run_as("alice", "otpctl", &resync).ok();
    assert_eq!(answer(new.bed.daemon(), "alice", &press(3)), "refuse");
    assert_eq!(answer(new.bed.daemon(), "alice", &press(4)), "accept");
}

#[test]
fn the_passphrase_is_needed_and_has_to_be_right() {
    let mut place = Place::empty();
    place.bed.start();
    place.bed.bind("alice", "phone");
    fs::write(place.bed.path("short"), "sesame\n").unwrap();
    let short = place.backup("never", &["--passphrase-file", &place.path("short")]);
    assert_refused(&short, 1, "passphrase_wrong");
    assert_refused(&place.backup("never", &[]), 2, "usage");
    let missing = place.backup("never", &["--passphrase-file", &place.path("nothing")]);
    assert_refused(&missing, 1, "file");
    let refused =
        place.bed.run_as("alice", "otpctl", &["--json", "backup", "/home/alice/b", "--without-key"]);
    assert_refused(&refused, 5, "not_permitted");
    assert!(!place.bed.path("never").exists() && !place.bed.path("home/alice/b").exists());
    place.backup_with_key("backup").ok();
    place.bed.take_daemon().stop();
    let (new, file) = (Place::empty(), place.bed.path("backup"));
    fs::write(new.bed.path("wrong"), "correct horse batterz\n").unwrap();
    // Before otpd is started for it, which would complain too.
    assert_refused(&new.restore(&new.bed.path("nothing"), &[]), 1, "file");
    assert_refused(&new.restore(&file, &["--passphrase-file", &new.path("nothing")]), 1, "file");
    assert_refused(&new.restore(&file, &[]), 1, "passphrase_needed");
    assert_refused(&new.restore(&file, &["--passphrase-file", &new.path("wrong")]), 1, "passphrase_wrong");
    let alone = new.bed.run("otpctl", &["--json", "restore", &file.display().to_string()]);
    assert_refused(&alone, 2, "usage");
    assert_eq!(new.protected(), None);
    new.restore_with_key(&file, &[]).ok();
    assert_eq!(new.protected(), names(&["alice"]));
    assert_refused(&new.restore_with_key(&file, &[]), 1, "registry_exists");
}

#[test]
fn without_the_key_the_master_key_of_the_old_box_opens_it() {
    let (old, early) = later();
    let mut new = Place::empty();
    assert_refused(&new.restore(&early, &[]), 1, "bad_key");
    assert_refused(&new.restore_with_key(&early, &[]), 1, "bad_file");
    assert_eq!(new.protected(), None);
    let key = new.bed.path("state/registry.key");
    fs::copy(old.bed.path("state/registry.key"), &key).unwrap();
    std::os::unix::fs::chown(&key, Some(60_999), Some(60_999)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(new.restore(&early, &[]).ok().json()["key"], json!(null));
    new.bed.start();
    new.bed.take_daemon().stop();
    assert_eq!(new.protected(), names(&["alice"]));
}

#[test]
fn a_credential_is_the_master_key_of_the_box_that_has_one() {
    let (_old, early) = later();
    let (mut place, credentials) = (Place::empty(), "credentials");
    place.bed.start();
    place.bed.bind("alice", "phone");
    place.backup_with_key("backup").ok();
    place.bed.take_daemon().stop();
    fs::remove_dir_all(place.bed.path("state")).unwrap();
    fs::create_dir(place.bed.path(credentials)).unwrap();
    let key = place.bed.path(credentials).join("registry.key");
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let with = |program: &str, arguments: &[&str]| {
        let directory = format!("CREDENTIALS_DIRECTORY={}", place.path(credentials));
        place.bed.run("env", &[&[&directory, program], arguments].concat())
    };
    let (config, words, file) = (place.path("otpd.toml"), place.path("words"), place.path("backup"));
    let offline = ["--json", "--offline", "--config", &config, "restore"];
    // The key of that backup is another box's.
    assert_refused(&with("otpctl", &[&offline[..], &[&early.display().to_string()]].concat()), 1, "bad_key");
    let done = with("otpctl", &[&offline[..], &[&file, "--passphrase-file", &words]].concat()).ok();
    assert_eq!(done.json()["key"], json!(null));
    assert!(!place.bed.path("state/registry.key").exists());
    let mut command = place.bed.command(place.bed.path("bin/otpd"));
    command.arg("--config").arg(&config).env("CREDENTIALS_DIRECTORY", place.bed.path(credentials));
    let daemon = Daemon::start(command, &place.bed.runtime()).unwrap();
    assert_eq!(answer(&daemon, "alice", "000000"), "refuse");
}

#[test]
fn what_was_there_is_kept_and_can_be_put_back() {
    let (mut place, early) = later();
    assert_refused(&place.restore(&early, &[]), 1, "registry_exists");
    let kept = place.restore(&early, &["--replace"]).ok().json()["kept"].as_str().unwrap().to_owned();
    assert_eq!(place.protected(), names(&["alice"]));
    assert!(kept.starts_with(&place.path("state/registry.db.replaced-")), "{kept}");
    place.bed.start();
    place.bed.take_daemon().stop();
    fs::rename(&kept, place.bed.path("state/registry.db")).unwrap();
    assert_eq!(place.protected(), names(&["alice", "bob"]));
    place.bed.start();
}

#[test]
fn a_damaged_registry_is_replaced_and_kept_with_its_log() {
    let (mut place, early) = later();
    let registry = place.bed.path("state/registry.db");
    let mut bytes = fs::read(&registry).unwrap();
    bytes[..100].fill(0);
    fs::write(&registry, &bytes).unwrap();
    let log = place.bed.path("state/registry.db-wal");
    fs::write(&log, "what was written last").unwrap();
    std::os::unix::fs::chown(&log, Some(60_999), Some(60_999)).unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    let kept = place.restore(&early, &["--replace"]).ok().json()["kept"].as_str().unwrap().to_owned();
    assert!(fs::read(&kept).unwrap() == bytes);
    assert_eq!(fs::read_to_string(format!("{kept}-wal")).unwrap(), "what was written last");
    assert_eq!(place.protected(), names(&["alice"]));
    place.bed.start();
}

#[test]
fn a_file_that_is_not_whole_is_refused_and_nothing_is_touched() {
    let (place, early) = later();
    let whole = fs::read(&early).unwrap();
    let before = place.picture();
    let refused = |bytes: &[u8], what: &str| {
        let file = place.bed.path("altered");
        fs::write(&file, bytes).unwrap();
        let output = place.restore(&file, &["--replace"]);
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{what}: {output:?}");
        assert!(place.picture() == before, "{what}");
    };
    for cut in [0, 1, 14, 15, 127, 128, 129, whole.len() / 2, 128 + 65_552, whole.len() - 1] {
        refused(&whole[..cut.min(whole.len() - 1)], &format!("cut at {cut}"));
    }
    for at in (0..whole.len()).step_by(whole.len() / 24) {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        refused(&altered, &format!("altered at {at}"));
    }
    refused(&[whole.as_slice(), b"\0"].concat(), "longer");
    refused(&fs::read(place.bed.path("state/registry.db")).unwrap(), "a registry");
    let (preload, config) = (format!("LD_PRELOAD={FAKETIME}"), place.path("otpd.toml"));
    let behind = [&preload, "FAKETIME=-2d", "otpctl", "--json", "--offline", "--config", &config, "restore"];
    let behind = place.bed.run("env", &[&behind[..], &[&early.display().to_string(), "--replace"]].concat());
    assert_refused(&behind, 1, "clock_unset");
    assert!(place.picture() == before);
}

#[test]
fn a_box_whose_otpd_runs_is_left_alone() {
    let (mut place, early) = later();
    place.bed.start();
    let refused = place.restore(&early, &["--replace"]);
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("systemctl stop otpd"), "{refused:?}");
    assert_eq!(
        place.bed.run("otpctl", &["--json", "accounts"]).ok().json()["accounts"].as_array().unwrap().len(),
        2
    );
}

/// Runs `restore` with otpd killed as it begins the `nth` `call`. Returns whether it was.
fn killed_at(place: &Place, call: &str, nth: u32, restore: &[&str]) -> bool {
    let directory = place.bed.path("traced");
    if !directory.exists() {
        fs::create_dir(&directory).unwrap();
        fs::copy(place.bed.path("bin/otpctl"), directory.join("otpctl")).unwrap();
    }
    let script = format!(
        "#!/bin/sh\nexec strace -f -qq -o {log} -e trace={call} -e inject={call}:signal=KILL:when={nth} {otpd} \"$@\"\n",
        log = place.path("strace"),
        otpd = place.path("bin/otpd")
    );
    fs::write(directory.join("otpd"), script).unwrap();
    fs::set_permissions(directory.join("otpd"), fs::Permissions::from_mode(0o755)).unwrap();
    let config = place.path("otpd.toml");
    let otpctl = directory.join("otpctl").display().to_string();
    let output = place.bed.run(&otpctl, &[&["--json", "--offline", "--config", &config], restore].concat());
    let killed = fs::read_to_string(place.bed.path("strace")).unwrap().contains("killed by SIGKILL");
    assert!(killed || output.code == 0, "{call} {nth}: {output:?}");
    killed
}

/// Whatever changes what is on a disk, or makes it stay there; and of how many to look at one.
const CHANGES: [(&str, u32); 9] = [
    ("write", 5),
    ("pwrite64", 5),
    ("fsync", 1),
    ("fdatasync", 1),
    ("ftruncate", 1),
    ("rename", 1),
    ("link", 1),
    ("linkat", 1),
    ("unlink", 1),
];

/// Kills a restore at every change, looks with `check`, and puts the state directory back as it was.
fn kill_everywhere(place: &Place, restore: &[&str], mut check: impl FnMut()) {
    let (state, aside) = (place.bed.path("state"), place.bed.path("aside"));
    place.bed.run("cp", &["-a", &state.display().to_string(), &aside.display().to_string()]).ok();
    for (call, step) in CHANGES {
        let mut nth = 1;
        loop {
            let killed = killed_at(place, call, nth, restore);
            if killed {
                check();
            }
            fs::remove_dir_all(&state).unwrap();
            place.bed.run("cp", &["-a", &aside.display().to_string(), &state.display().to_string()]).ok();
            if !killed {
                break;
            }
            nth += step;
        }
    }
}

#[test]
fn killed_at_any_instant_there_is_the_old_registry_or_the_new_one() {
    let (place, early) = later();
    let (mut old, mut new) = (0, 0);
    kill_everywhere(&place, &["restore", &early.display().to_string(), "--replace"], || {
        match place.protected() {
            found if found == names(&["alice", "bob"]) => old += 1,
            found if found == names(&["alice"]) => new += 1,
            other => panic!("{other:?}"),
        }
    });
    assert!(old > 10 && new > 0, "{old} old, {new} new");
}

#[test]
fn killed_on_a_new_box_there_is_nothing_or_the_whole_and_the_phone_goes_on() {
    let (old, early) = later();
    let new = Place::empty();
    let state = new.bed.path("state");
    fs::create_dir(&state).unwrap();
    for (name, mode) in [("registry.key", 0o400), (".", 0o700)] {
        let path = state.join(name);
        if name != "." {
            fs::copy(old.bed.path("state").join(name), &path).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&path, Some(60_999), Some(60_999)).unwrap();
    }
    let (mut nothing, mut whole) = (0, 0);
    kill_everywhere(&new, &["restore", &early.display().to_string()], || match new.protected() {
        None => nothing += 1,
        found => {
            assert_eq!(found, names(&["alice"]));
            whole += 1;
            // otpd starts with it, and asks alice.
            let daemon = new.start_in_a_minute();
            assert_eq!(answer(&daemon, "alice", "000000"), "refuse");
        }
    });
    assert!(nothing > 3 && whole > 0, "{nothing} nothing, {whole} whole");
}

#[test]
fn logins_do_not_wait_for_a_backup_and_the_backup_is_of_one_moment() {
    const PHONES: usize = 40;
    let mut place = Place::empty();
    place.bed.start();
    let phones: Vec<(String, Token)> = (0..PHONES)
        .map(|number| {
            let user = format!("u{number}");
            place.bed.user(&user);
            let token = place.bed.bind(&user, "phone");
            (user, token)
        })
        .collect();
    let done = AtomicBool::new(false);
    let runtime = place.bed.runtime();
    let slowest = std::thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            let mut accepted = 0;
            for (user, phone) in phones.iter().cycle() {
                if done.load(Ordering::Relaxed) && accepted >= PHONES {
                    break;
                }
                let code = phone.code(0);
                let login = json!({"login": {"user": user, "service": "sudo"}, "answer": code});
                let begun = now();
                let mut client =
                    Client::connect(&runtime.join(LOGIN_SOCKET), Duration::from_secs(30)).unwrap();
                let step: Value = client.call("org.otpd.Login.Answer", &login).unwrap();
                slowest = slowest.max(begun.elapsed());
                accepted += usize::from(step["step"]["next"] == "accept");
            }
            slowest
        });
        for number in 0..6 {
            place.backup_with_key(&format!("backup{number}")).ok();
        }
        done.store(true, Ordering::Relaxed);
        logins.join().unwrap()
    });
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    place.bed.take_daemon().stop();
    for number in 0..6 {
        let new = Place::empty();
        let restored = new.restore_with_key(&place.bed.path(&format!("backup{number}")), &[]).ok();
        assert_eq!(restored.json()["devices"], PHONES);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a login took")]
fn now() -> Instant {
    Instant::now()
}
