//! Giving up root for good, before the first thread starts: capabilities and no_new_privs are per thread.

use anyhow::Context;
use anyhow::bail;
use caps::CapSet;
use nix::unistd::Gid;
use nix::unistd::Uid;
use nix::unistd::User;

/// The user to run as. Never root.
#[derive(Debug, Clone)]
pub struct RunAs {
    /// Its number.
    pub uid: Uid,
    /// Its group.
    pub gid: Gid,
}

/// What programs that this process starts may gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetId {
    /// Nothing: no_new_privs.
    Ignored,
    /// What their set-user-id or set-group-id bit gives them: the sendmail of postfix and of exim puts mail into its
    /// queue by that.
    Honoured,
}

impl RunAs {
    /// Started as root: the user of this name. Otherwise: whoever we are.
    ///
    /// # Errors
    /// There is no such user, or it is root by another name.
    pub fn choose(user: &str, look_up: impl LookUp) -> anyhow::Result<Self> {
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        if uid.is_root() { Self::named(user, look_up) } else { Ok(Self { uid, gid }) }
    }

    /// The user of this name.
    ///
    /// # Errors
    /// There is no such user, or it is root by another name.
    pub fn named(user: &str, look_up: impl LookUp) -> anyhow::Result<Self> {
        let found =
            look_up(user).with_context(|| format!("looking up the user {user:?} of the configuration"))?;
        let Some((uid, gid)) = found else {
            bail!(
                "there is no user {user:?} to run as; make one (useradd --system --no-create-home --shell \
                 /usr/sbin/nologin {user}) or name another in the configuration (user = ...)"
            )
        };
        if uid.is_root() {
            bail!(
                "the configured user {user:?} is root; this does not run as root, name another (user = ...)"
            );
        }
        Ok(Self { uid, gid })
    }

    /// Becomes that user, with no other group, no capability, and no core dump or debugger that could show a key,
    /// a password or a code.
    ///
    /// # Errors
    /// Any step failed, or root is still within reach: then nothing may run.
    pub fn enter(&self, set_id: SetId) -> anyhow::Result<()> {
        if nix::unistd::geteuid().is_root() {
            nix::unistd::setgroups(&[]).context("setgroups")?;
            nix::unistd::setresgid(self.gid, self.gid, self.gid).context("setresgid")?;
            nix::unistd::setresuid(self.uid, self.uid, self.uid).context("setresuid")?;
        }
        for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient] {
            caps::clear(None, set).with_context(|| format!("clearing the {set:?} capabilities"))?;
        }
        if set_id == SetId::Ignored {
            nix::sys::prctl::set_no_new_privs().context("no_new_privs")?;
        }
        nix::sys::prctl::set_dumpable(false).context("making the process non-dumpable")?;
        if nix::unistd::geteuid().is_root() || nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
            bail!("root could not be given up");
        }
        Ok(())
    }
}

/// Finds a user's number and group.
pub trait LookUp: FnOnce(&str) -> anyhow::Result<Option<(Uid, Gid)>> {}

impl<F: FnOnce(&str) -> anyhow::Result<Option<(Uid, Gid)>>> LookUp for F {}

/// As the system has the user now.
///
/// # Errors
/// The system's database cannot be asked.
pub fn of_system(user: &str) -> anyhow::Result<Option<(Uid, Gid)>> {
    Ok(User::from_name(user)?.map(|found| (found.uid, found.gid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_users_that_are_not_there_are_refused() {
        assert!(RunAs::named("root", of_system).unwrap_err().to_string().contains("is root"));
        assert!(RunAs::named("no-such-user-here", of_system).unwrap_err().to_string().contains("useradd"));
        assert!(RunAs::named("nobody", of_system).is_ok());
    }
}
