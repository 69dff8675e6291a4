//! Administration: lists, reset, the audit log, the daemon's own health.

use std::sync::Arc;
use std::sync::PoisonError;

use otpd_core::emails::Emails;
use otpd_core::event::Decision;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::notice::Notice;
use otpd_core::policy::RecoveryPolicy;
use otpd_core::registry::AccountQuery;
use otpd_core::registry::EventQuery;
use otpd_core::registry::Journal;
use otpd_core::registry::Only;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::registry::Room;
use otpd_core::registry::StoredEvent;
use otpd_core::registry::Summary;
use otpd_core::time::UnixTime;
use otpd_core::way_in::WayIn;
use otpd_proto::admin as wire;

use super::Failure;
use super::Parties;
use super::Service;
use super::administers;
use super::post::Post;
use super::prompt;
use super::proof::Asked;
use super::proof::password_needed;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;

impl<R: Registry> Service<R> {
    /// Accounts by name, a page at a time.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn accounts(
        &self,
        peer: Peer,
        call: &wire::AccountsParameters,
        now: UnixTime,
    ) -> Result<wire::Accounts, Failure> {
        let parties = self.administrator(peer, Request::Accounts, call.code.as_ref(), now)?;
        let named = |name: &Option<String>| match name.as_deref() {
            Some(name) => AccountName::new(name).map(Some).map_err(|_| Failure::no_such_user(name)),
            None => Ok(None),
        };
        let only = match call.only.as_deref().map(|word| (word, Only::parse(word))) {
            Some((word, None)) => {
                let say = format!("There is no {word:?}: protected, unprotected or locked.");
                return Err(Failure::refused(Reason::BadParameters, say));
            }
            known => known.and_then(|(_, only)| only),
        };
        let query = AccountQuery {
            after: named(&call.after)?,
            before: named(&call.before)?,
            prefix: call.prefix.clone().unwrap_or_default(),
            only,
            limit: ACCOUNTS.saturating_add(1),
        };
        let mut page = self.registry.find_accounts(&query)?;
        let more = page.len() > ACCOUNTS as usize;
        if query.before.is_some() && more {
            page.remove(0);
        }
        page.truncate(ACCOUNTS as usize);
        let recovery = &parties.settings.recovery;
        let accounts = page.into_iter().map(|summary| wire_account(summary, recovery, now)).collect();
        Ok(wire::Accounts { accounts, more })
    }

    /// Retires every device of an account and forgets its throttle, also of one that the registry knows under another
    /// uid or name.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn reset(
        &self,
        peer: Peer,
        call: &wire::ResetParameters,
        now: UnixTime,
    ) -> Result<wire::WasReset, Failure> {
        let parties = self.parties(peer, Some(&call.user))?;
        let by = parties.caller.identity.name.to_string();
        let asked = Asked { request: Request::Reset, kind: Kind::Reset, code: call.code.as_ref(), now };
        if parties.role.is_root() && self.registry.find(parties.who()) == Err(RegistryError::Conflict) {
            let mut event = parties.event(now, Kind::Reset, Decision::Accept, Reason::IdentityConflict);
            event.detail = Some("detached what was bound to the name and to the uid".into());
            let mut journal = Journal::from(event);
            parties.end_others(&mut journal, now);
            if let Some(account) = self.registry.find_by_name(&parties.who().name)? {
                let post = Post { keys: &self.keys, settings: &parties.settings, now };
                journal.mails = post.notices(&account, Notice::Reset, &parties.facts(None))?;
            }
            return Ok(wire::WasReset { retired: self.registry.detach(parties.who(), now, &by, journal)? });
        }
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        self.change_permitted(&parties, &asked, move |account, _, journal| {
            // A grace of the configuration starts anew at the next login, or the account would be shut out where that demands
            // protection.
            account.grace_since = None;
            let retired = account.retire_all(now, &by);
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            post.tell(account, Notice::Reset, &deciding.facts(None), journal)?;
            // Whoever lost everything may have lost the mailbox too, to the same thief.
            account.emails = Emails::default();
            deciding.end_others(journal, now);
            Ok(wire::WasReset { retired })
        })
    }

    /// Events of the audit log, a page at a time.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn audit(
        &self,
        peer: Peer,
        call: &wire::AuditParameters,
        now: UnixTime,
    ) -> Result<wire::Audit, Failure> {
        let parties = self.administrator(peer, Request::Audit, call.code.as_ref(), now)?;
        // At a terminal the first page stands for the rest of them. A browser names any page it likes.
        let is_first = call.after.is_none() && call.before.is_none();
        if !parties.role.is_root() && (is_first || parties.signed_in.is_some()) {
            let mut event = parties.event(now, Kind::Read, Decision::Accept, Reason::Ok);
            event.detail = Some("the audit log".into());
            self.registry.record(event)?;
        }
        let limit = call.tail.unwrap_or(EVENTS).clamp(1, EVENTS);
        let tail = call.tail.is_some();
        // What is rare must not make one call read a log of years.
        let before = call.before.unwrap_or_else(|| self.registry.head().number.saturating_add(1));
        let floor = before.saturating_sub(LOOKED_AT).max(0);
        let query = EventQuery {
            user: call.user.clone(),
            since: call.since.map(UnixTime),
            after: if tail { call.after.max(Some(floor)) } else { call.after },
            before: call.before,
            kind: call.event.clone(),
            decision: call.verdict.clone(),
            tail,
            limit: if tail { limit } else { EVENTS.saturating_add(1) },
        };
        let page = self.registry.events(&query)?;
        let is_full = page.len() >= limit as usize;
        let fitting = fit(page.into_iter().map(wire_event).collect(), tail);
        let first = fitting.events.first().map(|event| event.id);
        let older = if is_full { first } else { Some(floor.saturating_add(1)) };
        Ok(wire::Audit { older: older.filter(|id| tail && *id > 1), ..fitting })
    }

    /// What the daemon can say of its own health.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn doctor(&self, peer: Peer, now: UnixTime) -> Result<wire::Doctor, Failure> {
        self.administrator(peer, Request::Doctor, None, now)?;
        let registry = match self.registry.verify() {
            Ok(None) => check("registry", "ok", "intact"),
            Ok(Some(damage)) => {
                check("registry", "fail", &format!("damaged: {damage}; restore it from a backup"))
            }
            Err(error) => check("registry", "fail", &error.to_string()),
        };
        let mut checks = vec![
            registry,
            self.check_disk(),
            self.check_configuration(),
            self.check_mail(),
            self.check_backup(),
        ];
        checks.extend(self.check_requirements());
        checks.extend(self.check_clocks(now));
        Ok(wire::Doctor { checks })
    }

    /// Whether otpd would start again with the configuration that it last looked at.
    fn check_configuration(&self) -> wire::Check {
        match &*self.bad_configuration.lock().unwrap_or_else(PoisonError::into_inner) {
            None => check("configuration", "ok", "in use as last read"),
            Some(why) => {
                let say = format!("the last reload was refused, and otpd will not start with it: {why}");
                check("configuration", "fail", &say)
            }
        }
    }

    /// Whether the registry could be lost without being lost.
    fn check_backup(&self) -> wire::Check {
        match self.registry.last_backup() {
            Ok(Some(at)) => check("backup", "ok", &format!("the last one was made on {}", prompt::date(at))),
            Ok(None) => {
                let say = "none is known: without one, a lost registry means that every device is bound anew. Make one: \
                           otpctl backup FILE";
                check("backup", "warn", say)
            }
            Err(error) => check("backup", "warn", &error.to_string()),
        }
    }

    /// Free space where the registry is: without it no code can be spent, so nobody protected can log in.
    fn check_disk(&self) -> wire::Check {
        if let Err(error @ RegistryError::Disk(_)) = self.registry.try_disk() {
            return check(
                "disk",
                "fail",
                &format!("{error}; logins with a code stop until it can be written"),
            );
        }
        match self.registry.room() {
            Ok(room) => check_room(&room),
            Err(error) => check("disk", "warn", &error.to_string()),
        }
    }

    /// The caller, if the table lets them administer, with their code where it wants one.
    pub(super) fn administrator(
        &self,
        peer: Peer,
        request: Request,
        code: Option<&otpd_proto::Secret>,
        now: UnixTime,
    ) -> Result<Parties, Failure> {
        self.administrator_for(peer, &Asked { request, kind: Kind::Read, code, now })
    }

    /// [`Service::administrator`], with the name of what is asked for.
    pub(super) fn administrator_for(&self, peer: Peer, asked: &Asked<'_>) -> Result<Parties, Failure> {
        let (request, now) = (asked.request, asked.now);
        let mut parties = self.parties(peer, None)?;
        if parties.role == Role::Owner && administers(peer, &parties.settings, &parties.caller) {
            parties.role = Role::Admin;
        }
        match permit(parties.role, request, State::Protected) {
            Permit::Free => Ok(parties),
            Permit::AdminsCode => {
                if request.wants_password() && !parties.has_password(now) {
                    return self.refuse(&parties, now, asked.kind, password_needed());
                }
                self.step_up(&parties, asked)?;
                Ok(parties)
            }
            Permit::OwnersCode | Permit::Never => {
                self.refuse(&parties, now, asked.kind, Failure::not_permitted())
            }
        }
    }
}

/// As many events as a page and a message have room for: the newest of a tail, else the oldest.
fn fit(mut events: Vec<wire::Event>, tail: bool) -> wire::Audit {
    let found = events.len();
    if tail {
        events.reverse();
    }
    let mut room = ROOM_FOR_EVENTS;
    let fitting = events.iter().take(EVENTS as usize).take_while(|event| {
        let size = serde_json::to_vec(event).map_or(usize::MAX, |json| json.len());
        room = room.saturating_sub(size.saturating_add(1));
        room > 0
    });
    let fitting = fitting.count();
    events.truncate(fitting);
    if tail {
        events.reverse();
    }
    wire::Audit { events, more: !tail && fitting < found, older: None }
}

/// What is to be said of the room on the disk.
pub(super) fn check_room(room: &Room) -> wire::Check {
    let left = room.free >> 20;
    let name = "disk";
    if room.has_reserve && room.free >= LITTLE_ROOM {
        return check(name, "ok", &format!("{left} MiB left for the registry, and 16 in reserve"));
    }
    if room.has_reserve {
        let say =
            format!("only {left} MiB left, and 16 in reserve; logins with a code stop when they are used up");
        return check(name, "warn", &say);
    }
    let verdict = if room.free < ALMOST_NONE { "fail" } else { "warn" };
    let say = format!(
        "only {left} MiB left and nothing in reserve; logins with a code stop when they are used up. Make room: with 32 \
         MiB free, otpd sets 16 aside by itself"
    );
    check(name, verdict, &say)
}

/// A line of doctor.
pub(super) fn check(what: &str, verdict: &str, say: &str) -> wire::Check {
    wire::Check { check: what.to_owned(), verdict: verdict.to_owned(), say: say.to_owned() }
}

/// An account as callers see it.
pub(super) fn wire_account(summary: Summary, recovery: &RecoveryPolicy, now: UnixTime) -> wire::Account {
    wire::Account {
        weakest: WayIn::weakest(&summary, recovery, now).as_str().to_owned(),
        recovery_codes: summary.recovery_codes,
        emails: summary.emails,
        user: summary.identity.name.to_string(),
        uid: summary.identity.uid.as_u32(),
        protected: summary.active_devices > 0,
        active_devices: summary.active_devices,
        last_used: summary.last_used.map(|at| at.0),
        locked: summary.locked,
    }
}

fn wire_event(event: StoredEvent) -> wire::Event {
    wire::Event {
        id: event.id,
        at: event.at.0,
        user: event.user,
        uid: event.uid,
        actor: event.actor,
        event: event.kind,
        verdict: event.decision,
        reason: event.reason,
        service: event.service,
        address: event.address,
        device: event.device,
        lane: event.lane,
        detail: event.detail,
    }
}

/// 64 MiB.
const LITTLE_ROOM: u64 = 64 << 20;
/// 16 MiB.
const ALMOST_NONE: u64 = 16 << 20;
const ACCOUNTS: u32 = 100;
const EVENTS: u32 = 200;
/// Events that a call from the newest passes over at most.
const LOOKED_AT: i64 = 100_000;
/// Bytes of one message, less its frame.
const ROOM_FOR_EVENTS: usize = otpd_proto::frame::MAX_MESSAGE - 1024;
