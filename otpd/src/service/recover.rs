//! Recovery codes: a login by one, and new ones.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::event::Decision;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::recovery::RecoveryCode;
use otpd_core::recovery::Sheet;
use otpd_core::recovery::Spent;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::account::ProofParameters;
use otpd_proto::account::RecoveryCodes;
use otpd_proto::login::Next;

use super::Failure;
use super::Service;
use super::prompt;
use super::proof::Asked;
use super::proof::not_protected;
use super::scene::Scene;
use crate::keys::KeyError;
use crate::keys::Keys;
use crate::keys::new_recovery_codes;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Makes new recovery codes; those of before are void.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn new_codes(
        &self,
        peer: Peer,
        call: &ProofParameters,
        now: UnixTime,
    ) -> Result<RecoveryCodes, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::Codes, kind: Kind::Codes, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, _| {
            if !account.is_protected() {
                return Err(not_protected(&deciding));
            }
            Ok(RecoveryCodes { codes: issue(account, &keys)? })
        })
    }
}

impl Scene {
    /// The whole decision about a recovery code, inside one change of the account; `None`: it is not protected. Its lane
    /// may wait or be closed: this is the way back in.
    pub(super) fn recover(
        &self,
        account: &mut Account,
        code: &RecoveryCode,
        keys: &Keys,
        now: UnixTime,
        journal: &mut Journal,
    ) -> Option<Next> {
        if !account.is_protected() {
            return None;
        }
        let lane = self.lane(account, now);
        let mut event = self.event(now, Kind::Login, Decision::Refuse, Reason::CodeWrong);
        event.lane = Some(lane);
        let mark = keys.mark(account.id, code.expose_symbols());
        let next = match account.recover(mark, now) {
            Some(Spent::Now { number }) => {
                event.decision = Decision::Accept;
                event.reason = Reason::Ok;
                event.device = Some(format!("recovery code {number}"));
                account.lane_mut(lane).clear();
                account.set_refusal(lane, None);
                self.learn_source(account, now);
                account.announce = Some(format!(
                    "A recovery code was used {} {}; not you? Tell an administrator.",
                    prompt::date(now),
                    prompt::clock(now),
                ));
                let (device, notice) = (format!("recovery code {number}"), Some(notice(account, now)));
                Next::Accept { device, notice, digits: None }
            }
            Some(Spent::Before { number, at }) => {
                event.reason = Reason::CodeUsed;
                event.device = Some(format!("recovery code {number}"));
                let day = prompt::date(at);
                self.told(format!("Recovery code {number} was used on {day}; take another one."))
            }
            None => {
                event.detail = Some("a recovery code".into());
                self.wrong(now)
            }
        };
        journal.record(event);
        Some(next)
    }
}

/// What somebody who got in by a recovery code is to do now.
fn notice(account: &Account, now: UnixTime) -> String {
    let left = account.recovery.left().count();
    let mut active = account.active().map(|device| device.id);
    let replace = match (active.next(), active.next()) {
        (Some(only), None) => format!(" --replace {only}"),
        _ => String::new(),
    };
    let until = prompt::clock(now.plus(Account::REBIND_FOR));
    let bind = format!("Until {until} no other code is needed to bind the new device: otpctl bind{replace}");
    let few = if left <= FEW { " Make new ones: otpctl codes new." } else { "" };
    format!("{left} recovery codes are left.{few} {bind}")
}

/// Gives an account new recovery codes and returns them: only now can they be told.
pub(super) fn issue(account: &mut Account, keys: &Keys) -> Result<Vec<Secret>, KeyError> {
    let codes = new_recovery_codes()?;
    let id: AccountId = account.id;
    account.recovery = Sheet::new(codes.iter().map(|code| keys.mark(id, code.expose_symbols())));
    Ok(codes.iter().map(|code| Secret::new(code.expose_grouped().to_string())).collect())
}

/// So few recovery codes are left that a login says so.
pub(super) const FEW: usize = 3;
