//! The state directory: made if root starts us, checked always, locked while we run.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use nix::fcntl::Flock;
use nix::fcntl::FlockArg;
use otpd_daemon::privileges::RunAs;

/// Makes the directory if root starts us and it is missing. Before privileges are dropped.
///
/// # Errors
/// It cannot be made.
pub fn prepare(state: &Path, run_as: &RunAs) -> anyhow::Result<()> {
    if state.exists() {
        return Ok(());
    }
    let name = state.display();
    if let Some(parent) = state.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .with_context(|| format!("making {name}"))?;
    }
    DirBuilder::new().mode(0o700).create(state).with_context(|| format!("making {name}"))?;
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(state, Some(run_as.uid), Some(run_as.gid))
            .with_context(|| format!("chown {name}"))?;
    }
    Ok(())
}

/// Refuses a directory, or a file in it, that others could read or write, and says what to mend.
///
/// # Errors
/// Anything looser than 0700 for the directory and 0600 for files, or of another owner.
pub fn check(state: &Path) -> anyhow::Result<()> {
    let me = nix::unistd::geteuid().as_raw();
    let found =
        std::fs::symlink_metadata(state).with_context(|| format!("looking at {}", state.display()))?;
    if !found.is_dir() {
        bail!("{} is not a directory", state.display());
    }
    check_one(state, &found, me, "0700")?;
    for entry in std::fs::read_dir(state).with_context(|| format!("reading {}", state.display()))? {
        let path = entry.with_context(|| format!("reading {}", state.display()))?.path();
        let found =
            std::fs::symlink_metadata(&path).with_context(|| format!("looking at {}", path.display()))?;
        if found.is_symlink() {
            bail!("{} is a symbolic link; nothing in the state directory may be one", path.display());
        }
        check_one(&path, &found, me, if found.is_dir() { "0700" } else { "0600" })?;
    }
    Ok(())
}

/// The lock of a state directory. Its file also remembers that a registry was made here.
#[derive(Debug)]
pub struct Lock(Flock<File>);

impl Lock {
    /// Whether there was a registry in this directory at any earlier start: then a missing one is a loss, not a
    /// beginning, and must not pass for "nobody is protected".
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn had_registry(&self) -> anyhow::Result<bool> {
        Ok(self.0.metadata().context("looking at the lock file")?.len() > 0)
    }

    /// Remembers that there is one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note_registry(&mut self) -> anyhow::Result<()> {
        if !self.had_registry()? {
            self.0.write_all(NOTE.as_bytes()).context("writing the lock file")?;
            self.0.sync_all().context("writing the lock file")?;
        }
        Ok(())
    }
}

/// Makes sure that no other otpd uses this registry, for as long as the lock is held.
///
/// # Errors
/// Another one does.
pub fn lock(state: &Path) -> anyhow::Result<Lock> {
    let path = state.join("lock");
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Lock(lock)),
        Err((_, errno)) => bail!("{} is locked ({errno}): another otpd uses this registry", path.display()),
    }
}

const NOTE: &str =
    "A registry was made in this directory. If registry.db is gone, restore it from a backup.\n";

fn check_one(path: &Path, found: &std::fs::Metadata, me: u32, mode: &str) -> anyhow::Result<()> {
    let name = path.display();
    if found.uid() != me {
        bail!("{name} belongs to uid {}, otpd runs as uid {me}; run: chown {me} {name}", found.uid());
    }
    if found.mode() & 0o077 != 0 {
        bail!("{name} has mode {:04o}, others can reach it; run: chmod {mode} {name}", found.mode() & 0o7777);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn anything_looser_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        chmod(directory.path(), 0o700);
        let file = directory.path().join("registry.db");
        std::fs::write(&file, "").unwrap();
        chmod(&file, 0o600);
        check(directory.path()).unwrap();
        chmod(&file, 0o640);
        assert!(check(directory.path()).unwrap_err().to_string().contains("run: chmod 0600"));
        chmod(&file, 0o600);
        chmod(directory.path(), 0o750);
        assert!(check(directory.path()).unwrap_err().to_string().contains("run: chmod 0700"));
        chmod(directory.path(), 0o700);
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link")).unwrap();
        assert!(check(directory.path()).unwrap_err().to_string().contains("symbolic link"));
    }

    #[test]
    fn two_daemons_cannot_share_a_registry() {
        let directory = tempfile::tempdir().unwrap();
        let held = lock(directory.path()).unwrap();
        assert!(lock(directory.path()).unwrap_err().to_string().contains("another otpd"));
        drop(held);
        lock(directory.path()).unwrap();
    }
}
