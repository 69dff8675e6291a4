//! Logins: Start, Answer and Account. Stateless; policy is evaluated anew at each call, and nothing in Answer is
//! believed because Start said it.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::event::Decision;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::policy::Standing;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::login::Given;
use otpd_proto::login::Login;
use otpd_proto::login::Next;

use super::Failure;
use super::Service;
use super::office::Condition;
use super::post::Post;
use super::prompt;
use super::scene::DIGITS;
use super::scene::Origin;
use super::scene::Scene;
use super::scene::ask;
use super::scene::believed;
use super::scene::refuse;
use super::typed::Typed;
use crate::clock;
use crate::names::Person;
use crate::peer::Door;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;

impl<R: Registry> Service<R> {
    /// Begins a login.
    ///
    /// # Errors
    /// [`Failure`]: the caller may not, or nothing could be decided.
    pub fn start(&self, peer: Peer, login: &Login, now: UnixTime) -> Result<Next, Failure> {
        if let Some(next) = self.ask_at_once(peer, login, now)? {
            return Ok(next);
        }
        let scene = self.scene(peer, login, Phase::Start, now)?;
        if !scene.settings.policy.asks(&login.service) {
            return Ok(self.let_by(&scene, now, Kind::Login, Reason::ServiceNever, None));
        }
        let Some(person) = &scene.person else { return Ok(ask(prompt::plain(&login.user), DIGITS)) };
        let account = match self.registry.find(&person.identity) {
            Err(RegistryError::Conflict) => return self.refuse_conflict(&scene, now, Kind::Login),
            found => found?,
        };
        match account {
            Some(account) if account.is_protected() => {
                let next = scene.ask_for_code(&account, now);
                if peer.door == Door::Login {
                    self.watch(&scene, &account.identity, &next, clock::monotonic());
                }
                Ok(next)
            }
            account => {
                let step = self.unprotected(&scene, person, account.as_ref(), now, Kind::Login)?;
                let plain = prompt::plain(person.identity.name.as_str());
                let prompt = if scene.settings.say_why { prompt::fit(NO_DEVICE, &plain) } else { plain };
                Ok(step.unwrap_or_else(|| ask(prompt, DIGITS)))
            }
        }
    }

    /// Asks whoever gives the name of a protected account, while the system's databases are still being asked who has
    /// that name now: without the answer nobody is let in, but nobody need wait for it before they type.
    fn ask_at_once(&self, peer: Peer, login: &Login, now: UnixTime) -> Result<Option<Next>, Failure> {
        let Ok(name) = AccountName::new(&login.user) else { return Ok(None) };
        let settings = self.settings();
        let asks = settings.policy.asks(&login.service);
        if peer.door != Door::Login || !peer.is_root || !asks || self.recent.doubts(&login.user) {
            return Ok(None);
        }
        let Some(account) = self.registry.find_by_name(&name)?.filter(Account::is_protected) else {
            return Ok(None);
        };
        let groups = settings.groups();
        let Ok(look_up) = self.names.begin(&account.identity, groups.clone()) else { return Ok(None) };
        self.recent.keep(&login.user, look_up, groups, clock::monotonic());
        let from = Origin::of(login);
        let scene = Scene { settings, person: None, from, login: believed(login, from) };
        let next = scene.ask_for_code(&account, now);
        self.watch(&scene, &account.identity, &next, clock::monotonic());
        Ok(Some(next))
    }

    /// Checks what was typed, at the prompt or elsewhere.
    ///
    /// # Errors
    /// [`Failure`]: the caller may not, or nothing could be decided.
    pub fn answer_given(
        &self,
        peer: Peer,
        login: &Login,
        answer: &Secret,
        given: Given,
        now: UnixTime,
    ) -> Result<Next, Failure> {
        let scene = self.scene(peer, login, Phase::Answer, now)?;
        if !scene.settings.policy.asks(&login.service) {
            return Ok(self.let_by(&scene, now, Kind::Login, Reason::ServiceNever, None));
        }
        // The form comes first: it must not tell who exists.
        let typed = match Typed::read(answer.expose_secret(), given, scene.from) {
            Ok(typed) => typed,
            Err(say) => {
                self.registry.record(scene.event(
                    now,
                    Kind::Login,
                    Decision::Refuse,
                    Reason::CodeMalformed,
                ))?;
                return Ok(scene.told(say.into()));
            }
        };
        let Some(person) = scene.person.clone() else {
            self.registry.record(scene.event(now, Kind::Login, Decision::Refuse, Reason::NoSuchUser))?;
            return Ok(scene.nothing(&typed, now));
        };
        let (keys, deciding) = (Arc::clone(&self.keys), Arc::new(scene.clone()));
        let condition = match typed {
            Typed::Mail => self.office.condition(clock::monotonic()),
            _ => Condition::Able,
        };
        let word = typed.clone();
        let decided = self.registry.change(&person.identity, move |account, journal| {
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            match &typed {
                Typed::Code(code) => deciding.decide(account, code, given, post, journal),
                Typed::RecoveryCode(code) => deciding.recover(account, code, post, journal),
                Typed::ShortCode(code) => deciding.short_code(account, code, post, journal),
                Typed::Mail => deciding.mail_code(account, &condition, post, journal),
                Typed::Help => Ok(deciding.help(account, now)),
            }
        });
        match decided {
            Err(RegistryError::Conflict) => self.refuse_conflict(&scene, now, Kind::Login),
            Err(error) => Err(error.into()),
            Ok(Some(Ok(Some(next)))) => {
                self.watch(&scene, &person.identity, &next, clock::monotonic());
                Ok(next)
            }
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None | Some(Ok(None))) => {
                if let Some(next) = self.unprotected(&scene, &person, None, now, Kind::Login)? {
                    return Ok(next);
                }
                self.registry.record(scene.event(
                    now,
                    Kind::Login,
                    Decision::Refuse,
                    Reason::NotProtected,
                ))?;
                Ok(scene.nothing(&word, now))
            }
        }
    }

    /// The account phase of a login in which no code was given: a protected account came in by a key alone.
    ///
    /// # Errors
    /// [`Failure`]: the caller may not, or nothing could be decided.
    pub fn account_phase(&self, peer: Peer, login: &Login, now: UnixTime) -> Result<Next, Failure> {
        let scene = self.scene(peer, login, Phase::Account, now)?;
        if !scene.settings.policy.asks(&login.service) {
            return Ok(self.let_by(&scene, now, Kind::Account, Reason::ServiceNever, None));
        }
        let Some(person) = &scene.person else {
            self.registry.record(scene.event(now, Kind::Account, Decision::Refuse, Reason::NoSuchUser))?;
            return Ok(refuse("This account cannot log in here."));
        };
        let account = match self.registry.find(&person.identity) {
            Err(RegistryError::Conflict) => return self.refuse_conflict(&scene, now, Kind::Account),
            found => found?,
        };
        let protected = account.as_ref().is_some_and(Account::is_protected);
        if !protected
            && let Some(next) = self.unprotected(&scene, person, account.as_ref(), now, Kind::Account)?
        {
            return Ok(next);
        }
        let reason = if protected { Reason::NoCodeGiven } else { Reason::NotProtected };
        self.registry.record(scene.event(now, Kind::Account, Decision::Refuse, reason))?;
        Ok(refuse("A one-time code is needed, and this way of logging in did not ask for one."))
    }

    /// Resolves the people and the place of a login, and asks the permit table.
    pub(super) fn scene(
        &self,
        peer: Peer,
        login: &Login,
        phase: Phase,
        now: UnixTime,
    ) -> Result<Scene, Failure> {
        let settings = self.settings();
        let groups = settings.groups();
        let (request, from, names) = match peer.door {
            Door::Login => (Request::LoginForAnyone, Origin::of(login), &self.names),
            Door::Account | Door::Mail | Door::Web | Door::Offline => {
                (Request::LoginOfOwn, Origin::Own, &self.own_names)
            }
        };
        let begun = match (peer.door, phase) {
            (Door::Login, Phase::Answer) => self.recent.take(&login.user, &groups, clock::monotonic()),
            _ => None,
        };
        let person = match begun {
            Some(look_up) => look_up.wait()?,
            None => names.by_name(&login.user, groups)?,
        };
        let role = match &person {
            _ if peer.is_root => Role::Root,
            Some(person) if peer.uid == Some(person.identity.uid) => Role::Owner,
            _ => Role::Other,
        };
        let scene = Scene { settings, person, from, login: believed(login, from) };
        if permit(role, request, State::Protected) != Permit::Free {
            let mut event = scene.event(now, Kind::Login, Decision::Refuse, Reason::NotPermitted);
            event.actor = format!("uid {}", peer.raw_uid);
            self.registry.record(event)?;
            return Err(Failure::not_permitted());
        }
        Ok(scene)
    }

    /// A login of somebody without devices: let by, or `None` if protection is demanded.
    fn unprotected(
        &self,
        scene: &Scene,
        person: &Person,
        account: Option<&Account>,
        now: UnixTime,
        kind: Kind,
    ) -> Result<Option<Next>, Failure> {
        let since = account.and_then(|account| account.grace_since);
        let name = person.identity.name.as_str();
        let standing = scene.settings.policy.standing(name, &person.groups, since, now);
        let has_own_grace = scene.settings.policy.gives_own_grace(&person.groups);
        let (reason, notice) = match standing {
            Standing::Optional => (Reason::Optional, None),
            Standing::Exempt => (Reason::Exempt, None),
            Standing::Required { from } if from <= now && (since.is_some() || !has_own_grace) => {
                return Ok(None);
            }
            // Before the clock is set, a grace that began now would be over as soon as it is.
            Standing::Required { .. } if clock::is_unset(now) => (Reason::Grace, None),
            Standing::Required { from } => {
                let from = if has_own_grace { self.begin_grace(scene, person, now)? } else { from };
                if from <= now {
                    return Ok(None);
                }
                let day = prompt::date(from);
                let how = format!("Login protection is required from {day} on. Turn it on with: otpctl bind");
                (Reason::Grace, Some(how))
            }
        };
        Ok(Some(self.let_by(scene, now, kind, reason, notice)))
    }

    /// Notes the first login at which protection was required, and returns when the grace ends.
    fn begin_grace(&self, scene: &Scene, person: &Person, now: UnixTime) -> Result<UnixTime, Failure> {
        let since = self
            .registry
            .change_or_create(&person.identity, move |account, _| *account.grace_since.get_or_insert(now))?;
        let name = person.identity.name.as_str();
        match scene.settings.policy.standing(name, &person.groups, Some(since), now) {
            Standing::Required { from } => Ok(from),
            Standing::Optional | Standing::Exempt => Ok(now),
        }
    }

    /// Records that no code is asked for, without waiting for the record: a full disk must not stop who needs no code.
    fn let_by(
        &self,
        scene: &Scene,
        now: UnixTime,
        kind: Kind,
        reason: Reason,
        notice: Option<String>,
    ) -> Next {
        if !self.registry.record_soon(scene.event(now, kind, Decision::NotRequired, reason)) {
            log::warn!(
                "no room to record that no code was asked of {:?}: {}",
                scene.login.user,
                reason.as_str()
            );
        }
        Next::NotRequired { why: reason.as_str().to_owned(), notice }
    }

    pub(super) fn refuse_conflict(&self, scene: &Scene, now: UnixTime, kind: Kind) -> Result<Next, Failure> {
        self.recent.doubt(&scene.login.user);
        self.registry.record(scene.event(now, kind, Decision::Refuse, Reason::IdentityConflict))?;
        let name =
            scene.person.as_ref().map_or(scene.login.user.as_str(), |person| person.identity.name.as_str());
        Ok(refuse(&format!(
            "This account was renamed or renumbered. If it is the same person, root runs: otpctl adopt {name}. If not: \
             otpctl reset {name}"
        )))
    }
}

/// Which of the three questions is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    Start,
    Answer,
    Account,
}

const NO_DEVICE: &str =
    "A device is required and none is bound. Ask an administrator for a code (otpctl enrol-code).";
