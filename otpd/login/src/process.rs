//! The process itself: no core dump, no environment, no descriptor but those that it means to have.

#![expect(
    unsafe_code,
    reason = "calls for which there is no safe wrapper, before any thread runs and at the very end"
)]

use std::fs::OpenOptions;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use anyhow::Context;
use anyhow::bail;
use nix::sys::resource::Resource;
use nix::sys::signal::SigSet;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::SockaddrLike;
use nix::sys::socket::sockopt;
use nix::sys::stat::Mode;
use nix::unistd::User;

/// The user of the web pages.
pub const WEB_USER: &str = "otpd-web";

/// Shuts the process in. Must be the first thing that it does: no thread may run, and nobody may hold a descriptor.
///
/// # Errors
/// Not root, or the kernel refuses: then nothing may run.
pub fn confine() -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "otpd-login needs root: it asks PAM about other users; systemd starts it, or: otpd-login --listen"
        );
    }
    nix::sys::prctl::set_dumpable(false).context("making the process non-dumpable")?;
    nix::sys::resource::setrlimit(Resource::RLIMIT_CORE, 0, 0).context("RLIMIT_CORE")?;
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    nix::unistd::chdir("/").context("chdir /")?;
    SigSet::empty().thread_set_mask().context("unblocking signals")?;
    // SAFETY: nothing has read the environment that could still hold a part of it, and there is no other thread.
    unsafe { libc::clearenv() };
    // SAFETY: nothing here has opened a descriptor yet, so none of these has an owner.
    if unsafe { libc::close_range(3, libc::c_uint::MAX, 0) } != 0 {
        bail!("closing inherited descriptors: {}", std::io::Error::last_os_error());
    }
    Ok(())
}

/// Takes the connection that was passed as descriptor 0, and leaves /dev/null in its place: what a module prints goes
/// nowhere.
///
/// # Errors
/// It is no connection of a Unix socket.
pub fn adopt_connection() -> anyhow::Result<UnixStream> {
    let stdin = std::io::stdin();
    let passed = stdin.as_fd().try_clone_to_owned().context("descriptor 0")?;
    let family = nix::sys::socket::getsockname::<nix::sys::socket::SockaddrStorage>(
        std::os::fd::AsRawFd::as_raw_fd(&passed),
    );
    let is_stream =
        nix::sys::socket::getsockopt(&passed, sockopt::SockType) == Ok(nix::sys::socket::SockType::Stream);
    if !is_stream || family.ok().and_then(|address| address.family()) != Some(AddressFamily::Unix) {
        bail!(
            "descriptor 0 is no connection; systemd starts this program by otpd-session.socket, or: otpd-login --listen"
        );
    }
    let null = OpenOptions::new().read(true).write(true).open("/dev/null").context("/dev/null")?;
    nix::unistd::dup2_stdin(&null).context("descriptor 0")?;
    nix::unistd::dup2_stdout(&null).context("descriptor 1")?;
    let connection = std::fs::File::from(passed);
    let (inode, stderr) = (connection.metadata().context("the connection")?.ino(), std::io::stderr());
    let said_to = std::fs::File::from(stderr.as_fd().try_clone_to_owned().context("descriptor 2")?);
    if said_to.metadata().context("descriptor 2")?.ino() == inode {
        nix::unistd::dup2_stderr(&null).context("descriptor 2")?;
    }
    Ok(UnixStream::from(std::os::fd::OwnedFd::from(connection)))
}

/// The user of `otpd-web`.
///
/// # Errors
/// There is none.
pub fn web_user() -> anyhow::Result<User> {
    let found = User::from_name(WEB_USER).with_context(|| format!("looking up the user {WEB_USER}"))?;
    found.with_context(|| {
        format!(
            "there is no user {WEB_USER}; make one: useradd --system --no-create-home --shell /usr/sbin/nologin {WEB_USER}"
        )
    })
}

/// Ends the process, whatever other threads are at: nothing of them is run any more.
pub(crate) fn exit_now() -> ! {
    // SAFETY: it never returns, and runs no code of this process.
    unsafe { libc::_exit(0) }
}
