//! The state directory: nobody else's to read from the first start on, and no start on one that is.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;

use otpd_tests::Daemon;
use otpd_tests::Testbed;

use crate::OTPD;
use crate::first_step;
use crate::refusal;

/// A system whose daemon made its state, protected alice, and was stopped.
fn stopped() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.bind("alice", "phone");
    bed.take_daemon().stop();
    bed
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Asserts that otpd refuses to start and says all of `expected`.
#[track_caller]
fn assert_refused(bed: &mut Testbed, expected: &[&str]) {
    let said = refusal(bed);
    expected.iter().for_each(|expected| assert!(said.contains(expected), "no {expected:?} in {said}"));
}

#[test]
fn everything_in_it_is_otpds_alone_from_the_first_start_on() {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.bind("alice", "phone");
    let state = bed.path("state");
    let found = fs::metadata(&state).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o700, OTPD, OTPD));
    let mut seen = Vec::new();
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let found = entry.metadata().unwrap();
        let mode = if name == "registry.key" { 0o400 } else { 0o600 };
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (mode, OTPD, OTPD), "{name}");
        seen.push(name);
    }
    for name in ["registry.db", "registry.key", "lock"] {
        assert!(seen.iter().any(|seen| seen == name), "no {name} in {seen:?}");
    }
}

#[test]
fn a_directory_below_missing_ones_is_made_too() {
    let mut bed = Testbed::without_daemon();
    let state = bed.path("new/deep/state");
    let config = format!("[paths]\nstate = {state:?}\nsyslog = \"/nonexistent\"\n");
    fs::write(bed.path("otpd.toml"), config).unwrap();
    bed.start();
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_directory_that_others_can_enter_is_refused_with_the_remedy() {
    let mut bed = stopped();
    let state = bed.path("state");
    let name = state.display().to_string();
    chmod(&state, 0o750);
    assert_refused(&mut bed, &["has mode 0750", &format!("chmod 0700 {name}")]);
    chmod(&state, 0o700);
    chown(&state, Some(61_000), None).unwrap();
    let said = refusal(&mut bed);
    assert!(said.contains(&name), "{said}");
    chown(&state, Some(OTPD), None).unwrap();
    bed.start();
    assert_eq!(first_step(bed.daemon(), "sudo", "alice"), "ask");
}

#[test]
fn a_directory_of_somebody_else_is_refused_with_the_remedy() {
    let mut bed = stopped();
    let state = bed.path("state");
    chown(&state, Some(0), None).unwrap();
    assert_refused(&mut bed, &["belongs to uid 0", &format!("chown {OTPD} {}", state.display())]);
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_remedy() {
    let mut bed = stopped();
    for (file, loose, tight) in
        [("registry.db", 0o640, 0o600), ("registry.key", 0o404, 0o400), ("lock", 0o620, 0o600)]
    {
        let path = bed.path("state").join(file);
        chmod(&path, loose);
        let remedy = format!("chmod 0600 {}", path.display());
        assert_refused(&mut bed, &[&format!("has mode {loose:04o}"), &remedy]);
        chmod(&path, tight);
    }
    bed.start();
    assert_eq!(first_step(bed.daemon(), "sudo", "alice"), "ask");
}

#[test]
fn a_file_of_somebody_else_is_refused_with_the_remedy() {
    let mut bed = stopped();
    for (file, owner) in [("registry.db", 0), ("registry.key", 61_000), ("lock", 61_000)] {
        let path = bed.path("state").join(file);
        chown(&path, Some(owner), None).unwrap();
        let remedy = format!("chown {OTPD} {}", path.display());
        assert_refused(&mut bed, &[&format!("belongs to uid {owner}"), &remedy]);
        chown(&path, Some(OTPD), None).unwrap();
    }
    bed.start();
    assert_eq!(first_step(bed.daemon(), "sudo", "alice"), "ask");
}

#[test]
fn symbolic_links_are_refused() {
    let mut bed = stopped();
    let (state, elsewhere) = (bed.path("state"), bed.path("elsewhere"));
    let link = state.join("notes");
    symlink("/etc/passwd", &link).unwrap();
    assert_refused(&mut bed, &[&format!("{} is a symbolic link", link.display())]);
    fs::remove_file(&link).unwrap();
    fs::rename(state.join("registry.db"), state.join("moved.db")).unwrap();
    symlink("moved.db", state.join("registry.db")).unwrap();
    assert_refused(&mut bed, &["is a symbolic link"]);
    fs::rename(state.join("moved.db"), state.join("registry.db")).unwrap();
    fs::rename(&state, &elsewhere).unwrap();
    symlink(&elsewhere, &state).unwrap();
    assert_refused(&mut bed, &[&format!("{} is not a directory", state.display())]);
}

#[test]
fn a_second_otpd_on_the_same_sockets_is_refused_and_the_first_goes_on() {
    let mut bed = stopped();
    bed.start();
    let first = bed.take_daemon();
    assert_refused(&mut bed, &["is served already: another otpd is running"]);
    assert_eq!(first_step(&first, "sudo", "alice"), "ask");
}

#[test]
fn a_second_otpd_on_the_same_registry_is_refused_and_the_first_goes_on() {
    let mut bed = stopped();
    bed.start();
    let first = bed.take_daemon();
    let config = bed.path("second.toml");
    let (state, sockets) = (bed.path("state"), bed.path("sockets"));
    let paths = format!("[paths]\nstate = {state:?}\nruntime = {sockets:?}\nsyslog = \"/nonexistent\"\n");
    fs::write(&config, paths).unwrap();
    let mut command = bed.command(bed.path("bin/otpd"));
    command.arg("--config").arg(&config);
    let said = Daemon::start(command, &sockets).err().unwrap();
    assert!(said.contains("another otpd uses this registry"), "{said}");
    assert_eq!(first_step(&first, "sudo", "alice"), "ask");
}
