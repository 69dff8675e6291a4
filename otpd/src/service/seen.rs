//! When tickets were last used. That is known here at once and written down later, so that looking at a page costs no
//! commit; whoever kills otpd makes a sign-in look idle for a minute more than it was, at worst.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use otpd_core::registry::Registry;
use otpd_core::ticket::Scope;
use otpd_core::ticket::Seen;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;

use super::Service;

/// Uses that are not written down yet, of tickets that there are.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<TicketId, Seen>>);

impl Uses {
    /// When a ticket was last used, as far as is known.
    pub(super) fn last(&self, ticket: &Ticket) -> UnixTime {
        self.uses().get(&ticket.id).map_or(ticket.seen, |seen| seen.at.max(ticket.seen))
    }

    /// Notes that one was used: to the minute, and of a visit for the ticket that it came of too, which must not be idle
    /// while that is in use.
    pub(super) fn note(&self, ticket: &Ticket, address: Option<IpAddr>, now: UnixTime) {
        let mut uses = self.uses();
        let noted = uses.get(&ticket.id);
        let last = noted.map_or(ticket.seen, |seen| seen.at.max(ticket.seen));
        let from = noted.map_or(&ticket.address, |seen| &seen.address);
        let address = address.map(|address| address.to_string()).or_else(|| from.clone());
        if last <= now && now.since(last) < EACH && address == *from {
            return;
        }
        if let Scope::Visit { parent, .. } = ticket.scope {
            uses.insert(parent, Seen { at: now, address: address.clone() });
        }
        uses.insert(ticket.id, Seen { at: now, address });
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<TicketId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Registry> Service<R> {
    /// Writes down when tickets were used.
    pub fn note_seen(&self) {
        // They are known here until they are known there.
        let seen: Vec<(TicketId, Seen)> =
            self.seen.uses().iter().map(|(id, seen)| (*id, seen.clone())).collect();
        if seen.is_empty() {
            return;
        }
        match self.registry.note_seen(seen.clone()) {
            Ok(()) => {
                let mut uses = self.seen.uses();
                for (id, written) in seen {
                    if uses.get(&id) == Some(&written) {
                        uses.remove(&id);
                    }
                }
            }
            Err(error) => log::warn!("when somebody was last seen on the web was not noted: {error}"),
        }
    }

    /// Removes tickets that are over, a few at a time. Returns how many.
    ///
    /// # Errors
    /// [`otpd_core::registry::RegistryError`].
    pub fn sweep_tickets(&self, now: UnixTime) -> Result<u32, otpd_core::registry::RegistryError> {
        let idle = i64::try_from(self.settings().idle.as_secs()).unwrap_or(i64::MAX);
        self.note_seen();
        self.registry.sweep_tickets(now, UnixTime(now.0.saturating_sub(idle)), AT_ONCE)
    }
}

const EACH: Duration = Duration::from_secs(60);
const AT_ONCE: u32 = 100;
