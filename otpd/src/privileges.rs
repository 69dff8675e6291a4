//! What only root can do or find out, before `otpd_daemon::privileges` gives it up.

use anyhow::Context;
use nix::sys::resource::Resource;
use nix::sys::resource::getrlimit;
use nix::sys::resource::setrlimit;
use nix::unistd::Gid;
use nix::unistd::Uid;
use otpd_daemon::privileges::LookUp;

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

/// As the database has the user now.
pub fn of(database: &Database) -> impl LookUp + '_ {
    |user: &str| {
        let found = database.user_named(user)?;
        Ok(found.map(|found| (Uid::from_raw(found.uid), Gid::from_raw(found.gid))))
    }
}

/// Sockets, the registry and its readers, syslog, and what NSS opens.
const OTHER_FILES: u64 = 512;
