//! Where an account is signed in on the web: listed, and ended by somebody or by a change of the protection.

use std::sync::atomic::Ordering;

use otpd_core::account::Account;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::ticket::Scope;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;
use otpd_proto::account as wire;

use super::Failure;
use super::Parties;
use super::Service;
use super::proof::Asked;
use super::scene::Scene;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;

impl<R: Registry> Service<R> {
    /// Where an account is signed in.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn sign_ins(
        &self,
        peer: Peer,
        call: &wire::SignInsParameters,
        now: UnixTime,
    ) -> Result<wire::SignIns, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        if permit(parties.role, Request::SignIns, State::Protected) != Permit::Free {
            return self.refuse(&parties, now, Kind::Read, Failure::not_permitted());
        }
        let acting = parties.signed_in.map(|signed_in| signed_in.ticket);
        let mut room = ROOM;
        let sign_ins = self
            .good_tickets(&parties, now)?
            .into_iter()
            .map(|(ticket, seen)| wire_sign_in(ticket, seen, acting));
        let fitting = sign_ins.take(MOST).take_while(|sign_in| {
            let size = serde_json::to_vec(sign_in).map_or(usize::MAX, |json| json.len());
            room = room.saturating_sub(size.saturating_add(1));
            room > 0
        });
        Ok(wire::SignIns { sign_ins: fitting.collect() })
    }

    /// Ends one, or all but the one that asks.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn end_sign_ins(
        &self,
        peer: Peer,
        call: &wire::EndSignInsParameters,
        now: UnixTime,
    ) -> Result<wire::SignInsEnded, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let (request, kind) = (Request::EndSignIns, Kind::SignInsEnded);
        match permit(parties.role, request, State::Protected) {
            Permit::Free => {}
            Permit::AdminsCode => {
                self.step_up(&parties, &Asked { request, kind, code: call.code.as_ref(), now })?
            }
            Permit::OwnersCode | Permit::Never => {
                return self.refuse(&parties, now, kind, Failure::not_permitted());
            }
        }
        let change = match call.id {
            Some(id) => TicketChange::End { who: parties.who().clone(), id: TicketId(id) },
            None => TicketChange::end_all(parties.who(), parties.own_ticket()),
        };
        let event = parties.event(now, kind, Decision::Accept, Reason::Ok);
        let ended = self.registry.change_tickets(change, event)?;
        if ended == 0 && call.id.is_some() {
            let say = "There is no such sign-in, or it is over; otpctl sign-ins lists those there are.";
            return Err(Failure::refused(Reason::NoSuchSignIn, say));
        }
        Ok(wire::SignInsEnded { ended })
    }

    /// In how many places an account is signed in, visits not counted.
    pub(super) fn count_sign_ins(&self, parties: &Parties, now: UnixTime) -> Result<u32, Failure> {
        let tickets = self.good_tickets(parties, now)?;
        let places = tickets.iter().filter(|(ticket, _)| ticket.scope == Scope::Account).count();
        Ok(u32::try_from(places).unwrap_or(u32::MAX))
    }

    /// Says how many tickets were brought that are none; most of them are old.
    pub fn tell_of_unknown_tickets(&self) {
        match self.unknown_tickets.swap(0, Ordering::Relaxed) {
            0 => {}
            many => log::info!("{many} tickets of the web were refused: over, ended, or made up"),
        }
    }

    fn good_tickets(&self, parties: &Parties, now: UnixTime) -> Result<Vec<(Ticket, UnixTime)>, Failure> {
        let tickets = self.registry.tickets(parties.who())?.into_iter();
        let seen = tickets.map(|ticket| {
            let seen = self.seen.last(&ticket);
            (ticket, seen)
        });
        let idle = parties.settings.idle;
        Ok(seen.filter(|(ticket, seen)| ticket.is_good(*seen, idle, now)).collect())
    }
}

impl Parties {
    /// Ends, with the change that the journal is of, every other sign-in of the account: whoever is signed in by what was
    /// is not to stay so. If it is not the owner who changes it, every one.
    pub(super) fn end_others(&self, journal: &mut Journal, now: UnixTime) {
        let event = self.event(now, Kind::SignInsEnded, Decision::Accept, Reason::Ok);
        journal.tickets(TicketChange::end_all(self.who(), self.own_ticket()), Some(with_change(event)));
    }

    /// The ticket that the owner acts by.
    fn own_ticket(&self) -> Option<TicketId> {
        self.signed_in.filter(|_| self.role == Role::Owner).map(|signed_in| signed_in.ticket)
    }
}

impl Scene {
    /// Ends every sign-in of an account into which somebody came without a device of it.
    pub(super) fn end_all(&self, account: &Account, journal: &mut Journal, now: UnixTime) {
        let event = self.event(now, Kind::SignInsEnded, Decision::Accept, Reason::Ok);
        journal.tickets(TicketChange::end_all(&account.identity, None), Some(with_change(event)));
    }
}

/// An event of sign-ins that end because something else happened.
pub(super) fn with_change(event: Event) -> Event {
    Event { kind: Kind::SignInsEnded, detail: Some("with what changed".into()), ..event }
}

fn wire_sign_in(ticket: Ticket, seen: UnixTime, acting: Option<TicketId>) -> wire::SignIn {
    let (scope, host) = match ticket.scope {
        Scope::Account => (wire::Scope::Account, None),
        Scope::Visit { host, .. } => (wire::Scope::Visit, Some(host)),
    };
    wire::SignIn {
        id: ticket.id.0,
        scope,
        host,
        current: acting == Some(ticket.id),
        issued: ticket.issued.0,
        seen: seen.0,
        expires: ticket.expires.0,
        address: ticket.address,
        agent: ticket.agent,
        device: ticket.device,
    }
}

const MOST: usize = 100;
/// Bytes of one message, less its frame.
const ROOM: usize = otpd_proto::frame::MAX_MESSAGE - 1024;
