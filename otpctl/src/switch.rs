//! A change of PAM stacks that may have to be taken back: written down before it is made, so that whoever finds the
//! record can undo it, whatever became of the process that made it. A record is gone once the change is proven or undone.
//!
//! Root's own directory, never otpd's: what is written here becomes a PAM stack again.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::Flock;
use nix::fcntl::FlockArg;
use serde::Deserialize;
use serde::Serialize;

use crate::failure::Failure;
use crate::pam::text;

pub(crate) mod file;
pub(crate) mod profile;
pub(crate) mod settle;
pub(crate) mod undo;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// The service, or [`EVERYTHING`].
    pub(crate) name: String,
    /// The services of which a login proves it.
    pub(crate) proven_by: Vec<String>,
    /// Which start of the machine it belongs to.
    pub(crate) boot: String,
    /// Until when it has to be proven, in seconds since that start: no clock that is set moves it.
    pub(crate) until: u64,
    /// The same by the clock, to be shown.
    pub(crate) until_by_clock: i64,
    /// Only later events of the audit log prove it.
    pub(crate) after_event: i64,
    /// Where otpd is asked.
    pub(crate) runtime_dir: PathBuf,
    /// Whether pam-auth-update was to enable otpd's profile.
    pub(crate) profile: bool,
    /// The services that let in everybody before it, and may again once it is taken back.
    #[serde(default)]
    pub(crate) open: Vec<String>,
    pub(crate) files: Vec<FileChange>,
}

/// What becomes of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileChange {
    pub(crate) file: PathBuf,
    /// Texts as [`text::of`] makes them. None if there was no file.
    pub(crate) before: Option<String>,
    pub(crate) after: String,
    /// The lines that are new.
    pub(crate) added: Vec<String>,
}

/// Where changes are written down.
pub(crate) struct Records {
    directory: PathBuf,
}

impl Records {
    /// Those of this machine.
    pub(crate) fn of_this_machine() -> Self {
        Self::at(Path::new(DIRECTORY))
    }

    pub(crate) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// Keeps others out, until it is dropped.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub(crate) fn lock(&self) -> Result<Flock<File>, Failure> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        let path = self.directory.join("lock");
        let opened = made.and_then(|()| {
            fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)
        });
        let file = opened.map_err(|error| Failure::cannot_write(&path, &error))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| Failure::cannot_write(&path, &io::Error::from(error)))
    }

    /// What is not decided, by name. An unreadable record keeps nobody from the others: see [`Self::unreadable`].
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn pending(&self) -> Result<Vec<Change>, Failure> {
        Ok(self.all()?.into_iter().filter_map(Result::ok).collect())
    }

    /// The records that cannot be read, and why: whoever decides has to tell of them. They stay.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn unreadable(&self) -> Result<Vec<Failure>, Failure> {
        let failures = self.all()?.into_iter().filter_map(Result::err);
        Ok(failures.map(|failure| failure.advise("Undo by hand what it says, and remove it.")).collect())
    }

    fn all(&self) -> Result<Vec<Result<Change, Failure>>, Failure> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            // Nothing was ever changed, or an ordinary user looks.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(Failure::cannot_read(&self.directory, &error)),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        Ok(paths.iter().map(|path| read(path)).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn find(&self, name: &str) -> Result<Option<Change>, Failure> {
        let path = self.path(name);
        if path.exists() { read(&path).map(Some) } else { Ok(None) }
    }

    /// Writes a change down, on disk before this returns, and keeps copies of the files as they are.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn write(&self, change: &Change, stamp: &str) -> Result<Vec<PathBuf>, Failure> {
        let kept = self.keep_copies(&change.files, stamp)?;
        let text = serde_json::to_vec_pretty(change).map_err(io::Error::from)?;
        durably(&self.path(&change.name), &text)?;
        Ok(kept)
    }

    /// Keeps copies of files as they are.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn keep_copies(&self, files: &[FileChange], stamp: &str) -> Result<Vec<PathBuf>, Failure> {
        let backup = self.directory.join("backup");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&backup);
        made.map_err(|error| Failure::cannot_write(&backup, &error))?;
        let mut kept = Vec::new();
        for changed in files {
            if let (Some(before), Some(name)) = (&changed.before, changed.file.file_name()) {
                let path = backup.join(format!("{}.{stamp}", name.to_string_lossy()));
                durably(&path, &text::bytes(before))?;
                kept.push(path);
            }
        }
        Ok(kept)
    }

    /// Ends a record, and keeps a sentence of how it ended.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn end(&self, name: &str, outcome: &str) -> Result<(), Failure> {
        durably(&self.directory.join(format!("{name}.outcome")), outcome.as_bytes())?;
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::cannot_write(&path, &error))
            }
            _ => Ok(()),
        }
    }

    /// How the last change of that name ended.
    pub(crate) fn outcome(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(format!("{name}.outcome"))).ok()
    }
}

fn read(path: &Path) -> Result<Change, Failure> {
    let text = fs::read(path).map_err(|error| Failure::cannot_read(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| Failure::cannot_read(path, &io::Error::from(error)))
}

/// A whole file or none, on disk.
fn durably(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension("new");
    let write = || {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    };
    write().map_err(|error| Failure::cannot_write(path, &error))
}

/// This start of the machine.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// How long the machine runs; the kernel counts it, not the clock.
pub(crate) fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split('.').next().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(u64::MAX))
}

/// The name of the change of all services.
pub(crate) const EVERYTHING: &str = "all";
const DIRECTORY: &str = "/var/lib/otpctl";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A change of an earlier start of the machine.
    pub(crate) fn stale(name: &str, files: Vec<FileChange>) -> Change {
        Change {
            name: name.to_owned(),
            proven_by: vec![name.to_owned()],
            boot: "an earlier one".to_owned(),
            until: 0,
            until_by_clock: 0,
            after_event: 0,
            runtime_dir: PathBuf::from("/nowhere"),
            profile: false,
            open: Vec::new(),
            files,
        }
    }

    #[test]
    fn an_unreadable_record_does_not_hide_the_others_and_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let records = Records::at(directory.path());
        records.write(&stale("sshd", Vec::new()), "now").unwrap();
        fs::write(directory.path().join("login.json"), "{").unwrap();
        assert_eq!(records.pending().unwrap(), [stale("sshd", Vec::new())]);
        let told = records.unreadable().unwrap();
        assert!(told.len() == 1 && told[0].message.contains("login.json"), "{told:?}");
        assert!(directory.path().join("login.json").exists());
    }
}
