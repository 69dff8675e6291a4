//! Who is at the other end of a connection: what the kernel says, nothing that the peer says.

use std::net::IpAddr;
use std::os::fd::AsFd;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt;
use otpd_core::name::Uid;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;

/// Which socket a call came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// login.sock.
    Login,
    /// account.sock.
    Account,
    /// mail.sock.
    Mail,
    /// web.sock.
    Web,
    /// The one connection of an otpd that `otpctl --offline` started.
    Offline,
}

/// A caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The socket.
    pub door: Door,
    /// The caller's number as the kernel sees it, for budgets.
    pub raw_uid: u32,
    /// The same, if it may own an account.
    pub uid: Option<Uid>,
    /// uid 0, or otpd's own.
    pub is_root: bool,
    /// The sign-in on the web that stands for them, if they call through otpd-web.
    pub signed_in: Option<SignedIn>,
}

/// A sign-in on the web, and the browser that acts on the strength of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// The ticket of an account.
    pub ticket: TicketId,
    /// Of the browser.
    pub address: Option<IpAddr>,
    /// When the password was last given.
    pub password_at: UnixTime,
    /// When an administrator last gave a code.
    pub code_at: Option<UnixTime>,
}

impl Peer {
    /// Reads the credentials that the kernel took when the peer connected.
    ///
    /// # Errors
    /// The kernel does not say: then the peer is nobody and must not be served.
    pub fn of(door: Door, socket: &impl AsFd) -> nix::Result<Self> {
        let credentials = getsockopt(&socket.as_fd(), sockopt::PeerCredentials)?;
        Ok(Self::new(door, credentials.uid()))
    }

    /// A caller of this number.
    #[must_use]
    pub fn new(door: Door, raw_uid: u32) -> Self {
        let is_root = raw_uid == 0 || raw_uid == nix::unistd::geteuid().as_raw();
        Self { door, raw_uid, uid: Uid::new(raw_uid), is_root, signed_in: None }
    }

    /// The holder of a ticket. They are never root: what came over the network has none of root's rights.
    #[must_use]
    pub fn signed_in(uid: Uid, signed_in: SignedIn) -> Self {
        let signed_in = Some(signed_in);
        Self { door: Door::Web, raw_uid: uid.as_u32(), uid: Some(uid), is_root: false, signed_in }
    }
}
