//! otpd's profile of pam-auth-update, Debian's way to change what every service includes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::pam::edit;
use crate::pam::line;

/// Whether this machine has both.
pub(crate) fn is_there() -> bool {
    Path::new(PROFILE).exists() && Path::new(UPDATE).exists()
}

/// Enables or disables it; below `root` if one is given.
///
/// # Errors
/// What pam-auth-update says.
pub(crate) fn switch(how: Switch, root: Option<&Path>) -> Result<(), Failure> {
    run(how, root).map(drop)
}

/// The same, and looks whether it has happened: pam-auth-update leaves files alone that somebody else has changed, and
/// calls that a success.
///
/// # Errors
/// What pam-auth-update says, also where common-auth is not as it should be then.
pub(crate) fn ensure(how: Switch, root: Option<&Path>) -> Result<(), Failure> {
    let said = run(how, root)?;
    let common = root.unwrap_or(Path::new("/")).join("etc/pam.d/common-auth");
    let bytes = fs::read(&common).map_err(|error| Failure::cannot_read(&common, &error))?;
    has_happened(how, &String::from_utf8_lossy(&bytes), &said)
}

fn has_happened(how: Switch, common: &str, said: &str) -> Result<(), Failure> {
    let has_line = edit::unguarded(common) != common;
    match (how, has_line) {
        (Switch::On, true) | (Switch::Off, false) => Ok(()),
        (Switch::On, false) => Err(refused(&format!(
            "common-auth has got no line of pam_otp.so. Name the services instead, or have it write that file anew \
             (pam-auth-update --force): {said}"
        ))),
        (Switch::Off, true) => Err(refused(&format!(
            "a line of pam_otp.so is still in common-auth. Remove it there, then try again: {said}"
        ))),
    }
}

/// What it says, on either stream.
fn run(how: Switch, root: Option<&Path>) -> Result<String, Failure> {
    let mut update = Command::new(UPDATE);
    if let Some(root) = root {
        update.arg("--root").arg(root);
    }
    update.args([if how == Switch::On { "--enable" } else { "--disable" }, "otpd"]);
    update.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let output = update.output().map_err(|error| refused(&error.to_string()))?;
    let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).trim().to_owned();
    if output.status.success() { Ok(said) } else { Err(refused(&said)) }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

/// What common-auth would say, tried in `scratch`, which is gone afterwards.
///
/// # Errors
/// [`Failure`]; also if enabling it would change more than our lines, which nobody could take back.
pub(crate) fn preview(how: Switch, scratch: &Path) -> Result<String, Failure> {
    let _ = fs::remove_dir_all(scratch);
    let text = copy_to(scratch).and_then(|()| ensure(how, Some(scratch))).and_then(|()| {
        let (now, then) = (Path::new("/etc/pam.d"), scratch.join("etc/pam.d"));
        if how == Switch::On {
            changes_ours_alone(now, &then)?;
        }
        let path = then.join("common-auth");
        fs::read_to_string(&path).map_err(|error| Failure::cannot_read(&path, &error))
    });
    let _ = fs::remove_dir_all(scratch);
    text
}

/// pam-auth-update also enables what it has not seen yet, and writes anew what it finds outdated.
fn changes_ours_alone(now: &Path, then: &Path) -> Result<(), Failure> {
    for name in FILES {
        let lines = |directory: &Path| -> Vec<Vec<String>> {
            let bytes = fs::read(directory.join(name)).unwrap_or_default();
            let text = edit::unguarded(&String::from_utf8_lossy(&bytes));
            line::parse(&text).into_iter().map(|line| line.words).collect()
        };
        if lines(now) != lines(then) {
            return Err(refused(&format!(
                "it would change other lines of {name}, too. Run it by itself first, look at what it did, then try again"
            )));
        }
    }
    Ok(())
}

fn copy_to(scratch: &Path) -> Result<(), Failure> {
    for directory in ["/etc/pam.d", "/usr/share/pam-configs", "/var/lib/pam"] {
        let to = scratch.join(directory.trim_start_matches('/'));
        let parent = to.parent().unwrap_or(scratch);
        fs::create_dir_all(parent).map_err(|error| Failure::cannot_write(parent, &error))?;
        let copied = Command::new("cp").args(["-a", "--", directory]).arg(&to).stdin(Stdio::null()).status();
        if !copied.is_ok_and(|status| status.success()) {
            return Err(refused(&format!("cannot copy {directory}")));
        }
    }
    Ok(())
}

fn refused(said: &str) -> Failure {
    Failure::new(Exit::Refused, "pam_auth_update", format!("pam-auth-update: {said}"))
}

const UPDATE: &str = "/usr/sbin/pam-auth-update";
/// What it writes.
const FILES: [&str; 5] =
    ["common-auth", "common-account", "common-password", "common-session", "common-session-noninteractive"];
const PROFILE: &str = "/usr/share/pam-configs/otpd";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_that_changed_nothing_is_none() {
        let (without, with) =
            ("auth required pam_unix.so\n", "auth required pam_unix.so\nauth required pam_otp.so\n");
        let said = "pam-auth-update: Local modifications to /etc/pam.d/common-*, not updating.";
        assert!(
            has_happened(Switch::On, with, said).is_ok() && has_happened(Switch::Off, without, said).is_ok()
        );
        for (how, common) in [(Switch::On, without), (Switch::Off, with), (Switch::On, "# pam_otp.so\n")] {
            assert!(has_happened(how, common, said).unwrap_err().message.ends_with(said));
        }
    }

    #[test]
    fn more_than_our_lines_is_not_changed_with_them() {
        let (now, then) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let unix = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n";
        let ours = "# of a package\nauth\trequired\tpam_otp.so\n";
        fs::write(now.path().join("common-auth"), unix).unwrap();
        fs::write(then.path().join("common-auth"), format!("{unix}{ours}")).unwrap();
        assert!(changes_ours_alone(now.path(), then.path()).is_ok());
        let nullok = unix.replace("pam_unix.so", "pam_unix.so nullok");
        fs::write(then.path().join("common-auth"), format!("{nullok}{ours}")).unwrap();
        assert!(changes_ours_alone(now.path(), then.path()).unwrap_err().message.contains("of common-auth"));
        fs::write(then.path().join("common-auth"), format!("{unix}{ours}")).unwrap();
        fs::write(then.path().join("common-session"), "session optional pam_systemd.so\n").unwrap();
        assert!(
            changes_ours_alone(now.path(), then.path()).unwrap_err().message.contains("of common-session")
        );
    }
}
