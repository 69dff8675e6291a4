//! A bound device: one key, its name, and how far its codes are spent.

use std::fmt;

use crate::check::WINDOW;
use crate::name::DeviceName;
use crate::time::Step;
use crate::time::UnixTime;
use crate::totp::Parameters;

/// A device's number within its account: 1, 2, 3, …, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key as the registry holds it: ciphertext bound to account and device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey(pub Vec<u8>);

/// Where a device is in its life. It only moves forward: pending → active → retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Made, not yet proven.
    Pending {
        /// Dies at this moment.
        expires: UnixTime,
        /// Wrong codes given for it.
        tries: u32,
        /// The active device that it is to replace.
        replaces: Option<DeviceId>,
    },
    /// Its codes are accepted.
    Active {
        /// Since when.
        since: UnixTime,
    },
    /// Kept for the record (NIST SP 800-63B-4, 4.1), never accepted again.
    Retired {
        /// When it was proven, if it ever was.
        activated: Option<UnixTime>,
        /// When it was retired.
        at: UnixTime,
        /// Who did it.
        by: String,
    },
}

/// The last accepted code of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: UnixTime,
    /// PAM service.
    pub service: String,
    /// Address, if remote.
    pub address: Option<String>,
}

/// One device of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Number within the account.
    pub id: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// Where it is in its life.
    pub state: State,
    /// Its key, sealed; wiped out of the registry when it is retired.
    pub key: SealedKey,
    /// How it makes codes.
    pub parameters: Parameters,
    /// Steps that its clock is ahead of ours, `-MAX_DRIFT <= drift <= MAX_DRIFT`.
    pub drift: i8,
    /// Offset of the last accepted code from `drift`; two alike in a row move the drift.
    pub leaning: i8,
    /// The newest spent step, or counter: only greater ones are accepted, ever.
    pub last_step: Option<Step>,
    /// It counts, and its counter may have gone back (the registry was restored): two codes in a row are needed first.
    pub needs_resync: bool,
    /// When it was begun.
    pub created: UnixTime,
    /// By whom.
    pub created_by: String,
    /// From where: a socket's name, or an address.
    pub created_from: String,
    /// Its last accepted code.
    pub last_use: Option<Use>,
}

impl Device {
    /// The furthest drift that is stored, in steps.
    pub const MAX_DRIFT: i8 = 10;

    /// Whether its codes are accepted.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    /// Whether it waits to be proven, and still may be.
    #[must_use]
    pub fn is_pending(&self, now: UnixTime) -> bool {
        matches!(self.state, State::Pending { expires, .. } if now < expires)
    }

    /// The step that a punctual code of this device has now; of one that counts, the counter of its next code.
    #[must_use]
    pub fn centre(&self, now: UnixTime) -> Step {
        if self.parameters.counts() {
            return self.last_step.map_or(Step(0), |last| last.at(1).unwrap_or(last));
        }
        let step = now.step(self.parameters.period());
        step.at(i64::from(self.drift)).unwrap_or(step)
    }

    /// Spends `step` and learns from it how far the device's clock is off. One late code is only slow fingers; two
    /// in a row with the same offset move the drift by one step.
    pub fn spend(&mut self, step: Step, now: UnixTime) {
        if self.parameters.counts() {
            self.last_step = self.last_step.max(Some(step));
            return;
        }
        let offset = i8::try_from(step.distance(self.centre(now)).signum()).unwrap_or(0);
        if offset != 0 && offset == self.leaning {
            self.drift = self.drift.saturating_add(offset).clamp(-Self::MAX_DRIFT, Self::MAX_DRIFT);
            self.leaning = 0;
        } else {
            self.leaning = offset;
        }
        self.last_step = Some(self.last_step.map_or(step, |last| last.max(step)));
    }

    /// How far `step` is from what this box would expect: from the step of our clock, or from the next code's counter.
    #[must_use]
    pub fn ahead(&self, step: Step, now: UnixTime) -> i64 {
        let expected =
            if self.parameters.counts() { self.centre(now) } else { now.step(self.parameters.period()) };
        step.distance(expected)
    }

    /// Spends `step`, which the device shows now as two codes in a row have proven, and stores the drift of its clock.
    pub fn set_right(&mut self, step: Step, now: UnixTime) {
        if !self.parameters.counts() {
            let furthest = i64::from(Self::MAX_DRIFT);
            let ahead = self.ahead(step, now).clamp(furthest.saturating_neg(), furthest);
            self.drift = i8::try_from(ahead).unwrap_or(0);
        }
        self.leaning = 0;
        self.needs_resync = false;
        self.last_step = self.last_step.max(Some(step));
    }

    /// Seconds that its clock was ahead of ours at its last accepted code, in whole steps.
    #[must_use]
    pub fn offset(&self) -> i64 {
        let steps = i64::from(self.drift).saturating_add(self.leaning.into());
        steps.saturating_mul(self.parameters.period().into())
    }

    /// Forgets what it learned while our clock was wrong: a drift of more than one step, and spent steps that no code of
    /// now can reach. Codes of those steps could be accepted again, once. One that counts has no clock. Returns whether
    /// there was anything of it.
    pub fn forget_clock(&mut self, now: UnixTime) -> bool {
        if self.parameters.counts() {
            return false;
        }
        let furthest = now.step(self.parameters.period()).at(WINDOW);
        let was_ahead = self.last_step > furthest;
        let was_drifting = i64::from(self.drift).abs() > WINDOW;
        if was_ahead {
            self.last_step = furthest;
        }
        if was_drifting {
            (self.drift, self.leaning) = (0, 0);
        }
        was_ahead || was_drifting
    }

    /// Takes an active device out of use for good. The sealed key goes too; the row stays.
    pub fn retire(&mut self, now: UnixTime, by: &str) {
        let State::Active { since } = self.state else { return };
        self.state = State::Retired { activated: Some(since), at: now, by: by.to_owned() };
        self.key = SealedKey(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(30_000);

    fn device(drift: i8, last_step: Option<u64>) -> Device {
        Device {
            id: DeviceId(1),
            name: DeviceName::new("phone").unwrap(),
            state: State::Active { since: UnixTime(0) },
            key: SealedKey(Vec::new()),
            parameters: Parameters::default(),
            drift,
            leaning: -1,
            last_step: last_step.map(Step),
            needs_resync: false,
            created: UnixTime(0),
            created_by: String::new(),
            created_from: String::new(),
            last_use: None,
        }
    }

    #[test]
    fn the_offset_is_that_of_the_last_code() {
        let mut device = device(0, None);
        device.leaning = 0;
        for (step, offset) in [(1000, 0), (1001, 30), (1001, 30), (1002, 60), (1002, 60), (1001, 30)] {
            device.spend(Step(step), NOW);
            assert_eq!(device.offset(), offset, "{step}");
        }
    }

    #[test]
    fn only_what_a_right_clock_could_not_have_left_is_forgotten() {
        let forgotten = |drift, last_step| {
            let mut device = device(drift, last_step);
            let any = device.forget_clock(NOW);
            (any, device.drift, device.leaning, device.last_step.map(|step| step.0))
        };
        assert_eq!(forgotten(0, None), (false, 0, -1, None));
        assert_eq!(forgotten(1, Some(1001)), (false, 1, -1, Some(1001)));
        assert_eq!(forgotten(-1, Some(1002)), (true, -1, -1, Some(1001)));
        assert_eq!(forgotten(2, Some(999)), (true, 0, 0, Some(999)));
        assert_eq!(forgotten(-2, Some(u64::MAX)), (true, 0, 0, Some(1001)));
    }

    #[test]
    fn one_that_counts_has_nothing_to_forget() {
        let mut token = device(0, Some(u64::MAX));
        token.parameters = Parameters::counting(crate::totp::Algorithm::Sha1, 6).unwrap();
        let before = token.clone();
        assert!(!token.forget_clock(NOW) && token == before);
    }
}
