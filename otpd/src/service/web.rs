//! What otpd-web asks for on behalf of a browser. It has no authority: whose the ticket is decides.

use std::sync::PoisonError;

use otpd_core::account::Account;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::Uid;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::Scope;
use otpd_core::ticket::TicketChange;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::session::SERVICE;
use otpd_proto::web as wire;

use super::Failure;
use super::Service;
use super::is_admin;
use super::tickets::numeric;
use super::tickets::signed_out;
use crate::clock::monotonic;
use crate::peer::Peer;
use crate::peer::SignedIn;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;

impl<R: Registry> Service<R> {
    /// Whose a ticket is.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn who(
        &self,
        peer: Peer,
        call: &wire::WhoParameters,
        now: UnixTime,
    ) -> Result<wire::Holder, Failure> {
        self.web(peer)?;
        let settings = self.settings();
        let (ticket, person) =
            self.account_ticket(&call.ticket, call.address.as_deref(), settings.groups(), now)?;
        let account = match self.registry.find(&ticket.who) {
            Err(RegistryError::Conflict) => return Err(Failure::conflict(ticket.who.name.as_str())),
            found => found?,
        };
        let recovered = account.as_ref().and_then(|account| account.recovered);
        Ok(wire::Holder {
            user: ticket.who.name.to_string(),
            admin: ticket.who.uid.is_root() || is_admin(&settings, &person),
            protected: account.is_some_and(|account| account.is_protected()),
            device: ticket.device.clone(),
            rebind_until: recovered.map(|at| at.plus(Account::REBIND_FOR).0).filter(|until| *until > now.0),
            issued: ticket.issued.0,
            expires: ticket.expires.0,
            password_until: ticket.password_until(now).map(|at| at.0),
            code_until: ticket.code_until(now).map(|at| at.0),
        })
    }

    /// The holder of a ticket, as a caller.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn holder(
        &self,
        peer: Peer,
        ticket: &Secret,
        address: Option<&str>,
        now: UnixTime,
    ) -> Result<Peer, Failure> {
        self.web(peer)?;
        let (ticket, _) = self.account_ticket(ticket, address, self.settings().groups(), now)?;
        let signed_in = SignedIn {
            ticket: ticket.id,
            address: address.and_then(numeric),
            password_at: ticket.password_at,
            code_at: ticket.code_at,
        };
        Ok(Peer::signed_in(ticket.who.uid, signed_in))
    }

    /// Takes one call from the budget of who is signed in. otpd-web has none: it speaks for everybody.
    ///
    /// # Errors
    /// [`Failure::TooManyCalls`].
    pub(crate) fn take_call(&self, uid: Uid) -> Result<(), Failure> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.take(uid.as_u32(), monotonic()) { Ok(()) } else { Err(Failure::TooManyCalls) }
    }

    /// Ends a ticket of an account, and the visits that came of it.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn sign_out(
        &self,
        peer: Peer,
        call: &wire::SignOutParameters,
        now: UnixTime,
    ) -> Result<wire::SignedOut, Failure> {
        self.web(peer)?;
        let ticket = self.good_ticket(&call.ticket, now)?;
        let user = ticket.who.name.as_str();
        let event = Event {
            uid: Some(ticket.who.uid),
            service: Some(SERVICE.to_owned()),
            detail: match &ticket.scope {
                Scope::Account => None,
                Scope::Visit { host, .. } => Some(format!("from {host}")),
            },
            ..Event::blank(now, user, user, Kind::SignOut, Decision::Accept, Reason::Ok)
        };
        let (who, id) = (ticket.who.clone(), ticket.id);
        match self.registry.change_tickets(TicketChange::End { who, id }, event)? {
            0 => Err(signed_out()),
            _ => Ok(wire::SignedOut {}),
        }
    }

    /// Makes sure that it is otpd-web that calls.
    pub(super) fn web(&self, peer: Peer) -> Result<(), Failure> {
        let role = match peer.raw_uid {
            _ if peer.is_root => Role::Root,
            uid if self.settings().web == Some(uid) => Role::Web,
            _ => Role::Other,
        };
        match permit(role, Request::Web, State::Protected) {
            Permit::Free => Ok(()),
            _ => Err(Failure::refused(Reason::NotPermitted, "Tickets are for otpd-web alone.")),
        }
    }
}
