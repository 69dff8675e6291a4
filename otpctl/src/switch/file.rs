//! Replaces a PAM file: at once or not at all, with mode, owner, access list and security label as they were; and undoes
//! a change without touching what somebody else has written since.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use super::FileChange;
use crate::failure::Failure;
use crate::pam::edit;

/// Puts `text` in the place of what the file says. A symbolic link stays, and its target changes.
///
/// # Errors
/// [`Failure`]; the file is as it was.
pub(crate) fn replace(path: &Path, text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    put(&target, text.as_ref()).map_err(|error| Failure::cannot_write(&target, &error))
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

/// How a file was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It says what it said before.
    Whole,
    /// Somebody has changed it since: our lines are gone, their change is not.
    LinesOnly,
    /// Lines of ours are left that somebody has changed.
    Left,
}

/// Takes a change back.
///
/// # Errors
/// [`Failure`]; the file is as it was.
pub(crate) fn undo(change: &FileChange) -> Result<Undone, Failure> {
    let path = &change.file;
    // Bytes: a comment in some old character set keeps nobody's way in shut.
    let now = match fs::read(path) {
        Ok(now) => Some(now),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::cannot_read(path, &error)),
    };
    let Some(now) = now else { return Ok(Undone::LinesOnly) };
    match &change.before {
        Some(before) if now == before.as_bytes() => Ok(Undone::Whole),
        Some(before) if now == change.after.as_bytes() => replace(path, before).map(|()| Undone::Whole),
        None if now == change.after.as_bytes() => {
            fs::remove_file(path).map(|()| Undone::Whole).map_err(|error| Failure::cannot_write(path, &error))
        }
        _ => {
            let (without, found) = edit::without(&now, &change.added);
            if found > 0 {
                replace(path, &without)?;
            }
            let left = String::from_utf8_lossy(&without);
            let are_gone = edit::unguarded(&left) == left;
            Ok(if are_gone { Undone::LinesOnly } else { Undone::Left })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn change(path: &Path, before: Option<&str>, after: &str, added: &[&str]) -> FileChange {
        let added = added.iter().map(|line| (*line).to_owned()).collect();
        FileChange {
            file: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.to_owned(),
            added,
        }
    }

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

    #[test]
    fn what_was_there_comes_back_and_what_was_not_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sshd");
        fs::write(&path, "a\nours\n").unwrap();
        let changed = change(&path, Some("a\n"), "a\nours\n", &["ours"]);
        assert_eq!(undo(&changed).unwrap(), Undone::Whole);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(undo(&changed).unwrap(), Undone::Whole, "twice does no harm");
        fs::write(&path, "ours\n").unwrap();
        assert_eq!(undo(&change(&path, None, "ours\n", &["ours"])).unwrap(), Undone::Whole);
        assert!(!path.exists());
        assert_eq!(undo(&changed).unwrap(), Undone::LinesOnly, "removed by somebody");
    }

    #[test]
    fn what_an_administrator_wrote_since_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sshd");
        let ours = "auth required pam_otp.so";
        let changed = change(&path, Some("a\n"), &format!("a\n{ours}\n"), &[ours]);
        fs::write(&path, format!("a\n{ours}\ntheirs\n")).unwrap();
        assert_eq!(undo(&changed).unwrap(), Undone::LinesOnly);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\ntheirs\n");
        fs::write(&path, format!("a\n{ours} debug\n")).unwrap();
        assert_eq!(undo(&changed).unwrap(), Undone::Left);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("a\n{ours} debug\n"));
    }

    #[test]
    fn what_is_not_utf_8_is_undone_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sshd");
        let ours = "auth required pam_otp.so";
        let changed = change(&path, Some("a\n"), &format!("a\n{ours}\n"), &[ours]);
        fs::write(&path, [b"a\n# f\xfcr alle\n", ours.as_bytes(), b"\n"].concat()).unwrap();
        assert_eq!(undo(&changed).unwrap(), Undone::LinesOnly);
        assert_eq!(fs::read(&path).unwrap(), b"a\n# f\xfcr alle\n");
        fs::write(&path, [b"# f\xfcr alle\n", ours.as_bytes(), b" debug\n"].concat()).unwrap();
        assert_eq!(undo(&changed).unwrap(), Undone::Left);
    }
}
