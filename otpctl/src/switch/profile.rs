//! otpd's profile of pam-auth-update, Debian's way to change what every service includes.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::pam::edit;
use crate::pam::line;
use crate::pam::text;

/// Whether this machine has both.
pub(crate) fn is_there() -> bool {
    Path::new(PROFILE).exists() && Path::new(UPDATE).exists()
}

/// Enables or disables it; in the copy at `root` if one is given.
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
        update.arg("--root").arg(root).env("DEBCONF_SYSTEMRC", debconf_of(root));
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

/// What common-auth would say, tried in a copy that is gone afterwards. Nothing of this machine is written.
///
/// # Errors
/// [`Failure`]; also if enabling it would change more than our lines, which nobody could take back.
pub(crate) fn preview(how: Switch) -> Result<String, Failure> {
    let copy = Copy::make()?;
    ensure(how, Some(&copy.0))?;
    let (now, then) = (Path::new("/etc/pam.d"), copy.0.join("etc/pam.d"));
    if how == Switch::On {
        changes_ours_alone(now, &then)?;
    }
    let path = then.join("common-auth");
    let bytes = fs::read(&path).map_err(|error| Failure::cannot_read(&path, &error))?;
    Ok(text::of(&bytes))
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

/// What pam-auth-update reads and writes, elsewhere.
struct Copy(PathBuf);

impl Copy {
    fn make() -> Result<Self, Failure> {
        // Root's alone: what is written there says what becomes of common-auth.
        let root = PathBuf::from(format!("/run/otpctl-preview-{}", std::process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&root);
        made.map_err(|error| Failure::cannot_write(&root, &error))?;
        let copy = Self(root);
        for directory in ["/etc/pam.d", "/usr/share/pam-configs", "/var/lib/pam"] {
            copy.take(directory)?;
        }
        // It notes its answers with debconf, wherever its root is, and would take them for the administrator's.
        for file in ["config.dat", "templates.dat"].map(|name| format!("/var/cache/debconf/{name}")) {
            if Path::new(&file).exists() {
                copy.take(&file)?;
            }
        }
        let cache = copy.0.join("var/cache/debconf");
        let (config, cache) = (debconf_of(&copy.0), cache.display());
        let said = format!(
            "Config: config\nTemplates: templates\n\nName: config\nDriver: File\nFilename: {cache}/config.dat\n\n\
             Name: templates\nDriver: File\nFilename: {cache}/templates.dat\n"
        );
        fs::write(&config, said).map_err(|error| Failure::cannot_write(&config, &error))?;
        Ok(copy)
    }

    fn take(&self, what: &str) -> Result<(), Failure> {
        let to = self.0.join(what.trim_start_matches('/'));
        let parent = to.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent).map_err(|error| Failure::cannot_write(parent, &error))?;
        let copied = Command::new("cp").args(["-a", "--", what]).arg(&to).stdin(Stdio::null()).status();
        if copied.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err(refused(&format!("cannot copy {what}")))
        }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn debconf_of(root: &Path) -> PathBuf {
    root.join("debconf.conf")
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
