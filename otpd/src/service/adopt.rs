//! Adopting: the account of somebody who was renamed or renumbered is theirs again. Root decides that it is the same
//! person; where more than one account or more than one user could be meant, nobody guesses.

use otpd_core::event::Decision;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Claim;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::TicketChange;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Parties;
use super::Service;
use crate::names::Groups;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Gives the account that has the user's name or uid to the user as the system has them now.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed.
    pub fn adopt(
        &self,
        peer: Peer,
        call: &wire::AdoptParameters,
        now: UnixTime,
    ) -> Result<wire::Adopted, Failure> {
        self.root(peer, Request::Adopt, Kind::Adopt, now)?;
        let parties = self.parties(peer, Some(&call.user))?;
        let claim = match self.only_claim(parties.who()) {
            Err(failure) => return self.refuse(&parties, now, Kind::Adopt, failure),
            Ok(claim) => claim,
        };
        let changed = !claim.is_of(parties.who());
        if changed && call.dry_run != Some(true) {
            self.give(&parties, &claim, now)?;
        }
        Ok(wire::Adopted {
            was_user: claim.name.map(|name| name.to_string()),
            was_uid: claim.uid.map(Uid::as_u32),
            user: parties.who().name.to_string(),
            uid: parties.who().uid.as_u32(),
            active_devices: claim.active_devices,
            last_used: claim.last_used.map(|at| at.0),
            changed,
        })
    }

    fn give(&self, parties: &Parties, claim: &Claim, now: UnixTime) -> Result<(), Failure> {
        let who = parties.who();
        let mut event = parties.event(now, Kind::Adopt, Decision::Accept, Reason::Ok);
        event.detail = Some(format!("was {}, is {} (uid {})", named(claim), who.name, who.uid));
        let mut journal = Journal::from(event);
        let (uid, name) = (claim.uid, claim.name.as_ref().map(AccountName::to_string));
        journal.tickets(TicketChange::EndAll { uid, name, but: None }, None);
        parties.end_others(&mut journal, now);
        match self.registry.adopt(claim, who, journal) {
            Ok(true) => Ok(()),
            // Somebody else did something in this moment.
            Ok(false) | Err(RegistryError::Conflict) => Err(Failure::conflict(who.name.as_str())),
            Err(error) => Err(error.into()),
        }
    }

    /// The one account that can be meant.
    fn only_claim(&self, who: &Identity) -> Result<Claim, Failure> {
        let mut claims = self.registry.claims(who)?;
        match &claims[..] {
            [] => {
                let say =
                    format!("The registry has no account with the name {} or uid {}.", who.name, who.uid);
                Err(Failure::refused(Reason::NoSuchAccount, say))
            }
            [claim] => self.is_nobody_elses(claim, who).map(|()| claims.remove(0)),
            several => Err(two_accounts(several, who)),
        }
    }

    /// Refuses an account whose name another user has: that one may be the one who was renumbered.
    fn is_nobody_elses(&self, claim: &Claim, who: &Identity) -> Result<(), Failure> {
        let Some(name) = claim.name.as_ref().filter(|name| **name != who.name) else { return Ok(()) };
        match self.own_names.by_name(name.as_str(), Groups::default())? {
            Some(other) if other.identity != *who => {
                let uid = other.identity.uid;
                let say = format!(
                    "The account with uid {} is that of {name}, who is still a user, with uid {uid} now. To give it to \
                     {name}: otpctl adopt {name}. To retire it: otpctl reset {name}",
                    who.uid
                );
                Err(Failure::refused(Reason::Ambiguous, say))
            }
            _ => Ok(()),
        }
    }
}

fn two_accounts(claims: &[Claim], who: &Identity) -> Failure {
    let name = &who.name;
    let listed: Vec<String> = claims
        .iter()
        .map(|claim| format!("{} with {} active devices", named(claim), claim.active_devices))
        .collect();
    let others = claims.iter().filter_map(|claim| claim.name.as_ref()).find(|other| *other != name);
    let then = others.map(|other| format!(", then for the other: otpctl adopt {other}")).unwrap_or_default();
    let say = format!(
        "{name} has uid {} now, and two accounts could be meant: {}. To retire the one named {name}: otpctl reset \
         {name}{then}",
        who.uid,
        listed.join("; ")
    );
    Failure::refused(Reason::Ambiguous, say)
}

/// An account in words.
fn named(claim: &Claim) -> String {
    let name = claim.name.as_ref().map_or("nobody", AccountName::as_str);
    match claim.uid {
        Some(uid) => format!("{name} (uid {uid})"),
        None => format!("{name} (uid set free)"),
    }
}
