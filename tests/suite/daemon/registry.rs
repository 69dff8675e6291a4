//! Registry and key at start: whatever is wrong with either is refused with advice, and nothing is made worse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use otpd_tests::Daemon;
use otpd_tests::Testbed;

use crate::OTPD;
use crate::first_step;
use crate::refusal;

/// A system whose daemon protected alice and was stopped, and the registry it left.
struct Stopped {
    bed: Testbed,
    registry: PathBuf,
    bytes: Vec<u8>,
}

impl Stopped {
    fn new() -> Self {
        let mut bed = Testbed::new();
        bed.user("alice");
        bed.bind("alice", "phone");
        bed.take_daemon().stop();
        let registry = bed.path("state/registry.db");
        let bytes = fs::read(&registry).unwrap();
        Self { bed, registry, bytes }
    }

    /// Puts these bytes in the registry's place.
    fn damage(&self, bytes: &[u8]) {
        for file in ["state/registry.db-wal", "state/registry.db-shm"] {
            let _ = fs::remove_file(self.bed.path(file));
        }
        fs::write(&self.registry, bytes).unwrap();
    }

    /// Asserts that otpd refuses to start, says all of `expected`, and leaves the registry as it is.
    #[track_caller]
    fn assert_refused(&mut self, expected: &[&str]) {
        let before = fs::read(&self.registry).unwrap();
        let said = refusal(&mut self.bed);
        expected.iter().for_each(|expected| assert!(said.contains(expected), "no {expected:?} in {said}"));
        assert!(fs::read(&self.registry).unwrap() == before, "the registry was changed: {said}");
    }

    /// Asserts that with the registry put back everything is as it was.
    #[track_caller]
    fn assert_whole_again(mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.damage(&bytes);
        self.bed.start();
        assert_eq!(first_step(self.bed.daemon(), "sudo", "alice"), "ask");
    }

    /// Runs SQL on the registry with a program of somebody else's.
    fn sql(&self, statements: &str) {
        let script =
            "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as c: c.executescript(sys.argv[2])";
        let path = self.registry.display().to_string();
        self.bed.run("python3", &["-c", script, &path, statements]).ok();
    }
}

#[test]
fn a_registry_without_its_key_is_refused_and_no_new_key_is_made() {
    let mut stopped = Stopped::new();
    let key = stopped.bed.path("state/registry.key");
    let kept = stopped.bed.path("kept.key");
    fs::rename(&key, &kept).unwrap();
    stopped.assert_refused(&["the registry needs its master key", &key.display().to_string()]);
    assert!(!key.exists(), "a key was made for a registry that was sealed with another");
    fs::rename(&kept, &key).unwrap();
    stopped.assert_whole_again();
}

#[test]
fn a_registry_with_another_key_is_refused() {
    let mut stopped = Stopped::new();
    let key = stopped.bed.path("state/registry.key");
    let right = fs::read(&key).unwrap();
    for (wrong, expected) in [
        ([7; 32].as_slice(), "is not the master key that this registry was sealed with"),
        (&right[..31], "it has 31 bytes, a key has 32"),
        (&[], "it has 0 bytes, a key has 32"),
    ] {
        fs::write(&key, wrong).unwrap();
        stopped.assert_refused(&[expected, &key.display().to_string()]);
    }
    fs::write(&key, right).unwrap();
    stopped.assert_whole_again();
}

#[test]
fn a_key_from_systemd_goes_before_the_file_and_may_be_roots_alone() {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    let credentials = bed.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::write(credentials.join("registry.key"), [7; 32]).unwrap();
    fs::set_permissions(credentials.join("registry.key"), fs::Permissions::from_mode(0o400)).unwrap();
    let start = |bed: &Testbed| {
        let mut command = bed.command(bed.path("bin/otpd"));
        command.arg("--config").arg(bed.path("otpd.toml")).env("CREDENTIALS_DIRECTORY", &credentials);
        Daemon::start(command, &bed.runtime())
    };
    start(&bed).unwrap().stop();
    assert!(!bed.path("state/registry.key").exists());
    fs::write(credentials.join("registry.key"), [8; 32]).unwrap();
    let said = start(&bed).err().unwrap();
    assert!(said.contains("the credential registry.key is not the master key"), "{said}");
    fs::remove_file(credentials.join("registry.key")).unwrap();
    let said = start(&bed).err().unwrap();
    assert!(said.contains("the registry needs its master key"), "{said}");
    assert!(refusal(&mut bed).contains("the registry needs its master key"));
}

#[test]
fn a_damaged_registry_is_refused_with_advice() {
    let mut stopped = Stopped::new();
    let whole = stopped.bytes.clone();
    let mut overwritten = whole.clone();
    overwritten[4096..].fill(0xa5);
    let mut headless = whole.clone();
    headless[..100].fill(0);
    let garbage = vec![0x5a; whole.len()];
    for (what, bytes) in [
        ("overwritten", overwritten.as_slice()),
        ("headless", &headless),
        ("garbage", &garbage),
        ("cut in half", &whole[..whole.len() / 2]),
        ("cut in a page", &whole[..5000]),
    ] {
        stopped.damage(bytes);
        let advice = "restore it from a backup";
        stopped.assert_refused(&[advice]);
        assert!(fs::read(&stopped.registry).unwrap() == bytes, "{what}: changed");
    }
    stopped.assert_whole_again();
}

#[test]
fn an_emptied_registry_beside_its_key_is_not_taken_for_a_new_one() {
    let mut stopped = Stopped::new();
    stopped.damage(&[]);
    stopped.assert_refused(&["restore"]);
    stopped.assert_whole_again();
}

#[test]
fn a_registry_of_a_newer_otpd_is_refused_untouched() {
    for journal in ["WAL", "DELETE"] {
        let mut stopped = Stopped::new();
        stopped.sql(&format!("PRAGMA journal_mode = {journal}; PRAGMA user_version = 1000;"));
        stopped.assert_refused(&["the registry has version 1000", "install the newer otpd"]);
        stopped.assert_whole_again();
    }
}

#[test]
fn a_database_of_another_program_is_refused_untouched() {
    let mut stopped = Stopped::new();
    fs::remove_file(&stopped.registry).unwrap();
    stopped.sql("CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (1);");
    chown(&stopped.registry, Some(OTPD), Some(OTPD)).unwrap();
    fs::set_permissions(&stopped.registry, fs::Permissions::from_mode(0o600)).unwrap();
    stopped.assert_refused(&["database of another program"]);
    stopped.assert_whole_again();
}
