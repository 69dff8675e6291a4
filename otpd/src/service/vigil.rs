//! Who was asked for a code and has given none: somebody who knows the password and has no device. The owner is told once a
//! day at most, so that nobody can use it to fill their mailbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use otpd_core::account::Account;
use otpd_core::account::Warning;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::Identity;
use otpd_core::notice::Notice;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use otpd_proto::login::Next;

use super::Service;
use super::post::Facts;
use super::post::Post;
use super::scene::Scene;
use crate::keys::KeyError;

/// At most [`MOST`] logins that wait for a code: of each account one for each service and each address, so that the
/// owner's own login does not hide somebody else's.
#[derive(Default)]
pub(super) struct Vigil(Mutex<HashMap<(Identity, Facts), Instant>>);

impl Vigil {
    /// A login was asked for its code.
    fn begin(&self, who: &Identity, facts: Facts, now: Instant) {
        let mut asked = self.asked();
        let of_account = asked.keys().filter(|(other, _)| other == who).take(MOST_OF_ONE).count();
        if asked.len() < MOST && of_account < MOST_OF_ONE {
            asked.entry((who.clone(), facts)).or_insert(now);
        }
    }

    /// One was let in.
    fn end(&self, who: &Identity, facts: Facts) {
        self.asked().remove(&(who.clone(), facts));
    }

    /// Takes those whose time is over.
    fn over(&self, now: Instant) -> Vec<(Identity, Facts)> {
        let is_over = |since: &mut Instant| now.saturating_duration_since(*since) >= PATIENCE;
        self.asked().extract_if(|_, since| is_over(since)).map(|(asked, _)| asked).collect()
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<(Identity, Facts), Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Registry> Service<R> {
    /// Begins or ends the vigil over a login, by what it was told to do.
    pub(super) fn watch(&self, scene: &Scene, who: &Identity, next: &Next, now: Instant) {
        match next {
            Next::Ask { .. } => self.vigil.begin(who, scene.facts(None), now),
            Next::Accept { .. } => self.vigil.end(who, scene.facts(None)),
            Next::NotRequired { .. } | Next::Refuse { .. } | Next::Locked { .. } => {}
        }
    }

    /// Tells the owners of accounts for which a password was given and no code after it.
    pub fn tell_of_missing_codes(&self, now: UnixTime, monotonic: Instant) {
        let settings = self.settings();
        for (who, facts) in self.vigil.over(monotonic) {
            let (keys, settings) = (Arc::clone(&self.keys), Arc::clone(&settings));
            let tell = move |account: &mut Account, journal: &mut Journal| -> Result<(), KeyError> {
                if !account.is_protected() || !account.may_warn(Warning::NoCode, now) {
                    return Ok(());
                }
                let user = account.identity.name.to_string();
                let event =
                    Event::blank(now, &user, "otpd", Kind::NoCode, Decision::Refuse, Reason::NoCodeGiven);
                journal.record(Event {
                    uid: Some(account.identity.uid),
                    service: facts.service.clone(),
                    address: facts.address.clone(),
                    ..event
                });
                Post { keys: &keys, settings: &settings, now }.tell(account, Notice::NoCode, &facts, journal)
            };
            match self.registry.change(&who, tell) {
                Ok(Some(Err(error))) => log::warn!("{} was not told of a missing code: {error}", who.name),
                Ok(_) | Err(RegistryError::Conflict) => {}
                Err(error) => log::warn!("{} was not told of a missing code: {error}", who.name),
            }
        }
    }
}

/// So long somebody may look for their phone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
const MOST: usize = 1024;
/// Whoever asks from many addresses must not take the place of others.
const MOST_OF_ONE: usize = 16;
