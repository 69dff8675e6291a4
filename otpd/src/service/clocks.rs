//! Comparing clocks: whether this box's is off, or that of a phone, by the codes that were accepted lately.

use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::clocks::Reading;
use otpd_core::clocks::ThisBox;
use otpd_core::clocks::judge;
use otpd_core::device::DeviceId;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use otpd_proto::admin::Check;

use super::Service;
use super::admin::check;
use super::prompt;
use crate::clock;

/// What the last look said.
#[derive(Default)]
pub(super) struct Seen {
    this_box: ThisBox,
    devices_off: Vec<(AccountId, DeviceId)>,
}

/// What a look found.
pub(super) struct Look {
    /// What most clocks say of this one.
    pub(super) this_box: ThisBox,
    /// How many were asked.
    pub(super) readings: usize,
    /// The devices that are off by themselves, and how many seconds they are ahead.
    pub(super) devices_off: Vec<(Reading, i64)>,
}

impl<R: Registry> Service<R> {
    /// Compares the clocks, and records what is news since the last look.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn compare_clocks(&self, now: UnixTime, synchronised: Option<bool>) -> Result<(), RegistryError> {
        let look = self.look_at_clocks(now, synchronised)?;
        let mut seen = self.seen();
        if look.this_box.is_news_after(seen.this_box) {
            let _ = self.registry.record_soon(box_event(look.this_box, now));
        }
        for (reading, ahead) in &look.devices_off {
            if !seen.devices_off.contains(&(reading.account, reading.device)) {
                let _ = self.registry.record_soon(device_event(reading, *ahead, now));
            }
        }
        let devices_off = look.devices_off.iter().map(|(reading, _)| (reading.account, reading.device));
        *seen = Seen { this_box: look.this_box, devices_off: devices_off.collect() };
        Ok(())
    }

    /// Compares the clocks.
    pub(super) fn look_at_clocks(
        &self,
        now: UnixTime,
        synchronised: Option<bool>,
    ) -> Result<Look, RegistryError> {
        let since = i64::try_from(LATELY.as_secs()).unwrap_or(i64::MAX);
        let readings = self.registry.readings(UnixTime(now.0.saturating_sub(since)), MOST)?;
        let offsets: Vec<i64> = readings.iter().map(|reading| reading.offset).collect();
        let this_box = judge(&offsets, synchronised == Some(true));
        let count = readings.len();
        let off = |reading: Reading| Some((this_box.deviation(reading.offset)?, reading));
        let devices_off = readings.into_iter().filter_map(off).map(|(ahead, reading)| (reading, ahead));
        Ok(Look { this_box, readings: count, devices_off: devices_off.collect() })
    }

    /// What doctor says of clocks.
    pub(super) fn check_clocks(&self, now: UnixTime) -> Vec<Check> {
        let synchronised = clock::is_synchronised();
        let look = match self.look_at_clocks(now, synchronised) {
            Ok(look) => look,
            Err(error) => return vec![check("clock", "warn", &error.to_string())],
        };
        vec![check_this_box(&look, synchronised, now), check_devices(&look)]
    }

    /// What the owner of an account must know of clocks, by the last look.
    pub(super) fn clock_warnings(&self, account: Option<&Account>) -> Vec<String> {
        let this_box = self.seen().this_box;
        let off = box_is_off(this_box);
        let off = off.map(|off| format!("This box's clock is {off}. An administrator must set it."));
        let mut warnings: Vec<String> = off.into_iter().collect();
        for device in account.into_iter().flat_map(Account::active) {
            if device.last_use.is_some()
                && !device.parameters.counts()
                && let Some(ahead) = this_box.deviation(device.offset())
            {
                let (name, how) = (device.name.as_str(), how_far(ahead));
                warnings.push(format!(
                    "The clock of {name:?} is about {how}. Set that device to automatic time."
                ));
            }
        }
        warnings
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no code of now can be right, and what to do: the clock is behind a code that was used.
pub(super) fn went_back(account: &Account, now: UnixTime) -> (Reason, String) {
    if clock::is_unset(now) {
        let date = prompt::date(now);
        let say = format!("This box's clock was never set (it says {date}). An administrator must set it.");
        return (Reason::ClockUnset, say);
    }
    let (time, user) = (prompt::clock(now), &account.identity.name);
    let say = format!(
        "This box's clock went back (it is {time} here). An administrator must set it right or, if it is right, run: \
         otpctl clock-reset {user}"
    );
    (Reason::ClockWentBack, say)
}

/// How far this box's clock is off, if it is: `about 90 s slow, by the codes of 3 devices`.
fn box_is_off(this_box: ThisBox) -> Option<String> {
    let ThisBox::Off { behind, devices } = this_box else { return None };
    Some(format!("about {}, by the codes of {devices} devices", how_far(behind.saturating_neg())))
}

/// `60 s fast`, `90 s slow`.
fn how_far(ahead: i64) -> String {
    format!("{} s {}", ahead.unsigned_abs(), if ahead > 0 { "fast" } else { "slow" })
}

fn check_this_box(look: &Look, synchronised: Option<bool>, now: UnixTime) -> Check {
    let time = format!("{} {}", prompt::date(now), prompt::clock(now));
    match (box_is_off(look.this_box), synchronised) {
        _ if clock::is_unset(now) => {
            check("clock", "fail", &format!("it says {time}: it was never set; set it"))
        }
        (Some(off), _) => {
            check("clock", "fail", &format!("it is {time}: {off}. Set it, then run: otpctl clock-reset"))
        }
        (None, Some(true)) => check("clock", "ok", &format!("synchronised; it is {time}")),
        (None, Some(false)) => check(
            "clock",
            "warn",
            &format!("not synchronised; it is {time}. Codes are wrong if it is off: run an NTP client"),
        ),
        (None, None) => check(
            "clock",
            "warn",
            &format!("the kernel does not say whether it is synchronised; it is {time}"),
        ),
    }
}

fn check_devices(look: &Look) -> Check {
    let name = "devices' clocks";
    let named: Vec<String> = look
        .devices_off
        .iter()
        .take(NAMED)
        .map(|(reading, ahead)| {
            format!("{:?} of {} is about {}", reading.name.as_str(), reading.who.name, how_far(*ahead))
        })
        .collect();
    let more = look.devices_off.len().saturating_sub(named.len());
    let used = look.readings;
    match look.this_box {
        _ if !named.is_empty() => {
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            check(name, "warn", &format!("{}{more}: to be set to automatic time", named.join(", ")))
        }
        ThisBox::Unknown => {
            let say = format!("{used} used in the last 7 days, too few that agree to compare clocks");
            check(name, "ok", &say)
        }
        _ => check(name, "ok", &format!("{used} used in the last 7 days, and none is off by itself")),
    }
}

fn box_event(this_box: ThisBox, now: UnixTime) -> Event {
    let (reason, detail) = match (box_is_off(this_box), this_box) {
        (Some(off), _) => (Reason::ClockOff, format!("this box's clock is {off}")),
        (None, ThisBox::Right) => (Reason::Ok, "most devices agree with this box's clock".into()),
        (None, _) => (Reason::Ok, "too few devices agree on the time to compare clocks".into()),
    };
    Event { kind: Kind::Clock, ..Event::of_daemon(now, Decision::Accept, reason, Some(detail)) }
}

fn device_event(reading: &Reading, ahead: i64, now: UnixTime) -> Event {
    let user = reading.who.name.as_str();
    Event {
        uid: Some(reading.who.uid),
        device: Some(reading.name.to_string()),
        detail: Some(format!("the device's clock is about {}", how_far(ahead))),
        ..Event::blank(now, user, "otpd", Kind::Clock, Decision::Accept, Reason::ClockOff)
    }
}

/// Accepted codes of so long ago count.
const LATELY: Duration = Duration::from_secs(7 * 86_400);
/// So many devices are named at once.
const NAMED: usize = 5;
/// More devices make it no surer.
const MOST: u32 = 1000;
