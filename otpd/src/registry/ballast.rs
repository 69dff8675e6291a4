//! A file beside the registry that only takes up room. On a full disk it is deleted, and logins go on for a while. It
//! never makes a disk full by itself.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::FallocateFlags;
use nix::fcntl::fallocate;

/// The file, there or not.
pub(crate) struct Ballast {
    path: PathBuf,
    probe: PathBuf,
}

impl Ballast {
    /// Its length, in bytes.
    pub(crate) const SIZE: u64 = 16 << 20;

    /// The one of this registry. Nothing is made yet.
    pub(crate) fn beside(registry: &Path) -> Self {
        Self { path: registry.with_file_name("ballast"), probe: registry.with_file_name("probe") }
    }

    /// Whether all of it is there.
    pub(crate) fn is_whole(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.len() == Self::SIZE)
    }

    /// Bytes that are left on the disk.
    pub(crate) fn free(&self) -> io::Result<u64> {
        let found = nix::sys::statvfs::statvfs(self.path.parent().unwrap_or(Path::new("/")))?;
        Ok(found.blocks_available().saturating_mul(found.fragment_size()))
    }

    /// Makes it if it is missing or cut short, and as much again stays free. Returns whether it is whole now.
    pub(crate) fn make(&self) -> io::Result<bool> {
        if self.is_whole() {
            return Ok(true);
        }
        self.give_up();
        if self.free()? < Self::SIZE.saturating_mul(2) {
            return Ok(false);
        }
        let made = self.allocate();
        if made.is_err() {
            // A quota, which the free room says nothing of.
            self.give_up();
        }
        // It may have been given up while it was made.
        made.map(|()| self.is_whole())
    }

    /// Deletes it. Returns whether it took up any room.
    pub(crate) fn give_up(&self) -> bool {
        let took = std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.len() > 0);
        // On a full copy-on-write filesystem one may work where the other does not.
        let emptied = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&self.path)
            .and_then(|file| file.set_len(0));
        let removed = std::fs::remove_file(&self.path);
        took && (emptied.is_ok() || removed.is_ok())
    }

    /// Why nothing can be written beside it; `None` if something can.
    pub(crate) fn obstacle(&self) -> Option<io::Error> {
        let tried = new_file(&self.probe).and_then(|mut file| {
            file.write_all(&random()?)?;
            file.sync_all()
        });
        let _ = std::fs::remove_file(&self.probe);
        tried.err()
    }

    /// Room that is really taken: on filesystems that cannot set it aside it is written, with bytes that nothing
    /// compresses or finds twice.
    fn allocate(&self) -> io::Result<()> {
        let mut file = new_file(&self.path)?;
        let size = libc::off_t::try_from(Self::SIZE).map_err(io::Error::other)?;
        match fallocate(&file, FallocateFlags::empty(), 0, size) {
            Ok(()) => {}
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => fill(&mut file)?,
            Err(errno) => return Err(errno.into()),
        }
        file.sync_all()
    }
}

/// Whether an error says that the disk, or a share of it that we may use, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

fn new_file(path: &Path) -> io::Result<File> {
    let _ = std::fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn fill(file: &mut File) -> io::Result<()> {
    let mut left = Ballast::SIZE;
    while left > 0 {
        let piece = random()?;
        file.write_all(&piece)?;
        left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(left));
    }
    Ok(())
}

fn random() -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; PIECE];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn ballast() -> (tempfile::TempDir, Ballast) {
        let directory = tempfile::tempdir().unwrap();
        let ballast = Ballast::beside(&directory.path().join("registry.db"));
        (directory, ballast)
    }

    #[test]
    fn it_takes_up_its_room_and_is_nobody_elses() {
        let (_directory, ballast) = ballast();
        assert!(!ballast.is_whole());
        assert!(ballast.make().unwrap() && ballast.is_whole());
        let found = std::fs::metadata(&ballast.path).unwrap();
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (Ballast::SIZE, 0o600));
        assert!(found.blocks() * 512 >= Ballast::SIZE, "{} blocks", found.blocks());
    }

    #[test]
    fn where_room_cannot_be_set_aside_it_is_written() {
        let (_directory, ballast) = ballast();
        let mut file = new_file(&ballast.path).unwrap();
        fill(&mut file).unwrap();
        file.sync_all().unwrap();
        let found = file.metadata().unwrap();
        assert!(ballast.is_whole() && found.blocks() * 512 >= Ballast::SIZE, "{found:?}");
    }

    #[test]
    fn missing_empty_or_cut_short_it_is_made_anew() {
        let (_directory, ballast) = ballast();
        ballast.make().unwrap();
        for length in [0, 1, Ballast::SIZE - 1, Ballast::SIZE + 1] {
            OpenOptions::new().write(true).open(&ballast.path).unwrap().set_len(length).unwrap();
            assert!(!ballast.is_whole(), "{length}");
            assert!(ballast.make().unwrap() && ballast.is_whole(), "{length}");
        }
    }

    #[test]
    fn it_is_given_up_once() {
        let (_directory, ballast) = ballast();
        assert!(!ballast.give_up());
        ballast.make().unwrap();
        assert!(ballast.give_up() && !ballast.path.exists());
        assert!(!ballast.give_up());
    }

    #[test]
    fn an_obstacle_is_named_and_nothing_is_left_behind() {
        let (directory, ballast) = ballast();
        assert!(ballast.obstacle().is_none());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let gone = Ballast::beside(&directory.path().join("missing/registry.db"));
        assert_eq!(gone.obstacle().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(is_full(&io::Error::from_raw_os_error(libc::EDQUOT)));
        assert!(!is_full(&io::Error::from_raw_os_error(libc::EROFS)));
    }
}
