//! An otpd of our own for `--offline`: on the other end of a socket that nobody else has, gone when we are.

use std::cell::RefCell;
use std::io::Read;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Uid;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;

use crate::exit::Exit;
use crate::failure::Failure;

/// A running `otpd --offline`.
pub(crate) struct Offline {
    socket: UnixStream,
    child: RefCell<Child>,
}

/// What it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// The registry that is there.
    Administer,
    /// Another one in its place.
    Restore,
}

impl Offline {
    /// Starts it for the system below `root` (ours, if there is none) with that configuration.
    pub(crate) fn start(work: Work, root: Option<&Path>, config: Option<&Path>) -> Result<Self, Failure> {
        if !Uid::effective().is_root() {
            let message = "--offline opens the registry itself, which is for root. Try it with sudo";
            return Err(Failure::new(Exit::NotPermitted, "not_permitted", message));
        }
        let program = program()?;
        let failed = |error: std::io::Error| {
            let message = format!("cannot start {}: {error}", program.display());
            Failure::new(Exit::Unreachable, "unreachable", message)
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut command = Command::new(&program);
        command.arg("--offline");
        if work == Work::Restore {
            command.arg("--restore");
        }
        if let Some(root) = root {
            command.arg("--root").arg(root);
        }
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(failed)?;
        Ok(Self { socket: ours, child: RefCell::new(child) })
    }

    /// A client for one call.
    pub(crate) fn client(&self, within: Duration) -> Result<Client, ClientError> {
        let socket = self
            .socket
            .try_clone()
            .map_err(|error| ClientError::Broken { sent: false, why: error.to_string() })?;
        Ok(Client::over(socket.into(), within))
    }

    /// Why there was no answer. If it ended, it said why on standard error.
    pub(crate) fn explain(&self, error: &ClientError) -> Failure {
        let last = if matches!(error, ClientError::Broken { .. }) { self.end().pop() } else { None };
        let message = last.unwrap_or_else(|| error.to_string());
        Failure::new(Exit::Unreachable, "unreachable", message)
    }

    /// Hangs up and waits: what comes next, a start of otpd above all, must find the registry closed. Returns what it
    /// said meanwhile.
    pub(crate) fn end(&self) -> Vec<String> {
        let mut said = String::new();
        let mut child = self.child.borrow_mut();
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(stderr) = child.stderr.take() {
            let _ = stderr.take(LONGEST).read_to_string(&mut said);
        }
        let _ = child.wait();
        said.lines().filter_map(|line| Some(line.split_once("otpd: ")?.1.to_owned())).collect()
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        self.end();
    }
}

/// The otpd that was installed with us: a disk that is mounted elsewhere may have its own.
fn program() -> Result<PathBuf, Failure> {
    let ours = std::env::current_exe().unwrap_or_default();
    let beside = ours.parent().unwrap_or(Path::new("/"));
    let places = [
        beside.join("otpd"),
        beside.join("../sbin/otpd"),
        "/usr/local/sbin/otpd".into(),
        "/usr/sbin/otpd".into(),
    ];
    let found = places.iter().find(|place| place.is_file());
    found.cloned().ok_or_else(|| {
        let named: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let message =
            format!("--offline starts otpd, and it is in none of these places: {}", named.join(", "));
        Failure::new(Exit::Unreachable, "unreachable", message)
    })
}

/// Bytes of its complaints.
const LONGEST: u64 = 64 * 1024;
