//! Changes that need proof: the permit table says which code, and it is checked and spent in the same exclusive
//! change that it permits.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::check::Verdict;
use otpd_core::check::check;
use otpd_core::code::Code;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::recovery::RecoveryCode;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::throttle::Lane;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::fresh_until;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::session::SERVICE;

use super::Failure;
use super::Parties;
use super::Service;
use super::clocks;
use super::emails::no_such_email;
use super::post::Facts;
use super::post::Post;
use super::prompt;
use crate::keys::Keys;
use crate::peer::SignedIn;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::State;
use crate::permit::permit;

/// A change that is asked for.
pub(super) struct Asked<'a> {
    /// Its row in the permit table.
    pub(super) request: Request,
    /// Its name in the audit log.
    pub(super) kind: Kind,
    /// The proof that came with it.
    pub(super) code: Option<&'a Secret>,
    /// When.
    pub(super) now: UnixTime,
}

impl<R: Registry> Service<R> {
    /// Runs `act` on the account if the table permits it, after the proof it demands. Whatever comes of it is one
    /// event, but for a ticket that ended meanwhile; `act` may post mails beside it, and does so once it cannot fail any more.
    pub(super) fn change_permitted<T, F>(
        &self,
        parties: &Parties,
        asked: &Asked<'_>,
        act: F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Event, &mut Journal) -> Result<T, Failure> + Clone + Send + 'static,
    {
        let (request, now) = (asked.request, asked.now);
        if request.wants_password() && !parties.has_password(now) {
            return self.refuse(parties, now, asked.kind, password_needed());
        }
        if permit(parties.role, request, State::Protected) == Permit::AdminsCode {
            self.step_up(parties, asked)?;
        }
        let acting = parties.clone();
        let code = asked.code.map(read);
        let (role, keys, settings) = (parties.role, Arc::clone(&self.keys), Arc::clone(&parties.settings));
        let mut event = parties.event(now, asked.kind, Decision::Refuse, Reason::NotPermitted);
        let decide = move |account: &mut Account, journal: &mut Journal| {
            account.expire_pending(now);
            let before = account.lane(Lane::Own).failures;
            let proven = prove(account, &acting, request, code, now, &keys);
            let result = proven.and_then(|()| act(account, &mut event, journal));
            let post = Post { keys: &keys, settings: &settings, now };
            let told = post.tell_if_closed(account, (Lane::Own, before), &Facts::default(), journal);
            let result = told.map_err(Failure::from).and(result);
            judge(&mut event, &result);
            journal.record(event);
            result
        };
        let conflict = |error| match error {
            RegistryError::Conflict => Failure::conflict(parties.who().name.as_str()),
            other => other.into(),
        };
        if permit(role, request, State::Unprotected) == Permit::Never {
            self.registry.record(parties.event(now, asked.kind, Decision::Refuse, Reason::NotPermitted))?;
            return Err(Failure::not_permitted());
        }
        if matches!(request, Request::Begin | Request::EnrolCode | Request::AddEmail) {
            let ticket = parties.ticket();
            return self.registry.change_or_create_by(ticket, parties.who(), decide).map_err(conflict)?;
        }
        let done = self.registry.change_by(parties.ticket(), parties.who(), decide).map_err(conflict)?;
        // There is no such account, so it has nothing of what was named.
        done.unwrap_or_else(|| match request {
            Request::ConfirmEmail | Request::RemoveEmail => Err(no_such_email()),
            _ => Err(not_protected(parties)),
        })
    }

    /// Makes sure that an administrator gave a code of their own in the last 10 minutes.
    pub(super) fn step_up(&self, parties: &Parties, asked: &Asked<'_>) -> Result<(), Failure> {
        let now = asked.now;
        let code = asked.code.map(read);
        let (acting, keys) = (parties.clone(), Arc::clone(&self.keys));
        let caller = parties.caller.identity.name.as_str();
        let mut event = Event {
            uid: Some(parties.caller.identity.uid),
            lane: Some(Lane::Own),
            detail: Some(format!(
                "an administrator's code, for {} of {}",
                asked.kind.as_str(),
                parties.who().name
            )),
            service: parties.signed_in.map(|_| SERVICE.to_owned()),
            address: parties.address(),
            ..Event::blank(now, caller, caller, Kind::StepUp, Decision::Refuse, Reason::CodeNeeded)
        };
        let decide = move |account: &mut Account, journal: &mut Journal| {
            // On the web, of the one sign-in that gave it.
            let given = acting.signed_in.map_or(account.stepped_up, |signed_in| signed_in.code_at);
            if code.is_none() && fresh_until(given, now).is_some() {
                return Ok(());
            }
            if !account.is_protected() {
                return Err(no_device_of_ones_own());
            }
            let result = check_own(account, code, &acting, now, &keys);
            match acting.signed_in {
                _ if result.is_err() => {}
                Some(SignedIn { ticket: id, .. }) => {
                    journal.tickets(TicketChange::Prove { id, at: now }, None)
                }
                None => account.stepped_up = Some(now),
            }
            judge(&mut event, &result);
            journal.record(event);
            result
        };
        let caller = &parties.caller.identity;
        let done = self.registry.change_by(parties.ticket(), caller, decide).map_err(Failure::from)?;
        done.unwrap_or_else(|| Err(no_device_of_ones_own()))
    }
}

impl Parties {
    /// Whether the caller's password stands for a change: on the web it has to be of the last 10 minutes.
    pub(super) fn has_password(&self, now: UnixTime) -> bool {
        self.signed_in.is_none_or(|signed_in| fresh_until(Some(signed_in.password_at), now).is_some())
    }
}

/// The refusal of a change on the web whose password is too long ago.
pub(super) fn password_needed() -> Failure {
    Failure::refused(
        Reason::PasswordNeeded,
        "Give your password again: for changes it has to be of the last 10 minutes.",
    )
}

fn no_device_of_ones_own() -> Failure {
    let say = "Administrators prove themselves with a code. Bind a device of your own first: otpctl bind";
    Failure::refused(Reason::NotProtected, say)
}

/// The code that was typed as a proof.
fn read(typed: &Secret) -> Result<Code, Failure> {
    Code::parse(typed.expose_secret()).map_err(|error| {
        let say = match RecoveryCode::parse(typed.expose_secret()) {
            Ok(_) => {
                "A recovery code is for a login: log in with it, and for 30 minutes no code is needed here."
                    .into()
            }
            Err(_) => format!("That is no code: {error}."),
        };
        Failure::refused(Reason::CodeMalformed, say)
    })
}

/// Asks the table, and checks the owner's code where it wants one.
fn prove(
    account: &mut Account,
    acting: &Parties,
    request: Request,
    code: Option<Result<Code, Failure>>,
    now: UnixTime,
    keys: &Keys,
) -> Result<(), Failure> {
    match permit(acting.role, request, State::of(account, now)) {
        // AdminsCode was seen to before this change began.
        Permit::Free | Permit::AdminsCode => Ok(()),
        Permit::OwnersCode => check_own(account, code, acting, now, keys),
        Permit::Never => Err(Failure::not_permitted()),
    }
}

/// Checks a code in the lane of the user's own processes.
fn check_own(
    account: &mut Account,
    code: Option<Result<Code, Failure>>,
    acting: &Parties,
    now: UnixTime,
    keys: &Keys,
) -> Result<(), Failure> {
    let code = match code {
        Some(Ok(code)) => code,
        Some(Err(failure)) => return Err(failure),
        None => {
            return Err(Failure::refused(
                Reason::CodeNeeded,
                "A code from one of your devices is needed for this.",
            ));
        }
    };
    let verdict = check(account, &code, Lane::Own, now, keys)?;
    let failures = account.lane(Lane::Own).failures;
    match verdict {
        Verdict::Accepted { device, .. } => {
            account.note_use(device, acting.use_at(now));
            Ok(())
        }
        Verdict::Used { next, .. } => Err(Failure::Refused {
            reason: Reason::CodeUsed,
            say: prompt::used(next, now),
            until: Some(next),
        }),
        Verdict::Wrong { .. } => Err(wrong_code(now)),
        Verdict::ClockWentBack { .. } => {
            let (reason, say) = clocks::went_back(account, now);
            Err(Failure::refused(reason, say))
        }
        Verdict::Wait(until) => Err(locked(until, failures)),
        Verdict::Closed => Err(closed(failures)),
    }
}

/// The refusal while the lane of the user's own processes waits.
pub(super) fn locked(until: UnixTime, failures: u32) -> Failure {
    Failure::Refused {
        reason: Reason::Locked,
        say: format!("Locked until {} after {failures} wrong codes.", prompt::clock(until)),
        until: Some(until),
    }
}

/// The refusal once that lane is closed.
pub(super) fn closed(failures: u32) -> Failure {
    let say = format!("Closed after {failures} wrong codes; an administrator can run otpctl unlock.");
    Failure::refused(Reason::Locked, say)
}

/// The refusal of a wrong code, with this box's time: a clock that is off is the usual cause.
pub(super) fn wrong_code(now: UnixTime) -> Failure {
    let say = format!("Wrong code. It is {} here; does the phone say the same?", prompt::clock(now));
    Failure::refused(Reason::CodeWrong, say)
}

/// The refusal for an account without a row or without devices.
pub(super) fn not_protected(parties: &Parties) -> Failure {
    let name = &parties.who().name;
    Failure::refused(
        Reason::NotProtected,
        format!("Login protection of {name} is off; there is nothing to change."),
    )
}

fn judge<T>(event: &mut Event, result: &Result<T, Failure>) {
    match result {
        Ok(_) => {
            event.decision = Decision::Accept;
            event.reason = Reason::Ok;
        }
        Err(Failure::Refused { reason, .. }) => {
            event.decision = Decision::Refuse;
            event.reason = *reason;
        }
        Err(Failure::TooManyCalls) => {}
        Err(Failure::Unavailable { cause, .. }) => event.detail = Some(cause.clone()),
    }
}
