//! An otpd of our own for `--offline`: on the other end of a socket that nobody else has, gone when we are.

use std::cell::OnceCell;
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

/// An `otpd --offline`. It is started by the first call: the files that were named are looked at before.
pub(crate) struct Offline {
    work: Work,
    root: Option<PathBuf>,
    config: Option<PathBuf>,
    running: OnceCell<Running>,
}

struct Running {
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
    /// One for the system below `root` (ours, if there is none) with that configuration.
    pub(crate) fn new(work: Work, root: Option<PathBuf>, config: Option<PathBuf>) -> Result<Self, Failure> {
        if !Uid::effective().is_root() {
            let message = "--offline opens the registry itself, which is for root. Try it with sudo";
            return Err(Failure::new(Exit::NotPermitted, "not_permitted", message));
        }
        Ok(Self { work, root, config, running: OnceCell::new() })
    }

    fn running(&self) -> Result<&Running, Failure> {
        if let Some(running) = self.running.get() {
            return Ok(running);
        }
        let started = self.start()?;
        Ok(self.running.get_or_init(|| started))
    }

    fn start(&self) -> Result<Running, Failure> {
        let program = program()?;
        let failed = |error: std::io::Error| {
            let message = format!("cannot start {}: {error}", program.display());
            Failure::new(Exit::Unreachable, "unreachable", message)
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut command = Command::new(&program);
        command.arg("--offline");
        if self.work == Work::Restore {
            command.arg("--restore");
        }
        if let Some(root) = &self.root {
            command.arg("--root").arg(root);
        }
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(failed)?;
        Ok(Running { socket: ours, child: RefCell::new(child) })
    }

    /// A client for one call.
    pub(crate) fn client(&self, within: Duration) -> Result<Client, Failure> {
        let socket =
            self.running()?.socket.try_clone().map_err(|error| {
                self.explain(&ClientError::Broken { sent: false, why: error.to_string() })
            })?;
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
        let Some(running) = self.running.get() else { return Vec::new() };
        let mut said = String::new();
        let mut child = running.child.borrow_mut();
        let _ = running.socket.shutdown(Shutdown::Both);
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
pub(crate) fn program() -> Result<PathBuf, Failure> {
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
