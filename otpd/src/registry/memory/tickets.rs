//! Tickets in memory.

use otpd_core::mark::Mark;
use otpd_core::name::Identity;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::NewTicket;
use otpd_core::ticket::Scope;
use otpd_core::ticket::Seen;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;

#[derive(Default)]
pub(super) struct Tickets {
    all: Vec<(Ticket, Mark)>,
    last: i64,
}

impl Tickets {
    pub(super) fn find(&self, mark: Mark) -> Option<Ticket> {
        self.all.iter().find(|(_, of)| *of == mark).map(|(ticket, _)| ticket.clone())
    }

    pub(super) fn must_be_there(&self, id: Option<TicketId>) -> Result<(), RegistryError> {
        let is_there = |id| self.all.iter().any(|(ticket, _)| ticket.id == id);
        if id.is_none_or(is_there) { Ok(()) } else { Err(RegistryError::SignedOut) }
    }

    pub(super) fn of(&self, who: &Identity) -> Vec<Ticket> {
        let theirs = self.all.iter().map(|(ticket, _)| ticket).filter(|ticket| ticket.who == *who);
        theirs.rev().cloned().collect()
    }

    pub(super) fn apply(&mut self, change: &TicketChange) -> u32 {
        match change {
            TicketChange::Issue(new) => self.issue(new),
            TicketChange::Renew { mark, new, at } => self.change(|ticket, of| {
                let is_it = *of == *mark && ticket.scope == Scope::Account;
                if is_it {
                    (*of, ticket.password_at, ticket.seen) = (*new, *at, *at);
                }
                is_it
            }),
            TicketChange::Prove { id, at } => self.change(|ticket, _| {
                let is_it = ticket.id == *id && ticket.scope == Scope::Account;
                if is_it {
                    ticket.code_at = Some(*at);
                }
                is_it
            }),
            TicketChange::End { who, id } => {
                self.end(|ticket| (ticket.id == *id || parent(ticket) == Some(*id)) && ticket.who == *who)
            }
            TicketChange::EndAll { uid, name, but } => self.end(|ticket| {
                let is_theirs =
                    *uid == Some(ticket.who.uid) || name.as_deref() == Some(ticket.who.name.as_str());
                is_theirs && but.is_none_or(|but| ticket.id != but && parent(ticket) != Some(but))
            }),
        }
    }

    pub(super) fn note_seen(&mut self, all: Vec<(TicketId, Seen)>) {
        for (id, seen) in all {
            if let Some((ticket, _)) = self.all.iter_mut().find(|(ticket, _)| ticket.id == id) {
                (ticket.seen, ticket.address) = (ticket.seen.max(seen.at), seen.address);
            }
        }
    }

    pub(super) fn sweep(&mut self, now: UnixTime, unused_since: UnixTime, most: u32) -> u32 {
        let mut left = most;
        self.end(|ticket| {
            let is_over = ticket.expires <= now || ticket.seen <= unused_since || ticket.issued > now;
            let goes = is_over && left > 0;
            left -= u32::from(goes);
            goes
        })
    }

    fn issue(&mut self, new: &NewTicket) -> u32 {
        let most = match &new.scope {
            Scope::Account => Ticket::MOST,
            Scope::Visit { parent, .. } if self.all.iter().all(|(ticket, _)| ticket.id != *parent) => {
                return 0;
            }
            Scope::Visit { .. } => Ticket::MOST_VISITS,
        };
        let is_visit = |scope: &Scope| *scope != Scope::Account;
        let same = |ticket: &Ticket| {
            ticket.who.uid == new.who.uid && is_visit(&ticket.scope) == is_visit(&new.scope)
        };
        let have = self.all.iter().filter(|(ticket, _)| same(ticket)).count();
        let mut going = have.saturating_sub(most as usize - 1);
        self.end(|ticket| {
            let goes = same(ticket) && going > 0;
            going -= usize::from(goes);
            goes
        });
        self.last += 1;
        let NewTicket { mark, who, scope, issued, expires, address, agent, device } = new.clone();
        let id = TicketId(self.last);
        let (seen, password_at, code_at) = (issued, issued, None);
        let ticket =
            Ticket { id, who, scope, issued, expires, seen, password_at, code_at, address, agent, device };
        self.all.push((ticket, mark));
        1
    }

    fn change(&mut self, mut one: impl FnMut(&mut Ticket, &mut Mark) -> bool) -> u32 {
        let changed = self.all.iter_mut().filter_map(|(ticket, mark)| one(ticket, mark).then_some(()));
        u32::try_from(changed.count()).unwrap()
    }

    /// With the visits of those that end.
    fn end(&mut self, mut is_over: impl FnMut(&Ticket) -> bool) -> u32 {
        let before = self.all.len();
        self.all.retain(|(ticket, _)| !is_over(ticket));
        let ended = before - self.all.len();
        let left: Vec<TicketId> = self.all.iter().map(|(ticket, _)| ticket.id).collect();
        self.all.retain(|(ticket, _)| parent(ticket).is_none_or(|parent| left.contains(&parent)));
        u32::try_from(ended).unwrap()
    }
}

fn parent(ticket: &Ticket) -> Option<TicketId> {
    match ticket.scope {
        Scope::Account => None,
        Scope::Visit { parent, .. } => Some(parent),
    }
}
