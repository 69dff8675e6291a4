//! The blocking client: connects, makes sure who is at the other end, and calls, all within one deadline.
//!
//! Runs inside sshd, sudo and screen lockers: it starts no thread, never sleeps, raises no SIGPIPE, leaks no
//! descriptor over exec, and never takes descriptor 0, 1 or 2, which a host may have closed.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::ControlMessage;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::Shutdown;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::UnixAddr;
use nix::sys::socket::sendmsg;
use nix::sys::socket::sockopt;
use nix::sys::stat;
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::frame::Inbox;
use crate::message::Reply;
use crate::message::encode_call;

/// A connection to `otpd`, for as many calls as fit into its deadline.
pub struct Client {
    socket: OwnedFd,
    deadline: Deadline,
}

/// The end of all waiting. A host may have been stopped (the caller of sudo may stop it) while the daemon was quick, so
/// the time that passed is not believed until a wait of [`LAST_WAIT`] has really found nothing; the count keeps a
/// server that drips from making use of that.
struct Deadline {
    at: Instant,
    late: Cell<u8>,
}

/// Why a call has no result.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody answers at this path: the daemon is not running, or its queue is full.
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Somebody answers whom we must not believe.
    Untrusted {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The deadline passed. With `sent`, the daemon may have acted on the call all the same.
    TimedOut {
        /// Whether the call had left.
        sent: bool,
    },
    /// The connection broke, or what came was not Varlink. With `sent`, the daemon may have acted all the same.
    Broken {
        /// Whether the call had left.
        sent: bool,
        /// What came instead.
        why: String,
    },
    /// The daemon answered with an error.
    Refused {
        /// `interface.ErrorName`.
        error: String,
        /// Its parameters, JSON.
        parameters: String,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { path, source } => {
                write!(f, "cannot reach otpd at {}: {source}; is otpd running?", path.display())
            }
            Self::Untrusted { path, why } => write!(f, "not trusting {}: {why}", path.display()),
            Self::TimedOut { sent: false } => f.write_str("otpd does not answer; is the system overloaded?"),
            Self::TimedOut { sent: true } => {
                f.write_str("otpd did not answer in time; it may have acted all the same")
            }
            Self::Broken { sent, why } => {
                write!(f, "the connection to otpd broke ({why})")?;
                if *sent { f.write_str("; it may have acted all the same") } else { Ok(()) }
            }
            Self::Refused { error, parameters } => write!(f, "otpd answered {error} {parameters}"),
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Client {
    /// Connects to `path` and checks the server: the socket's directory belongs to root (or to the caller) and
    /// is not writable by others, and the peer is root or the socket's owner.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`], [`ClientError::Untrusted`] or [`ClientError::TimedOut`].
    pub fn connect(path: &Path, within: Duration) -> Result<Self, ClientError> {
        let unreachable =
            |source: Errno| ClientError::Unreachable { path: path.to_owned(), source: source.into() };
        let deadline = Deadline::within(within);
        let owner = check_directory(path)?;
        let socket = new_socket().map_err(unreachable)?;
        connect_until(&socket, path, &deadline)?;
        let peer =
            nix::sys::socket::getsockopt(&socket, sockopt::PeerCredentials).map_err(unreachable)?.uid();
        if peer != 0 && peer != owner {
            let why = format!("its server runs as uid {peer}, neither root nor the socket's owner");
            return Err(ClientError::Untrusted { path: path.to_owned(), why });
        }
        Ok(Self { socket, deadline })
    }

    /// Calls on a socket that is connected already, to a server that the caller started.
    #[must_use]
    pub fn over(socket: OwnedFd, within: Duration) -> Self {
        Self { socket, deadline: Deadline::within(within) }
    }

    /// Gives the calls from now on a deadline of their own: for a connection that waited for a person.
    pub fn go_on(&mut self, within: Duration) {
        self.deadline = Deadline::within(within);
    }

    /// Calls `method` and returns its result.
    ///
    /// # Errors
    /// [`ClientError`]; with `sent` in it, the daemon may have acted on the call.
    pub fn call<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        parameters: &P,
    ) -> Result<R, ClientError> {
        self.send(&encode(method, parameters)?)?;
        self.result()
    }

    /// Calls `method` and passes a descriptor with it.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn call_with<P: Serialize, R: DeserializeOwned>(
        &mut self,
        method: &str,
        parameters: &P,
        descriptor: BorrowedFd<'_>,
    ) -> Result<R, ClientError> {
        let message = encode(method, parameters)?;
        // It travels with the first byte.
        let (first, rest) = message.split_at_checked(1).unwrap_or_default();
        wait(&self.socket, PollFlags::POLLOUT, &self.deadline, false)?;
        let descriptors = [descriptor.as_raw_fd()];
        let passed = sendmsg::<UnixAddr>(
            self.socket.as_raw_fd(),
            &[IoSlice::new(first)],
            &[ControlMessage::ScmRights(&descriptors)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        );
        passed.map_err(|errno| ClientError::Broken { sent: false, why: said(errno) })?;
        self.send(rest)?;
        self.result()
    }

    fn result<R: DeserializeOwned>(&self) -> Result<R, ClientError> {
        let reply = self.reply()?;
        let broken = |error: serde_json::Error| ClientError::Broken { sent: true, why: error.to_string() };
        let reply: Reply<'_> = serde_json::from_slice(&reply).map_err(broken)?;
        let parameters = reply.parameters.map_or("{}", |raw| raw.get());
        match reply.error {
            Some(error) => {
                Err(ClientError::Refused { error: error.into_owned(), parameters: parameters.to_owned() })
            }
            None => serde_json::from_str(parameters).map_err(broken),
        }
    }

    /// Calls `method`, the last call of the connection, and returns its reply as it came, without the NUL. The server
    /// sees that no other call follows, and need not wait for one.
    ///
    /// # Errors
    /// [`ClientError`], but never `Refused`: an error is a reply too.
    pub fn exchange<P: Serialize>(
        self,
        method: &str,
        parameters: &P,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.send(&encode(method, parameters)?)?;
        // A server that is gone shows when its reply is read.
        let _ = nix::sys::socket::shutdown(self.socket.as_raw_fd(), Shutdown::Write);
        self.reply()
    }

    fn reply(&self) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let mut inbox = Inbox::default();
        loop {
            match inbox.take() {
                Some(reply) => return Ok(reply),
                None => self.receive(&mut inbox)?,
            }
        }
    }

    fn send(&self, mut message: &[u8]) -> Result<(), ClientError> {
        let whole = message.len();
        while !message.is_empty() {
            let sent = message.len() < whole;
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            match nix::sys::socket::send(self.socket.as_raw_fd(), message, flags) {
                Ok(written) => message = message.get(written..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => wait(&self.socket, PollFlags::POLLOUT, &self.deadline, sent)?,
                Err(errno) => return Err(ClientError::Broken { sent, why: said(errno) }),
            }
        }
        Ok(())
    }

    fn receive(&self, inbox: &mut Inbox) -> Result<(), ClientError> {
        let broken = |why: &str| ClientError::Broken { sent: true, why: why.to_owned() };
        wait(&self.socket, PollFlags::POLLIN, &self.deadline, true)?;
        let mut chunk = [0_u8; 4096];
        let read = nix::sys::socket::recv(self.socket.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT);
        match read {
            Ok(0) => Err(broken("closed without an answer")),
            Ok(length) => {
                let received = chunk.get_mut(..length).unwrap_or_default();
                let pushed = inbox.push(received).map_err(|_| broken("the answer is too long"));
                received.zeroize();
                pushed
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
            Err(errno) => Err(broken(&said(errno))),
        }
    }
}

fn encode<P: Serialize>(method: &str, parameters: &P) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    encode_call(method, parameters)
        .map_err(|error| ClientError::Broken { sent: false, why: error.to_string() })
}

/// The socket's owner, after a look at the directory it stands in: whoever can write there can put a server of
/// their own in our path.
fn check_directory(path: &Path) -> Result<u32, ClientError> {
    let unreachable =
        |source: Errno| ClientError::Unreachable { path: path.to_owned(), source: source.into() };
    let untrusted = |why: String| ClientError::Untrusted { path: path.to_owned(), why };
    let Some(directory) = path.parent().filter(|_| path.is_absolute()) else {
        return Err(untrusted("the path is not absolute".to_owned()));
    };
    let found = stat::stat(directory).map_err(unreachable)?;
    if found.st_uid != 0 && found.st_uid != geteuid().as_raw() {
        return Err(untrusted(format!("its directory belongs to uid {}, not to root", found.st_uid)));
    }
    if found.st_mode & 0o022 != 0 {
        return Err(untrusted("its directory is writable by others".to_owned()));
    }
    Ok(stat::lstat(path).map_err(unreachable)?.st_uid)
}

/// A close-on-exec socket that is none of the standard descriptors: a clone is numbered 3 or higher.
fn new_socket() -> Result<OwnedFd, Errno> {
    let socket =
        nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    if socket.as_raw_fd() > 2 {
        return Ok(socket);
    }
    socket.try_clone().map_err(|error| error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw))
}

/// A full backlog makes connect wait, and only a send timeout set before bounds that.
fn connect_until(socket: &OwnedFd, path: &Path, deadline: &Deadline) -> Result<(), ClientError> {
    let unreachable =
        |source: Errno| ClientError::Unreachable { path: path.to_owned(), source: source.into() };
    let address = UnixAddr::new(path).map_err(unreachable)?;
    loop {
        let left = deadline.left().ok_or(ClientError::TimedOut { sent: false })?;
        let timeout = TimeVal::new(
            i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            i64::from(left.subsec_micros()).max(1),
        );
        nix::sys::socket::setsockopt(socket, sockopt::SendTimeout, &timeout).map_err(unreachable)?;
        match nix::sys::socket::connect(socket.as_raw_fd(), &address) {
            Ok(()) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Err(ClientError::TimedOut { sent: false }),
            Err(errno) => return Err(unreachable(errno)),
        }
    }
}

fn wait(socket: &OwnedFd, events: PollFlags, deadline: &Deadline, sent: bool) -> Result<(), ClientError> {
    loop {
        let left = deadline.left().ok_or(ClientError::TimedOut { sent })?;
        let timeout =
            PollTimeout::try_from(left.saturating_add(Duration::from_millis(1))).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(&mut [PollFd::new(socket.as_fd(), events)], timeout) {
            Ok(0) => return Err(ClientError::TimedOut { sent }),
            Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(ClientError::Broken { sent, why: said(errno) }),
        }
    }
}

/// The kernel's words for it. nix has a table of its own, which would be a tenth of the module.
fn said(errno: Errno) -> String {
    io::Error::from(errno).to_string()
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "the monotonic deadline of a call")]
    fn within(within: Duration) -> Self {
        let now = Instant::now();
        Self { at: now.checked_add(within).unwrap_or(now), late: Cell::new(0) }
    }

    /// How long the next wait may take; `None` if there have been enough.
    #[expect(clippy::disallowed_methods, reason = "the monotonic deadline of a call")]
    fn left(&self) -> Option<Duration> {
        let left = self.at.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Some(left.max(LAST_WAIT));
        }
        let late = self.late.get();
        self.late.set(late.saturating_add(1));
        (late < MOST_LATE_WAITS).then_some(LAST_WAIT)
    }
}

const LAST_WAIT: Duration = Duration::from_secs(1);
const MOST_LATE_WAITS: u8 = 4;

#[cfg(test)]
mod tests;
