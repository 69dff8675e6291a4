//! One connection: who it is, what came so far, and until when the rest must have come.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::time::Instant;

use nix::sys::socket::MsgFlags;
use otpd_proto::frame::Inbox;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use super::receive;
use crate::peer::Door;
use crate::peer::Peer;

/// A connection. Nobody ever waits on it.
pub(super) struct Connection {
    socket: UnixStream,
    peer: Peer,
    inbox: Inbox,
    descriptor: Option<OwnedFd>,
    deadline: Instant,
}

/// What a look at the socket gave.
pub(super) enum Received {
    /// A whole message, and the descriptor that came with it.
    Message(Zeroizing<Vec<u8>>, Option<OwnedFd>),
    /// Not yet.
    Waiting,
    /// The peer is gone, or sent what no message can be.
    Over,
}

impl Connection {
    pub(super) fn new(socket: UnixStream, peer: Peer, now: Instant) -> Self {
        let deadline = now.checked_add(FOR_A_MESSAGE).unwrap_or(now);
        Self { socket, peer, inbox: Inbox::default(), descriptor: None, deadline }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// Takes the next message, reading as much as is there. Half a message does not move the deadline, so a peer that
    /// drips is cut off like one that is silent.
    pub(super) fn receive(&mut self) -> Received {
        let mut chunk = [0; 4096];
        loop {
            if let Some(message) = self.inbox.take() {
                return Received::Message(message, self.descriptor.take());
            }
            // Never more than a message has room for: the next one may follow it at once.
            let room = self.inbox.room().min(chunk.len());
            let read = self.read(chunk.get_mut(..room).unwrap_or_default());
            let outcome = match read {
                Ok(0) => Some(Received::Over),
                Ok(length) => {
                    let received = chunk.get_mut(..length).unwrap_or_default();
                    let fits = self.inbox.push(received);
                    received.zeroize();
                    fits.is_err().then_some(Received::Over)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Some(Received::Waiting),
                Err(error) if error.kind() == ErrorKind::Interrupted => None,
                Err(_) => Some(Received::Over),
            };
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// Root may pass files. What others pass the kernel drops, since nothing asks for it.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.peer.is_root || self.peer.door != Door::Account {
            let received = nix::sys::socket::recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
            return received.map_err(std::io::Error::from);
        }
        let (length, descriptor) = receive(&self.socket, buffer, false)?;
        self.descriptor = descriptor.or(self.descriptor.take());
        Ok(length)
    }

    /// Sends a reply. A peer that does not read what it asked for is let go rather than waited for.
    pub(super) fn send(&mut self, reply: &[u8], now: Instant) -> bool {
        self.deadline = now.checked_add(BETWEEN_CALLS).unwrap_or(now);
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        nix::sys::socket::send(self.socket.as_raw_fd(), reply, flags) == Ok(reply.len())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// From connecting to the end of the first message.
const FOR_A_MESSAGE: Duration = Duration::from_secs(5);

/// From one reply to the end of the next message.
const BETWEEN_CALLS: Duration = Duration::from_secs(30);
