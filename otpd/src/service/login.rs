//! Logins: Start, Answer and Account. Stateless; policy is evaluated anew at each call, and nothing in Answer is
//! believed because Start said it.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::check::Verdict;
use otpd_core::check::check;
use otpd_core::code::Code;
use otpd_core::device::Use;
use otpd_core::enrol::EnrolCode;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::policy::Standing;
use otpd_core::recovery::RecoveryCode;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::source::Source;
use otpd_core::throttle::Lane;
use otpd_core::throttle::Throttle;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::login::Given;
use otpd_proto::login::Login;
use otpd_proto::login::Next;

use super::Failure;
use super::Service;
use super::blank_event;
use super::clocks;
use super::prompt;
use crate::clock;
use crate::keys::KeyError;
use crate::keys::Keys;
use crate::names::Person;
use crate::peer::Door;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;
use crate::settings::Settings;

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
            Some(account) if account.is_protected() => Ok(scene.ask_for_code(&account, now)),
            account => {
                let step = self.unprotected(&scene, person, account.as_ref(), now, Kind::Login)?;
                let plain = prompt::plain(person.identity.name.as_str());
                let prompt = if scene.settings.say_why { format!("{NO_DEVICE} {plain}") } else { plain };
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
        let from = From::of(login);
        let scene = Scene { settings, person: None, from, login: believed(login, from) };
        Ok(Some(scene.ask_for_code(&account, now)))
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
            return Ok(scene.wrong(now));
        };
        let (keys, deciding) = (Arc::clone(&self.keys), Arc::new(scene.clone()));
        let decided = self.registry.change(&person.identity, move |account, journal| match &typed {
            Typed::Code(code) => deciding.decide(account, code, given, &keys, now, journal),
            Typed::RecoveryCode(code) => Ok(deciding.recover(account, code, &keys, now, journal)),
            Typed::EnrolCode(code) => Ok(deciding.enrol(account, code, &keys, now, journal)),
        });
        match decided {
            Err(RegistryError::Conflict) => self.refuse_conflict(&scene, now, Kind::Login),
            Err(error) => Err(error.into()),
            Ok(Some(Ok(Some(next)))) => Ok(next),
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
                Ok(scene.wrong(now))
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
    fn scene(&self, peer: Peer, login: &Login, phase: Phase, now: UnixTime) -> Result<Scene, Failure> {
        let settings = self.settings();
        let groups = settings.groups();
        let (request, from, names) = match peer.door {
            Door::Login => (Request::LoginForAnyone, From::of(login), &self.names),
            Door::Account => (Request::LoginOfOwn, From::Own, &self.own_names),
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
        let (reason, notice) = match standing {
            Standing::Optional => (Reason::Optional, None),
            Standing::Exempt => (Reason::Exempt, None),
            Standing::Required { from } if from <= now && since.is_some() => return Ok(None),
            // Before the clock is set, a grace that began now would be over as soon as it is.
            Standing::Required { .. } if clock::is_unset(now) => (Reason::Grace, None),
            Standing::Required { .. } => {
                let from = self.begin_grace(scene, person, now)?;
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

    fn refuse_conflict(&self, scene: &Scene, now: UnixTime, kind: Kind) -> Result<Next, Failure> {
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
enum Phase {
    Start,
    Answer,
    Account,
}

/// What was typed at the prompt.
#[derive(Clone)]
enum Typed {
    /// A code of a device.
    Code(Code),
    /// A recovery code.
    RecoveryCode(RecoveryCode),
    /// An enrol code.
    EnrolCode(EnrolCode),
}

impl Typed {
    /// Tells by the form what it is, or what to say.
    fn read(typed: &str, given: Given, from: From) -> Result<Self, &'static str> {
        let parse = if given == Given::Tail { Code::parse_tail } else { Code::parse };
        if let Ok(code) = parse(typed) {
            return Ok(Self::Code(code));
        }
        let other = RecoveryCode::parse(typed).ok().map(Self::RecoveryCode);
        let other = other.or_else(|| EnrolCode::parse(typed).map(Self::EnrolCode));
        match (other, from) {
            (Some(other), From::Local | From::Remote(_)) if given == Given::Typed => Ok(other),
            // Any process of the user could try here, and lock screens are no place to be locked out of. What was not
            // typed at our prompt may be a password that has the form by chance.
            (Some(_), _) => Err("A recovery code is not taken here, but at an SSH, sudo or console login."),
            (None, _) => {
                Err("That is no code. A code is 6 to 8 digits, a recovery code 16 letters and digits.")
            }
        }
    }
}

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
enum From {
    /// account.sock.
    Own,
    /// login.sock, no remote host.
    Local,
    /// login.sock, with a remote host; its address if that can be believed.
    Remote(Option<Source>),
}

impl From {
    fn of(login: &Login) -> Self {
        let Some(rhost) = login.rhost.as_deref().filter(|rhost| !rhost.is_empty()) else {
            return Self::Local;
        };
        // With UseDNS sshd gives a name; its SSH_CONNECTION has the number all the same.
        let numeric = || Source::parse(login.ssh_connection.as_deref()?.split(' ').next()?);
        Self::Remote(Source::parse(rhost).or_else(numeric))
    }
}

/// A login with everything that was looked up for it.
#[derive(Clone)]
pub(super) struct Scene {
    settings: Arc<Settings>,
    person: Option<Person>,
    from: From,
    login: Login,
}

impl Scene {
    pub(super) fn lane(&self, account: &Account, now: UnixTime) -> Lane {
        match self.from {
            From::Own => Lane::Own,
            From::Local => Lane::Local,
            From::Remote(Some(source)) if account.knows(source, now) => Lane::Known,
            From::Remote(_) => Lane::Unknown,
        }
    }

    fn ask_for_code(&self, account: &Account, now: UnixTime) -> Next {
        let digits = account.active().map(|device| device.parameters.digits()).max().unwrap_or(DIGITS);
        if !self.settings.say_why {
            return ask(prompt::plain(account.identity.name.as_str()), digits);
        }
        ask(prompt::informed(account, self.lane(account, now), now), digits)
    }

    fn address(&self) -> Option<String> {
        match self.from {
            From::Own | From::Local => None,
            From::Remote(_) => self.login.rhost.clone(),
        }
    }

    pub(super) fn event(&self, now: UnixTime, kind: Kind, decision: Decision, reason: Reason) -> Event {
        let login = &self.login;
        let user = self.person.as_ref().map_or(login.user.as_str(), |person| person.identity.name.as_str());
        let actor = login.ruser.as_deref().filter(|ruser| !ruser.is_empty());
        let actor = actor.unwrap_or(if matches!(self.from, From::Own) { user } else { &login.service });
        let methods = login.ssh_auth_info.as_deref().filter(|info| !info.is_empty());
        let own = matches!(self.from, From::Own);
        Event {
            lane: own.then_some(Lane::Own),
            uid: self.person.as_ref().map(|person| person.identity.uid),
            service: Some(login.service.clone()),
            address: self.address(),
            detail: methods
                .map(|info| format!("passed before: {}", info.split(' ').next().unwrap_or_default())),
            ..blank_event(now, user, actor, kind, decision, reason)
        }
    }

    /// The whole decision about a code, inside one change of the account. `None`: the account is not protected.
    fn decide(
        &self,
        account: &mut Account,
        code: &Code,
        given: Given,
        keys: &Keys,
        now: UnixTime,
        journal: &mut Journal,
    ) -> Result<Option<Next>, KeyError> {
        if !account.is_protected() {
            return Ok(None);
        }
        let lane = self.lane(account, now);
        let verdict = check(account, code, lane, now, keys)?;
        let mut event = self.event(now, Kind::Login, Decision::Refuse, Reason::CodeWrong);
        event.lane = Some(lane);
        let next = match verdict {
            Verdict::Accepted { device, offset } => {
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
                account.note_use(
                    device,
                    Use { at: now, service: self.login.service.clone(), address: self.address() },
                );
                self.learn_source(account, now);
                // Only a login tells the owner; a process of theirs could take the announcement away unseen, and so
                // could a login that showed no prompt of ours. Where the prompt has told it, it is not told again.
                let tells = lane != Lane::Own && given == Given::Typed;
                let announce = if tells { account.announce.take() } else { None };
                let notice = announce.filter(|text| !self.settings.say_why || !text.is_ascii());
                Next::Accept { device: name, notice, digits: digits.filter(|_| given == Given::Tail) }
            }
            Verdict::Used { device, next } => {
                event.reason = Reason::CodeUsed;
                event.device = account.device_mut(device).map(|device| device.name.to_string());
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

    /// Remembers the address of an accepted login.
    pub(super) fn learn_source(&self, account: &mut Account, now: UnixTime) {
        if let From::Remote(Some(source)) = self.from {
            account.learn_source(source, now);
        }
    }

    /// The refusal of a wrong code, and of every code of somebody who does not exist.
    pub(super) fn wrong(&self, now: UnixTime) -> Next {
        self.told(prompt::wrong(false, now))
    }

    /// A refusal that says why, unless policy wants all refusals alike.
    pub(super) fn told(&self, say: String) -> Next {
        if self.settings.say_why { Next::Refuse { say } } else { alike() }
    }

    fn locked(&self, until: Option<UnixTime>, failures: u32) -> Next {
        if !self.settings.say_why {
            return alike();
        }
        let say = match until {
            Some(until) => format!("Locked until {} after {failures} wrong codes.", prompt::clock(until)),
            None => format!("Closed after {failures} wrong codes; an administrator can run otpctl unlock."),
        };
        Next::Locked { say, until: until.map(|until| until.0) }
    }
}

/// The login as it may be believed and recorded: the user's own process can claim anything, so only the user and the
/// service are taken from it; and nobody fills the registry with what no system has.
fn believed(login: &Login, from: From) -> Login {
    let clip = |text: &str| -> String { text.chars().take(LONGEST_FACT).collect() };
    let (user, service) = (clip(&login.user), clip(&login.service));
    if matches!(from, From::Own) {
        return Login { user, service, ..Login::default() };
    }
    let optional = |text: &Option<String>| text.as_deref().map(clip);
    Login {
        user,
        service,
        tty: optional(&login.tty),
        ruser: optional(&login.ruser),
        rhost: optional(&login.rhost),
        ssh_connection: optional(&login.ssh_connection),
        ssh_auth_info: optional(&login.ssh_auth_info),
    }
}

/// Of an accepted code, for the audit log: the login may have failed all the same.
const BEFORE_THE_PASSWORD: &str = "before the password was checked";

const NO_DEVICE: &str =
    "A device is required and none is bound. An administrator has a code for you: otpctl enrol-code.";

/// Characters.
const LONGEST_FACT: usize = 64;
/// Of a code of somebody who has no device: as many as most have.
const DIGITS: u8 = 6;

fn ask(prompt: String, digits: u8) -> Next {
    Next::Ask { prompt, echo: false, digits: Some(digits) }
}

fn refuse(say: &str) -> Next {
    Next::Refuse { say: say.to_owned() }
}

/// The refusal that tells nothing.
fn alike() -> Next {
    refuse("Wrong code.")
}
