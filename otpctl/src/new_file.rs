//! A file for secrets: new, for its owner alone, never written over something else or through somebody's symbolic link,
//! and gone again unless it was kept.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::failure::Failure;

/// A file that is being written. Half of it is of no use to anybody who should have it.
pub(crate) struct NewFile<'a> {
    path: &'a Path,
    file: File,
    is_whole: bool,
}

impl<'a> NewFile<'a> {
    pub(crate) fn create(path: &'a Path) -> Result<Self, Failure> {
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = created.map_err(|error| Failure::cannot_write(path, &error))?;
        Ok(Self { path, file, is_whole: false })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| Failure::cannot_write(self.path, &error))
    }

    /// Keeps the file, on disk before this returns, and names it.
    pub(crate) fn keep(mut self) -> Result<String, Failure> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let synced =
            self.file.sync_all().and_then(|()| File::open(directory.unwrap_or(Path::new(".")))?.sync_all());
        synced.map_err(|error| Failure::cannot_write(self.path, &error))?;
        self.is_whole = true;
        Ok(self.path.display().to_string())
    }
}

impl AsFd for NewFile<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = std::fs::remove_file(self.path);
        }
    }
}
