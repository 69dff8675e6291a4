//! What `otpd` asks of its registry. SQLite implements it; another store implements the same and passes the same
//! suite of tests.

use crate::account::Account;
use crate::account::AccountId;
use crate::chain::Link;
use crate::chain::Passed;
use crate::chain::Walk;
use crate::clocks::Reading;
use crate::device::Device;
use crate::device::DeviceId;
use crate::event::Event;
use crate::mark::Mark;
use crate::name::AccountName;
use crate::name::Identity;
use crate::name::Uid;
use crate::outbox::Due;
use crate::outbox::Fate;
use crate::outbox::Mail;
use crate::outbox::MailId;
use crate::outbox::Overview;
use crate::policy::Requirement;
use crate::staging::ImportId;
use crate::staging::Progress;
use crate::staging::Staged;
use crate::ticket::Seen;
use crate::ticket::Ticket;
use crate::ticket::TicketChange;
use crate::ticket::TicketId;
use crate::time::UnixTime;

/// Events, mails and changes of tickets that go with one change, committed with it.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// For the audit log.
    pub events: Vec<Event>,
    /// For the outbox.
    pub mails: Vec<Mail>,
    /// Who is no longer signed in on the web, or from now on; each with the event of it, if anything comes of it.
    pub tickets: Vec<(TicketChange, Option<Event>)>,
}

impl From<Event> for Journal {
    fn from(event: Event) -> Self {
        Self { events: vec![event], ..Self::default() }
    }
}

impl Journal {
    /// Adds an event.
    pub fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Adds a mail.
    pub fn post(&mut self, mail: Mail) {
        self.mails.push(mail);
    }

    /// Adds a change of tickets, and the event to be recorded if anything comes of it.
    pub fn tickets(&mut self, change: TicketChange, event: Option<Event>) {
        self.tickets.push((change, event));
    }
}

/// Why the registry has no answer. Nothing was decided and nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Name and uid belong to different rows, or to a row that says otherwise.
    #[error("the registry knows this name or uid as another account")]
    Conflict,
    /// The ticket on whose strength a change was asked for is not there any more.
    #[error("the sign-in that asked for this has ended")]
    SignedOut,
    /// The chain of the audit log needs the master key.
    #[error("the master key is not here, and without it the audit log's chain cannot be followed")]
    NoKey,
    /// The store cannot be read or written.
    #[error("the registry is unavailable: {0}")]
    Unavailable(String),
    /// The disk that the store is on fails, or nobody may write on it.
    #[error("the disk that holds the registry fails: {0}")]
    Disk(String),
    /// The disk that the store is on is full, and so much so that no reserve helps.
    #[error("the disk that holds the registry is full")]
    Full,
}

/// How much can still be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes left where the registry is kept.
    pub free: u64,
    /// Whether more is set aside for when those are used up.
    pub has_reserve: bool,
}

/// The data key, wrapped: whoever has a master key that opens either has all keys of devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey {
    /// With the master key.
    pub wrapped: Vec<u8>,
    /// With the one that is to take its place, from when it was named until it has opened this.
    pub next: Option<Vec<u8>>,
}

/// Everything as it was at one moment.
pub struct Snapshot {
    /// What another registry can be made of.
    pub bytes: Box<dyn std::io::Read + Send>,
    /// Protected accounts.
    pub accounts: u32,
    /// Active devices.
    pub devices: u32,
}

/// One line of the list of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whose it is.
    pub identity: Identity,
    /// Active devices.
    pub active_devices: u32,
    /// The last accepted code.
    pub last_used: Option<UnixTime>,
    /// Whether a lane is closed.
    pub locked: bool,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
    /// Secure emails that are confirmed.
    pub emails: u32,
    /// From when on a code for a login can be mailed to one of them.
    pub recovers: Option<UnixTime>,
    /// Until when an enrol code waits.
    pub enrolment: Option<UnixTime>,
    /// When the grace of this account began.
    pub grace_since: Option<UnixTime>,
}

/// Which accounts to list, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountQuery {
    /// Behind this name.
    pub after: Option<AccountName>,
    /// Before this name: the last ones.
    pub before: Option<AccountName>,
    /// Names that begin so.
    pub prefix: String,
    /// These alone.
    pub only: Option<Only>,
    /// At most so many.
    pub limit: u32,
}

/// Which accounts are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// With an active device.
    Protected,
    /// Without one.
    Unprotected,
    /// With a closed lane.
    Locked,
}

impl Only {
    /// By its name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "protected" => Some(Self::Protected),
            "unprotected" => Some(Self::Unprotected),
            "locked" => Some(Self::Locked),
            _ => None,
        }
    }
}

/// An account as it is stored, whoever it belongs to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its number.
    pub account: AccountId,
    /// Whose uid it has; none if that was set free for somebody else.
    pub uid: Option<Uid>,
    /// Whose name it has.
    pub name: Option<AccountName>,
    /// Active devices.
    pub active_devices: u32,
    /// The last accepted code.
    pub last_used: Option<UnixTime>,
}

impl Claim {
    /// Whether it has this name and this uid.
    #[must_use]
    pub fn is_of(&self, who: &Identity) -> bool {
        self.uid == Some(who.uid) && self.name.as_ref() == Some(&who.name)
    }
}

/// An event as read back: words, so that a log written by another version stays readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Rising, without gaps; the oldest are removed in time.
    pub id: i64,
    /// When.
    pub at: UnixTime,
    /// Whose account.
    pub user: String,
    /// Its uid.
    pub uid: Option<u32>,
    /// Who asked.
    pub actor: String,
    /// What for.
    pub kind: String,
    /// How it was decided.
    pub decision: String,
    /// Why.
    pub reason: String,
    /// PAM service.
    pub service: Option<String>,
    /// Where from.
    pub address: Option<String>,
    /// Which device.
    pub device: Option<String>,
    /// Which lane.
    pub lane: Option<String>,
    /// Anything else.
    pub detail: Option<String>,
}

/// Which events to read.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of this user only.
    pub user: Option<String>,
    /// From this time on.
    pub since: Option<UnixTime>,
    /// Behind this id.
    pub after: Option<i64>,
    /// Before this id.
    pub before: Option<i64>,
    /// Of this kind only.
    pub kind: Option<String>,
    /// Decided like this only.
    pub decision: Option<String>,
    /// The newest so many instead of the oldest.
    pub tail: bool,
    /// At most so many.
    pub limit: u32,
}

/// A page of a walk along the audit log's chain.
#[derive(Debug)]
pub struct Walked {
    /// What was found, and how to go on.
    pub passed: Passed,
    /// The last event that was removed as old, if that is known for certain.
    pub anchor: Option<Link>,
    /// The last event when the page was begun.
    pub head: Link,
}

/// The store of accounts, devices and events.
///
/// A change has one account to itself from before it is read until it is durable: of two changes of one account the
/// second sees what the first wrote. What is returned is on disk.
///
/// What decides a change can be cloned: if the disk turns out to be full at the commit, all of it is undone, the reserve
/// is given up, and the clone decides anew.
pub trait Registry: Send + Sync + 'static {
    /// The account of `who`, as last committed; `None` if neither name nor uid is known.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn find(&self, who: &Identity) -> Result<Option<Account>, RegistryError>;

    /// The account that has this name, whoever has it now.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn find_by_name(&self, name: &AccountName) -> Result<Option<Account>, RegistryError>;

    /// Changes the account of `who`, if there is one.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn change<T, F>(&self, who: &Identity, decide: F) -> Result<Option<T>, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Journal) -> T + Clone + Send + 'static,
    {
        self.change_by(None, who, decide)
    }

    /// [`Registry::change`], by somebody who is signed in on the web only while their ticket is there. It is looked for
    /// in the exclusive change itself: what ends a sign-in ends too what it asked for and what waits its turn.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn change_by<T, F>(
        &self,
        ticket: Option<TicketId>,
        who: &Identity,
        decide: F,
    ) -> Result<Option<T>, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Journal) -> T + Clone + Send + 'static;

    /// Changes the account of `who`, made first if there is none.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn change_or_create<T, F>(&self, who: &Identity, decide: F) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Journal) -> T + Clone + Send + 'static,
    {
        self.change_or_create_by(None, who, decide)
    }

    /// [`Registry::change_or_create`], as [`Registry::change_by`] is to [`Registry::change`].
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn change_or_create_by<T, F>(
        &self,
        ticket: Option<TicketId>,
        who: &Identity,
        decide: F,
    ) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Account, &mut Journal) -> T + Clone + Send + 'static;

    /// Records an event that changes no account, as durably and as slowly as a change.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn record(&self, event: Event) -> Result<(), RegistryError>;

    /// Records an event with the next commit, without waiting for it: for what lets somebody by, which must not fail
    /// because a log cannot be written. Returns whether there was room for it.
    fn record_soon(&self, event: Event) -> bool;

    /// Puts a mail into the outbox that is about no account, with `event`.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn post(&self, mail: Mail, event: Event) -> Result<(), RegistryError>;

    /// The mail that is due first, leaving out these: codes go before notices. One whose time is over is due too, to be
    /// given up.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn due_mail(&self, now: UnixTime, except: &[MailId]) -> Result<Option<Due>, RegistryError>;

    /// A mail that waits.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn mail(&self, id: MailId) -> Result<Option<Due>, RegistryError>;

    /// When the next mail is due.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn next_mail(&self) -> Result<Option<UnixTime>, RegistryError>;

    /// Writes down what became of a mail. Returns whether it was there; if not, nothing changed.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn settle_mail(&self, id: MailId, fate: Fate, event: Option<Event>) -> Result<bool, RegistryError>;

    /// What waits in the outbox, and what was given up.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn outbox(&self) -> Result<Overview, RegistryError>;

    /// The ticket with this mark, good or not.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn ticket(&self, mark: Mark) -> Result<Option<Ticket>, RegistryError>;

    /// Somebody's tickets, good or not, the latest first.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn tickets(&self, who: &Identity) -> Result<Vec<Ticket>, RegistryError>;

    /// Changes tickets alone, and records `event` if anything came of it. Returns how many tickets that concerned.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn change_tickets(&self, change: TicketChange, event: Event) -> Result<u32, RegistryError>;

    /// Writes down when tickets were last used.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn note_seen(&self, seen: Vec<(TicketId, Seen)>) -> Result<(), RegistryError>;

    /// Removes at most `most` tickets, and the visits that came of them, that were over at `now` or not used since
    /// `unused_since`. Returns how many.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn sweep_tickets(&self, now: UnixTime, unused_since: UnixTime, most: u32) -> Result<u32, RegistryError>;

    /// Retires everything that is bound to the name and frees name and uid for a new account. What another name has
    /// under this uid stays bound, but matches nobody until it is detached itself. Returns how many devices were
    /// active.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn detach(&self, who: &Identity, now: UnixTime, by: &str, journal: Journal)
    -> Result<u32, RegistryError>;

    /// The accounts that this name or this uid leads to: none, one, or two.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn claims(&self, who: &Identity) -> Result<Vec<Claim>, RegistryError>;

    /// Gives an account to somebody under whose name or uid it is no longer found. Returns whether it was still as
    /// `from` says; if not, nothing changed.
    ///
    /// # Errors
    /// [`RegistryError`]: a conflict if that name or uid has another account.
    fn adopt(&self, from: &Claim, to: &Identity, journal: Journal) -> Result<bool, RegistryError>;

    /// Accounts by name, as asked for.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn find_accounts(&self, query: &AccountQuery) -> Result<Vec<Summary>, RegistryError>;

    /// Accounts by name, behind `after`.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn accounts(&self, after: Option<&AccountName>, limit: u32) -> Result<Vec<Summary>, RegistryError> {
        self.find_accounts(&AccountQuery { after: after.cloned(), limit, ..AccountQuery::default() })
    }

    /// Devices of an account by number, behind `after`, retired ones too.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn devices(
        &self,
        account: AccountId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, RegistryError>;

    /// How far active devices with a clock were off at their last accepted code, of those that had one since `since` the
    /// last `most`.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn readings(&self, since: UnixTime, most: u32) -> Result<Vec<Reading>, RegistryError>;

    /// Events, oldest first.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>, RegistryError>;

    /// When a backup was made last, as far as the audit log goes back.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn last_backup(&self) -> Result<Option<UnixTime>, RegistryError>;

    /// Removes events from before `before`, the oldest first and at most `most`, up to the first that is younger, and
    /// never the newest of all. What was found wrong with them goes with them: if anything was, `alarm` is recorded in
    /// the same commit. Returns how many.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn prune(&self, before: UnixTime, most: u32, alarm: Event) -> Result<u32, RegistryError>;

    /// The audit log's last event.
    fn head(&self) -> Link;

    /// Notes how far the audit log has come, if it went on since, so that a cut at its end is found. Returns its head.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn note_head(&self) -> Result<Link, RegistryError>;

    /// Walks along the audit log from where `walk` is, or from its beginning, past at most `most` events. `known` is a
    /// head from before, which must be on the way.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn walk(&self, walk: Option<Walk>, known: Option<Link>, most: u32) -> Result<Walked, RegistryError>;

    /// Begins an import of `by`. Others that were begun and not decided are dropped.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn begin_import(&self, by: &str) -> Result<ImportId, RegistryError>;

    /// Stages entries, whose numbers are greater than any before. Returns whether the import was still open; if not,
    /// nothing changed.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`]; nothing changed.
    fn stage(&self, import: ImportId, entries: Vec<Staged>) -> Result<bool, RegistryError>;

    /// What is staged for somebody, by number.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn staged(&self, import: ImportId, who: &Identity) -> Result<Vec<Staged>, RegistryError>;

    /// Decides an open import, with `event`. From now on it is there to be completed. Returns whether it was open.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`]; nothing changed.
    fn decide_import(&self, import: ImportId, event: Event) -> Result<bool, RegistryError>;

    /// Applies at most `most` entries of a decided import, by number, and removes them from staging: each with the
    /// account of its owner, made first if there is none; `None` if name and uid are another's. `apply` gets the name
    /// of whoever began the import too, and says whether it applied the entry or passed over it. Returns `None` if
    /// there is no such decided import.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`]; nothing changed.
    fn apply_import<F>(
        &self,
        import: ImportId,
        most: u32,
        apply: F,
    ) -> Result<Option<Progress>, RegistryError>
    where
        F: FnMut(&str, &Staged, Option<&mut Account>, &mut Journal) -> bool + Clone + Send + 'static;

    /// The oldest import that is decided and not completed.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn unfinished_import(&self) -> Result<Option<(ImportId, Progress)>, RegistryError>;

    /// Drops an open import. Returns whether it was open.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn drop_import(&self, import: ImportId) -> Result<bool, RegistryError>;

    /// Drops every open import.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn drop_open_imports(&self) -> Result<(), RegistryError>;

    /// Removes at most `most` entries of dropped imports from staging. Returns how many.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn sweep_imports(&self, most: u32) -> Result<u32, RegistryError>;

    /// The groups of which administrators require protection, by number.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn requirements(&self) -> Result<Vec<Requirement>, RegistryError>;

    /// Requires protection of a group, in the place of what was required of it before, with `event`; by somebody who
    /// is signed in on the web only while their ticket is there. Returns whether there was room for it; if not, nothing
    /// changed.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn require_group(
        &self,
        ticket: Option<TicketId>,
        requirement: &Requirement,
        event: Event,
    ) -> Result<bool, RegistryError>;

    /// Releases a group from that, with `event`, as [`Registry::require_group`]. Returns whether it was required; if not,
    /// nothing changed.
    ///
    /// # Errors
    /// [`RegistryError`]; nothing changed.
    fn release_group(&self, ticket: Option<TicketId>, gid: u32, event: Event) -> Result<bool, RegistryError>;

    /// The wrapped data key; `None` in a new registry.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn data_key(&self) -> Result<Option<DataKey>, RegistryError>;

    /// Stores the wrapped data key in the place of the one that was, which leaves no trace, together with `event`.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`]; nothing changed.
    fn set_data_key(&self, key: DataKey, event: Option<Event>) -> Result<(), RegistryError>;

    /// Copies everything, while others read and write.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn snapshot(&self) -> Result<Snapshot, RegistryError>;

    /// Bytes that the registry takes.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn size(&self) -> Result<u64, RegistryError>;

    /// How much can still be written.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn room(&self) -> Result<Room, RegistryError>;

    /// Tries whether the disk takes anything.
    ///
    /// # Errors
    /// [`RegistryError::Full`] or [`RegistryError::Disk`].
    fn try_disk(&self) -> Result<(), RegistryError>;

    /// Looks for damage. `Ok(None)` is none found.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    fn verify(&self) -> Result<Option<String>, RegistryError>;
}
