//! [`Registry`] on SQLite: opens it, hands reads to a pool of connections and changes to the writer.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::chain::ChainKey;
use otpd_core::chain::Link;
use otpd_core::chain::Place;
use otpd_core::chain::Walk;
use otpd_core::clocks::Reading;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::event::Event;
use otpd_core::mark::Mark;
use otpd_core::name::AccountName;
use otpd_core::name::Identity;
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
use otpd_core::ticket::Seen;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use rusqlite::params;

use super::checkpoint::Checkpoints;
use super::checkpoint::Signal;
use super::claims;
use super::copy;
use super::data_key;
use super::disk::Disk;
use super::disk::Keeper;
use super::log;
use super::migrations::MigrateError;
use super::migrations::examine;
use super::migrations::migrate;
use super::outbox;
use super::query;
use super::readers::Readers;
use super::requirements;
use super::rows;
use super::rows::unavailable;
use super::staging;
use super::tickets;
use super::writer::Sink;
use super::writer::Writer;

/// The registry in one SQLite file.
pub struct Sqlite {
    path: PathBuf,
    // Closed in this order: whoever closes the last connection, the writer, moves the log into the database. The file
    // itself is closed after all of them: with the first of a file's descriptors go all locks that the process has on it.
    logins: Readers,
    lists: Readers,
    web: Readers,
    _checkpoints: Checkpoints,
    _keeper: Keeper,
    writer: Arc<Writer>,
    _database: Arc<File>,
    disk: Arc<Disk>,
    copying: Mutex<()>,
    /// Without the master key there is none.
    key: Option<Arc<ChainKey>>,
    altered: Option<String>,
    /// What this process noted last of the audit log's end.
    noted: Mutex<Option<Link>>,
}

/// Why the registry cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Wrong version or not ours.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// SQLite cannot read it.
    #[error("{0}; if it is damaged, stop otpd, move it away and restore it from a backup")]
    Sqlite(#[from] rusqlite::Error),
    /// It can be read, but what it says cannot be right.
    #[error("it is damaged ({0}); stop otpd, move it away and restore it from a backup")]
    Damaged(String),
    /// The disk is full, and there is no ballast to give up.
    #[error("the disk is full; make room on it")]
    Full,
    /// It could not be read a moment later.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// No thread could be started.
    #[error("cannot start the writer: {0}")]
    Thread(#[from] std::io::Error),
}

/// A registry that was opened and whose keys are still to be had: it holds them itself, wrapped.
pub struct Unkeyed {
    path: PathBuf,
    connection: Connection,
    disk: Arc<Disk>,
}

impl Unkeyed {
    /// The wrapped data key, or `None` in a new registry.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`].
    pub fn data_key(&self) -> Result<Option<DataKey>, RegistryError> {
        data_key::read(&self.connection)
    }

    /// Stores the wrapped data key of a new registry, and begins the chain of its audit log.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`], also if there is one already.
    pub fn store_data_key(&mut self, wrapped: &[u8], log: &ChainKey) -> Result<(), RegistryError> {
        let both = self.connection.transaction().map_err(unavailable)?;
        let insert = "INSERT INTO data_key (id, wrapped) VALUES (1, ?1)";
        both.execute(insert, params![wrapped]).map_err(unavailable)?;
        log::begin(&both, log)?;
        both.commit().map_err(unavailable)
    }

    /// Starts to serve, chains events with `key`, and hands each that is on disk to `sink`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn start(self, key: &ChainKey, sink: Sink) -> Result<Sqlite, OpenError> {
        let resumed = log::resume(&self.connection, key)?;
        self.start_at(resumed, Some(Arc::new(key.clone())), sink)
    }

    /// Starts to serve without the key: events are recorded and not chained.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn start_unchained(self, sink: Sink) -> Result<Sqlite, OpenError> {
        let head = log::resume_unchained(&self.connection)?;
        self.start_at((head, None), None, sink)
    }

    fn start_at(
        self,
        (head, altered): (Link, Option<String>),
        key: Option<Arc<ChainKey>>,
        sink: Sink,
    ) -> Result<Sqlite, OpenError> {
        let Self { path, mut connection, disk } = self;
        let signal = Signal::default();
        signal.watch(&mut connection)?;
        let writer = Arc::new(Writer::start(connection, key.clone(), head, sink, Arc::clone(&disk))?);
        let beside = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let database = Arc::new(File::open(&path)?);
        let checkpoints = Checkpoints::start(beside, Arc::clone(&database), signal, Arc::clone(&writer))?;
        let keeper = Keeper::start(Arc::clone(&disk), Arc::clone(&writer))?;
        Ok(Sqlite {
            logins: Readers::new(path.clone(), FOR_LOGINS),
            lists: Readers::new(path.clone(), FOR_LISTS),
            web: Readers::new(path.clone(), FOR_WEB),
            path,
            _checkpoints: checkpoints,
            _keeper: keeper,
            writer,
            _database: database,
            copying: Mutex::default(),
            disk,
            key,
            altered,
            noted: Mutex::new(None),
        })
    }
}

impl Sqlite {
    /// Opens the registry, made if it is missing.
    ///
    /// # Errors
    /// [`OpenError`]; a registry that cannot be trusted is not used at all.
    pub fn open(path: &Path) -> Result<Unkeyed, OpenError> {
        let disk = Arc::new(Disk::of(path));
        let connection = make_ready_on(&disk, path)?;
        Ok(Unkeyed { path: path.to_owned(), connection, disk })
    }

    /// What was seen at the start to be wrong with the audit log.
    #[must_use]
    pub fn altered_log(&self) -> Option<&str> {
        self.altered.as_deref()
    }

    fn key(&self) -> Result<Arc<ChainKey>, RegistryError> {
        self.key.clone().ok_or(RegistryError::NoKey)
    }

    fn write<T, F>(&self, decide: F) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Clone + Send + 'static,
    {
        self.writer.call(decide)
    }
}

impl Registry for Sqlite {
    fn find(&self, who: &Identity) -> Result<Option<Account>, RegistryError> {
        self.logins.snapshot(|connection| rows::load(connection, who))
    }

    fn find_by_name(&self, name: &AccountName) -> Result<Option<Account>, RegistryError> {
        self.logins.snapshot(|connection| rows::load_by_name(connection, name))
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
        let who = who.clone();
        self.write(move |connection, journal| {
            tickets::must_be_there(connection, ticket)?;
            let Some(account) = rows::load(connection, &who)? else { return Ok(None) };
            change(connection, account, journal, decide).map(Some)
        })
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
        let who = who.clone();
        self.write(move |connection, journal| {
            tickets::must_be_there(connection, ticket)?;
            let account = match rows::load(connection, &who)? {
                Some(account) => account,
                None => rows::create(connection, &who)?,
            };
            change(connection, account, journal, decide)
        })
    }

    fn record(&self, event: Event) -> Result<(), RegistryError> {
        self.write(move |_, journal| {
            journal.record(event);
            Ok(())
        })
    }

    fn record_soon(&self, event: Event) -> bool {
        self.writer.record_soon(event)
    }

    fn post(&self, mail: Mail, event: Event) -> Result<(), RegistryError> {
        self.write(move |_, journal| {
            journal.post(mail);
            journal.record(event);
            Ok(())
        })
    }

    fn due_mail(&self, now: UnixTime, except: &[MailId]) -> Result<Option<Due>, RegistryError> {
        self.lists.read(|connection| outbox::due(connection, now, except))
    }

    fn mail(&self, id: MailId) -> Result<Option<Due>, RegistryError> {
        self.lists.read(|connection| outbox::mail(connection, id))
    }

    fn next_mail(&self) -> Result<Option<UnixTime>, RegistryError> {
        self.lists.read(outbox::next)
    }

    fn settle_mail(&self, id: MailId, fate: Fate, event: Option<Event>) -> Result<bool, RegistryError> {
        self.write(move |connection, journal| {
            let waited = outbox::settle(connection, id, &fate)?;
            event.filter(|_| waited).into_iter().for_each(|event| journal.record(event));
            Ok(waited)
        })
    }

    fn outbox(&self) -> Result<Overview, RegistryError> {
        self.lists.read(outbox::overview)
    }

    fn ticket(&self, mark: Mark) -> Result<Option<Ticket>, RegistryError> {
        self.web.read(|connection| tickets::find(connection, mark))
    }

    fn tickets(&self, who: &Identity) -> Result<Vec<Ticket>, RegistryError> {
        self.web.read(|connection| tickets::of(connection, who))
    }

    fn change_tickets(&self, change: TicketChange, event: Event) -> Result<u32, RegistryError> {
        self.write(move |connection, journal| {
            let concerned = tickets::apply(connection, &change)?;
            Some(event).filter(|_| concerned > 0).into_iter().for_each(|event| journal.record(event));
            Ok(concerned)
        })
    }

    fn note_seen(&self, seen: Vec<(TicketId, Seen)>) -> Result<(), RegistryError> {
        self.write(move |connection, _| tickets::note_seen(connection, &seen))
    }

    fn sweep_tickets(&self, now: UnixTime, unused_since: UnixTime, most: u32) -> Result<u32, RegistryError> {
        self.write(move |connection, _| tickets::sweep(connection, now, unused_since, most))
    }

    fn detach(&self, who: &Identity, now: UnixTime, by: &str, said: Journal) -> Result<u32, RegistryError> {
        let (who, by) = (who.clone(), by.to_owned());
        self.write(move |connection, journal| {
            let (uid, name) = (who.uid.as_u32(), who.name.as_str());
            let active = connection.query_row(COUNT_ACTIVE, [name], |row| row.get(0)).map_err(unavailable)?;
            connection.execute(RETIRE_ALL, params![name, now.0, by]).map_err(unavailable)?;
            connection.execute(FORGET_EMAILS, [name]).map_err(unavailable)?;
            connection.execute(DETACH_NAME, [name]).map_err(unavailable)?;
            connection.execute(FREE_UID, [uid]).map_err(unavailable)?;
            *journal = said;
            Ok(active)
        })
    }

    fn claims(&self, who: &Identity) -> Result<Vec<Claim>, RegistryError> {
        self.lists.read(|connection| claims::of(connection, who))
    }

    fn adopt(&self, from: &Claim, to: &Identity, said: Journal) -> Result<bool, RegistryError> {
        let (from, to) = (from.clone(), to.clone());
        self.write(move |connection, journal| {
            let adopted = claims::adopt(connection, &from, &to)?;
            if adopted {
                *journal = said;
            }
            Ok(adopted)
        })
    }

    fn find_accounts(&self, query: &AccountQuery) -> Result<Vec<Summary>, RegistryError> {
        self.lists.read(|connection| query::accounts(connection, query))
    }

    fn devices(
        &self,
        account: AccountId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, RegistryError> {
        self.lists.read(|connection| query::devices(connection, account, after, limit))
    }

    fn readings(&self, since: UnixTime, most: u32) -> Result<Vec<Reading>, RegistryError> {
        self.lists.read(|connection| query::readings(connection, since, most))
    }

    fn last_backup(&self) -> Result<Option<UnixTime>, RegistryError> {
        self.lists.read(query::last_backup)
    }

    fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>, RegistryError> {
        self.lists.read(|connection| query::events(connection, query))
    }

    fn prune(&self, before: UnixTime, most: u32, alarm: Event) -> Result<u32, RegistryError> {
        let key = self.key()?;
        self.write(move |connection, journal| log::prune(connection, &key, before, most, alarm, journal))
    }

    fn head(&self) -> Link {
        self.writer.head()
    }

    fn note_head(&self) -> Result<Link, RegistryError> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind what waits to be written.
        self.write(|_, _| Ok(()))?;
        let head = self.head();
        if *noted != Some(head) {
            let key = self.key()?;
            self.write(move |connection, _| log::note(connection, &key, Place::Head, head))?;
            *noted = Some(head);
        }
        Ok(head)
    }

    fn walk(&self, walk: Option<Walk>, known: Option<Link>, most: u32) -> Result<Walked, RegistryError> {
        let key = self.key()?;
        // Before the snapshot, which has it then.
        let head = self.head();
        self.lists.snapshot(|connection| log::walk(connection, &key, (walk, known, most), head))
    }

    fn begin_import(&self, by: &str) -> Result<ImportId, RegistryError> {
        let by = by.to_owned();
        self.write(move |connection, _| staging::begin(connection, &by))
    }

    fn stage(&self, import: ImportId, entries: Vec<Staged>) -> Result<bool, RegistryError> {
        self.write(move |connection, _| staging::stage(connection, import, &entries))
    }

    fn staged(&self, import: ImportId, who: &Identity) -> Result<Vec<Staged>, RegistryError> {
        self.lists.read(|connection| staging::of(connection, import, who))
    }

    fn decide_import(&self, import: ImportId, event: Event) -> Result<bool, RegistryError> {
        self.write(move |connection, journal| {
            let decided = staging::decide(connection, import)?;
            if decided {
                journal.record(event);
            }
            Ok(decided)
        })
    }

    fn apply_import<F>(
        &self,
        import: ImportId,
        most: u32,
        apply: F,
    ) -> Result<Option<Progress>, RegistryError>
    where
        F: FnMut(&str, &Staged, Option<&mut Account>, &mut Journal) -> bool + Clone + Send + 'static,
    {
        self.write(move |connection, journal| staging::apply(connection, import, most, journal, apply))
    }

    fn unfinished_import(&self) -> Result<Option<(ImportId, Progress)>, RegistryError> {
        self.lists.read(staging::unfinished)
    }

    fn drop_import(&self, import: ImportId) -> Result<bool, RegistryError> {
        self.write(move |connection, _| staging::drop_one(connection, import))
    }

    fn drop_open_imports(&self) -> Result<(), RegistryError> {
        self.write(|connection, _| staging::drop_all(connection))
    }

    fn sweep_imports(&self, most: u32) -> Result<u32, RegistryError> {
        self.write(move |connection, _| staging::sweep(connection, most))
    }

    fn requirements(&self) -> Result<Vec<Requirement>, RegistryError> {
        self.lists.read(requirements::all)
    }

    fn require_group(
        &self,
        ticket: Option<TicketId>,
        requirement: &Requirement,
        event: Event,
    ) -> Result<bool, RegistryError> {
        let requirement = requirement.clone();
        self.write(move |connection, journal| {
            tickets::must_be_there(connection, ticket)?;
            let fitted = requirements::put(connection, &requirement)?;
            if fitted {
                journal.record(event);
            }
            Ok(fitted)
        })
    }

    fn release_group(&self, ticket: Option<TicketId>, gid: u32, event: Event) -> Result<bool, RegistryError> {
        self.write(move |connection, journal| {
            tickets::must_be_there(connection, ticket)?;
            let was_there = requirements::remove(connection, gid)?;
            if was_there {
                journal.record(event);
            }
            Ok(was_there)
        })
    }

    fn data_key(&self) -> Result<Option<DataKey>, RegistryError> {
        self.lists.read(data_key::read)
    }

    fn set_data_key(&self, key: DataKey, event: Option<Event>) -> Result<(), RegistryError> {
        self.write(move |connection, journal| {
            event.into_iter().for_each(|event| journal.record(event));
            data_key::write(connection, &key)
        })
    }

    fn snapshot(&self) -> Result<Snapshot, RegistryError> {
        let _one_at_a_time = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        copy::snapshot(&self.path)
    }

    fn size(&self) -> Result<u64, RegistryError> {
        copy::size(&self.path)
    }

    fn room(&self) -> Result<Room, RegistryError> {
        let free = self.disk.ballast.free().map_err(|error| RegistryError::Unavailable(error.to_string()))?;
        Ok(Room { free, has_reserve: self.disk.ballast.is_whole() })
    }

    fn try_disk(&self) -> Result<(), RegistryError> {
        self.disk.probe()
    }

    fn verify(&self) -> Result<Option<String>, RegistryError> {
        self.lists.read(query::verify)
    }
}

fn change<T>(
    connection: &Connection,
    mut account: Account,
    journal: &mut Journal,
    decide: impl FnOnce(&mut Account, &mut Journal) -> T,
) -> Result<T, RegistryError> {
    let before = account.clone();
    let value = decide(&mut account, journal);
    rows::save(connection, &before, &account)?;
    Ok(value)
}

/// As [`make_ready`], and a second time if the disk was full and there is something to give up.
fn make_ready_on(disk: &Disk, path: &Path) -> Result<Connection, OpenError> {
    let ready = make_ready(path);
    let of_disk = matches!(ready, Err(OpenError::Sqlite(_) | OpenError::Migrate(MigrateError::Sqlite(_))));
    if !of_disk || disk.probe() != Err(RegistryError::Full) {
        return ready;
    }
    if !disk.ballast.give_up() {
        return Err(OpenError::Full);
    }
    ::log::warn!("the disk is full; the last 16 MiB were set free to start at all. Make room on it now");
    make_ready(path)
}

/// A connection that may write, with everything behind it looked at.
fn make_ready(path: &Path) -> Result<Connection, OpenError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    examine(&connection)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection)?;
    check_accounts(&connection)?;
    Ok(connection)
}

pub(crate) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    connection.set_prepared_statement_cache_capacity(48);
    // Plans do not depend on bound values; without this SQLite would look at those and prepare anew at each use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -256")?;
    Ok(connection)
}

/// A quick look at the tables that decide logins; `otpctl doctor` looks at everything.
pub(super) fn check_accounts(connection: &Connection) -> Result<(), OpenError> {
    for table in ["data_key", "account", "device", "email", "lane", "source", "ticket", "required_group"] {
        let said: String =
            connection.query_row(&format!("PRAGMA quick_check({table})"), (), |row| row.get(0))?;
        if said != "ok" {
            return Err(OpenError::Damaged(said));
        }
    }
    Ok(())
}

const FOR_LOGINS: usize = 4;
/// Of their own: a long list must not make a login wait.
const FOR_LISTS: usize = 2;
/// Of their own too: every page of every app behind a proxy asks for one.
const FOR_WEB: usize = 2;

const COUNT_ACTIVE: &str = "SELECT count(*) FROM device WHERE state = 'active' AND \
    account IN (SELECT id FROM account WHERE name = ?1)";
const RETIRE_ALL: &str = "UPDATE device SET state = 'retired', key = x'', retired = ?2, retired_by = ?3 \
    WHERE state <> 'retired' AND account IN (SELECT id FROM account WHERE name = ?1)";
const DETACH_NAME: &str = "UPDATE account SET former = format('%s (uid %d)', name, uid), uid = NULL, name = NULL, \
    recovery = NULL, recovered = NULL, enrol = NULL, mailed = NULL, emails = 0, announce = NULL, admitted = NULL WHERE name = ?1";
const FORGET_EMAILS: &str = "DELETE FROM email WHERE account IN (SELECT id FROM account WHERE name = ?1)";
/// The row of another name keeps its devices: with a name and no uid it matches nobody, so its owner is refused rather
/// than let in without a code, until root clears that as well.
const FREE_UID: &str = "UPDATE account SET uid = NULL WHERE uid = ?1";
