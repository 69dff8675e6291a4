//! Checking a code against an account: the one place that decides whether a code is right.
//!
//! Runs inside one exclusive change of the account, so that of any number of callers with the same code exactly one
//! is told [`Verdict::Accepted`].

use crate::account::Account;
use crate::account::Refusal;
use crate::code::Code;
use crate::device::Device;
use crate::device::DeviceId;
use crate::key::Key;
use crate::throttle::Gate;
use crate::throttle::Lane;
use crate::time::Step;
use crate::time::UnixTime;
use crate::totp::Generator;

/// Opens the key of a device of `account`.
///
/// # Errors
/// The opener's own, handed through: nothing is decided then.
pub trait Opener {
    /// What can go wrong.
    type Error;

    /// The key in the clear.
    ///
    /// # Errors
    /// The key cannot be opened: altered, moved to another row, or sealed by another master key.
    fn open(&self, account: &Account, device: &Device) -> Result<Key, Self::Error>;
}

/// What became of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Right, and spent now on every device that it matches.
    Accepted {
        /// The first of them.
        device: DeviceId,
        /// Its distance from this box's clock, in seconds; below 0 if the code was older.
        offset: i64,
    },
    /// Right once, but spent.
    Used {
        /// The device.
        device: DeviceId,
        /// When that device shows its next code.
        next: UnixTime,
    },
    /// Right, but this box's clock is behind a step that is spent already.
    ClockWentBack {
        /// The device.
        device: DeviceId,
    },
    /// No device has this code now.
    Wrong {
        /// If it lies within ±10 steps of a device: the device, and how many steps. For the audit log only; told to
        /// the caller it would be an oracle.
        near: Option<(DeviceId, i64)>,
    },
    /// Not looked at: the lane waits until then.
    Wait(UnixTime),
    /// Not looked at: the lane is closed.
    Closed,
}

/// What became of two codes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Resync {
    /// They were; the device is set right.
    Done {
        /// Steps that its clock is ahead of ours now, or codes that it was ahead of what we knew.
        moved: i64,
    },
    /// They are not two codes in a row, or too far away.
    Wrong,
    /// Not looked at: the lane waits until then.
    Wait(UnixTime),
    /// Not looked at: the lane is closed.
    Closed,
}

/// Checks `code` against every active device and writes down what follows from it.
///
/// # Errors
/// A key could not be opened; the account is unchanged then.
pub fn check<O: Opener>(
    account: &mut Account,
    code: &Code,
    lane: Lane,
    now: UnixTime,
    keys: &O,
) -> Result<Verdict, O::Error> {
    match account.lane_mut(lane).gate(now) {
        Gate::Open => {}
        Gate::Wait(until) => return Ok(Verdict::Wait(until)),
        Gate::Closed => return Ok(Verdict::Closed),
    }
    let looks = look_at_all(account, code, now, keys)?;
    let mut verdict = judge(account, &looks, now);
    if let Verdict::Wrong { near } = &mut verdict {
        *near = look_around(account, code, now, keys)?;
    }
    match verdict {
        Verdict::Accepted { .. } => {
            for look in &looks {
                let fresh = look.fresh;
                if let (Some(step), Some(device)) = (fresh, account.device_mut(look.device)) {
                    device.spend(step, now);
                }
            }
            account.clear_lane(lane);
        }
        // A spent code tells a guesser nothing new, and its owner types it in good faith: not counted.
        Verdict::Used { .. } => account.set_refusal(lane, Some(Refusal { at: now, spent: true })),
        Verdict::Wrong { .. } => {
            account.lane_mut(lane).fail(now);
            account.set_refusal(lane, Some(Refusal { at: now, spent: false }));
        }
        Verdict::ClockWentBack { .. } | Verdict::Wait(_) | Verdict::Closed => {}
    }
    Ok(verdict)
}

/// Sets a device right whose clock is far off, or whose counter is: `first` and `second` are two codes that it showed one
/// after the other. Both are spent, on every device that they match. Counted like a wrong code if they are not: the
/// odds of a guesser are those of one code squared.
///
/// # Errors
/// A key could not be opened; the account is unchanged then.
pub fn resync<O: Opener>(
    account: &mut Account,
    id: DeviceId,
    codes: [&Code; 2],
    lane: Lane,
    now: UnixTime,
    keys: &O,
) -> Result<Resync, O::Error> {
    match account.lane_mut(lane).gate(now) {
        Gate::Open => {}
        Gate::Wait(until) => return Ok(Resync::Wait(until)),
        Gate::Closed => return Ok(Resync::Closed),
    }
    let Some(device) = account.active().find(|device| device.id == id) else { return Ok(Resync::Wrong) };
    let Some(reached) = in_a_row(account, device, codes, now, keys)? else {
        account.lane_mut(lane).fail(now);
        account.set_refusal(lane, Some(Refusal { at: now, spent: false }));
        return Ok(Resync::Wrong);
    };
    let moved = device.ahead(reached, now);
    for code in codes {
        for look in look_at_all(account, code, now, keys)? {
            if let (Some(step), Some(device)) = (look.fresh, account.device_mut(look.device)) {
                device.spend(step, now);
            }
        }
    }
    if let Some(device) = account.device_mut(id) {
        device.set_right(reached, now);
    }
    account.clear_lane(lane);
    Ok(Resync::Done { moved })
}

/// The step of the second of two codes in a row, if both are unspent and within reach.
fn in_a_row<O: Opener>(
    account: &Account,
    device: &Device,
    [first, second]: [&Code; 2],
    now: UnixTime,
    keys: &O,
) -> Result<Option<Step>, O::Error> {
    let key = keys.open(account, device)?;
    let Ok(generator) = Generator::new(&key, device.parameters) else { return Ok(None) };
    let steps: Vec<Step> = if device.parameters.counts() {
        counters(device.centre(now), RESYNC_AHEAD).collect()
    } else {
        let here = now.step(device.parameters.period());
        (NEAR.saturating_neg().saturating_sub(1)..=NEAR).filter_map(|offset| here.at(offset)).collect()
    };
    let firsts: Vec<bool> = steps.iter().map(|step| generator.matches(first, *step)).collect();
    let seconds: Vec<bool> = steps.iter().map(|step| generator.matches(second, *step)).collect();
    let pairs = firsts.iter().zip(seconds.iter().zip(&steps).skip(1));
    let found = pairs.filter(|(first, (second, _))| **first && **second).map(|(_, (_, step))| *step);
    let found: Vec<Step> = found.collect();
    Ok(found.into_iter().rfind(|step| device.last_step.is_none_or(|last| step.distance(last) > 1)))
}

/// So many counters from the next one on.
fn counters(next: Step, count: u64) -> impl Iterator<Item = Step> {
    (next.0..next.0.saturating_add(count)).map(Step)
}

/// Checks the code that is to prove a pending device, and spends it: within the window of a device whose clock is
/// not known yet.
///
/// # Errors
/// The key could not be opened.
pub fn prove<O: Opener>(
    account: &mut Account,
    id: DeviceId,
    code: &Code,
    now: UnixTime,
    keys: &O,
) -> Result<Option<i64>, O::Error> {
    let Some(device) = account.devices.iter().find(|device| device.id == id) else { return Ok(None) };
    let look = look_at(account, device, code, now, keys)?;
    let Some(step) = look.fresh else { return Ok(None) };
    let offset = offset_seconds(account, id, step, now);
    let spent_elsewhere = look_at_all(account, code, now, keys)?;
    for look in spent_elsewhere {
        if let (Some(step), Some(device)) = (look.fresh, account.device_mut(look.device)) {
            device.spend(step, now);
        }
    }
    if let Some(device) = account.device_mut(id) {
        device.spend(step, now);
    }
    Ok(Some(offset))
}

/// What one device says to a code.
struct Look {
    device: DeviceId,
    /// The step it matches that is not spent.
    fresh: Option<Step>,
    /// The step it matches that is spent.
    spent: Option<Step>,
}

/// Every device is looked at, whatever the others said, so time tells nothing.
fn look_at_all<O: Opener>(
    account: &Account,
    code: &Code,
    now: UnixTime,
    keys: &O,
) -> Result<Vec<Look>, O::Error> {
    account.active().map(|device| look_at(account, device, code, now, keys)).collect()
}

fn look_at<O: Opener>(
    account: &Account,
    device: &Device,
    code: &Code,
    now: UnixTime,
    keys: &O,
) -> Result<Look, O::Error> {
    let key = keys.open(account, device)?;
    let mut look = Look { device: device.id, fresh: None, spent: None };
    // A key and parameters from our own constructors are always taken; if not, the device has no code.
    let Ok(generator) = Generator::new(&key, device.parameters) else { return Ok(look) };
    let centre = device.centre(now);
    if device.parameters.counts() {
        let ahead = generator.matching(code, counters(centre, LOOK_AHEAD));
        // The furthest, if there is more than one: none of them is accepted again then.
        look.fresh = ahead.last().copied().filter(|_| !device.needs_resync);
        look.spent = generator.matching(code, device.last_step.into_iter()).last().copied();
        return Ok(look);
    }
    for offset in generator.offsets(code, centre, WINDOW) {
        let Some(step) = centre.at(offset) else { continue };
        if device.last_step.is_some_and(|last| step <= last) {
            look.spent = look.spent.or(Some(step));
        } else {
            look.fresh = look.fresh.or(Some(step));
        }
    }
    Ok(look)
}

/// The first device that has a wrong code within [`NEAR`] steps, and how many. Looks at all of them, too.
fn look_around<O: Opener>(
    account: &Account,
    code: &Code,
    now: UnixTime,
    keys: &O,
) -> Result<Option<(DeviceId, i64)>, O::Error> {
    let mut near = None;
    for device in account.active() {
        let key = keys.open(account, device)?;
        let Ok(generator) = Generator::new(&key, device.parameters) else { continue };
        let centre = device.centre(now);
        let distance = if device.parameters.counts() {
            let ahead = generator.matching(code, counters(centre, RESYNC_AHEAD));
            ahead.first().map(|step| step.distance(centre))
        } else {
            generator.offsets(code, centre, NEAR).first().copied()
        };
        near = near.or(distance.map(|distance| (device.id, distance)));
    }
    Ok(near)
}

fn judge(account: &Account, looks: &[Look], now: UnixTime) -> Verdict {
    if let Some((device, step)) = looks.iter().find_map(|look| Some((look.device, look.fresh?))) {
        return Verdict::Accepted { device, offset: offset_seconds(account, device, step, now) };
    }
    let spent = looks.iter().find(|look| look.spent.is_some()).map(|look| look.device);
    match spent.and_then(|id| account.devices.iter().find(|device| device.id == id)) {
        Some(device) if is_ahead(device, now) => Verdict::ClockWentBack { device: device.id },
        Some(device) => Verdict::Used { device: device.id, next: next_code(device, now) },
        None => match all_ahead(account, now) {
            Some(device) => Verdict::ClockWentBack { device },
            None => Verdict::Wrong { near: None },
        },
    }
}

/// Whether the newest spent step lies beyond what any code of now could have spent: the clock went back.
#[must_use]
pub fn is_ahead(device: &Device, now: UnixTime) -> bool {
    device.last_step.is_some_and(|last| last.distance(device.centre(now)) > WINDOW)
}

/// The first device, if the clock went back behind all of them. The phone may well be right then; and no code of these
/// devices could be accepted, so there is nothing to gain by guessing.
fn all_ahead(account: &Account, now: UnixTime) -> Option<DeviceId> {
    let first = account.active().next()?.id;
    account.active().all(|device| is_ahead(device, now)).then_some(first)
}

/// When a device whose current code is spent shows the next one: one that counts, at once.
#[must_use]
pub fn next_code(device: &Device, now: UnixTime) -> UnixTime {
    if device.parameters.counts() {
        return now;
    }
    let centre = device.centre(now);
    let next = device.last_step.map_or(centre, |last| last.max(centre)).at(1).unwrap_or(centre);
    // The device's steps begin when ours do; only their numbers differ, by the drift.
    let ours = next.at(i64::from(device.drift).saturating_neg()).unwrap_or(next);
    ours.begins(device.parameters.period())
}

fn offset_seconds(account: &Account, id: DeviceId, step: Step, now: UnixTime) -> i64 {
    let Some(device) = account.devices.iter().find(|device| device.id == id) else { return 0 };
    let period = device.parameters.period();
    if device.parameters.counts() {
        return 0;
    }
    step.distance(now.step(period)).saturating_mul(i64::from(period))
}

/// Steps before and after a device's own clock whose codes are accepted. RFC 6238 (5.2) recommends one step for the
/// way and slow fingers; phones and boxes are off by some seconds each, hence one on either side.
pub const WINDOW: i64 = 1;

/// Codes of a device that counts among which two in a row are looked for: a token that is pressed in a pocket now and then
/// is found again (RFC 4226, 7.4), and a pair is guessed with odds of 99 in 10^12, far below those of one code.
const RESYNC_AHEAD: u64 = 100;

/// How far off a refused code is still recognised, for the audit log.
const NEAR: i64 = 10;

/// Codes of a device that counts, from its next one on, that are accepted (RFC 4226, 7.4: s).
const LOOK_AHEAD: u64 = 10;

#[cfg(test)]
mod tests;
