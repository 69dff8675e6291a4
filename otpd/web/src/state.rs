//! Directories of `otpd-web`: the certificate that this box made for itself, and what programs on the box may know of it.

use std::fs;
use std::fs::DirBuilder;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use otpd_daemon::privileges::RunAs;

/// Makes a directory of the user that otpd-web runs as, if it is missing. Before privileges are dropped.
///
/// # Errors
/// It cannot be made.
pub fn prepare(directory: &Path, mode: u32, run_as: &RunAs) -> anyhow::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    let name = directory.display();
    DirBuilder::new().mode(mode).create(directory).with_context(|| format!("making {name}"))?;
    // The umask of the process left less of it.
    fs::set_permissions(directory, Permissions::from_mode(mode)).with_context(|| format!("chmod {name}"))?;
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(directory, Some(run_as.uid), Some(run_as.gid))
            .with_context(|| format!("chown {name}"))?;
    }
    Ok(())
}

/// Leaves the fingerprint of this box's own certificate where `otpctl status` reads it, or nothing.
///
/// # Errors
/// It cannot be written.
pub fn publish(runtime: &Path, fingerprint: Option<&str>) -> anyhow::Result<()> {
    let file = runtime.join("fingerprint");
    let name = file.display();
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {name} of before"));
        }
        _ => {}
    }
    let Some(fingerprint) = fingerprint else { return Ok(()) };
    fs::write(&file, format!("{fingerprint}\n")).with_context(|| format!("writing {name}"))?;
    fs::set_permissions(&file, Permissions::from_mode(0o644)).with_context(|| format!("chmod {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_for_everybody_and_goes_when_another_certificate_is_used() {
        let runtime = tempfile::tempdir().unwrap();
        let file = runtime.path().join("fingerprint");
        publish(runtime.path(), None).unwrap();
        publish(runtime.path(), Some("AB:CD")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "AB:CD\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        publish(runtime.path(), None).unwrap();
        assert!(!file.exists());
        assert!(publish(&file, Some("AB:CD")).is_err());
    }
}
