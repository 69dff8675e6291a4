//! Reading the files that decide what a daemon does: root's, and nobody else's to write.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;

/// The text of a regular file that belongs to root (or to us) and that others may not write.
///
/// # Errors
/// Which of these does not hold, or that it cannot be read; an [`std::io::Error`] is kept as the cause.
pub fn read(path: &Path) -> anyhow::Result<String> {
    read_if(path, 0o022, "is writable by others; run: chmod go-w")
}

/// The same for a secret: nobody but its owner and its group may read it either.
///
/// # Errors
/// As [`read`].
pub fn read_secret(path: &Path) -> anyhow::Result<String> {
    read_if(path, 0o027, "can be read by everybody; run: chmod 0600")
}

fn read_if(path: &Path, forbidden: u32, wrong: &str) -> anyhow::Result<String> {
    let name = path.display();
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .with_context(|| format!("opening {name}"))?;
    let found = file.metadata().with_context(|| format!("looking at {name}"))?;
    if !found.is_file() {
        bail!("{name} is not a regular file");
    }
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
        bail!("{name} belongs to uid {}, not to root; run: chown root {name}", found.uid());
    }
    if found.mode() & forbidden != 0 {
        bail!("{name} {wrong} {name}");
    }
    if found.len() > LARGEST {
        bail!("{name} has {} bytes; at most {LARGEST} are read", found.len());
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
    Ok(text)
}

/// Whether this went wrong because the file is not there.
#[must_use]
pub fn is_missing(error: &anyhow::Error) -> bool {
    is_kind(error, std::io::ErrorKind::NotFound)
}

/// Whether this went wrong because it is not ours to read.
#[must_use]
pub fn is_forbidden(error: &anyhow::Error) -> bool {
    is_kind(error, std::io::ErrorKind::PermissionDenied)
}

fn is_kind(error: &anyhow::Error, kind: std::io::ErrorKind) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == kind)
}

const LARGEST: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("some.toml");
        std::fs::write(&path, "x").unwrap();
        chmod(&path, 0o640);
        assert_eq!(read(&path).unwrap(), "x");
        for mode in [0o660, 0o602] {
            chmod(&path, mode);
            assert!(read(&path).unwrap_err().to_string().contains("chmod go-w"), "{mode:o}");
        }
        chmod(&path, 0o644);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link).is_err());
        assert!(read(directory.path()).is_err());
        assert!(is_missing(&read(&directory.path().join("missing")).unwrap_err()));
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        std::fs::write(&path, "x").unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o620, false)] {
            chmod(&path, mode);
            assert_eq!(read_secret(&path).is_ok(), taken, "{mode:o}");
        }
    }

    #[test]
    fn a_file_of_the_largest_size_is_read_and_a_larger_one_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("some.toml");
        for (length, taken) in [(LARGEST, true), (LARGEST + 1, false)] {
            std::fs::write(&path, "#".repeat(usize::try_from(length).unwrap())).unwrap();
            assert_eq!(read(&path).is_ok(), taken, "{length}");
        }
    }
}
