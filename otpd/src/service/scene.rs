//! One login with everything that was looked up for it: who, from where, by which settings; and how it is answered.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::account::Admission;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::source::Source;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;
use otpd_proto::login::Login;
use otpd_proto::login::Next;
use otpd_proto::session::SERVICE;

use super::post::Facts;
use super::prompt;
use crate::names::Person;
use crate::settings::Settings;

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// account.sock.
    Own,
    /// login.sock, no remote host.
    Local,
    /// login.sock, with a remote host; its address if that can be believed.
    Remote(Option<Source>),
}

impl Origin {
    /// As far as what the caller says can be believed.
    pub(super) fn of(login: &Login) -> Self {
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
    pub(super) settings: Arc<Settings>,
    pub(super) person: Option<Person>,
    pub(super) from: Origin,
    pub(super) login: Login,
}

impl Scene {
    /// The lane of this login for an account.
    pub(super) fn lane(&self, account: &Account, now: UnixTime) -> Lane {
        match self.from {
            Origin::Own => Lane::Own,
            Origin::Local => Lane::Local,
            Origin::Remote(Some(source)) if account.knows(source, now) => Lane::Known,
            Origin::Remote(_) => Lane::Unknown,
        }
    }

    /// Asks, with what the owner needs to know.
    pub(super) fn ask_for_code(&self, account: &Account, now: UnixTime) -> Next {
        let digits = account.active().map(|device| device.parameters.digits()).max().unwrap_or(DIGITS);
        if !self.settings.say_why {
            return ask(prompt::plain(account.identity.name.as_str()), digits);
        }
        ask(prompt::informed(account, self.lane(account, now), now), digits)
    }

    /// Asks again, after saying something.
    pub(super) fn ask_after(&self, account: &Account, say: &str) -> Next {
        let digits = account.active().map(|device| device.parameters.digits()).max().unwrap_or(DIGITS);
        ask(prompt::fit(say, &prompt::plain(account.identity.name.as_str())), digits)
    }

    /// The remote host, as PAM said it.
    pub(super) fn address(&self) -> Option<String> {
        match self.from {
            Origin::Own | Origin::Local => None,
            Origin::Remote(_) => self.login.rhost.clone(),
        }
    }

    /// An event of this login.
    pub(super) fn event(&self, now: UnixTime, kind: Kind, decision: Decision, reason: Reason) -> Event {
        let login = &self.login;
        let user = self.person.as_ref().map_or(login.user.as_str(), |person| person.identity.name.as_str());
        let actor = login.ruser.as_deref().filter(|ruser| !ruser.is_empty());
        let actor = actor.unwrap_or(if matches!(self.from, Origin::Own) { user } else { &login.service });
        let methods = login.ssh_auth_info.as_deref().filter(|info| !info.is_empty());
        let own = matches!(self.from, Origin::Own);
        Event {
            lane: own.then_some(Lane::Own),
            uid: self.person.as_ref().map(|person| person.identity.uid),
            service: Some(login.service.clone()),
            address: self.address(),
            detail: methods
                .map(|info| format!("passed before: {}", info.split(' ').next().unwrap_or_default())),
            ..Event::blank(now, user, actor, kind, decision, reason)
        }
    }

    /// What a notice of this login says.
    pub(super) fn facts(&self, device: Option<&str>) -> Facts {
        Facts {
            service: Some(self.login.service.clone()),
            address: self.address(),
            device: device.map(ToOwned::to_owned),
            detail: None,
        }
    }

    /// Remembers, of a login on the web, that a code let its owner in: a ticket is to be had for that.
    pub(super) fn admit(&self, account: &mut Account, device: Option<&str>, now: UnixTime) {
        if self.login.service == SERVICE && !matches!(self.from, Origin::Own) {
            account.admitted = Some(Admission { at: now, device: device.map(ToOwned::to_owned) });
        }
    }

    /// Remembers the address of an accepted login.
    pub(super) fn learn_source(&self, account: &mut Account, now: UnixTime) {
        if let Origin::Remote(Some(source)) = self.from {
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

    /// The refusal while no code is looked at.
    pub(super) fn locked(&self, until: Option<UnixTime>, failures: u32) -> Next {
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
pub(super) fn believed(login: &Login, from: Origin) -> Login {
    let clip = |text: &str| -> String { text.chars().take(LONGEST_FACT).collect() };
    let (user, service) = (clip(&login.user), clip(&login.service));
    if matches!(from, Origin::Own) {
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

/// Asks for a code.
pub(super) fn ask(prompt: String, digits: u8) -> Next {
    Next::Ask { prompt, echo: false, digits: Some(digits) }
}

/// Refuses, and says why.
pub(super) fn refuse(say: &str) -> Next {
    Next::Refuse { say: say.to_owned() }
}

/// The refusal that tells nothing.
fn alike() -> Next {
    refuse("Wrong code.")
}

/// Of a code of somebody who has no device: as many as most have.
pub(super) const DIGITS: u8 = 6;
/// Characters.
const LONGEST_FACT: usize = 64;
