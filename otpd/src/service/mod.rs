//! The use-cases: what each call does, between the permit table and the registry.

pub mod account;
pub mod admin;
pub mod adopt;
pub mod backup;
pub mod bind;
pub mod clock_reset;
pub mod clocks;
mod decide;
pub mod emails;
pub mod enrol;
pub mod export;
pub mod import;
pub mod login;
pub mod mail;
mod mailed;
pub mod master_key;
mod office;
mod offline;
pub mod policy_report;
mod post;
pub(crate) mod prompt;
mod proof;
pub mod prune;
mod recent;
pub mod recover;
pub mod requirements;
pub mod resync;
mod scene;
mod seen;
pub mod sign_ins;
mod tickets;
mod typed;
pub mod verify;
mod vigil;
pub mod visit;
pub mod web;
mod words;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicU64;

use otpd_core::chain::Link;
use otpd_core::device::Use;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::Identity;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::throttle::Lane;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;
use otpd_proto::session::SERVICE;

use crate::budget::Budgets;
use crate::config::Limits;
use crate::keys::KeyError;
use crate::keys::Keys;
use crate::names::Groups;
use crate::names::Names;
use crate::names::NoAnswer;
use crate::names::Person;
use crate::peer::Door;
use crate::peer::Peer;
use crate::peer::SignedIn;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;
use crate::post_bell::PostBell;
use crate::settings::Settings;
use crate::upkeep::Bell;

use office::Office;
use recent::Recent;
use seen::Uses;
use vigil::Vigil;
use visit::Visitors;
use words::Words;

/// Everything a call needs.
pub struct Service<R> {
    registry: R,
    keys: Arc<Keys>,
    names: Names,
    /// Look-ups for account.sock have threads of their own: whoever asks for many slow ones there must not make logins
    /// wait.
    own_names: Names,
    recent: Recent,
    /// With what administrators require, as the registry has it.
    settings: RwLock<Arc<Settings>>,
    /// One change at a time of what administrators require.
    requiring: Mutex<()>,
    /// What was wrong with the configuration at the last reload.
    bad_configuration: Mutex<Option<String>>,
    /// The file of the master key, unless systemd gives it. One rotation at a time.
    key_file: Mutex<Option<PathBuf>>,
    /// What the last look at the devices' clocks said.
    clocks: Mutex<clocks::Seen>,
    /// The import that comes in.
    import: Mutex<Option<import::Open>>,
    /// Wakes the upkeep.
    bell: Arc<Bell>,
    /// Where otpd-mail comes for mails.
    office: Office,
    /// Who was asked for a code and has given none.
    vigil: Vigil,
    /// When tickets were last used.
    seen: Uses,
    /// What who is signed in on the web has left to ask.
    budgets: Mutex<Budgets>,
    /// Tickets that were brought and are none, or none any more.
    unknown_tickets: AtomicU64,
    /// Who is on the way to another host.
    words: Words,
    /// Who came there.
    visitors: Visitors,
}

/// Why a call has no result.
#[derive(Debug, Clone)]
pub enum Failure {
    /// Understood and refused.
    Refused {
        /// For programs.
        reason: Reason,
        /// For the person.
        say: String,
        /// When it is worth trying again.
        until: Option<UnixTime>,
    },
    /// More than anybody may ask in a minute; nothing was looked at.
    TooManyCalls,
    /// Nothing could be decided.
    Unavailable {
        /// For the person.
        say: String,
        /// For the log: what really happened.
        cause: String,
    },
}

impl Failure {
    /// A refusal without a time.
    pub(crate) fn refused(reason: Reason, say: impl Into<String>) -> Self {
        Self::Refused { reason, say: say.into(), until: None }
    }

    fn not_permitted() -> Self {
        Self::refused(Reason::NotPermitted, "You may not do that; it is for root and administrators.")
    }

    fn no_such_user(named: &str) -> Self {
        Self::refused(Reason::NoSuchUser, format!("There is no user {named:?} here."))
    }

    fn conflict(named: &str) -> Self {
        let say = format!(
            "The registry knows {named:?} or its uid as another account: the user was renamed, renumbered or made anew. \
             If it is the same person, root runs: otpctl adopt {named}. If not: otpctl reset {named}"
        );
        Self::refused(Reason::IdentityConflict, say)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let say = "The registry's keys cannot be opened. Ask an administrator to run: otpctl doctor".into();
        Self::Unavailable { say, cause: error.to_string() }
    }
}

impl From<NoAnswer> for Failure {
    fn from(error: NoAnswer) -> Self {
        Self::Unavailable {
            say: format!("Not possible at the moment: {error}. Try again."),
            cause: error.to_string(),
        }
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let say = match &error {
            RegistryError::Full => {
                "The disk that holds the registry is full, so no code can be used up. An administrator must make room on it."
            }
            RegistryError::Disk(_) => {
                "The registry cannot be written, so no code can be used up. Ask an administrator to run: otpctl doctor"
            }
            RegistryError::SignedOut => return tickets::signed_out(),
            RegistryError::NoKey => return Self::refused(Reason::BadKey, NO_KEY),
            RegistryError::Conflict | RegistryError::Unavailable(_) => {
                "The registry cannot be used at the moment. Ask an administrator to run: otpctl doctor"
            }
        };
        Self::Unavailable { say: say.into(), cause: error.to_string() }
    }
}

impl<R: Registry> Service<R> {
    /// Puts the parts together.
    ///
    /// # Errors
    /// [`RegistryError`]: what administrators require cannot be read.
    pub fn new(
        registry: R,
        keys: Keys,
        names: Names,
        own_names: Names,
        mut settings: Settings,
    ) -> Result<Self, RegistryError> {
        settings.policy.requirements = registry.requirements()?;
        Ok(Self {
            registry,
            keys: Arc::new(keys),
            names,
            own_names,
            recent: Recent::default(),
            settings: RwLock::new(Arc::new(settings)),
            requiring: Mutex::default(),
            bad_configuration: Mutex::default(),
            key_file: Mutex::default(),
            clocks: Mutex::default(),
            import: Mutex::default(),
            bell: Arc::default(),
            office: Office::default(),
            vigil: Vigil::default(),
            seen: Uses::default(),
            budgets: Mutex::new(Budgets::new(Limits::default().calls_per_minute)),
            unknown_tickets: AtomicU64::default(),
            words: Words::default(),
            visitors: Visitors::default(),
        })
    }

    /// Lets the master key in this file be replaced.
    #[must_use]
    pub fn with_key_file(self, path: PathBuf) -> Self {
        Self { key_file: Mutex::new(Some(path)), ..self }
    }

    /// Lets whoever is signed in on the web call so often in a minute.
    #[must_use]
    pub fn with_calls_per_minute(self, calls: u16) -> Self {
        Self { budgets: Mutex::new(Budgets::new(calls)), ..self }
    }

    /// Hands out mails when this rings.
    #[must_use]
    pub fn with_post_bell(self, bell: Arc<PostBell>) -> Self {
        Self { office: Office::with_bell(bell), ..self }
    }

    /// What wakes the upkeep.
    pub(crate) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Remembers for `doctor` that the configuration as it is on disk would not start.
    pub fn note_bad_configuration(&self, why: &str) {
        *self.bad_configuration.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    /// Replaces the settings, but for what administrators require; calls under way go on with the old ones.
    pub fn set_settings(&self, mut settings: Settings) {
        *self.bad_configuration.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut current = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        settings.policy.requirements = current.policy.requirements.clone();
        *current = Arc::new(settings);
    }

    /// Records something that the daemon itself did.
    pub fn record_daemon(&self, now: UnixTime, reason: Reason, detail: &str) {
        let _ = self.registry.record_soon(daemon_event(now, reason, detail));
    }

    /// Removes at most `most` events that are older than they are kept, and returns how many. A clock that nobody
    /// vouches for removes nothing: were it ahead by years, the whole log would go.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn prune(&self, now: UnixTime, synchronised: Option<bool>, most: u32) -> Result<u32, RegistryError> {
        if synchronised != Some(true) {
            return Ok(0);
        }
        let kept = i64::try_from(self.settings().keep_events.as_secs()).unwrap_or(i64::MAX);
        let alarm = daemon_event(now, Reason::LogAltered, "");
        self.registry.prune(UnixTime(now.0.saturating_sub(kept)), most, alarm)
    }

    /// The audit log's last event.
    pub fn head(&self) -> Link {
        self.registry.head()
    }

    /// Notes how far the audit log has come, and returns its last event: for a log elsewhere, which shows when the end
    /// is cut off here.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn note_head(&self) -> Result<Link, RegistryError> {
        self.registry.note_head()
    }

    /// Records that old events were removed.
    pub fn record_pruned(&self, now: UnixTime, events: u64) {
        self.record_daemon(now, Reason::Ok, &format!("{events} old events removed from the audit log"));
    }

    /// The caller, if the table lets them do what is root's.
    fn root(&self, peer: Peer, request: Request, kind: Kind, now: UnixTime) -> Result<Parties, Failure> {
        let parties = self.parties(peer, None)?;
        if permit(parties.role, request, State::Protected) == Permit::Free {
            return Ok(parties);
        }
        let failure = Failure::refused(Reason::NotPermitted, "You may not do that; it is for root.");
        self.refuse(&parties, now, kind, failure)
    }

    /// Records a refusal that came before any change, and hands it on.
    fn refuse<T>(
        &self,
        parties: &Parties,
        now: UnixTime,
        kind: Kind,
        failure: Failure,
    ) -> Result<T, Failure> {
        if let Failure::Refused { reason, .. } = &failure {
            self.registry.record(parties.event(now, kind, Decision::Refuse, *reason))?;
        }
        Err(failure)
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who calls, and what they are to the account of `named` (or their own).
    fn parties(&self, peer: Peer, named: Option<&str>) -> Result<Parties, Failure> {
        let settings = self.settings();
        let groups = settings.groups();
        let caller = match peer.uid {
            _ if peer.door == Door::Offline => offline::root(),
            // otpd-web itself is nobody.
            _ if peer.door == Door::Web && peer.signed_in.is_none() => None,
            Some(uid) => match self.own_names.by_uid(uid, groups.clone()) {
                // Whatever keeps its groups from being read, root can release them.
                Err(_) if peer.is_root => self.own_names.by_uid(uid, Groups::default())?,
                found => found?,
            },
            None => None,
        };
        let caller = caller.ok_or_else(Failure::not_permitted)?;
        let account = match named {
            None => caller.clone(),
            Some(name) if name == caller.identity.name.as_str() => caller.clone(),
            // Only who may name others learns who exists, or has anybody looked up.
            Some(_) if !peer.is_root && !administers(peer, &settings, &caller) => {
                return Err(Failure::not_permitted());
            }
            Some(name) => {
                let found = match self.own_names.by_name(name, groups) {
                    Ok(Some(found)) => Some(found),
                    _ if peer.door == Door::Offline => self.known_to_registry(name)?,
                    found => found?,
                };
                found.ok_or_else(|| Failure::no_such_user(name))?
            }
        };
        let role = role(peer, &settings, &caller, &account);
        Ok(Parties { caller, account, role, settings, signed_in: peer.signed_in })
    }
}

/// The two sides of a call on account.sock, or of one on web.sock by somebody who is signed in.
#[derive(Clone)]
struct Parties {
    caller: Person,
    account: Person,
    role: Role,
    settings: Arc<Settings>,
    signed_in: Option<SignedIn>,
}

impl Parties {
    /// An event of this call about the account.
    fn event(&self, now: UnixTime, kind: Kind, decision: Decision, reason: Reason) -> Event {
        let user = self.account.identity.name.as_str();
        Event {
            uid: Some(self.account.identity.uid),
            lane: Some(Lane::Own),
            service: self.signed_in.map(|_| SERVICE.to_owned()),
            address: self.address(),
            ..Event::blank(now, user, self.caller.identity.name.as_str(), kind, decision, reason)
        }
    }

    /// The ticket that the call is made on the strength of, if there is one.
    fn ticket(&self) -> Option<TicketId> {
        Some(self.signed_in?.ticket)
    }

    /// Of the browser, if there is one.
    fn address(&self) -> Option<String> {
        Some(self.signed_in?.address?.to_string())
    }

    /// A use of a device whose code came with this call.
    fn use_at(&self, at: UnixTime) -> Use {
        let service = if self.signed_in.is_some() { SERVICE } else { "otpctl" };
        Use { at, service: service.into(), address: self.address() }
    }

    fn who(&self) -> &Identity {
        &self.account.identity
    }
}

fn role(peer: Peer, settings: &Settings, caller: &Person, account: &Person) -> Role {
    if peer.door == Door::Offline {
        Role::RootOffline
    } else if peer.is_root {
        Role::Root
    } else if caller.identity == account.identity {
        Role::Owner
    } else if !administers(peer, settings, caller) {
        Role::Other
    } else if account.identity.uid.is_root() {
        Role::AdminOnRoot
    } else {
        Role::Admin
    }
}

/// Whether a caller administers. On the web root does too, and no more than that.
fn administers(peer: Peer, settings: &Settings, caller: &Person) -> bool {
    is_admin(settings, caller) || (peer.signed_in.is_some() && caller.identity.uid.is_root())
}

fn is_admin(settings: &Settings, person: &Person) -> bool {
    settings.admin_group.is_some_and(|gid| person.groups.contains(&gid))
}

const NO_KEY: &str = "The master key is not here, and without it nobody can tell whether the audit log is as it was \
                      written. Put the key in its place, or ask the otpd that has it.";

fn daemon_event(now: UnixTime, reason: Reason, detail: &str) -> Event {
    let decision = if reason == Reason::Ok { Decision::Accept } else { Decision::Refuse };
    Event::of_daemon(now, decision, reason, Some(detail.to_owned()))
}
