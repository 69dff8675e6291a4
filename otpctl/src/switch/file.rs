//! Replaces a PAM file: at once or not at all, with mode, owner, access list and security label as they were.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::failure::Failure;
use crate::pam::text;

/// Puts `text` in the place of what the file says. A symbolic link stays, and its target changes.
///
/// # Errors
/// [`Failure`]; the file is as it was.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    put(&target, &text::bytes(text)).map_err(|error| Failure::cannot_write(&target, &error))
}

fn put(target: &Path, text: &[u8]) -> io::Result<()> {
    let (Some(directory), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(io::Error::other("it names no file"));
    };
    // In the same directory, so that it gets the same label, and the exchange is one step.
    let new = directory.join(format!(".{}.otpctl", name.to_string_lossy()));
    let _ = fs::remove_file(&new);
    let filled = fill(target, &new, text);
    if filled.is_err() {
        let _ = fs::remove_file(&new);
    }
    filled?;
    fs::rename(&new, target)?;
    File::open(directory)?.sync_all()
}

fn fill(target: &Path, new: &Path, text: &[u8]) -> io::Result<()> {
    if target.exists() && !["--preserve=all", "-p"].iter().any(|how| copy(how, target, new)) {
        return Err(io::Error::other("cp cannot copy it"));
    }
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(new)?;
    file.write_all(text)?;
    file.sync_all()
}

/// cp knows every attribute that this system's files have; busybox's only the usual ones.
fn copy(how: &str, from: &Path, to: &Path) -> bool {
    let mut cp = Command::new("cp");
    cp.args([how, "--"]).args([from, to]).stdin(Stdio::null()).stderr(Stdio::null());
    cp.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_replaced_file_keeps_its_mode_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sshd");
        fs::write(&path, "a\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        replace(&path, "b\n").unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), found.mode() & 0o777), ("b\n", 0o640));
        assert_ne!(found.ino(), inode, "exchanged, not written over");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_one_and_its_target_changes() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("link"));
        fs::write(&target, "a\n").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        replace(&link, "b\n").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "b\n");
    }
}
