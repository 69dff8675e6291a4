//! Taking over another module's keys. What comes in is checked and staged, and counts for nothing; it is decided in
//! one instant; then it is applied a few entries at a time, between the logins.

mod entry;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use otpd_core::account::Account;
use otpd_core::account::NewDevice;
use otpd_core::device::DeviceId;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::notice::Notice;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::staging::ImportId;
use otpd_core::staging::Progress;
use otpd_core::staging::Staged;
use otpd_core::ticket::TicketChange;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use self::entry::Wanted;
use self::entry::live;
use super::Failure;
use super::Service;
use super::bind::cannot_bind;
use super::bind::check_clock;
use super::bind::check_key;
use super::bind::free_name;
use super::post;
use super::post::Facts;
use super::sign_ins::with_change;
use crate::keys::Keys;
use crate::names::Groups;
use crate::names::NoAnswer;
use crate::peer::Peer;
use crate::permit::Request;

/// Users by the names they were asked for.
type People<'a> = BTreeMap<&'a str, Option<Identity>>;

/// An import that comes in.
pub(super) struct Open {
    id: ImportId,
    devices: u32,
    /// Whose they are: of whoever is new here, nothing need be looked for in what is staged.
    users: HashSet<Uid>,
    problems: u32,
    /// The last call for it.
    last: UnixTime,
}

impl Open {
    fn size(&self) -> wire::ImportSize {
        let accounts = u32::try_from(self.users.len()).unwrap_or(u32::MAX);
        wire::ImportSize { devices: self.devices, accounts }
    }
}

impl<R: Registry> Service<R> {
    /// Begins an import.
    ///
    /// # Errors
    /// [`Failure`]: not root, the clock was never set, or an earlier import is not completed.
    pub fn import_begin(&self, peer: Peer, now: UnixTime) -> Result<wire::ImportBegun, Failure> {
        let parties = self.root(peer, Request::Import, Kind::Import, now)?;
        if let Err(failure) = check_clock(now) {
            return self.refuse(&parties, now, Kind::Import, failure);
        }
        let mut open = self.open_import();
        if self.registry.unfinished_import()?.is_some() {
            self.bell().ring();
            let say = "An earlier import is still being completed. Try again in a minute.";
            return self.refuse(&parties, now, Kind::Import, Failure::refused(Reason::ImportUnfinished, say));
        }
        let id = self.registry.begin_import(parties.caller.identity.name.as_str())?;
        *open = Some(Open { id, devices: 0, users: HashSet::new(), problems: 0, last: now });
        // What the one before left behind is to be removed.
        self.bell().ring();
        Ok(wire::ImportBegun { import: id.0 })
    }

    /// Checks and stages entries.
    ///
    /// # Errors
    /// [`Failure`]; nothing is staged of this call. What is wrong with an entry is a result.
    pub fn import_add(
        &self,
        peer: Peer,
        call: &wire::ImportAddParameters,
        now: UnixTime,
    ) -> Result<wire::ImportAdded, Failure> {
        self.root(peer, Request::Import, Kind::Import, now)?;
        let mut open = self.open_import();
        let open = named(&mut open, call.import)?;
        if call.entries.len() > wire::IMPORT_ENTRIES {
            let say = format!("At most {} entries fit into one call.", wire::IMPORT_ENTRIES);
            return Err(Failure::refused(Reason::BadParameters, say));
        }
        let people = self.look_up(&call.entries)?;
        let (mut staged, mut problems) = (Vec::new(), Vec::new());
        for (index, entry) in (0..).zip(&call.entries) {
            let number = open.devices.saturating_add(u32::try_from(staged.len()).unwrap_or(u32::MAX));
            let who = people.get(entry.user.as_str()).cloned().flatten();
            match self.check_entry(open, number.saturating_add(1), (entry, who), &staged, now) {
                Ok(entry) => {
                    open.users.insert(entry.who.uid);
                    staged.push(entry);
                }
                Err(Failure::Refused { say, .. }) => problems.push(wire::ImportProblem { index, say }),
                Err(unavailable) => return Err(unavailable),
            }
        }
        let devices = u32::try_from(staged.len()).unwrap_or(u32::MAX);
        if !self.registry.stage(open.id, staged)? {
            return Err(no_such_import());
        }
        open.devices = open.devices.saturating_add(devices);
        open.problems = open.problems.saturating_add(u32::try_from(problems.len()).unwrap_or(u32::MAX));
        open.last = now;
        Ok(wire::ImportAdded { problems })
    }

    /// Decides the import.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed.
    pub fn import_commit(
        &self,
        peer: Peer,
        call: &wire::ImportParameters,
        now: UnixTime,
    ) -> Result<wire::ImportSize, Failure> {
        let parties = self.root(peer, Request::Import, Kind::Import, now)?;
        let mut slot = self.open_import();
        let open = named(&mut slot, call.import)?;
        if open.problems > 0 {
            let say = format!("{} entries cannot be taken, so none of them is.", open.problems);
            return self.refuse(
                &parties,
                now,
                Kind::Import,
                Failure::refused(Reason::ImportHasProblems, say),
            );
        }
        let size = open.size();
        let mut event = parties.event(now, Kind::Import, Decision::Accept, Reason::Ok);
        event.detail = Some(format!("{} devices for {} accounts", size.devices, size.accounts));
        if !self.registry.decide_import(open.id, event)? {
            return Err(no_such_import());
        }
        *slot = None;
        // Should the caller disappear.
        self.bell().ring();
        Ok(size)
    }

    /// Applies some entries of a decided import.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed.
    pub fn import_step(
        &self,
        peer: Peer,
        call: &wire::ImportParameters,
        now: UnixTime,
    ) -> Result<wire::ImportProgress, Failure> {
        self.root(peer, Request::Import, Kind::Import, now)?;
        let progress = self.apply_import(ImportId(call.import), now)?.ok_or_else(no_such_import)?;
        Ok(wire::ImportProgress { left: progress.left, skipped: progress.skipped })
    }

    /// Drops an import that is not decided.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed.
    pub fn import_drop(
        &self,
        peer: Peer,
        call: &wire::ImportParameters,
        now: UnixTime,
    ) -> Result<wire::ImportSize, Failure> {
        self.root(peer, Request::Import, Kind::Import, now)?;
        let mut slot = self.open_import();
        let open = named(&mut slot, call.import)?;
        let size = open.size();
        self.registry.drop_import(open.id)?;
        *slot = None;
        self.bell().ring();
        Ok(size)
    }

    /// Applies the next entries of a decided import, in one change. `None` if there is no such import.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    pub(crate) fn apply_import(
        &self,
        import: ImportId,
        now: UnixTime,
    ) -> Result<Option<Progress>, RegistryError> {
        let keys = Arc::clone(&self.keys);
        self.registry.apply_import(import, AT_ONCE, move |by, staged, account, journal| {
            let bound = match account {
                Some(account) => bind(account, import, staged, by, &keys, now),
                None => Err(Failure::conflict(staged.who.name.as_str())),
            };
            let event = event_of(staged, by, &bound, now);
            if bound.is_ok() {
                journal.tickets(TicketChange::end_all(&staged.who, None), Some(with_change(event.clone())));
            }
            journal.record(event);
            bound.is_ok()
        })
    }

    /// The import that is decided and not completed.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(crate) fn unfinished_import(&self) -> Result<Option<(ImportId, Progress)>, RegistryError> {
        self.registry.unfinished_import()
    }

    /// Drops what was begun before this process started, and what nobody goes on with. Then removes some of what is
    /// dropped, and returns how much.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(crate) fn sweep_imports(&self, now: UnixTime) -> Result<u32, RegistryError> {
        let mut open = self.open_import();
        if open.as_ref().is_none_or(|open| now.since(open.last) >= FORSAKEN) {
            self.registry.drop_open_imports()?;
            *open = None;
        }
        drop(open);
        self.registry.sweep_imports(AT_ONCE)
    }

    /// Whether an entry can be taken, and if so sealed for its place.
    fn check_entry(
        &self,
        open: &Open,
        number: u32,
        (entry, who): (&wire::ImportEntry, Option<Identity>),
        before: &[Staged],
        now: UnixTime,
    ) -> Result<Staged, Failure> {
        let wanted = Wanted::read(entry, now)?;
        let who = who.ok_or_else(|| Failure::no_such_user(&entry.user))?;
        let account = match self.registry.find(&who) {
            Err(RegistryError::Conflict) => return Err(Failure::conflict(who.name.as_str())),
            found => found?,
        };
        let mut staged = Vec::new();
        if open.users.contains(&who.uid) {
            staged = self.registry.staged(open.id, &who)?;
            staged.extend(before.iter().filter(|staged| staged.who == who).cloned());
        }
        if let Some(mut account) = account {
            account.expire_pending(now);
            wanted.check_account(&account, staged.len(), &self.keys)?;
        }
        wanted.check_staged(open.id, &staged, &who, &self.keys)?;
        let key = self.keys.seal_staged(open.id, number, &wanted.key)?;
        let Wanted { parameters, drift, last_step, name, .. } = wanted;
        Ok(Staged { number, who, key, parameters, drift, last_step, name })
    }

    /// Who the entries are for. Several are asked about at once: most of a look-up is waiting.
    fn look_up<'a>(&self, entries: &'a [wire::ImportEntry]) -> Result<People<'a>, NoAnswer> {
        let names: BTreeSet<&str> = entries.iter().map(|entry| entry.user.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let share = names.len().div_ceil(LOOK_UPS).max(1);
        let ask = |names: &[&'a str]| -> Result<Vec<_>, NoAnswer> {
            let person = |name: &&'a str| {
                let person = self.own_names.by_name(name, Groups::default())?;
                Ok((*name, person.map(|person| person.identity)))
            };
            names.iter().map(person).collect()
        };
        let failed = |error: std::io::Error| NoAnswer::Failed(error.to_string());
        std::thread::scope(|scope| {
            let spawn = |names| std::thread::Builder::new().spawn_scoped(scope, move || ask(names));
            let asked: Vec<_> = names.chunks(share).map(spawn).collect::<Result<_, _>>().map_err(failed)?;
            let mut people = People::new();
            for answers in asked {
                let panicked = |_| NoAnswer::Failed("internal error, please report it".into());
                people.extend(answers.join().map_err(panicked)??);
            }
            Ok(people)
        })
    }

    fn open_import(&self) -> MutexGuard<'_, Option<Open>> {
        self.import.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Binds what was staged, as active. All that was checked then is checked again: the owner may have been quicker.
fn bind(
    account: &mut Account,
    import: ImportId,
    staged: &Staged,
    by: &str,
    keys: &Keys,
    now: UnixTime,
) -> Result<DeviceName, Failure> {
    account.expire_pending(now);
    let key = keys.open_staged(import, staged)?;
    check_key(account, live(account), &key, keys)?;
    let first = !account.is_protected();
    let name =
        staged.name.clone().unwrap_or_else(|| free_name(staged.parameters, |name| account.has_name(name)));
    let new = NewDevice {
        name: name.clone(),
        key: keys.seal(account.id, DeviceId(account.next_device), &key)?,
        parameters: staged.parameters,
        counter: None,
        replaces: None,
        by: by.to_owned(),
        from: "import".to_owned(),
    };
    let added = account.add_proven(new, staged.drift, staged.last_step, now);
    added.map_err(|error| cannot_bind(error, &name))?;
    if first {
        post::leave_word(account, Notice::ProtectionOn, &Facts::of_device(name.as_str()), now);
    }
    Ok(name)
}

fn event_of(staged: &Staged, by: &str, bound: &Result<DeviceName, Failure>, now: UnixTime) -> Event {
    let (decision, reason, device, detail) = match bound {
        Ok(name) => (Decision::Accept, Reason::Ok, Some(name.to_string()), None),
        Err(Failure::Refused { reason, say, .. }) => (Decision::Refuse, *reason, None, Some(say.clone())),
        Err(Failure::Unavailable { cause, .. }) => {
            (Decision::Refuse, Reason::BadKey, None, Some(cause.clone()))
        }
        // Counted is who is signed in on the web, where nobody imports.
        Err(Failure::TooManyCalls) => (Decision::Refuse, Reason::NotPermitted, None, None),
    };
    let user = staged.who.name.as_str();
    Event {
        uid: Some(staged.who.uid),
        device,
        detail,
        ..Event::blank(now, user, by, Kind::Import, decision, reason)
    }
}

/// The import of this number, if it is the one that comes in.
fn named(open: &mut Option<Open>, import: i64) -> Result<&mut Open, Failure> {
    open.as_mut().filter(|open| open.id.0 == import).ok_or_else(no_such_import)
}

fn no_such_import() -> Failure {
    let say = "There is no such import: otpd was restarted, or another one was begun. Begin it anew.";
    Failure::refused(Reason::NoSuchImport, say)
}

/// As many as there are threads that look up.
const LOOK_UPS: usize = 4;
/// So few that a login which has to wait for them does not notice.
const AT_ONCE: u32 = 100;
/// After so long without a call, nobody goes on with an import.
const FORSAKEN: Duration = Duration::from_secs(600);
