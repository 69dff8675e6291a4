//! After this box's clock was wrong and is right again: forgets what was noted meanwhile and now keeps right codes out.

use otpd_core::account::Account;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Parties;
use super::Service;
use super::bind::check_clock;
use crate::clock;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Sets devices back to this box's time: those of one account, or of a page of accounts.
    ///
    /// # Errors
    /// [`Failure`]; also while the clock was never set, since every code would be good again then.
    pub fn clock_reset(
        &self,
        peer: Peer,
        call: &wire::ClockResetParameters,
        now: UnixTime,
    ) -> Result<wire::ClockWasReset, Failure> {
        let parties = self.root(peer, Request::ClockReset, Kind::ClockReset, now)?;
        if let Err(failure) = check_clock(now) {
            return self.refuse(&parties, now, Kind::ClockReset, failure);
        }
        let (whose, next) = match &call.user {
            Some(user) => (vec![self.parties(peer, Some(user))?.who().clone()], None),
            None => self.page(call.after.as_deref())?,
        };
        let (mut accounts, mut devices) = (Vec::new(), 0_u32);
        for who in whose {
            let forgetful = self.forget_clock(&parties, &who, call.dry_run == Some(true), now)?;
            if !forgetful.is_empty() {
                devices = devices.saturating_add(u32::try_from(forgetful.len()).unwrap_or(u32::MAX));
                accounts.push(who.name.to_string());
            }
        }
        let clock_synchronised = clock::is_synchronised();
        Ok(wire::ClockWasReset { accounts, devices, next, now: now.0, clock_synchronised })
    }

    fn page(&self, after: Option<&str>) -> Result<(Vec<Identity>, Option<String>), Failure> {
        let after = after.map(|name| AccountName::new(name).map_err(|_| Failure::no_such_user(name)));
        let page = self.registry.accounts(after.transpose()?.as_ref(), ACCOUNTS)?;
        let next = page.last().map(|last| last.identity.name.to_string());
        Ok((page.into_iter().map(|summary| summary.identity).collect(), next))
    }

    /// The devices of an account that had anything to forget. One that has nothing is not written.
    fn forget_clock(
        &self,
        parties: &Parties,
        who: &Identity,
        dry_run: bool,
        now: UnixTime,
    ) -> Result<Vec<DeviceName>, Failure> {
        let found = match self.registry.find(who) {
            // Renamed or renumbered: its owner is refused anyway, until root has looked at it.
            Err(RegistryError::Conflict) => None,
            found => found?,
        };
        let forgetful = found.map(|mut account| account.forget_clock(now)).unwrap_or_default();
        if dry_run || forgetful.is_empty() {
            return Ok(forgetful);
        }
        let by = parties.caller.identity.name.as_str();
        let event = Event {
            uid: Some(who.uid),
            ..Event::blank(now, who.name.as_str(), by, Kind::ClockReset, Decision::Accept, Reason::Ok)
        };
        let forget = move |account: &mut Account, journal: &mut Journal| {
            let forgetful = account.forget_clock(now);
            let named: Vec<&str> = forgetful.iter().map(DeviceName::as_str).collect();
            journal.record(Event { device: Some(named.join(", ")), ..event });
            forgetful
        };
        Ok(self.registry.change(who, forget)?.unwrap_or_default())
    }
}

/// A page.
const ACCOUNTS: u32 = 100;
