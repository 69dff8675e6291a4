//! One account: whose it is, its devices, its throttle, and the addresses it knows. Everything that a decision
//! about an account reads or changes is in here, so a decision is one exclusive change of one [`Account`].

use std::time::Duration;

use crate::device::Device;
use crate::device::DeviceId;
use crate::device::SealedKey;
use crate::device::State;
use crate::device::Use;
use crate::emails::Emails;
use crate::mailed::MailedCodes;
use crate::mailed::Postage;
use crate::mark::Mark;
use crate::name::DeviceName;
use crate::name::Identity;
use crate::recovery::Sheet;
use crate::recovery::Spent;
use crate::source::Source;
use crate::throttle::Lane;
use crate::throttle::Throttle;
use crate::ticket::fresh_until;
use crate::time::Step;
use crate::time::UnixTime;
use crate::totp::Parameters;
use crate::waiting::Waiting;

/// The row's number in the registry, never used again; keys are sealed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// An account with its pending and active devices. Retired ones stay in the registry and are listed from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The registry's number for it.
    pub id: AccountId,
    /// Whose it is.
    pub identity: Identity,
    /// Pending and active devices, by rising number. Those retired by a change stay until it is committed.
    pub devices: Vec<Device>,
    /// The number that the next device gets.
    pub next_device: u32,
    lanes: Lanes,
    /// Addresses with accepted codes, newest first, at most [`Account::SOURCES`].
    pub sources: Vec<(Source, UnixTime)>,
    /// When the grace of this account began: the first login at which protection was required of it.
    pub grace_since: Option<UnixTime>,
    /// When the owner last proved themselves as an administrator; they act on the strength of it for 10 minutes.
    pub stepped_up: Option<UnixTime>,
    /// What the owner must be told at the next login, a line each, newest last; see [`Account::tell`].
    pub announce: Option<String>,
    /// The recovery codes.
    pub recovery: Sheet,
    /// The enrol code that waits for its user.
    pub enrolment: Option<Waiting>,
    /// When a recovery code let somebody in, until a new device is proven.
    pub recovered: Option<UnixTime>,
    /// The secure emails.
    pub emails: Emails,
    /// The mailed codes that are good.
    pub mailed: MailedCodes,
    /// The language of mails, as the owner's system names it ("zh_CN").
    pub language: Option<String>,
    /// When the owner was last told of what strangers can cause.
    pub warned: Warned,
    /// The code that let the owner in on the web, until a ticket was issued for it.
    pub admitted: Option<Admission>,
}

/// An accepted code of a login on the web, for which a ticket is to be had once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// When.
    pub at: UnixTime,
    /// Of which device; none if it was a code for getting back in.
    pub device: Option<String>,
}

/// What strangers can cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// A right password, and no code.
    NoCode,
    /// A used code, given again.
    Reuse,
}

/// When the owner was last told of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Warned {
    /// Of [`Warning::NoCode`].
    pub no_code: Option<UnixTime>,
    /// Of [`Warning::Reuse`].
    pub reuse: Option<UnixTime>,
}

/// What each lane remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lanes {
    local: Place,
    known: Place,
    unknown: Place,
    own: Place,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    throttle: Throttle,
    refusal: Option<Refusal>,
    postage: Postage,
}

/// Why the last code of a lane was refused, for the next prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: UnixTime,
    /// Whether it was right but spent, as opposed to wrong.
    pub spent: bool,
}

/// A device that is to be bound.
#[derive(Debug)]
pub struct NewDevice {
    /// Its name.
    pub name: DeviceName,
    /// Its key, sealed for [`Account::next_device`].
    pub key: SealedKey,
    /// How it makes codes.
    pub parameters: Parameters,
    /// The counter of its next code, if it counts.
    pub counter: Option<u64>,
    /// The active device it takes over from.
    pub replaces: Option<DeviceId>,
    /// Who begins it.
    pub by: String,
    /// From where: a socket's name, or an address.
    pub from: String,
}

/// Why a device cannot be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotBind {
    /// [`Account::MAX_DEVICES`] are active or pending.
    TooMany,
    /// An active device has this name.
    NameTaken,
}

impl Account {
    /// The most pending and active devices. Each one adds to a guesser's odds.
    pub const MAX_DEVICES: usize = 10;
    /// How long a pending device waits to be proven.
    pub const PENDING_FOR: Duration = Duration::from_secs(600);
    /// Wrong codes that end a pending device.
    pub const PENDING_TRIES: u32 = 10;
    /// The most addresses kept.
    pub const SOURCES: usize = 16;
    /// How long an address stays known.
    pub const SOURCE_FOR: Duration = Duration::from_secs(30 * 86_400);
    /// The most lines for the next login: more than there are kinds of them.
    pub const LINES: usize = 16;
    /// How often the owner is told of what strangers can cause.
    pub const WARN_EACH: Duration = Duration::from_secs(86_400);
    /// How long a recovery login stands for a code of a device when devices are bound and removed.
    pub const REBIND_FOR: Duration = Duration::from_secs(1800);

    /// A new account without devices.
    #[must_use]
    pub fn new(id: AccountId, identity: Identity) -> Self {
        Self {
            id,
            identity,
            devices: Vec::new(),
            next_device: 1,
            lanes: Default::default(),
            sources: Vec::new(),
            grace_since: None,
            stepped_up: None,
            announce: None,
            recovery: Sheet::default(),
            enrolment: None,
            recovered: None,
            emails: Emails::default(),
            mailed: MailedCodes::default(),
            language: None,
            warned: Warned::default(),
            admitted: None,
        }
    }

    /// Whether logins ask for a code.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.devices.iter().any(Device::is_active)
    }

    /// Whether an active device counts its codes.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.active().any(|device| device.parameters.counts())
    }

    /// The active devices.
    pub fn active(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.is_active())
    }

    /// The throttle of a lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> &Throttle {
        &self.place(lane).throttle
    }

    /// The throttle of a lane, to change it.
    pub fn lane_mut(&mut self, lane: Lane) -> &mut Throttle {
        &mut self.place_mut(lane).throttle
    }

    /// What was mailed and tried in a lane.
    #[must_use]
    pub fn postage(&self, lane: Lane) -> &Postage {
        &self.place(lane).postage
    }

    /// The same, to change it.
    pub fn postage_mut(&mut self, lane: Lane) -> &mut Postage {
        &mut self.place_mut(lane).postage
    }

    /// Forgets wrong codes of a lane, after a right one.
    pub fn clear_lane(&mut self, lane: Lane) {
        let place = self.place_mut(lane);
        place.throttle.clear();
        place.refusal = None;
        place.postage.succeed();
    }

    /// Leaves word for the owner's next login, beside what is to be told already; in place of what begins with the same
    /// words, so that nothing is pushed out by what is told again and again.
    pub fn tell(&mut self, words: &str, line: &str) {
        let told = self.announce.take().unwrap_or_default();
        let others = told.lines().filter(|told| !told.starts_with(words));
        let mut lines: Vec<&str> = others.chain([line]).collect();
        lines.drain(..lines.len().saturating_sub(Self::LINES));
        self.announce = Some(lines.join("\n"));
    }

    /// Whether the owner may be told once more of what strangers can cause: once a day. Notes it.
    pub fn may_warn(&mut self, of: Warning, now: UnixTime) -> bool {
        let warned = match of {
            Warning::NoCode => &mut self.warned.no_code,
            Warning::Reuse => &mut self.warned.reuse,
        };
        let is_due = warned.is_none_or(|at| at > now || now.since(at) >= Self::WARN_EACH);
        if is_due {
            *warned = Some(now);
        }
        is_due
    }

    /// What the next prompt of a lane should explain.
    #[must_use]
    pub fn refusal(&self, lane: Lane) -> Option<Refusal> {
        self.place(lane).refusal
    }

    /// Notes what the next prompt of a lane should explain.
    pub fn set_refusal(&mut self, lane: Lane, refusal: Option<Refusal>) {
        self.place_mut(lane).refusal = refusal;
    }

    /// Opens every lane and names those that had failures. How much was mailed stays: whoever may do this could have mail
    /// sent without end.
    pub fn open_lanes(&mut self) -> Vec<Lane> {
        let failed: Vec<Lane> = Lane::ALL.into_iter().filter(|lane| self.lane(*lane).failures > 0).collect();
        for lane in Lane::ALL {
            let sent = std::mem::take(&mut self.place_mut(lane).postage.sent);
            *self.place_mut(lane) =
                Place { postage: Postage { sent, ..Postage::default() }, ..Place::default() };
        }
        failed
    }

    /// Uses up a recovery code. From then on the account is to be bound anew.
    pub fn recover(&mut self, mark: Mark, now: UnixTime) -> Option<Spent> {
        let spent = self.recovery.spend(mark, now);
        if matches!(spent, Some(Spent::Now { .. })) {
            self.recovered = Some(now);
        }
        spent
    }

    /// Uses up the enrol code that waits, or counts a wrong one. Returns whether it was right.
    pub fn enrol(&mut self, mark: Mark, now: UnixTime) -> bool {
        let right = self.enrolment.as_mut().is_some_and(|waiting| waiting.is(mark, now));
        self.enrolment = self.enrolment.filter(|waiting| !right && waiting.expires > now);
        right
    }

    /// Uses up a mailed code, or counts a wrong one in its lane. Returns whether it was right. From then on the account is
    /// to be bound anew.
    pub fn recover_by_mail(&mut self, mark: Mark, lane: Lane, now: UnixTime) -> bool {
        if self.mailed.good_until(now).is_none() || !self.postage(lane).may_try(now) {
            return false;
        }
        let right = self.mailed.spend(mark, now);
        if right {
            self.recovered = Some(now);
        } else {
            self.postage_mut(lane).fail(now);
        }
        right
    }

    /// Takes the code that let the owner in on the web, if that was in the last 10 minutes.
    pub fn take_admission(&mut self, now: UnixTime) -> Option<Admission> {
        self.admitted.take().filter(|admission| fresh_until(Some(admission.at), now).is_some())
    }

    /// Whether a recovery login is so recent that it stands for a code of a device.
    #[must_use]
    pub fn may_rebind(&self, now: UnixTime) -> bool {
        self.recovered.is_some_and(|at| at <= now && now.since(at) < Self::REBIND_FOR)
    }

    /// Whether codes were accepted from this address in the last 30 days.
    #[must_use]
    pub fn knows(&self, source: Source, now: UnixTime) -> bool {
        self.sources.iter().any(|(known, at)| *known == source && now.since(*at) < Self::SOURCE_FOR)
    }

    /// Remembers an address with an accepted code. Written at most once a day, since only the day matters.
    pub fn learn_source(&mut self, source: Source, now: UnixTime) {
        let fresh = |at: UnixTime| at <= now && now.since(at) < Duration::from_secs(86_400);
        if self.sources.iter().any(|(known, at)| *known == source && fresh(*at)) {
            return;
        }
        self.sources.retain(|(known, _)| *known != source);
        self.sources.insert(0, (source, now));
        self.sources.truncate(Self::SOURCES);
    }

    /// Finds a pending or active device by its name or its number.
    #[must_use]
    pub fn find(&self, named: &str) -> Option<&Device> {
        let live = || self.devices.iter().filter(|device| !matches!(device.state, State::Retired { .. }));
        live()
            .find(|device| device.name.as_str() == named)
            .or_else(|| live().find(|device| named == device.id.to_string()))
    }

    /// The device of a number, to change it.
    pub fn device_mut(&mut self, id: DeviceId) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.id == id)
    }

    /// Finds a pending device by its name or its number. An active one of the same name, which it may be about to
    /// replace, does not stand in its way.
    #[must_use]
    pub fn find_pending(&self, named: &str, now: UnixTime) -> Option<&Device> {
        let named = |device: &&Device| device.name.as_str() == named || device.id.to_string() == named;
        self.devices.iter().filter(|device| device.is_pending(now)).find(named)
    }

    /// Whether a pending or active device has this name.
    #[must_use]
    pub fn has_name(&self, name: &DeviceName) -> bool {
        self.devices
            .iter()
            .any(|device| !matches!(device.state, State::Retired { .. }) && device.name == *name)
    }

    /// Drops pending devices whose time is over. What was never proven was never bound, so no record of it is kept
    /// but in the audit log.
    pub fn expire_pending(&mut self, now: UnixTime) {
        self.devices
            .retain(|device| !matches!(device.state, State::Pending { expires, .. } if expires <= now));
    }

    /// Drops a pending device.
    pub fn give_up(&mut self, id: DeviceId) {
        self.devices.retain(|device| device.id != id || !matches!(device.state, State::Pending { .. }));
    }

    /// Adds a pending device. One of the same name that is still pending gives way: its owner began anew.
    ///
    /// # Errors
    /// [`CannotBind`]; nothing changed then but for expired pending devices.
    pub fn begin(&mut self, new: NewDevice, now: UnixTime) -> Result<DeviceId, CannotBind> {
        self.expire_pending(now);
        if self.active().any(|device| device.name == new.name)
            && new.replaces != self.find(new.name.as_str()).map(|d| d.id)
        {
            return Err(CannotBind::NameTaken);
        }
        self.devices
            .retain(|device| device.name != new.name || !matches!(device.state, State::Pending { .. }));
        let live =
            self.devices.iter().filter(|device| !matches!(device.state, State::Retired { .. })).count();
        let leaving = usize::from(new.replaces.is_some());
        if live.saturating_sub(leaving) >= Self::MAX_DEVICES {
            return Err(CannotBind::TooMany);
        }
        let id = DeviceId(self.next_device);
        self.next_device = self.next_device.saturating_add(1);
        self.devices.push(Device {
            id,
            name: new.name,
            state: State::Pending { expires: now.plus(Self::PENDING_FOR), tries: 0, replaces: new.replaces },
            key: new.key,
            parameters: new.parameters,
            drift: 0,
            leaning: 0,
            last_step: new.counter.and_then(|counter| Step(counter).at(-1)),
            needs_resync: false,
            created: now,
            created_by: new.by,
            created_from: new.from,
            last_use: None,
        });
        Ok(id)
    }

    /// Makes a proven device active and returns the name of the one it replaces. If it is the account's first, all
    /// other pending devices and emails are dropped: they were begun without a code and must not become a second way in.
    pub fn activate(&mut self, id: DeviceId, now: UnixTime, by: &str) -> Option<DeviceName> {
        let first = !self.is_protected();
        let replaces = match self.device_mut(id)?.state {
            State::Pending { replaces, .. } => replaces,
            _ => return None,
        };
        self.device_mut(id)?.state = State::Active { since: now };
        self.recovered = None;
        self.enrolment = None;
        self.mailed = MailedCodes::default();
        if first {
            self.devices.retain(|device| !matches!(device.state, State::Pending { .. }));
            self.emails.drop_pending();
        }
        let old = self.device_mut(replaces?)?;
        old.retire(now, by);
        Some(old.name.clone())
    }

    /// Adds an active device that was proven elsewhere. Its codes up to the one of `now` are spent, and up to
    /// `last_step` if that is later: whoever accepted them before shall not have them accepted again.
    ///
    /// # Errors
    /// [`CannotBind`]; nothing changed then but for expired pending devices.
    pub fn add_proven(
        &mut self,
        new: NewDevice,
        drift: i8,
        last_step: Option<Step>,
        now: UnixTime,
    ) -> Result<DeviceId, CannotBind> {
        self.expire_pending(now);
        if self.has_name(&new.name) {
            return Err(CannotBind::NameTaken);
        }
        let by = new.by.clone();
        let id = self.begin(new, now)?;
        if let Some(device) = self.device_mut(id) {
            device.drift = drift.clamp(-Device::MAX_DRIFT, Device::MAX_DRIFT);
            // A counter knows no time: what was used is all that is known of it.
            let reached = if device.parameters.counts() { None } else { Some(device.centre(now)) };
            device.last_step = last_step.max(reached);
        }
        self.activate(id, now, &by);
        Ok(id)
    }

    /// Forgets what was noted while our clock was wrong: of the active devices, as [`Device::forget_clock`] says, and a
    /// grace that would only begin in the time to come. Returns the names of the devices.
    pub fn forget_clock(&mut self, now: UnixTime) -> Vec<DeviceName> {
        self.grace_since = self.grace_since.map(|since| since.min(now));
        let active = self.devices.iter_mut().filter(|device| device.is_active());
        let forgetful = active.filter_map(|device| device.forget_clock(now).then(|| device.name.clone()));
        forgetful.collect()
    }

    /// Retires every device, voids the recovery codes and mailed codes, and forgets the throttle. Returns how many were active.
    pub fn retire_all(&mut self, now: UnixTime, by: &str) -> u32 {
        let active = u32::try_from(self.active().count()).unwrap_or(u32::MAX);
        self.devices.retain(|device| !matches!(device.state, State::Pending { .. }));
        self.devices.iter_mut().for_each(|device| device.retire(now, by));
        self.open_lanes();
        self.sources.clear();
        self.stepped_up = None;
        self.recovery = Sheet::default();
        self.recovered = None;
        self.enrolment = None;
        self.mailed = MailedCodes::default();
        self.admitted = None;
        active
    }

    fn place(&self, lane: Lane) -> &Place {
        match lane {
            Lane::Local => &self.lanes.local,
            Lane::Known => &self.lanes.known,
            Lane::Unknown => &self.lanes.unknown,
            Lane::Own => &self.lanes.own,
        }
    }

    fn place_mut(&mut self, lane: Lane) -> &mut Place {
        match lane {
            Lane::Local => &mut self.lanes.local,
            Lane::Known => &mut self.lanes.known,
            Lane::Unknown => &mut self.lanes.unknown,
            Lane::Own => &mut self.lanes.own,
        }
    }

    /// Notes an accepted code on its device.
    pub fn note_use(&mut self, id: DeviceId, used: Use) {
        if let Some(device) = self.device_mut(id) {
            device.last_use = Some(used);
        }
    }
}

#[cfg(test)]
mod tests;
