//! `otpd-login --listen`: what systemd's `Accept=yes` does, for boxes without it. One process a connection.

use std::fs::Permissions;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::bail;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SfdFlags;
use nix::sys::signalfd::SignalFd;

use crate::process;

/// Listens until SIGTERM or SIGINT; logins that are under way then go on to their end.
///
/// # Errors
/// The socket cannot be made, or is served already.
pub fn run() -> anyhow::Result<()> {
    let mut signals = SigSet::empty();
    [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().context("blocking signals")?;
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = SignalFd::with_flags(&signals, flags).context("signalfd")?;
    let path = Path::new(otpd_proto::RUNTIME_DIR).join(otpd_proto::SESSION_SOCKET);
    let socket = Socket::bind(path)?;
    log::info!("ready");
    let mut logins: Vec<Child> = Vec::new();
    loop {
        // Whoever comes when there are too many waits in the queue.
        let accepts = if logins.len() < MOST { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut awaited =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(socket.listener.as_fd(), accepts)];
        match nix::poll::poll(&mut awaited, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("waiting for connections"),
        }
        let came = awaited.get(1).and_then(PollFd::revents).is_some_and(|events| !events.is_empty());
        while let Ok(Some(signal)) = signals.read_signal() {
            if Signal::try_from(i32::try_from(signal.ssi_signo).unwrap_or_default()) != Ok(Signal::SIGCHLD) {
                log::info!("stopped");
                return Ok(());
            }
        }
        logins.retain_mut(|login| !matches!(login.try_wait(), Ok(Some(_))));
        if came && let Ok((connection, _)) = socket.listener.accept() {
            match start(connection) {
                Ok(login) => logins.push(login),
                Err(error) => log::error!("a login could not be started: {error}"),
            }
        }
    }
}

/// A new process, of the same program: what one login has in memory, no other inherits.
fn start(connection: UnixStream) -> std::io::Result<Child> {
    connection.set_nonblocking(false)?;
    Command::new("/proc/self/exe")
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(connection)))
        .stdout(Stdio::null())
        .spawn()
}

/// The listening socket; gone from the file system when dropped.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    fn bind(path: PathBuf) -> anyhow::Result<Self> {
        let owner = process::web_user()?.uid;
        let name = path.display().to_string();
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            std::fs::create_dir(directory).with_context(|| format!("making {}", directory.display()))?;
            std::fs::set_permissions(directory, Permissions::from_mode(0o755))
                .with_context(|| format!("chmod {}", directory.display()))?;
        }
        if let Ok(found) = std::fs::symlink_metadata(&path) {
            if !found.file_type().is_socket() {
                bail!("{name} exists and is no socket; move it away");
            }
            if UnixStream::connect(&path).is_ok() {
                bail!("{name} is served already: another otpd-login, or systemd by otpd-session.socket");
            }
            std::fs::remove_file(&path).with_context(|| format!("removing the stale {name}"))?;
        }
        // By the umask of the process, nobody but root may connect before it is otpd-web's.
        let listener = UnixListener::bind(&path).with_context(|| format!("binding {name}"))?;
        let socket = Self { listener, path };
        std::fs::set_permissions(&socket.path, Permissions::from_mode(0o600))
            .with_context(|| format!("chmod {name}"))?;
        nix::unistd::chown(&socket.path, Some(owner), None).with_context(|| format!("chown {name}"))?;
        socket.listener.set_nonblocking(true).with_context(|| name)?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Connections at once: twice the logins that there may be, so that whoever comes when all places are taken is told so.
const MOST: usize = 128;
