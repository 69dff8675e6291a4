//! The files of pam_google_authenticator: one that root names, or that of every user. A user's file may be anything
//! that its owner could put in its place.

use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use nix::fcntl::OFlag;
use nix::unistd::Uid;
use nix::unistd::User;
use otpd_core::import::google;
use zeroize::Zeroizing;

use super::transfer::Place;
use super::transfer::Transfer;
use crate::exit::Exit;
use crate::failure::Failure;

/// Reads one file: that of `user`, or of its owner.
pub(super) fn read_one(
    transfer: &mut Transfer<'_>,
    path: &Path,
    user: Option<String>,
) -> Result<(), Failure> {
    let failed = |error| Failure::cannot_read(path, &error);
    let (file, found) = open(path, OFlag::empty()).map_err(failed)?;
    let user = match user {
        Some(user) => user,
        None => owner(path, &found)?,
    };
    match contents(file, &found).map_err(failed)? {
        Ok(bytes) => take(transfer, path, user, &bytes),
        Err(wrong) => {
            transfer.object(Place::file(path), &wrong);
            Ok(())
        }
    }
}

/// Reads the file of every user that the system lists and that has one.
pub(super) fn read_all(transfer: &mut Transfer<'_>) -> Result<(), Failure> {
    let users = users()?;
    transfer.expect(u64::try_from(users.len()).unwrap_or(u64::MAX));
    for (done, user) in (1..).zip(users) {
        let path = user.home.join(".google_authenticator");
        match open(&path, OFlag::O_NOFOLLOW) {
            Ok((file, found)) => {
                match user.examine(&found).map_or_else(|| contents(file, &found), |wrong| Ok(Err(wrong))) {
                    Ok(Ok(bytes)) => take(transfer, &path, user.name, &bytes)?,
                    Ok(Err(wrong)) => transfer.object(Place::file(&path), &wrong),
                    Err(error) => transfer.object(Place::file(&path), &said(&error)),
                }
            }
            Err(error) if is_nothing(&error) => {}
            Err(error) => transfer.object(Place::file(&path), &said(&error)),
        }
        transfer.reach(done);
    }
    Ok(())
}

/// A user of the system.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    uid: u32,
    home: PathBuf,
}

impl Listed {
    /// Whether somebody else could have written the file.
    fn examine(&self, found: &Metadata) -> Option<String> {
        if found.uid() != self.uid {
            return Some(format!("it belongs to uid {}, not to {}", found.uid(), self.name));
        }
        (found.mode() & 0o022 != 0).then(|| "others than its owner can write it".to_owned())
    }
}

/// As `getent passwd` lists them, each uid once: a second name is the same account.
fn users() -> Result<Vec<Listed>, Failure> {
    let failed = |why: &str| {
        Failure::new(Exit::Unreachable, "users", format!("cannot list the users with getent passwd: {why}"))
    };
    let listed = Command::new("getent").arg("passwd").output().map_err(|error| failed(&error.to_string()))?;
    if !listed.status.success() {
        return Err(failed(String::from_utf8_lossy(&listed.stderr).trim()));
    }
    Ok(parse(&String::from_utf8_lossy(&listed.stdout)))
}

fn parse(listed: &str) -> Vec<Listed> {
    let mut seen = std::collections::HashSet::new();
    let users = listed.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, home, _] = fields[..] else { return None };
        let uid = uid.parse().ok()?;
        let home = PathBuf::from(home);
        (home.is_absolute() && seen.insert(uid)).then(|| Listed { name: name.to_owned(), uid, home })
    });
    users.collect()
}

/// Opens what is at `path` without waiting for a writer of a pipe.
fn open(path: &Path, flags: OFlag) -> io::Result<(File, Metadata)> {
    let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let found = file.metadata()?;
    Ok((file, found))
}

/// The bytes of a file, or why it is none of these.
fn contents(file: File, found: &Metadata) -> io::Result<Result<Zeroizing<Vec<u8>>, String>> {
    if !found.is_file() {
        return Ok(Err("it is not a regular file".to_owned()));
    }
    // Room for all at once: a vector that grows leaves a copy of the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST.saturating_add(2)));
    file.take(u64::try_from(LARGEST).unwrap_or(0).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        return Ok(Err(format!("it has more than {} KiB", LARGEST >> 10)));
    }
    Ok(Ok(bytes))
}

fn take(transfer: &mut Transfer<'_>, path: &Path, user: String, bytes: &[u8]) -> Result<(), Failure> {
    match google::read(bytes) {
        Ok(secrets) => {
            transfer.leave_behind(secrets.scratch_codes);
            transfer.add(Place::file(path), user, &secrets.token)
        }
        Err(wrong) => {
            for (number, error) in wrong {
                transfer.object(Place::line(path, number), &error.to_string());
            }
            Ok(())
        }
    }
}

fn owner(path: &Path, found: &Metadata) -> Result<String, Failure> {
    let user = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
    user.map(|user| user.name).ok_or_else(|| {
        let (path, uid) = (path.display(), found.uid());
        Failure::usage(format!("{path} belongs to uid {uid}, who is no user here. Name somebody with --user"))
    })
}

/// No home, or no file in it, is no problem.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Without the number of the error.
fn said(error: &io::Error) -> String {
    let said = error.to_string();
    said.split(" (os error").next().unwrap_or_default().to_owned()
}

const LARGEST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_listed_once_by_its_first_name() {
        let listed = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nodd:x:1\nrel:x:2:2::home:\n\
                      alice:x:1000:1000:A,B:/home/alice:/bin/sh\n";
        let user = |name: &str, uid, home: &str| Listed { name: name.into(), uid, home: home.into() };
        assert_eq!(parse(listed), [user("root", 0, "/root"), user("alice", 1000, "/home/alice")]);
    }

    #[test]
    fn only_a_regular_file_of_64_kib_at_most_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        let read = || {
            let (file, found) = open(&path, OFlag::O_NOFOLLOW).unwrap();
            contents(file, &found).unwrap().map(|bytes| bytes.len())
        };
        std::fs::write(&path, vec![b'x'; LARGEST]).unwrap();
        assert_eq!(read(), Ok(LARGEST));
        std::fs::write(&path, vec![b'x'; LARGEST + 1]).unwrap();
        assert!(read().unwrap_err().contains("64 KiB"));
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read().unwrap_err().contains("regular"), "and does not wait for a writer");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(open(&path, OFlag::O_NOFOLLOW).is_err());
    }

    #[test]
    fn a_file_that_others_could_have_written_is_no_users() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, "").unwrap();
        let me = std::fs::metadata(&path).unwrap().uid();
        let examine = |mode: u32, uid: u32| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let user = Listed { name: "alice".into(), uid, home: PathBuf::new() };
            user.examine(&std::fs::metadata(&path).unwrap())
        };
        assert_eq!(examine(0o644, me), None);
        assert!(examine(0o664, me).is_some() && examine(0o602, me).is_some());
        assert!(examine(0o600, me + 1).unwrap().contains("not to alice"));
    }
}
