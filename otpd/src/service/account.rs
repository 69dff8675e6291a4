//! One account from outside: its state, its devices, and the changes to them other than binding.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::device::State as Life;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::DeviceName;
use otpd_core::notice::Notice;
use otpd_core::policy::Standing;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::throttle::Gate;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;
use otpd_proto::account as wire;

use super::Failure;
use super::Parties;
use super::Service;
use super::admin::check_room;
use super::post::Facts;
use super::post::Post;
use super::proof::Asked;
use super::proof::not_protected;
use crate::clock;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;

impl<R: Registry> Service<R> {
    /// The state of an account.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn status(
        &self,
        peer: Peer,
        call: &wire::StatusParameters,
        now: UnixTime,
    ) -> Result<wire::Status, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let account = self.read_permitted(&parties, Request::Status, now)?;
        let account = account.as_ref();
        let count = |is: fn(&Device, UnixTime) -> bool| {
            let devices = account.map(|account| account.devices.as_slice()).unwrap_or_default();
            u32::try_from(devices.iter().filter(|device| is(device, now)).count()).unwrap_or(u32::MAX)
        };
        Ok(wire::Status {
            user: parties.who().name.to_string(),
            protected: account.is_some_and(Account::is_protected),
            requirement: requirement(&parties, account, now),
            active_devices: count(|device, _| device.is_active()),
            pending_devices: count(Device::is_pending),
            lanes: account.map(|account| lanes(account, now)).unwrap_or_default(),
            recovery_codes: account.map(|account| account.recovery.left().collect()).unwrap_or_default(),
            rebind_until: account
                .and_then(|account| account.recovered)
                .map(|at| at.plus(Account::REBIND_FOR).0),
            sign_ins: self.count_sign_ins(&parties, now)?,
            emails: account.map(|account| self.wire_emails(&parties, account, now)).unwrap_or_default(),
            mail_problem: self.mail_problem(),
            news: account
                .and_then(|account| account.announce.as_deref())
                .map(|told| told.lines().map(ToOwned::to_owned).collect())
                .unwrap_or_default(),
            now: now.0,
            clock_synchronised: clock::is_synchronised(),
            warnings: self.warnings(account),
        })
    }

    /// What is wrong with this box, or with a clock, that may keep the owner out.
    fn warnings(&self, account: Option<&Account>) -> Vec<String> {
        let disk = self.registry.room().ok().map(|room| check_room(&room));
        let full = disk.filter(|disk| disk.verdict == "fail");
        let full = full.map(|disk| format!("The disk of the registry has {}.", disk.say));
        full.into_iter().chain(self.clock_warnings(account)).collect()
    }

    /// The devices of an account, a page at a time.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn devices(
        &self,
        peer: Peer,
        call: &wire::DevicesParameters,
        now: UnixTime,
    ) -> Result<wire::Devices, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let Some(account) = self.read_permitted(&parties, Request::Devices, now)? else {
            return Ok(wire::Devices { devices: Vec::new(), more: false });
        };
        if call.retired != Some(true) {
            let live = account.devices.iter().filter(|device| device.is_active() || device.is_pending(now));
            let devices =
                live.filter(|device| call.after.is_none_or(|after| device.id.0 > after)).map(wire_device);
            return Ok(wire::Devices { devices: devices.collect(), more: false });
        }
        let mut page = self.registry.devices(account.id, call.after.map(DeviceId), PAGE.saturating_add(1))?;
        let more = page.len() > PAGE as usize;
        page.truncate(PAGE as usize);
        Ok(wire::Devices { devices: page.iter().map(wire_device).collect(), more })
    }

    /// Gives a device another name.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn rename(
        &self,
        peer: Peer,
        call: &wire::RenameParameters,
        now: UnixTime,
    ) -> Result<wire::Renamed, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let name = match DeviceName::new(&call.name) {
            Ok(name) => name,
            Err(error) => {
                let say = format!("That name cannot be used: {error}. It has 1 to 32 characters.");
                return self.refuse(&parties, now, Kind::Rename, Failure::refused(Reason::BadName, say));
            }
        };
        let named = call.device.clone();
        let asked = Asked { request: Request::Rename, kind: Kind::Rename, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, event, _| {
            let device = account.find(&named).ok_or_else(|| no_such_device(&named))?;
            let id = device.id;
            event.device = Some(device.name.to_string());
            event.detail = Some(format!("now {:?}", name.as_str()));
            if account.has_name(&name) {
                let say =
                    format!("A device named {:?} is bound already; choose another name.", name.as_str());
                return Err(Failure::refused(Reason::NameTaken, say));
            }
            let device = account.device_mut(id).ok_or_else(|| no_such_device("it"))?;
            device.name = name;
            Ok(wire::Renamed { device: wire_device(device) })
        })
    }

    /// Retires a device.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn unbind(
        &self,
        peer: Peer,
        call: &wire::UnbindParameters,
        now: UnixTime,
    ) -> Result<wire::Unbound, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let (deciding, named, keys) = (parties.clone(), call.device.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::Unbind, kind: Kind::Unbind, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, event, journal| {
            let device = account.find(&named).ok_or_else(|| no_such_device(&named))?;
            let (id, active) = (device.id, device.is_active());
            event.device = Some(device.name.to_string());
            if active && account.active().count() == 1 {
                deciding.may_turn_off(account, now)?;
            }
            let by = deciding.caller.identity.name.as_str();
            let device = account.device_mut(id).ok_or_else(|| no_such_device(&named))?;
            device.retire(now, by);
            let device = wire_device(device);
            account.give_up(id);
            let remaining = u32::try_from(account.active().count()).unwrap_or(u32::MAX);
            if active {
                let notice = if remaining == 0 { Notice::ProtectionOff } else { Notice::DeviceRemoved };
                let post = Post { keys: &keys, settings: &deciding.settings, now };
                post.tell(account, notice, &deciding.facts(Some(&device.name)), journal)?;
                deciding.end_others(journal, now);
            }
            Ok(wire::Unbound { device, remaining })
        })
    }

    /// Turns protection off.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn off(
        &self,
        peer: Peer,
        call: &wire::ProofParameters,
        now: UnixTime,
    ) -> Result<wire::TurnedOff, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::Off, kind: Kind::Off, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, _, journal| {
            if !account.is_protected() {
                return Err(not_protected(&deciding));
            }
            deciding.may_turn_off(account, now)?;
            let retired = account.retire_all(now, deciding.caller.identity.name.as_str());
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            post.tell(account, Notice::ProtectionOff, &deciding.facts(None), journal)?;
            deciding.end_others(journal, now);
            Ok(wire::TurnedOff { retired })
        })
    }

    /// Opens the lanes of an account.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn unlock(
        &self,
        peer: Peer,
        call: &wire::ProofParameters,
        now: UnixTime,
    ) -> Result<wire::Unlocked, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::Unlock, kind: Kind::Unlock, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, event, journal| {
            if !account.is_protected() {
                return Err(not_protected(&deciding));
            }
            let was_closed = Lane::ALL.into_iter().any(|lane| account.lane(lane).look(now) == Gate::Closed);
            let opened: Vec<String> = account.open_lanes().into_iter().map(|lane| lane.to_string()).collect();
            event.detail = Some(format!(
                "opened: {}",
                if opened.is_empty() { "none".into() } else { opened.join(", ") }
            ));
            if was_closed {
                let post = Post { keys: &keys, settings: &deciding.settings, now };
                post.tell(account, Notice::LaneOpened, &deciding.facts(None), journal)?;
            }
            Ok(wire::Unlocked { opened })
        })
    }

    /// The account, if the table lets the caller read it freely.
    pub(super) fn read_permitted(
        &self,
        parties: &Parties,
        request: Request,
        now: UnixTime,
    ) -> Result<Option<Account>, Failure> {
        if permit(parties.role, request, State::Protected) != Permit::Free {
            return self.refuse(parties, now, Kind::Read, Failure::not_permitted());
        }
        match self.registry.find(parties.who()) {
            Err(RegistryError::Conflict) => Err(Failure::conflict(parties.who().name.as_str())),
            found => Ok(found?),
        }
    }
}

impl Parties {
    /// Refuses to leave an account without devices while policy demands one. Root and administrators may.
    fn may_turn_off(&self, account: &Account, now: UnixTime) -> Result<(), Failure> {
        if self.role != Role::Owner || !self.standing(account.grace_since, now).is_demanded(now) {
            return Ok(());
        }
        Err(Failure::refused(
            Reason::LastDeviceRequired,
            "Login protection is required of this account. Bind the new device first (otpctl bind), then remove this one.",
        ))
    }

    /// What a notice of a change by this caller says.
    pub(super) fn facts(&self, device: Option<&str>) -> Facts {
        let by = self.caller.identity.name.as_str();
        let of_another = self.role != Role::Owner;
        Facts {
            device: device.map(ToOwned::to_owned),
            detail: of_another.then(|| format!("by {by}")),
            ..Facts::default()
        }
    }

    pub(super) fn standing(&self, grace_since: Option<UnixTime>, now: UnixTime) -> Standing {
        let groups = &self.account.groups;
        self.settings.policy.standing(self.who().name.as_str(), groups, grace_since, now)
    }
}

/// A device as callers see it.
pub(super) fn wire_device(device: &Device) -> wire::Device {
    let (state, activated, retired, retired_by) = match &device.state {
        Life::Pending { .. } => ("pending", None, None, None),
        Life::Active { since } => ("active", Some(*since), None, None),
        Life::Retired { activated, at, by } => ("retired", *activated, Some(*at), Some(by.clone())),
    };
    wire::Device {
        id: device.id.0,
        name: device.name.to_string(),
        state: state.to_owned(),
        kind: device.parameters.moving().as_str().to_owned(),
        algorithm: device.parameters.algorithm().to_string(),
        digits: device.parameters.digits(),
        period: device.parameters.period(),
        needs_resync: device.needs_resync,
        created: device.created.0,
        created_by: device.created_by.clone(),
        created_from: Some(device.created_from.clone()),
        activated: activated.map(|at| at.0),
        retired: retired.map(|at| at.0),
        retired_by,
        last_used: device.last_use.as_ref().map(|used| used.at.0),
        last_service: device.last_use.as_ref().map(|used| used.service.clone()),
        last_address: device.last_use.as_ref().and_then(|used| used.address.clone()),
    }
}

/// The refusal for a device that is not there.
pub(super) fn no_such_device(named: &str) -> Failure {
    Failure::refused(
        Reason::NoSuchDevice,
        format!("This account has no device {named:?}; otpctl devices lists those it has."),
    )
}

fn requirement(parties: &Parties, account: Option<&Account>, now: UnixTime) -> wire::Requirement {
    let since = account.and_then(|account| account.grace_since);
    let (state, since, why) = match parties.standing(since, now) {
        Standing::Optional => ("optional", None, "the user's own choice"),
        Standing::Exempt => ("exempt", None, "exempt by policy"),
        Standing::Required { from } => ("required", Some(from.0), "required by policy"),
    };
    wire::Requirement { state: state.to_owned(), since, why: why.to_owned() }
}

fn lanes(account: &Account, now: UnixTime) -> Vec<wire::Lane> {
    let failed = Lane::ALL.into_iter().filter(|lane| account.lane(*lane).failures > 0);
    let seen = failed.map(|lane| {
        let gate = account.lane(lane).look(now);
        wire::Lane {
            lane: lane.to_string(),
            failures: account.lane(lane).failures,
            until: if let Gate::Wait(until) = gate { Some(until.0) } else { None },
            closed: gate == Gate::Closed,
        }
    });
    seen.collect()
}

/// As many as surely fit into a message.
const PAGE: u32 = 40;
