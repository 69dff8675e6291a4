//! Tickets: made for a login on the web that PAM let in, renewed by the password, and known again.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::NewTicket;
use otpd_core::ticket::Scope;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::printable;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::login::ticket as wire;
use otpd_proto::session;

use super::Failure;
use super::Service;
use super::login::Phase;
use super::scene::Scene;
use crate::keys::new_ticket;
use crate::names::Groups;
use crate::names::Person;
use crate::peer::Door;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;

impl<R: Registry> Service<R> {
    /// Makes a ticket for a login on the web that PAM let in. A stack of PAM without our module gives none to an account
    /// that needs a code, and root gets none without a device: by root's password alone, one could be bound here, and
    /// with its code the protection of anybody undone.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn issue_ticket(
        &self,
        peer: Peer,
        call: &wire::IssueTicketParameters,
        now: UnixTime,
    ) -> Result<wire::Ticket, Failure> {
        let (scene, person) = self.ticket_scene(peer, &call.login, session::SERVICE, now)?;
        let ticket = new_ticket()?;
        let new = NewTicket {
            mark: self.keys.mark_ticket(&ticket),
            who: person.identity.clone(),
            scope: Scope::Account,
            issued: now,
            expires: now.plus(scene.settings.absolute),
            address: scene.address(),
            agent: call.agent.as_deref().map(printable),
            device: None,
        };
        let expires = new.expires.0;
        let is_root = person.identity.uid.is_root();
        let issue = (scene.clone(), person.clone(), new.clone());
        let issued = self.registry.change(&person.identity, move |account, journal| {
            let (scene, person, new) = issue;
            let admission = account.take_admission(now);
            if is_root && !account.is_protected() {
                return Err(scene.no_device(now, journal));
            }
            let needs_code = account.is_protected() || scene.demands(&person, account.grace_since, now);
            let device = match admission {
                Some(admission) => admission.device,
                None if needs_code && scene.asks() => return Err(scene.no_code(now, journal)),
                None => None,
            };
            let event = scene.event(now, Kind::SignIn, Decision::Accept, Reason::Ok);
            let event = Event { device: device.clone(), ..event };
            journal.tickets(TicketChange::Issue(NewTicket { device, ..new }), Some(event));
            Ok(())
        });
        match issued {
            Err(RegistryError::Conflict) => {
                let event = scene.event(now, Kind::SignIn, Decision::Refuse, Reason::IdentityConflict);
                self.registry.record(event)?;
                return Err(Failure::conflict(person.identity.name.as_str()));
            }
            Err(error) => return Err(error.into()),
            Ok(Some(issued)) => issued?,
            Ok(None) if is_root || (scene.demands(&person, None, now) && scene.asks()) => {
                let mut journal = Journal::default();
                let failure = match is_root {
                    true => scene.no_device(now, &mut journal),
                    false => scene.no_code(now, &mut journal),
                };
                journal.events.into_iter().try_for_each(|event| self.registry.record(event))?;
                return Err(failure);
            }
            Ok(None) => {
                let event = scene.event(now, Kind::SignIn, Decision::Accept, Reason::Ok);
                self.registry.change_tickets(TicketChange::Issue(new), event)?;
            }
        }
        Ok(wire::Ticket { ticket, expires })
    }

    /// Makes a ticket that takes the place of one whose holder gave the password again.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn renew_ticket(
        &self,
        peer: Peer,
        call: &wire::RenewTicketParameters,
        now: UnixTime,
    ) -> Result<wire::Ticket, Failure> {
        let (scene, person) = self.ticket_scene(peer, &call.login, session::PASSWORD_SERVICE, now)?;
        let refused = |reason| scene.event(now, Kind::SignIn, Decision::Refuse, reason);
        let old = match self.good_ticket(&call.ticket, now) {
            Ok(old) if old.who == person.identity && old.scope == Scope::Account => old,
            Ok(_) => {
                self.registry.record(refused(Reason::SignedOut))?;
                return Err(signed_out());
            }
            Err(failure) => return Err(failure),
        };
        let ticket = new_ticket()?;
        let (mark, new) = (self.keys.mark_ticket(&call.ticket), self.keys.mark_ticket(&ticket));
        let event = scene.event(now, Kind::SignIn, Decision::Accept, Reason::Ok);
        let event = Event { detail: Some("the password again".into()), ..event };
        match self.registry.change_tickets(TicketChange::Renew { mark, new, at: now }, event)? {
            // Ended in this moment.
            0 => Err(signed_out()),
            _ => Ok(wire::Ticket { ticket, expires: old.expires.0 }),
        }
    }

    /// The ticket, if it is good. Of one that is not known there is no event: anybody can make up as many as they like.
    pub(super) fn good_ticket(&self, ticket: &Secret, now: UnixTime) -> Result<Ticket, Failure> {
        let settings = self.settings();
        let found = match ticket.expose_secret().len() {
            Ticket::LENGTH => self.registry.ticket(self.keys.mark_ticket(ticket))?,
            _ => None,
        };
        let is_good = |ticket: &Ticket| ticket.is_good(self.seen.last(ticket), settings.idle, now);
        found.filter(is_good).ok_or_else(|| {
            self.unknown_tickets.fetch_add(1, Ordering::Relaxed);
            signed_out()
        })
    }

    /// The ticket of an account, used now by a browser at an address, and its holder as the system has them.
    pub(super) fn account_ticket(
        &self,
        ticket: &Secret,
        address: Option<&str>,
        groups: Groups,
        now: UnixTime,
    ) -> Result<(Ticket, Person), Failure> {
        let found = self.good_ticket(ticket, now)?;
        let holder = self.own_names.by_uid(found.who.uid, groups)?;
        match holder.filter(|person| person.identity == found.who && found.scope == Scope::Account) {
            Some(person) => {
                self.seen.note(&found, address.and_then(numeric), now);
                Ok((found, person))
            }
            // Renamed, renumbered or gone; or a ticket that is good for less.
            None => Err(signed_out()),
        }
    }

    /// The login that a ticket is wanted for, and whose it is.
    fn ticket_scene(
        &self,
        peer: Peer,
        login: &otpd_proto::login::Login,
        service: &str,
        now: UnixTime,
    ) -> Result<(Scene, Person), Failure> {
        let role = if peer.is_root && peer.door == Door::Login { Role::Root } else { Role::Other };
        if permit(role, Request::Ticket, State::Protected) != Permit::Free {
            return Err(Failure::not_permitted());
        }
        let scene = self.scene(peer, login, Phase::Account, now)?;
        let refused = |reason| scene.event(now, Kind::SignIn, Decision::Refuse, reason);
        if login.service != service {
            self.registry.record(refused(Reason::WrongService))?;
            let say = format!("Tickets of this kind are for the service {service:?} alone.");
            return Err(Failure::refused(Reason::WrongService, say));
        }
        match scene.person.clone() {
            Some(person) => Ok((scene, person)),
            None => {
                self.registry.record(refused(Reason::NoSuchUser))?;
                Err(Failure::no_such_user(&login.user))
            }
        }
    }
}

impl Scene {
    fn asks(&self) -> bool {
        self.settings.policy.asks(&self.login.service)
    }

    /// Whether the policy demands a device of somebody.
    fn demands(&self, person: &Person, grace_since: Option<UnixTime>, now: UnixTime) -> bool {
        let name = person.identity.name.as_str();
        self.settings.policy.standing(name, &person.groups, grace_since, now).is_demanded(now)
    }

    fn no_device(&self, now: UnixTime, journal: &mut Journal) -> Failure {
        journal.record(self.event(now, Kind::SignIn, Decision::Refuse, Reason::NotProtected));
        let say = "Root signs in here with a device alone, and has none. Bind one at the terminal first: sudo otpctl bind";
        Failure::refused(Reason::NotProtected, say)
    }

    fn no_code(&self, now: UnixTime, journal: &mut Journal) -> Failure {
        journal.record(self.event(now, Kind::SignIn, Decision::Refuse, Reason::CodeNeeded));
        let say = "A code is needed to sign in, and none was accepted. Has /etc/pam.d/otpd-web a line with pam_otp.so?";
        Failure::refused(Reason::CodeNeeded, say)
    }
}

/// The refusal of a ticket that is none, or none any more.
pub(super) fn signed_out() -> Failure {
    Failure::refused(Reason::SignedOut, "You are signed out. Sign in again.")
}

/// An address that can be one.
pub(super) fn numeric(address: &str) -> Option<IpAddr> {
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
