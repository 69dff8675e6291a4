//! The decision about a code of a device, inside one exclusive change of the account.

use otpd_core::account::Account;
use otpd_core::account::Warning;
use otpd_core::check::Verdict;
use otpd_core::check::check;
use otpd_core::code::Code;
use otpd_core::device::DeviceId;
use otpd_core::device::Use;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::notice::Notice;
use otpd_core::registry::Journal;
use otpd_core::throttle::Lane;
use otpd_core::throttle::Throttle;
use otpd_core::time::UnixTime;
use otpd_proto::login::Given;
use otpd_proto::login::Next;

use super::clocks;
use super::post::Post;
use super::prompt;
use super::scene::Scene;
use crate::keys::KeyError;

impl Scene {
    /// The whole decision about a code, inside one change of the account. `None`: the account is not protected.
    pub(super) fn decide(
        &self,
        account: &mut Account,
        code: &Code,
        given: Given,
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<Option<Next>, KeyError> {
        if !account.is_protected() {
            return Ok(None);
        }
        let now = post.now;
        let lane = self.lane(account, now);
        let before = account.lane(lane).failures;
        let verdict = check(account, code, lane, now, post.keys)?;
        post.tell_if_closed(account, (lane, before), &self.facts(None), journal)?;
        let mut event = self.event(now, Kind::Login, Decision::Refuse, Reason::CodeWrong);
        event.lane = Some(lane);
        let next = match verdict {
            Verdict::Accepted { device, offset } => {
                self.accept(account, device, offset, given, &mut event, now)
            }
            Verdict::Used { device, next } => {
                event.reason = Reason::CodeUsed;
                event.device = account.device_mut(device).map(|device| device.name.to_string());
                if self.is_elsewhere(account, device) && account.may_warn(Warning::Reuse, now) {
                    let facts = self.facts(event.device.as_deref());
                    post.tell(account, Notice::CodeReused, &facts, journal)?;
                }
                self.told(prompt::used(next, now))
            }
            Verdict::ClockWentBack { device } => {
                event.device = account.device_mut(device).map(|device| device.name.to_string());
                let (reason, say) = clocks::went_back(account, now);
                event.reason = reason;
                self.told(say)
            }
            Verdict::Wrong { near } => {
                event.detail =
                    near.map(|(device, steps)| format!("a code of device {device}, {steps} steps off"));
                self.told(prompt::wrong(account.has_token(), now))
            }
            Verdict::Wait(until) => {
                event.reason = Reason::Locked;
                self.locked(Some(until), account.lane(lane).failures)
            }
            Verdict::Closed => {
                event.reason = Reason::Locked;
                self.locked(None, Throttle::CLOSES_AT)
            }
        };
        journal.record(event);
        Ok(Some(next))
    }

    /// Whether the device was last used from another host than this login's.
    fn is_elsewhere(&self, account: &Account, device: DeviceId) -> bool {
        let Some(address) = self.address() else { return false };
        let used =
            account.active().find(|active| active.id == device).and_then(|active| active.last_use.as_ref());
        used.is_some_and(|used| used.address.as_ref() != Some(&address))
    }

    /// Writes down what follows from an accepted code.
    fn accept(
        &self,
        account: &mut Account,
        device: DeviceId,
        offset: i64,
        given: Given,
        event: &mut Event,
        now: UnixTime,
    ) -> Next {
        event.decision = Decision::Accept;
        event.reason = Reason::Ok;
        let used = account.device_mut(device);
        let digits = used.as_ref().map(|device| device.parameters.digits());
        let name = used.map(|device| device.name.to_string()).unwrap_or_default();
        event.device = Some(name.clone());
        let off = (offset != 0).then(|| format!("code off by {offset} s"));
        let early = (given == Given::Tail).then(|| BEFORE_THE_PASSWORD.to_owned());
        if off.is_some() || early.is_some() {
            event.detail = Some([early, off].into_iter().flatten().collect::<Vec<_>>().join("; "));
        }
        let used = Use { at: now, service: self.login.service.clone(), address: self.address() };
        account.note_use(device, used);
        self.learn_source(account, now);
        self.admit(account, Some(&name), now);
        // Whoever has a device has not lost it; and what somebody else had opened is shut.
        account.recovered = None;
        // Only a login tells the owner; a process of theirs could take the announcement away unseen, and so could a login
        // that showed no prompt of ours. Where the prompt has told it, it is not told again.
        let tells = event.lane != Some(Lane::Own) && given == Given::Typed;
        let told = if tells { account.announce.take() } else { None };
        let notice = told.and_then(|told| prompt::untold(&told, self.settings.say_why));
        Next::Accept { device: name, notice, digits: digits.filter(|_| given == Given::Tail) }
    }
}

/// Of an accepted code, for the audit log: the login may have failed all the same.
const BEFORE_THE_PASSWORD: &str = "before the password was checked";
