//! One entry of an import: read, and checked against its account and what else is staged for it.

use otpd_core::account::Account;
use otpd_core::device::Device;
use otpd_core::device::State as Life;
use otpd_core::event::Reason;
use otpd_core::key::Key;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::staging::ImportId;
use otpd_core::staging::Staged;
use otpd_core::time::Step;
use otpd_core::time::UnixTime;
use otpd_core::totp::Algorithm;
use otpd_core::totp::Parameters;
use otpd_proto::admin::ImportEntry;

use super::super::Failure;
use super::super::bind::HIGHEST_COUNTER;
use super::super::bind::check_key;
use crate::keys::Keys;

/// An entry, read and checked by itself.
pub(super) struct Wanted {
    pub(super) key: Key,
    pub(super) parameters: Parameters,
    pub(super) drift: i8,
    pub(super) last_step: Option<Step>,
    pub(super) name: Option<DeviceName>,
}

impl Wanted {
    /// Reads an entry.
    pub(super) fn read(entry: &ImportEntry, now: UnixTime) -> Result<Self, Failure> {
        let key = Key::from_base32(entry.key.expose_secret()).map_err(|error| {
            Failure::refused(Reason::BadKey, format!("That key cannot be used: {error}."))
        })?;
        let bad = |error| Failure::refused(Reason::BadParameters, format!("Not supported: {error}."));
        let algorithm = entry.algorithm.parse::<Algorithm>().map_err(bad)?;
        let parameters = Parameters::with_period(algorithm, entry.digits, entry.period).map_err(bad)?;
        if entry.drift.unsigned_abs() > Device::MAX_DRIFT.unsigned_abs() {
            let say = format!("Its clock is {} steps off; at most 10 are taken.", entry.drift);
            return Err(Failure::refused(Reason::BadParameters, say));
        }
        let last_step = entry.last_step.map(Step);
        let ahead = last_step.map_or(0, |step| step.distance(now.step(entry.period)));
        if !parameters.counts() && ahead > MOST_AHEAD {
            let say = format!(
                "Its last used code is {ahead} steps from now, so no code would be accepted until then; was a clock wrong?"
            );
            return Err(Failure::refused(Reason::ClockWentBack, say));
        }
        if parameters.counts() && last_step.is_some_and(|last| last.0 > HIGHEST_COUNTER) {
            let say = format!("Its counter is above {HIGHEST_COUNTER}; that is no counter of a token.");
            return Err(Failure::refused(Reason::BadParameters, say));
        }
        let name = entry.name.as_deref().map(DeviceName::new).transpose().map_err(|error| {
            Failure::refused(Reason::BadName, format!("That device name cannot be used: {error}."))
        })?;
        Ok(Self { key, parameters, drift: entry.drift, last_step, name })
    }

    /// Refuses it if the account has no place for it, with `more` that are staged already.
    pub(super) fn check_account(&self, account: &Account, more: usize, keys: &Keys) -> Result<(), Failure> {
        check_key(account, live(account), &self.key, keys)?;
        let have = live(account).count();
        if have.saturating_add(more) >= Account::MAX_DEVICES {
            return Err(too_many(account.identity.name.as_str()));
        }
        match &self.name {
            Some(name) if account.has_name(name) => Err(name_taken(name)),
            _ => Ok(()),
        }
    }

    /// Refuses it if it does not go with what is staged for the same account.
    pub(super) fn check_staged(
        &self,
        import: ImportId,
        staged: &[Staged],
        who: &Identity,
        keys: &Keys,
    ) -> Result<(), Failure> {
        if staged.len() >= Account::MAX_DEVICES {
            return Err(too_many(who.name.as_str()));
        }
        for other in staged {
            if keys.open_staged(import, other)?.expose_bytes() == self.key.expose_bytes() {
                let say = format!("This key comes twice for {}: one entry serves both phones.", who.name);
                return Err(Failure::refused(Reason::KeyInUse, say));
            }
            if let (Some(name), Some(others)) = (&self.name, &other.name)
                && name == others
            {
                return Err(name_taken(name));
            }
        }
        Ok(())
    }
}

/// Pending and active devices.
pub(super) fn live(account: &Account) -> impl Iterator<Item = &Device> {
    account.devices.iter().filter(|device| !matches!(device.state, Life::Retired { .. }))
}

fn too_many(user: &str) -> Failure {
    let say = format!("That would be more than {} devices for {user}.", Account::MAX_DEVICES);
    Failure::refused(Reason::TooManyDevices, say)
}

fn name_taken(name: &DeviceName) -> Failure {
    Failure::refused(Reason::NameTaken, format!("A device named {:?} is there already.", name.as_str()))
}

/// Steps; half of the widest window that pam_google_authenticator can be given, and some.
const MOST_AHEAD: i64 = 60;
