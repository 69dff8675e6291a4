//! How many logins there may be at once, over all processes: 64, and 3 for one user at one address. Not for one
//! user: whoever knows a name would shut its owner out. Nor together with those of a password that is given again: who
//! gives one is signed in already.
//!
//! A slot is one byte of an empty file, locked by fcntl(2). The kernel gives it back when the process that holds it
//! ends, however it ends, and there is nothing to tidy: a file for each user would be one for each name that a stranger
//! types. Not abstract sockets, which anybody could take away; not flock(2), which a child of a module would keep.

use std::fs::File;
use std::fs::OpenOptions;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::FcntlArg;

/// The places that this process has taken, until it is dropped.
pub(crate) struct Slots {
    _held: File,
}

/// Whose places.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// As typed.
    pub(crate) user: &'a str,
    /// Where the browser is, as far as is known.
    pub(crate) address: Option<IpAddr>,
    /// Of a password that is given again.
    pub(crate) renewal: bool,
}

impl Places<'_> {
    /// Where they begin. They are spread by FNV-1a: two that meet would share their places, no more.
    fn first(&self) -> i64 {
        // Whoever has one IPv6 address has the 2⁶⁴ around it.
        let network = self.address.map(|address| match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        });
        let network = network.map_or_else(String::new, |network| network.to_string());
        let kind = if self.renewal { "renewal" } else { "login" };
        // The name last: it may be anything.
        let hash = [kind, "\0", &network, "\0", self.user]
            .iter()
            .flat_map(|part| part.bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        // Below 2^62, since an offset is signed.
        let place = i64::try_from(hash >> 4).unwrap_or_default();
        place.saturating_mul(MOST_OF_ONE).saturating_add(MOST)
    }
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NoSlot {
    /// All are taken.
    Busy,
    /// The file cannot be used.
    Broken(std::io::Error),
}

impl Slots {
    /// Takes a place of all and one of these.
    pub(crate) fn take(path: &Path, of: &Places<'_>) -> Result<Self, NoSlot> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
            .open(path)
            .map_err(NoSlot::Broken)?;
        lock_one(&file, 0, MOST)?;
        lock_one(&file, of.first(), MOST_OF_ONE)?;
        Ok(Self { _held: file })
    }
}

/// Locks the first free byte of `count` from `first` on.
fn lock_one(file: &File, first: i64, count: i64) -> Result<(), NoSlot> {
    for place in first..first.saturating_add(count) {
        let byte = libc::flock { l_type: WRITE, l_whence: FROM_START, l_start: place, l_len: 1, l_pid: 0 };
        match nix::fcntl::fcntl(file, FcntlArg::F_SETLK(&byte)) {
            Ok(_) => return Ok(()),
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => {}
            Err(errno) => return Err(NoSlot::Broken(errno.into())),
        }
    }
    Err(NoSlot::Busy)
}

/// At once.
const MOST: i64 = 64;
/// At once, of one user at one address.
const MOST_OF_ONE: i64 = 3;

#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "F_WRLCK and SEEK_SET are 1 and 0"
)]
const WRITE: libc::c_short = libc::F_WRLCK as libc::c_short;
#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "F_WRLCK and SEEK_SET are 1 and 0"
)]
const FROM_START: libc::c_short = libc::SEEK_SET as libc::c_short;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str, address: &str, renewal: bool) -> i64 {
        Places { user, address: address.parse().ok(), renewal }.first()
    }

    #[test]
    fn places_lie_apart_and_behind_those_of_all() {
        let users = ["", "alice", "bob", "alicf", "ä", &"x".repeat(300)];
        let addresses = ["", "192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8:0:1::1"];
        let mut places: Vec<i64> = users
            .iter()
            .flat_map(|user| addresses.iter().flat_map(|at| [of(user, at, false), of(user, at, true)]))
            .collect();
        places.sort_unstable();
        assert!(places.first().unwrap() >= &MOST);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= MOST_OF_ONE), "{places:?}");
    }

    #[test]
    fn neighbours_are_one_and_so_is_an_address_in_both_notations() {
        assert_eq!(of("alice", "2001:db8::1", false), of("alice", "2001:db8::ffff:0:0:1", false));
        assert_eq!(of("alice", "192.0.2.7", false), of("alice", "::ffff:192.0.2.7", false));
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("slots");
        std::os::unix::fs::symlink("/dev/null", &place).unwrap();
        let alice = Places { user: "alice", address: None, renewal: false };
        assert!(matches!(Slots::take(&place, &alice), Err(NoSlot::Broken(_))));
    }
}
