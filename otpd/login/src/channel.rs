//! The connection to `otpd-web`: whole messages in and out, each within a deadline.

use std::io::ErrorKind;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::sys::socket::MsgFlags;
use otpd_proto::frame::Inbox;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The peer has closed, or does not read.
    Gone,
    /// Nothing came in time.
    Late,
    /// What came is no call that has a place here; the peer was told if it can be told.
    Misused,
}

/// Whole messages, in and out.
pub trait Channel {
    /// The next message, without its NUL. `first`: the one that the connection was made for.
    ///
    /// # Errors
    /// [`Ended`].
    fn receive(&mut self, first: bool) -> Result<Zeroizing<Vec<u8>>, Ended>;

    /// Sends a message, its NUL included.
    ///
    /// # Errors
    /// [`Ended::Gone`].
    fn send(&mut self, message: &[u8]) -> Result<(), Ended>;
}

/// The socket.
pub struct Socket {
    stream: UnixStream,
    inbox: Inbox,
    opened_by: Instant,
    answered_by: Instant,
}

impl Socket {
    /// Takes a connection that was made just now.
    ///
    /// # Errors
    /// It is no socket any more.
    #[expect(clippy::disallowed_methods, reason = "the monotonic deadlines of the connection")]
    pub fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        let now = Instant::now();
        let after = |duration| now.checked_add(duration).unwrap_or(now);
        Ok(Self {
            stream,
            inbox: Inbox::default(),
            opened_by: after(FOR_THE_FIRST_CALL),
            answered_by: after(FOR_ALL_ANSWERS),
        })
    }

    /// Waits until something is there to be read.
    #[expect(clippy::disallowed_methods, reason = "the monotonic deadlines of the connection")]
    fn wait(&self, deadline: Instant) -> Result<(), Ended> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Ended::Late);
            }
            let rounded = left.saturating_add(Duration::from_millis(1));
            let timeout = PollTimeout::try_from(rounded).unwrap_or(PollTimeout::MAX);
            match nix::poll::poll(&mut [PollFd::new(self.stream.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(_) => return Err(Ended::Gone),
            }
        }
    }
}

impl Channel for Socket {
    fn receive(&mut self, first: bool) -> Result<Zeroizing<Vec<u8>>, Ended> {
        let deadline = if first { self.opened_by } else { self.answered_by };
        let mut chunk = [0; 4096];
        loop {
            if let Some(message) = self.inbox.take() {
                return Ok(message);
            }
            self.wait(deadline)?;
            // Never more than a message has room for: the next one may follow it at once.
            let room = self.inbox.room().min(chunk.len());
            match self.stream.read(chunk.get_mut(..room).unwrap_or_default()) {
                Ok(0) => return Err(Ended::Gone),
                Ok(length) => {
                    let received = chunk.get_mut(..length).unwrap_or_default();
                    let fits = self.inbox.push(received);
                    received.zeroize();
                    fits.map_err(|_| Ended::Misused)?;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return Err(Ended::Gone),
            }
        }
    }

    /// A peer that does not read what it asked for is let go rather than waited for.
    fn send(&mut self, message: &[u8]) -> Result<(), Ended> {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match nix::sys::socket::send(self.stream.as_raw_fd(), message, flags) {
            Ok(length) if length == message.len() => Ok(()),
            _ => Err(Ended::Gone),
        }
    }
}

/// From connecting to the end of the first call.
const FOR_THE_FIRST_CALL: Duration = Duration::from_secs(10);

/// From connecting to the last answer: a little before all ends, so that the person is told.
const FOR_ALL_ANSWERS: Duration = Duration::from_secs(590);

#[cfg(test)]
pub(crate) mod script;

#[cfg(test)]
mod tests;
