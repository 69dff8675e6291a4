//! Giving up root for good, before the first thread starts: capabilities and no_new_privs are per thread.

use anyhow::Context;
use anyhow::bail;
use caps::CapSet;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;
use nix::unistd::Gid;
use nix::unistd::Uid;

use crate::names::Database;

/// Makes room for every connection that the limits allow on all sockets, and for files. Before privileges are
/// dropped: a hard limit can be raised by root alone.
///
/// # Errors
/// The system does not grant that many; then the limits must be lowered, or users could take the descriptors that
/// logins need.
pub fn make_room(connections: u16) -> anyhow::Result<()> {
    let needed = u64::from(connections).saturating_mul(3).saturating_add(OTHER_FILES);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("getrlimit")?;
    if soft >= needed {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed)).with_context(|| {
        format!("limits.connections = {connections} needs {needed} open files, the system grants {hard}; lower it, or raise the hard limit (LimitNOFILE=)")
    })
}

/// The user to run as. Never root.
#[derive(Debug, Clone)]
pub struct RunAs {
    /// Its number.
    pub uid: Uid,
    /// Its group.
    pub gid: Gid,
}

impl RunAs {
    /// Started as root: the user of this name. Otherwise: whoever we are.
    ///
    /// # Errors
    /// There is no such user, or it is root by another name.
    pub fn choose(user: &str, database: &Database) -> anyhow::Result<Self> {
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        if uid.is_root() { Self::named(user, database) } else { Ok(Self { uid, gid }) }
    }

    /// The user of this name.
    ///
    /// # Errors
    /// There is no such user, or it is root by another name.
    pub fn named(user: &str, database: &Database) -> anyhow::Result<Self> {
        let found = database
            .user_named(user)
            .with_context(|| format!("looking up the user {user:?} of the configuration"))?;
        let Some(found) = found else {
            bail!(
                "there is no user {user:?} to run as; make one (useradd --system --no-create-home --shell \
                 /usr/sbin/nologin {user}) or name another in the configuration (user = ...)"
            )
        };
        if found.uid == 0 {
            bail!(
                "the configured user {user:?} is root; otpd does not run as root, name another (user = ...)"
            );
        }
        Ok(Self { uid: Uid::from_raw(found.uid), gid: Gid::from_raw(found.gid) })
    }

    /// Becomes that user, with no other group, no capability, no way to gain any, and no core dump or debugger that
    /// could show keys.
    ///
    /// # Errors
    /// Any step failed, or root is still within reach: then nothing may run.
    pub fn enter(&self) -> anyhow::Result<()> {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::setgroups(&[]).context("setgroups")?;
            nix::unistd::setresgid(self.gid, self.gid, self.gid).context("setresgid")?;
            nix::unistd::setresuid(self.uid, self.uid, self.uid).context("setresuid")?;
        }
        for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient] {
            caps::clear(None, set).with_context(|| format!("clearing the {set:?} capabilities"))?;
        }
        nix::sys::prctl::set_no_new_privs().context("no_new_privs")?;
        nix::sys::prctl::set_dumpable(false).context("making the process non-dumpable")?;
        if nix::unistd::geteuid().is_root() || nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
            bail!("root could not be given up");
        }
        Ok(())
    }
}

/// Sockets, the registry and its readers, syslog, and what NSS opens.
const OTHER_FILES: u64 = 512;
