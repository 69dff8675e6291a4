//! Pruning: accounts whose users are gone. Gone is only who the system positively does not have, neither by name nor by
//! number; how long that is so, nobody knows.

use std::time::Duration;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::TicketChange;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use super::admin::wire_account;
use crate::clock::monotonic;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Accounts whose users are gone, a page at a time.
    ///
    /// # Errors
    /// [`Failure`]; also if the system does not answer about a single one of them.
    pub fn gone(
        &self,
        peer: Peer,
        call: &wire::GoneParameters,
        now: UnixTime,
    ) -> Result<wire::Gone, Failure> {
        self.root(peer, Request::Prune, Kind::Prune, now)?;
        let after = match call.after.as_deref() {
            Some(name) => Some(AccountName::new(name).map_err(|_| Failure::no_such_user(name))?),
            None => None,
        };
        let begun = monotonic();
        let (mut accounts, mut next) = (Vec::new(), None);
        for summary in self.registry.accounts(after.as_ref(), ACCOUNTS)? {
            let gone = self.own_names.are_gone(&summary.identity)?;
            next = Some(summary.identity.name.to_string());
            if gone {
                accounts.push(wire_account(summary, &self.settings().recovery, now));
            }
            // A slow database gets smaller pages.
            if monotonic().saturating_duration_since(begun) > LONGEST {
                break;
            }
        }
        Ok(wire::Gone { accounts, next })
    }

    /// Retires the account of somebody who is gone, and sets name and uid free.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed.
    pub fn prune_account(
        &self,
        peer: Peer,
        call: &wire::PruneParameters,
        now: UnixTime,
    ) -> Result<wire::Pruned, Failure> {
        let parties = self.root(peer, Request::Prune, Kind::Prune, now)?;
        let by = parties.caller.identity.name.to_string();
        let who = Uid::new(call.uid).zip(AccountName::new(&call.user).ok());
        let who = who.map(|(uid, name)| Identity { uid, name }).ok_or_else(|| no_such_account(call))?;
        let mut event = Event {
            uid: Some(who.uid),
            ..Event::blank(now, &call.user, &by, Kind::Prune, Decision::Accept, Reason::Ok)
        };
        match self.registry.find(&who) {
            Ok(Some(_)) => {}
            Ok(None) | Err(RegistryError::Conflict) => return Err(no_such_account(call)),
            Err(error) => return Err(error.into()),
        }
        if !self.own_names.are_gone(&who)? {
            (event.decision, event.reason) = (Decision::Refuse, Reason::UserExists);
            self.registry.record(event)?;
            let say = format!("There is a user {:?} or a user with uid {} again.", call.user, call.uid);
            return Err(Failure::refused(Reason::UserExists, say));
        }
        event.detail = Some("the user is gone".into());
        let mut journal = Journal::from(event);
        journal.tickets(TicketChange::end_all(&who, None), None);
        Ok(wire::Pruned { retired: self.registry.detach(&who, now, &by, journal)? })
    }
}

fn no_such_account(call: &wire::PruneParameters) -> Failure {
    let say = format!("The registry has no account {:?} with uid {}.", call.user, call.uid);
    Failure::refused(Reason::NoSuchAccount, say)
}

/// A page, if the system answers at once.
const ACCOUNTS: u32 = 50;
/// A caller waits 30 s, and one look-up may take two.
const LONGEST: Duration = Duration::from_secs(10);
