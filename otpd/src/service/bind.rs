//! Binding: Begin makes a pending device, Confirm proves it.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::account::CannotBind;
use otpd_core::account::NewDevice;
use otpd_core::check::Opener;
use otpd_core::check::prove;
use otpd_core::code::Code;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::device::State as Life;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::key::Key;
use otpd_core::name::DeviceName;
use otpd_core::notice::Notice;
use otpd_core::otpauth;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_core::totp::Algorithm;
use otpd_core::totp::Parameters;
use otpd_proto::Secret;
use otpd_proto::account::BeginParameters;
use otpd_proto::account::Begun;
use otpd_proto::account::ConfirmParameters;
use otpd_proto::account::Confirmed;

use super::Failure;
use super::Service;
use super::account::no_such_device;
use super::account::wire_device;
use super::post::Post;
use super::prompt;
use super::proof::Asked;
use super::proof::wrong_code;
use super::recover;
use crate::clock;
use crate::keys::Keys;
use crate::keys::new_device_key;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Begins to bind a device.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn begin(&self, peer: Peer, call: &BeginParameters, now: UnixTime) -> Result<Begun, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let wanted = match check_clock(now).and_then(|()| Wanted::read(call)) {
            Ok(wanted) => wanted,
            Err(failure) => return self.refuse(&parties, now, Kind::Bind, failure),
        };
        let issuer = parties.settings.issuer.clone();
        let by = parties.caller.identity.name.to_string();
        let from =
            parties.signed_in.map(|_| parties.address().unwrap_or_else(|| otpd_proto::WEB_SOCKET.to_owned()));
        let from = from.unwrap_or_else(|| otpd_proto::ACCOUNT_SOCKET.to_owned());
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let wants_email = self.wants_email(&parties.settings);
        let asked = Asked { request: Request::Begin, kind: Kind::Bind, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, event, _| {
            deciding.need_email(account, wants_email)?;
            let id = wanted.begin(account, &keys, (&by, &from), now)?;
            let device = account.device_mut(id).ok_or_else(|| no_such_device("it"))?;
            let name = device.name.to_string();
            event.device = Some(name.clone());
            let label = format!("{} ({name})", account.identity.name);
            let uri =
                otpauth::uri(&issuer, &label, &wanted.key, wanted.parameters, wanted.counter.unwrap_or(0));
            Ok(Begun {
                device: id.0,
                name,
                key: Secret::new(wanted.key.expose_base32().to_string()),
                uri: Secret::new(uri.to_string()),
                expires: now.plus(Account::PENDING_FOR).0,
            })
        })
    }

    /// Proves a pending device.
    ///
    /// # Errors
    /// [`Failure`]; a wrong code is counted, and ten end the pending device.
    pub fn confirm(&self, peer: Peer, call: &ConfirmParameters, now: UnixTime) -> Result<Confirmed, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let Ok(code) = Code::parse(call.code.expose_secret()) else {
            let failure =
                Failure::refused(Reason::CodeMalformed, "That is no code: a code is 6 to 8 digits.");
            return self.refuse(&parties, now, Kind::Confirm, failure);
        };
        if let Err(failure) = check_clock(now) {
            return self.refuse(&parties, now, Kind::Confirm, failure);
        }
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let wants_email = self.wants_email(&parties.settings);
        let (named, by) = (call.device.clone(), parties.caller.identity.name.to_string());
        let asked = Asked { request: Request::Confirm, kind: Kind::Confirm, code: None, now };
        self.change_permitted(&parties, &asked, move |account, event, journal| {
            deciding.need_email(account, wants_email)?;
            let id = pending(account, &named, now)?;
            event.device = account.device_mut(id).map(|device| device.name.to_string());
            let Some(offset) = prove(account, id, &code, now, &*keys)? else {
                return Err(count_wrong(account, id, now));
            };
            // Another device with the same key may have been proven since this one was begun.
            if let Some(device) = account.device_mut(id).cloned() {
                check_key(account, account.active(), &keys.open(account, &device)?, &keys)?;
            }
            let confirmed = activate(account, id, offset, now, &by, &keys)?;
            let confirmed = confirmed.ok_or_else(|| no_such_device(&named))?;
            let notice = if confirmed.first { Notice::ProtectionOn } else { Notice::DeviceBound };
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            post.tell(account, notice, &deciding.facts(Some(&confirmed.device.name)), journal)?;
            deciding.end_others(journal, now);
            Ok(confirmed)
        })
    }
}

/// What a caller wants to bind, read and checked.
#[derive(Clone)]
struct Wanted {
    name: Option<DeviceName>,
    key: Key,
    parameters: Parameters,
    counter: Option<u64>,
    replaces: Option<String>,
}

impl Wanted {
    fn read(call: &BeginParameters) -> Result<Self, Failure> {
        let name = call.name.as_deref().map(DeviceName::new).transpose().map_err(|error| {
            Failure::refused(
                Reason::BadName,
                format!("That device name cannot be used: {error}. It has 1 to 32 characters."),
            )
        })?;
        let key = match &call.key {
            Some(text) => Key::from_base32(text.expose_secret()).map_err(|error| {
                Failure::refused(Reason::BadKey, format!("That key cannot be used: {error}."))
            })?,
            None => new_device_key()?,
        };
        let bad = |error| Failure::refused(Reason::BadParameters, format!("Not supported: {error}."));
        let default = Parameters::default();
        let algorithm = match call.algorithm.as_deref() {
            Some(text) => text.parse::<Algorithm>().map_err(bad)?,
            None => default.algorithm(),
        };
        let digits = call.digits.unwrap_or(default.digits());
        let parameters = match (call.counter, call.period) {
            (None, period) => Parameters::new(algorithm, digits, period.unwrap_or(default.period())),
            (Some(_), None) => Parameters::counting(algorithm, digits),
            (Some(_), Some(_)) => {
                let say = "A device follows the time (period) or counts its codes (counter), not both.";
                return Err(Failure::refused(Reason::BadParameters, say));
            }
        };
        let parameters = parameters.map_err(bad)?;
        if call.counter.is_some_and(|counter| counter > HIGHEST_COUNTER) {
            let say = format!("Not supported: the counter is at most {HIGHEST_COUNTER}.");
            return Err(Failure::refused(Reason::BadParameters, say));
        }
        Ok(Self { name, key, parameters, counter: call.counter, replaces: call.replaces.clone() })
    }

    fn begin(
        &self,
        account: &mut Account,
        keys: &Keys,
        (by, from): (&str, &str),
        now: UnixTime,
    ) -> Result<DeviceId, Failure> {
        check_key(account, account.active(), &self.key, keys)?;
        let replaces = match self.replaces.as_deref() {
            Some(named) => {
                let device = account.find(named).filter(|device| device.is_active());
                Some(device.ok_or_else(|| no_such_device(named))?.id)
            }
            None => None,
        };
        // Without a name of its own, the new device takes over that of the one it replaces.
        let old = replaces.and_then(|id| account.devices.iter().find(|device| device.id == id));
        let taken_over = old.map(|device| device.name.clone());
        let name = self.name.clone().or(taken_over).unwrap_or_else(|| {
            // A pending device gives way to one of its name.
            free_name(self.parameters, |name| account.active().any(|device| device.name == *name))
        });
        let key = keys.seal(account.id, DeviceId(account.next_device), &self.key)?;
        let new = NewDevice {
            name: name.clone(),
            key,
            parameters: self.parameters,
            counter: self.counter,
            replaces,
            by: by.to_owned(),
            from: from.to_owned(),
        };
        account.begin(new, now).map_err(|error| cannot_bind(error, &name))
    }
}

/// The refusal of a device that an account has no place for.
pub(super) fn cannot_bind(error: CannotBind, name: &DeviceName) -> Failure {
    match error {
        CannotBind::TooMany => Failure::refused(
            Reason::TooManyDevices,
            format!("There are {} devices already; remove one first: otpctl unbind", Account::MAX_DEVICES),
        ),
        CannotBind::NameTaken => Failure::refused(
            Reason::NameTaken,
            format!(
                "A device named {:?} is bound already; choose another name, or replace it.",
                name.as_str()
            ),
        ),
    }
}

/// One key is one device, however many phones have it: twice, each of its codes would work twice.
pub(super) fn check_key<'a>(
    account: &Account,
    mut devices: impl Iterator<Item = &'a Device>,
    key: &Key,
    keys: &Keys,
) -> Result<(), Failure> {
    devices.try_for_each(|device| {
        if keys.open(account, device)?.expose_bytes() == key.expose_bytes() {
            let name = device.name.as_str();
            let say = format!("This key is bound already, as {name:?}: one entry serves both phones.");
            return Err(Failure::refused(Reason::KeyInUse, say));
        }
        Ok(())
    })
}

/// A clock that was never set makes every code wrong from the day it is.
pub(super) fn check_clock(now: UnixTime) -> Result<(), Failure> {
    if !clock::is_unset(now) {
        return Ok(());
    }
    let date = prompt::date(now);
    let say = format!(
        "This box's clock was never set (it says {date}); codes cannot be checked. Set the clock first."
    );
    Err(Failure::refused(Reason::ClockUnset, say))
}

/// "phone" (or "token", if it counts), or the first of "phone 2", "phone 3", … that is not taken.
pub(super) fn free_name(parameters: Parameters, taken: impl Fn(&DeviceName) -> bool) -> DeviceName {
    let plain = if parameters.counts() { "token" } else { "phone" };
    let numbered = (2..).map(|number| format!("{plain} {number}"));
    let mut names =
        std::iter::once(plain.to_owned()).chain(numbered).filter_map(|name| DeviceName::new(&name).ok());
    // Devices are at most ten, so one of the first eleven is free.
    loop {
        if let Some(name) = names.next().filter(|name| !taken(name)) {
            return name;
        }
    }
}

fn pending(account: &Account, named: &str, now: UnixTime) -> Result<DeviceId, Failure> {
    if let Some(device) = account.find_pending(named, now) {
        return Ok(device.id);
    }
    let say = match account.find(named) {
        Some(device) => format!("{:?} is bound already; there is nothing to confirm.", device.name.as_str()),
        None => {
            format!(
                "No device {named:?} is waiting to be confirmed; it waits 10 minutes. Begin anew with otpctl bind."
            )
        }
    };
    Err(Failure::refused(Reason::PendingExpired, say))
}

fn count_wrong(account: &mut Account, id: DeviceId, now: UnixTime) -> Failure {
    let Some(device) = account.device_mut(id) else { return wrong_code(now) };
    if let Life::Pending { tries, .. } = &mut device.state {
        *tries = tries.saturating_add(1);
        if *tries >= Account::PENDING_TRIES {
            account.give_up(id);
            let say = format!(
                "{} wrong codes; this device was given up. Begin anew with otpctl bind.",
                Account::PENDING_TRIES
            );
            return Failure::refused(Reason::PendingExpired, say);
        }
    }
    wrong_code(now)
}

fn activate(
    account: &mut Account,
    id: DeviceId,
    offset: i64,
    now: UnixTime,
    by: &str,
    keys: &Keys,
) -> Result<Option<Confirmed>, Failure> {
    let first = !account.is_protected();
    let retired = account.activate(id, now, by).map(|name| name.to_string());
    let Some(device) = account.devices.iter().find(|device| device.id == id).map(wire_device) else {
        return Ok(None);
    };
    let recovery_codes = if first { Some(recover::issue(account, keys)?) } else { None };
    Ok(Some(Confirmed {
        device,
        offset,
        first,
        recovery_codes,
        retired,
        now: now.0,
        clock_synchronised: clock::is_synchronised(),
    }))
}

/// Beyond it no token gets, and JSON readers lose digits.
pub(super) const HIGHEST_COUNTER: u64 = 1 << 53;
