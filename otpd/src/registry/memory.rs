//! The registry in memory, for tests of what stands on it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::MutexGuard;

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::chain::ChainKey;
use otpd_core::chain::Contents;
use otpd_core::chain::Defect;
use otpd_core::chain::Entry;
use otpd_core::chain::Field;
use otpd_core::chain::Flaw;
use otpd_core::chain::Link;
use otpd_core::chain::Mac;
use otpd_core::chain::Walk;
use otpd_core::clocks::Reading;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::event::Event;
use otpd_core::event::Reason;
use otpd_core::mark::Mark;
use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::outbox::Due;
use otpd_core::outbox::Fate;
use otpd_core::outbox::Mail;
use otpd_core::outbox::MailId;
use otpd_core::outbox::Overview;
use otpd_core::policy::Requirement;
use otpd_core::registry::AccountQuery;
use otpd_core::registry::Claim;
use otpd_core::registry::DataKey;
use otpd_core::registry::EventQuery;
use otpd_core::registry::Journal;
use otpd_core::registry::Only;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::registry::Room;
use otpd_core::registry::Snapshot;
use otpd_core::registry::StoredEvent;
use otpd_core::registry::Summary;
use otpd_core::registry::Walked;
use otpd_core::staging::ImportId;
use otpd_core::staging::Progress;
use otpd_core::staging::Staged;
use otpd_core::throttle::Lane;
use otpd_core::throttle::Throttle;
use otpd_core::ticket::Seen;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;

// Said for the fuzz targets, which take this file as a module of theirs.
#[path = "memory/outbox.rs"]
mod outbox;
#[path = "memory/tickets.rs"]
mod tickets;

use outbox::Outbox;
use tickets::Tickets;

/// Accounts and events in vectors.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    accounts: Vec<Account>,
    detached: Vec<Account>,
    next: i64,
    events: Vec<(StoredEvent, Mac)>,
    anchor: Option<Link>,
    imports: Vec<Import>,
    data_key: Option<DataKey>,
    outbox: Outbox,
    tickets: Tickets,
    requirements: BTreeMap<u32, Requirement>,
}

struct Import {
    by: String,
    state: Stage,
    entries: Vec<Staged>,
    skipped: u32,
}

#[derive(PartialEq)]
enum Stage {
    Open,
    Decided,
    Dropped,
}

impl Memory {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap()
    }
}

impl Rows {
    fn place(&self, who: &Identity) -> Result<Option<usize>, RegistryError> {
        let known: Vec<usize> = (0..self.accounts.len())
            .filter(|at| {
                let identity = &self.accounts[*at].identity;
                identity.uid == who.uid || identity.name == who.name
            })
            .collect();
        match known[..] {
            [] => Ok(None),
            [at] if self.accounts[at].identity == *who => Ok(Some(at)),
            _ => Err(RegistryError::Conflict),
        }
    }

    fn create(&mut self, who: &Identity) -> usize {
        self.next += 1;
        self.accounts.push(Account::new(AccountId(self.next), who.clone()));
        self.accounts.len() - 1
    }

    fn change<T>(&mut self, at: usize, decide: impl FnOnce(&mut Account, &mut Journal) -> T) -> T {
        let mut journal = Journal::default();
        let value = decide(&mut self.accounts[at], &mut journal);
        self.keep(journal);
        value
    }

    fn keep(&mut self, mut journal: Journal) {
        for (change, event) in std::mem::take(&mut journal.tickets) {
            if self.tickets.apply(&change) > 0 {
                journal.events.extend(event);
            }
        }
        journal.events.into_iter().for_each(|event| self.record(event));
        self.outbox.post(journal.mails);
    }

    fn import(&mut self, id: ImportId, state: &Stage) -> Option<&mut Import> {
        let at = usize::try_from(id.0.checked_sub(1)?).ok()?;
        self.imports.get_mut(at).filter(|import| import.state == *state)
    }

    fn head(&self) -> Link {
        let last = self.events.last().map(|(event, mac)| Link { number: event.id, mac: *mac });
        last.or(self.anchor).unwrap_or(Link::START)
    }

    fn record(&mut self, event: Event) {
        let head = self.head();
        let event = StoredEvent {
            id: head.number + 1,
            at: event.at,
            user: event.user,
            uid: event.uid.map(Uid::as_u32),
            actor: event.actor,
            kind: event.kind.as_str().into(),
            decision: event.decision.as_str().into(),
            reason: event.reason.as_str().into(),
            service: event.service,
            address: event.address,
            device: event.device,
            lane: event.lane.map(|lane| lane.to_string()),
            detail: event.detail,
        };
        let mac = key().link(head.mac, event.id, &contents(&event));
        self.events.push((event, mac));
    }
}

fn key() -> ChainKey {
    ChainKey::new(&[1; ChainKey::LENGTH])
}

fn contents(event: &StoredEvent) -> Contents {
    let texts = [&event.service, &event.address, &event.device, &event.lane, &event.detail];
    let needed = [&event.user, &event.actor, &event.kind, &event.decision, &event.reason];
    let numbers =
        [Some(event.at.0), event.uid.map(i64::from)].map(|at| at.map_or(Field::Nothing, Field::Number));
    let needed = needed.map(|text| Some(text.as_str()).into());
    numbers.into_iter().chain(needed).chain(texts.map(|text| text.as_deref().into())).collect()
}

fn entry((event, mac): &(StoredEvent, Mac)) -> Result<Entry, RegistryError> {
    let is_alarm = event.reason == Reason::LogAltered.as_str();
    Ok(Entry { number: event.id, at: event.at, mac: *mac, contents: contents(event), is_alarm })
}

/// What is read back: retired devices are not part of a loaded account.
fn live(account: &Account) -> Account {
    let mut account = account.clone();
    account.devices.retain(|device| device.is_active() || device.is_pending(UnixTime(i64::MIN)));
    account
}

fn claim(account: &Account) -> Claim {
    let Identity { uid, name } = account.identity.clone();
    Claim {
        account: account.id,
        uid: (uid.as_u32() != NOBODY).then_some(uid),
        name: Some(name),
        active_devices: u32::try_from(account.active().count()).unwrap(),
        last_used: account.devices.iter().filter_map(|device| Some(device.last_use.as_ref()?.at)).max(),
    }
}

/// Stands for a uid that was set free.
const NOBODY: u32 = u32::MAX - 2;

impl Registry for Memory {
    fn find(&self, who: &Identity) -> Result<Option<Account>, RegistryError> {
        let rows = self.rows();
        Ok(rows.place(who)?.map(|at| live(&rows.accounts[at])))
    }

    fn find_by_name(&self, name: &AccountName) -> Result<Option<Account>, RegistryError> {
        let rows = self.rows();
        Ok(rows.accounts.iter().find(|account| account.identity.name == *name).map(live))
    }

    fn change_by<T, F>(
        &self,
        ticket: Option<TicketId>,
        who: &Identity,
        decide: F,
    ) -> Result<Option<T>, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Journal) -> T + Clone + Send + 'static,
    {
        let mut rows = self.rows();
        rows.tickets.must_be_there(ticket)?;
        Ok(rows.place(who)?.map(|at| rows.change(at, decide)))
    }

    fn change_or_create_by<T, F>(
        &self,
        ticket: Option<TicketId>,
        who: &Identity,
        decide: F,
    ) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Journal) -> T + Clone + Send + 'static,
    {
        let mut rows = self.rows();
        rows.tickets.must_be_there(ticket)?;
        let at = match rows.place(who)? {
            Some(at) => at,
            None => rows.create(who),
        };
        Ok(rows.change(at, decide))
    }

    fn record(&self, event: Event) -> Result<(), RegistryError> {
        self.rows().record(event);
        Ok(())
    }

    fn record_soon(&self, event: Event) -> bool {
        self.rows().record(event);
        true
    }

    fn post(&self, mail: Mail, event: Event) -> Result<(), RegistryError> {
        self.rows().keep(Journal { events: vec![event], mails: vec![mail], ..Journal::default() });
        Ok(())
    }

    fn due_mail(&self, now: UnixTime, except: &[MailId]) -> Result<Option<Due>, RegistryError> {
        Ok(self.rows().outbox.due(now, except))
    }

    fn mail(&self, id: MailId) -> Result<Option<Due>, RegistryError> {
        Ok(self.rows().outbox.mail(id))
    }

    fn next_mail(&self) -> Result<Option<UnixTime>, RegistryError> {
        Ok(self.rows().outbox.next())
    }

    fn settle_mail(&self, id: MailId, fate: Fate, event: Option<Event>) -> Result<bool, RegistryError> {
        let mut rows = self.rows();
        let waited = rows.outbox.settle(id, fate);
        event.filter(|_| waited).into_iter().for_each(|event| rows.record(event));
        Ok(waited)
    }

    fn outbox(&self) -> Result<Overview, RegistryError> {
        Ok(self.rows().outbox.overview())
    }

    fn ticket(&self, mark: Mark) -> Result<Option<Ticket>, RegistryError> {
        Ok(self.rows().tickets.find(mark))
    }

    fn tickets(&self, who: &Identity) -> Result<Vec<Ticket>, RegistryError> {
        Ok(self.rows().tickets.of(who))
    }

    fn change_tickets(&self, change: TicketChange, event: Event) -> Result<u32, RegistryError> {
        let mut rows = self.rows();
        let concerned = rows.tickets.apply(&change);
        Some(event).filter(|_| concerned > 0).into_iter().for_each(|event| rows.record(event));
        Ok(concerned)
    }

    fn note_seen(&self, seen: Vec<(TicketId, Seen)>) -> Result<(), RegistryError> {
        self.rows().tickets.note_seen(seen);
        Ok(())
    }

    fn sweep_tickets(&self, now: UnixTime, unused_since: UnixTime, most: u32) -> Result<u32, RegistryError> {
        Ok(self.rows().tickets.sweep(now, unused_since, most))
    }

    fn detach(
        &self,
        who: &Identity,
        now: UnixTime,
        by: &str,
        journal: Journal,
    ) -> Result<u32, RegistryError> {
        let mut rows = self.rows();
        let is_theirs = |account: &Account| account.identity.name == who.name;
        let (mut theirs, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut rows.accounts).into_iter().partition(is_theirs);
        rows.accounts = others;
        let active = theirs.iter_mut().map(|account| account.retire_all(now, by)).sum();
        rows.detached.extend(theirs);
        let nobody = Uid::new(NOBODY).unwrap();
        let same_uid = rows.accounts.iter_mut().filter(|account| account.identity.uid == who.uid);
        same_uid.for_each(|account| account.identity.uid = nobody);
        rows.keep(journal);
        Ok(active)
    }

    fn claims(&self, who: &Identity) -> Result<Vec<Claim>, RegistryError> {
        let rows = self.rows();
        let leads = |account: &&Account| account.identity.uid == who.uid || account.identity.name == who.name;
        Ok(rows.accounts.iter().filter(leads).map(claim).collect())
    }

    fn adopt(&self, from: &Claim, to: &Identity, journal: Journal) -> Result<bool, RegistryError> {
        if self.claims(to)?.iter().any(|claim| claim.account != from.account) {
            return Err(RegistryError::Conflict);
        }
        let mut rows = self.rows();
        let Some(account) = rows.accounts.iter_mut().find(|account| claim(account) == *from) else {
            return Ok(false);
        };
        account.identity = to.clone();
        rows.keep(journal);
        Ok(true)
    }

    fn find_accounts(&self, query: &AccountQuery) -> Result<Vec<Summary>, RegistryError> {
        let rows = self.rows();
        let mut found: Vec<Summary> = rows.accounts.iter().map(summary).collect();
        found.retain(|account| {
            let name = &account.identity.name;
            query.after.as_ref().is_none_or(|after| name > after)
                && query.before.as_ref().is_none_or(|before| name < before)
                && name.as_str().starts_with(&query.prefix)
                && match query.only {
                    None => true,
                    Some(Only::Protected) => account.active_devices > 0,
                    Some(Only::Unprotected) => account.active_devices == 0,
                    Some(Only::Locked) => account.locked,
                }
        });
        found.sort_by_key(|account| account.identity.name.clone());
        let limit = query.limit as usize;
        if query.before.is_some() {
            found.drain(..found.len().saturating_sub(limit));
        }
        found.truncate(limit);
        Ok(found)
    }

    fn devices(
        &self,
        account: AccountId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, RegistryError> {
        let rows = self.rows();
        let mut all = rows.accounts.iter().chain(&rows.detached);
        let devices =
            all.find(|found| found.id == account).map(|account| account.devices.clone()).unwrap_or_default();
        let behind = |device: &Device| after.is_none_or(|after| device.id > after);
        Ok(devices.into_iter().filter(behind).take(limit as usize).collect())
    }

    fn readings(&self, since: UnixTime, most: u32) -> Result<Vec<Reading>, RegistryError> {
        let rows = self.rows();
        let mut found = Vec::new();
        for account in &rows.accounts {
            for device in account.active().filter(|device| !device.parameters.counts()) {
                let Some(used) = device.last_use.as_ref().filter(|used| used.at >= since) else { continue };
                let reading = Reading {
                    who: account.identity.clone(),
                    account: account.id,
                    device: device.id,
                    name: device.name.clone(),
                    offset: device.offset(),
                };
                found.push((used.at, reading));
            }
        }
        found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(found.into_iter().take(most as usize).map(|(_, reading)| reading).collect())
    }

    fn last_backup(&self) -> Result<Option<UnixTime>, RegistryError> {
        let rows = self.rows();
        let made = |event: &&StoredEvent| event.kind == "backup" && event.decision == "accept";
        Ok(rows.events.iter().map(|(event, _)| event).rfind(made).map(|event| event.at))
    }

    fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>, RegistryError> {
        let rows = self.rows();
        let wanted = |event: &&StoredEvent| {
            query.user.as_ref().is_none_or(|user| event.user == *user)
                && query.since.is_none_or(|since| event.at >= since)
                && query.after.is_none_or(|after| event.id > after)
                && query.before.is_none_or(|before| event.id < before)
                && query.kind.as_ref().is_none_or(|kind| event.kind == *kind)
                && query.decision.as_ref().is_none_or(|decision| event.decision == *decision)
        };
        let all = rows.events.iter().map(|(event, _)| event);
        let mut events: Vec<StoredEvent> = all.filter(wanted).cloned().collect();
        let limit = query.limit as usize;
        if query.tail && events.len() > limit {
            events.drain(..events.len() - limit);
        }
        events.truncate(limit);
        Ok(events)
    }

    fn prune(&self, before: UnixTime, most: u32, _alarm: Event) -> Result<u32, RegistryError> {
        let mut rows = self.rows();
        let old = rows.events.iter().take_while(|(event, _)| event.at < before).count();
        let removed = old.min(rows.events.len().saturating_sub(1)).min(most as usize);
        let last = rows.events.drain(..removed).next_back();
        rows.anchor = last.map(|(event, mac)| Link { number: event.id, mac }).or(rows.anchor);
        Ok(u32::try_from(removed).unwrap())
    }

    fn head(&self) -> Link {
        self.rows().head()
    }

    fn note_head(&self) -> Result<Link, RegistryError> {
        Ok(self.head())
    }

    fn walk(&self, walk: Option<Walk>, known: Option<Link>, most: u32) -> Result<Walked, RegistryError> {
        let rows = self.rows();
        let (anchor, head) = (rows.anchor.unwrap_or(Link::START), rows.head());
        let at_anchor =
            walk.is_none() && known.is_some_and(|known| known.number == anchor.number && known != anchor);
        let walk =
            walk.filter(|walk| walk.last >= anchor.number).unwrap_or_else(|| Walk::begin(Some(anchor)));
        let last = walk.last;
        let behind = rows.events.iter().filter(|(event, _)| event.id > last).map(entry);
        let noted: Vec<Link> = [Some(head), known].into_iter().flatten().collect();
        let mut passed = walk.pass(&key(), behind, &noted, most)?;
        if at_anchor {
            passed.flaws.push(Flaw::of(Defect::Replaced, anchor.number));
        }
        Ok(Walked { passed, anchor: Some(anchor), head })
    }

    fn begin_import(&self, by: &str) -> Result<ImportId, RegistryError> {
        self.drop_open_imports()?;
        let mut rows = self.rows();
        rows.imports.push(Import { by: by.into(), state: Stage::Open, entries: vec![], skipped: 0 });
        Ok(ImportId(i64::try_from(rows.imports.len()).unwrap()))
    }

    fn stage(&self, import: ImportId, entries: Vec<Staged>) -> Result<bool, RegistryError> {
        let mut rows = self.rows();
        let open = rows.import(import, &Stage::Open);
        Ok(open.map(|import| import.entries.extend(entries)).is_some())
    }

    fn staged(&self, import: ImportId, who: &Identity) -> Result<Vec<Staged>, RegistryError> {
        let mut rows = self.rows();
        let Some(import) = rows.import(import, &Stage::Open) else { return Ok(vec![]) };
        Ok(import.entries.iter().filter(|entry| entry.who.uid == who.uid).cloned().collect())
    }

    fn decide_import(&self, import: ImportId, event: Event) -> Result<bool, RegistryError> {
        let mut rows = self.rows();
        let Some(open) = rows.import(import, &Stage::Open) else { return Ok(false) };
        open.state = Stage::Decided;
        rows.record(event);
        Ok(true)
    }

    fn apply_import<F>(
        &self,
        import: ImportId,
        most: u32,
        mut apply: F,
    ) -> Result<Option<Progress>, RegistryError>
    where
        F: FnMut(&str, &Staged, Option<&mut Account>, &mut Journal) -> bool + Clone + Send + 'static,
    {
        let mut rows = self.rows();
        let Some(decided) = rows.import(import, &Stage::Decided) else { return Ok(None) };
        let by = decided.by.clone();
        let now = decided.entries.len().min(most as usize);
        let entries: Vec<Staged> = decided.entries.drain(..now).collect();
        for entry in entries {
            let applied = match rows.place(&entry.who) {
                Err(_) => {
                    let mut journal = Journal::default();
                    let applied = apply(&by, &entry, None, &mut journal);
                    rows.keep(journal);
                    applied
                }
                Ok(found) => {
                    let at = found.unwrap_or_else(|| rows.create(&entry.who));
                    rows.change(at, |account, journal| apply(&by, &entry, Some(account), journal))
                }
            };
            let decided = rows.import(import, &Stage::Decided).unwrap();
            decided.skipped += u32::from(!applied);
        }
        let decided = rows.import(import, &Stage::Decided).unwrap();
        let left = u32::try_from(decided.entries.len()).unwrap();
        Ok(Some(Progress { left, skipped: decided.skipped }))
    }

    fn unfinished_import(&self) -> Result<Option<(ImportId, Progress)>, RegistryError> {
        let rows = self.rows();
        let unfinished = (1..)
            .zip(&rows.imports)
            .find(|(_, import)| import.state == Stage::Decided && !import.entries.is_empty());
        Ok(unfinished.map(|(id, import)| {
            let left = u32::try_from(import.entries.len()).unwrap();
            (ImportId(id), Progress { left, skipped: import.skipped })
        }))
    }

    fn drop_import(&self, import: ImportId) -> Result<bool, RegistryError> {
        let mut rows = self.rows();
        let open = rows.import(import, &Stage::Open);
        Ok(open.map(|import| import.state = Stage::Dropped).is_some())
    }

    fn drop_open_imports(&self) -> Result<(), RegistryError> {
        let mut rows = self.rows();
        let open = rows.imports.iter_mut().filter(|import| import.state == Stage::Open);
        open.for_each(|import| import.state = Stage::Dropped);
        Ok(())
    }

    fn sweep_imports(&self, most: u32) -> Result<u32, RegistryError> {
        let mut rows = self.rows();
        let mut swept = 0;
        for import in rows.imports.iter_mut().filter(|import| import.state == Stage::Dropped) {
            let some = import.entries.len().min(most as usize - swept);
            import.entries.drain(..some);
            swept += some;
        }
        Ok(u32::try_from(swept).unwrap())
    }

    fn requirements(&self) -> Result<Vec<Requirement>, RegistryError> {
        Ok(self.rows().requirements.values().cloned().collect())
    }

    fn require_group(
        &self,
        ticket: Option<TicketId>,
        requirement: &Requirement,
        event: Event,
    ) -> Result<bool, RegistryError> {
        let mut rows = self.rows();
        rows.tickets.must_be_there(ticket)?;
        let others = rows.requirements.keys().filter(|gid| **gid != requirement.gid).count();
        if others >= Requirement::MOST {
            return Ok(false);
        }
        rows.requirements.insert(requirement.gid, requirement.clone());
        rows.record(event);
        Ok(true)
    }

    fn release_group(&self, ticket: Option<TicketId>, gid: u32, event: Event) -> Result<bool, RegistryError> {
        let mut rows = self.rows();
        rows.tickets.must_be_there(ticket)?;
        let was_there = rows.requirements.remove(&gid).is_some();
        Some(event).filter(|_| was_there).into_iter().for_each(|event| rows.record(event));
        Ok(was_there)
    }

    fn data_key(&self) -> Result<Option<DataKey>, RegistryError> {
        Ok(self.rows().data_key.clone())
    }

    fn set_data_key(&self, key: DataKey, event: Option<Event>) -> Result<(), RegistryError> {
        let mut rows = self.rows();
        rows.data_key = Some(key);
        event.into_iter().for_each(|event| rows.record(event));
        Ok(())
    }

    /// The names alone: nothing is made of them again.
    fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        let rows = self.rows();
        let protected = rows.accounts.iter().filter(|account| account.is_protected());
        let names: String = protected.clone().map(|account| account.identity.name.to_string()).collect();
        let devices = protected.clone().map(|account| account.active().count()).sum::<usize>();
        let (accounts, devices) = (protected.count().try_into().unwrap(), devices.try_into().unwrap());
        Ok(Snapshot { bytes: Box::new(std::io::Cursor::new(names)), accounts, devices })
    }

    fn size(&self) -> Result<u64, RegistryError> {
        Ok(0)
    }

    fn room(&self) -> Result<Room, RegistryError> {
        Ok(Room { free: u64::MAX, has_reserve: true })
    }

    fn try_disk(&self) -> Result<(), RegistryError> {
        Ok(())
    }

    fn verify(&self) -> Result<Option<String>, RegistryError> {
        Ok(None)
    }
}

fn summary(account: &Account) -> Summary {
    let recovers = account.emails.confirmed().filter_map(|email| match email.stage {
        otpd_core::emails::Stage::Confirmed { recovers } => Some(recovers),
        _ => None,
    });
    Summary {
        identity: account.identity.clone(),
        active_devices: u32::try_from(account.active().count()).unwrap(),
        last_used: account.devices.iter().filter_map(|device| Some(device.last_use.as_ref()?.at)).max(),
        locked: Lane::ALL.into_iter().any(|lane| account.lane(lane).failures >= Throttle::CLOSES_AT),
        recovery_codes: u32::try_from(account.recovery.left().count()).unwrap(),
        emails: u32::try_from(account.emails.confirmed().count()).unwrap(),
        recovers: recovers.min(),
        enrolment: account.enrolment.map(|enrolment| enrolment.expires),
        grace_since: account.grace_since,
    }
}
