//! Recovery codes: a login by one, and new ones.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::notice::Notice;
use otpd_core::policy::Grants;
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
use super::post::Post;
use super::prompt;
use super::proof::Asked;
use super::proof::not_protected;
use super::scene::Scene;
use super::scene::refuse;
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
        self.change_permitted(&parties, &asked, move |account, _, journal| {
            if !account.is_protected() {
                return Err(not_protected(&deciding));
            }
            let codes = issue(account, &keys)?;
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            post.tell(account, Notice::CodesNew, &deciding.facts(None), journal)?;
            Ok(RecoveryCodes { codes })
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
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<Option<Next>, KeyError> {
        if !account.is_protected() {
            return Ok(None);
        }
        let now = post.now;
        let mut event = self.event(now, Kind::Login, Decision::Refuse, Reason::CodeWrong);
        event.lane = Some(self.lane(account, now));
        if let Some(elsewhere) = self.elsewhere(&mut event) {
            journal.record(event);
            return Ok(Some(elsewhere));
        }
        let mark = post.keys.mark(account.id, code.expose_symbols());
        let next = match account.recover(mark, now) {
            Some(Spent::Now { number }) => {
                self.let_in(account, &format!("recovery code {number}"), &mut event, post, journal)?
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
        Ok(Some(next))
    }

    /// The refusal of a service that takes no way back in.
    pub(super) fn elsewhere(&self, event: &mut Event) -> Option<Next> {
        let policy = &self.settings.recovery;
        if policy.opens(&self.login.service) {
            return None;
        }
        event.reason = Reason::RecoveryElsewhere;
        let services = policy.services.join(", ");
        Some(self.told(format!("Codes for getting back in are not taken here, but by: {services}.")))
    }

    /// Writes down what follows from a code that stands for a lost device.
    pub(super) fn let_in(
        &self,
        account: &mut Account,
        by: &str,
        event: &mut Event,
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<Next, KeyError> {
        let now = post.now;
        event.device = Some(by.to_owned());
        account.clear_lane(self.lane(account, now));
        post.tell(account, Notice::RecoveryUsed, &self.facts(Some(by)), journal)?;
        self.end_all(account, journal, now);
        if self.settings.recovery.grants == Grants::Rebind {
            event.reason = Reason::RebindOnly;
            return Ok(refuse(&format!("That was right, and logs nobody in here. {}", rebind(account, now))));
        }
        event.decision = Decision::Accept;
        event.reason = Reason::Ok;
        self.learn_source(account, now);
        self.admit(account, None, now);
        let notice = Some(notice(account, now));
        Ok(Next::Accept { device: by.to_owned(), notice, digits: None })
    }
}

/// What somebody who got in without a device is to do now.
fn notice(account: &Account, now: UnixTime) -> String {
    let left = account.recovery.left().count();
    let few = if left <= FEW { " Make new ones: otpctl codes new." } else { "" };
    format!("{left} recovery codes are left.{few} {}", rebind(account, now))
}

/// How a new device is bound, while no code is needed for it.
pub(super) fn rebind(account: &Account, now: UnixTime) -> String {
    let mut active = account.active().map(|device| device.id);
    let replace = match (active.next(), active.next()) {
        (Some(only), None) => format!(" --replace {only}"),
        _ => String::new(),
    };
    let until = prompt::clock(account.recovered.unwrap_or(now).plus(Account::REBIND_FOR));
    format!("Until {until} no other code is needed to bind the new device: otpctl bind{replace}")
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
