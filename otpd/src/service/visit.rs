//! Visits: the holder of a ticket goes on to another host, whose proxy asks at each request whose visit it is. That
//! answer must be cheap: no commit, and the user database is asked at most twice a minute for one user.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::host;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Registry;
use otpd_core::ticket::NewTicket;
use otpd_core::ticket::Scope;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::printable;
use otpd_core::time::UnixTime;
use otpd_proto::session::SERVICE;
use otpd_proto::web as wire;

use super::Failure;
use super::Service;
use super::tickets::numeric;
use super::tickets::signed_out;
use crate::clock;
use crate::keys::new_ticket;
use crate::names::Groups;
use crate::peer::Peer;

/// Who was asked about not long ago.
#[derive(Default)]
pub(super) struct Visitors(Mutex<HashMap<Uid, Known>>);

/// Whom the system has under a number, and the names of their groups.
#[derive(Clone)]
struct Known {
    who: Identity,
    groups: Vec<String>,
    at: Instant,
}

impl Visitors {
    fn of(&self, uid: Uid, now: Instant) -> Option<Known> {
        self.known().get(&uid).filter(|known| known.is_fresh(now)).cloned()
    }

    fn keep(&self, known: &Known, now: Instant) {
        let mut all = self.known();
        if all.len() >= MOST {
            all.retain(|_, known| known.is_fresh(now));
        }
        if all.len() < MOST {
            all.insert(known.who.uid, known.clone());
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Uid, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < KEPT
    }
}

impl<R: Registry> Service<R> {
    /// Makes a word for a visit.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn hand_off(
        &self,
        peer: Peer,
        call: &wire::HandOffParameters,
        now: UnixTime,
    ) -> Result<wire::HandedOff, Failure> {
        self.web(peer)?;
        let host = read_host(&call.host)?;
        let (ticket, _) = self.account_ticket(&call.ticket, None, Groups::default(), now)?;
        self.take_call(ticket.who.uid)?;
        let word = new_ticket()?;
        self.words.keep(self.keys.mark_ticket(&word), ticket, host, clock::monotonic());
        Ok(wire::HandedOff { word })
    }

    /// Gives a ticket for a word.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn visit(
        &self,
        peer: Peer,
        call: &wire::VisitParameters,
        now: UnixTime,
    ) -> Result<wire::Visit, Failure> {
        self.web(peer)?;
        let host = read_host(&call.host)?;
        let word = self.words.take(self.keys.mark_ticket(&call.word), clock::monotonic());
        let word = word.ok_or_else(no_word)?;
        let from = word.ticket;
        self.take_call(from.who.uid)?;
        let user = from.who.name.as_str();
        let address = call.address.as_deref().and_then(numeric).map(|address| address.to_string());
        let event = Event {
            uid: Some(from.who.uid),
            service: Some(SERVICE.to_owned()),
            address: address.clone(),
            detail: Some(format!("to {host}")),
            ..Event::blank(now, user, user, Kind::HandOff, Decision::Accept, Reason::Ok)
        };
        if word.host != host {
            let detail = Some(format!("to {}, and brought to {host}", word.host));
            self.registry.record(Event {
                decision: Decision::Refuse,
                reason: Reason::BadHost,
                detail,
                ..event
            })?;
            return Err(no_word());
        }
        let ticket = new_ticket()?;
        let new = NewTicket {
            mark: self.keys.mark_ticket(&ticket),
            who: from.who.clone(),
            scope: Scope::Visit { parent: from.id, host },
            issued: now,
            expires: from.expires,
            address,
            agent: call.agent.as_deref().map(printable),
            device: from.device,
        };
        match self.registry.change_tickets(TicketChange::Issue(new), event)? {
            // Signed out on the way.
            0 => Err(signed_out()),
            _ => Ok(wire::Visit { ticket, expires: from.expires.0 }),
        }
    }

    /// Whose visit it is.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn check(
        &self,
        peer: Peer,
        call: &wire::CheckParameters,
        now: UnixTime,
    ) -> Result<wire::Visitor, Failure> {
        self.web(peer)?;
        let wanted = read_host(&call.host)?;
        let ticket = self.good_ticket(&call.ticket, now)?;
        if !matches!(&ticket.scope, Scope::Visit { host, .. } if *host == wanted) {
            return Err(signed_out());
        }
        let groups = self.groups_of(&ticket.who)?;
        self.seen.note(&ticket, call.address.as_deref().and_then(numeric), now);
        Ok(wire::Visitor { user: ticket.who.name.to_string(), groups })
    }

    /// The names of somebody's groups, if they still have name and number.
    fn groups_of(&self, who: &Identity) -> Result<Vec<String>, Failure> {
        let now = clock::monotonic();
        let known = match self.visitors.of(who.uid, now) {
            Some(known) => known,
            None => {
                let (found, groups) = self.own_names.with_group_names(who.uid)?.ok_or_else(signed_out)?;
                let known = Known { who: found, groups, at: now };
                self.visitors.keep(&known, now);
                known
            }
        };
        if known.who != *who {
            return Err(signed_out());
        }
        Ok(known.groups)
    }
}

fn read_host(text: &str) -> Result<String, Failure> {
    host::normalise(text).map_err(|why| Failure::refused(Reason::BadHost, format!("That is no host: {why}.")))
}

fn no_word() -> Failure {
    Failure::refused(Reason::SignedOut, "That way in was used already, or took too long. Go there again.")
}

const KEPT: Duration = Duration::from_secs(30);
const MOST: usize = 1024;
