//! otpd's profile of pam-auth-update, Debian's way to change what every service includes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::exit::Exit;
use crate::failure::Failure;

/// Whether this machine has both.
pub(crate) fn is_there() -> bool {
    Path::new(PROFILE).exists() && Path::new(UPDATE).exists()
}

/// Enables or disables it; below `root` if one is given.
///
/// # Errors
/// What pam-auth-update says.
pub(crate) fn switch(how: Switch, root: Option<&Path>) -> Result<(), Failure> {
    let mut update = Command::new(UPDATE);
    if let Some(root) = root {
        update.arg("--root").arg(root);
    }
    update.args([if how == Switch::On { "--enable" } else { "--disable" }, "otpd"]);
    update.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let said = update.output().map_err(|error| refused(&error.to_string()))?;
    if said.status.success() { Ok(()) } else { Err(refused(String::from_utf8_lossy(&said.stderr).trim())) }
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
/// [`Failure`].
pub(crate) fn preview(scratch: &Path) -> Result<String, Failure> {
    let _ = fs::remove_dir_all(scratch);
    let text = copy_to(scratch).and_then(|()| switch(Switch::On, Some(scratch))).and_then(|()| {
        let path = scratch.join("etc/pam.d/common-auth");
        fs::read_to_string(&path).map_err(|error| Failure::cannot_read(&path, &error))
    });
    let _ = fs::remove_dir_all(scratch);
    text
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
const PROFILE: &str = "/usr/share/pam-configs/otpd";
