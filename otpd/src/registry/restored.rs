//! A registry out of a backup: made fit for this box beside the place where it is to stand, then put there in one step.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

use otpd_core::chain::ChainKey;
use otpd_core::chain::Place;
use otpd_core::check::WINDOW;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::DataKey;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::params;

use super::copy::beside;
use super::copy::count;
use super::copy::remove;
use super::data_key;
use super::log;
use super::log::End;
use super::migrations::examine;
use super::migrations::migrate;
use super::sqlite::OpenError;
use super::sqlite::check_accounts;
use super::sqlite::connect;

/// A registry that is not in its place yet. Dropped before it is, it is gone.
#[derive(Debug)]
pub struct Restored {
    place: PathBuf,
    new: PathBuf,
    is_placed: bool,
}

/// What is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    /// Protected accounts.
    pub accounts: u32,
    /// Active devices.
    pub devices: u32,
    /// The first of them, by account.
    pub first: Vec<Bound>,
}

/// One active device.
#[derive(Debug, PartialEq, Eq)]
pub struct Bound {
    /// Whose.
    pub user: String,
    /// Its name.
    pub device: String,
    /// The last accepted code.
    pub last_used: Option<i64>,
}

impl Restored {
    /// Begins one for `place`, and returns where its bytes go.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn begin(place: &Path) -> std::io::Result<(Self, File)> {
        let restored = Self { place: place.to_owned(), new: beside(place, ".restored"), is_placed: false };
        // Killed at this the last time.
        restored.discard()?;
        let file = File::create_new(&restored.new)?;
        Ok((restored, file))
    }

    /// Makes it this box's: the data key as it is wrapped here; no code up to now and the window around it is good any
    /// more, since the old box may have accepted any of these after the backup was made; recovery codes, mailed codes,
    /// enrol codes and tickets of the web are void for the same reason, and tokens have to be resynced; what was begun and not completed there is
    /// dropped. Its audit log goes on where it was.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn adopt(
        &self,
        wrapped: &[u8],
        log: &ChainKey,
        now: UnixTime,
        event: &Event,
    ) -> Result<Contents, OpenError> {
        let mut connection = connect(&self.new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        examine(&connection)?;
        migrate(&mut connection)?;
        check_accounts(&connection)?;
        let change = connection.transaction()?;
        let key = DataKey { wrapped: wrapped.to_owned(), next: None };
        data_key::write(&change, &key)?;
        change.execute(SPEND, params![now.0, WINDOW])?;
        change.execute("DELETE FROM device WHERE state = 'pending'", ())?;
        change.execute(RESYNC, ())?;
        change.execute(VOID, ())?;
        change.execute(UNPOST, ())?;
        change.execute("DELETE FROM ticket", ())?;
        change.execute("DELETE FROM email WHERE code IS NOT NULL", ())?;
        change.execute(UNCONFIRM, ())?;
        change.execute("UPDATE import SET state = 'dropped' WHERE state = 'open'", ())?;
        record(&change, log, event)?;
        change.commit()?;
        let contents = contents(&connection)?;
        // As otpd wants it: so that a start with a wrong key finds nothing to change.
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(contents)
    }

    /// Puts it in its place. What was there is kept under the name that is returned. At every moment there is the old
    /// one or the new one, whole; of an old one that cannot be opened, at worst neither, with which no otpd starts.
    ///
    /// # Errors
    /// The disk.
    pub fn put_in_place(mut self, now: UnixTime) -> std::io::Result<Option<PathBuf>> {
        File::open(&self.new)?.sync_all()?;
        let kept = if holds_something(&self.place) { Some(self.keep_old(now)?) } else { None };
        for log in LOGS {
            // Of no registry any more; SQLite would take it for the new one's.
            remove(&beside(&self.place, log))?;
        }
        self.sync_directory()?;
        fs::rename(&self.new, &self.place)?;
        self.is_placed = true;
        self.sync_directory()?;
        Ok(kept)
    }

    fn keep_old(&self, now: UnixTime) -> std::io::Result<PathBuf> {
        let names = (0..).map(|number| match number {
            0 => beside(&self.place, &format!(".replaced-{now}")),
            _ => beside(&self.place, &format!(".replaced-{now}-{number}")),
        });
        let mut free = names.filter(|name| !name.exists());
        let kept = free.next().unwrap_or_else(|| beside(&self.place, ".replaced"));
        // Links first: SQLite may remove the log of a registry that it cannot open.
        let (log, kept_log) = (beside(&self.place, "-wal"), beside(&kept, "-wal"));
        fs::hard_link(&self.place, &kept)?;
        if log.exists() {
            fs::hard_link(&log, &kept_log)?;
        }
        self.sync_directory()?;
        if settle(&self.place).is_ok() && !log.exists() {
            remove(&kept_log)?;
        } else {
            // Before its log goes: an otpd that started on half of it might take codes that were used.
            fs::remove_file(&self.place)?;
            self.sync_directory()?;
        }
        Ok(kept)
    }

    fn sync_directory(&self) -> std::io::Result<()> {
        File::open(self.place.parent().unwrap_or(Path::new("/")))?.sync_all()
    }

    fn discard(&self) -> std::io::Result<()> {
        ["", "-journal", "-wal", "-shm"].iter().try_for_each(|log| remove(&beside(&self.new, log)))
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        if !self.is_placed
            && let Err(error) = self.discard()
        {
            ::log::warn!("{}: {error}; remove it", self.new.display());
        }
    }
}

/// Adds an event behind the log's end, and notes that it came so far; before it, what is seen to be wrong with the log.
fn record(connection: &Connection, key: &ChainKey, event: &Event) -> Result<(), RegistryError> {
    let (head, altered) = log::resume(connection, key)?;
    let mut end = End::new(Some(key), head);
    if let Some(how) = altered {
        let detail = Some(format!("the audit log in the backup was altered: {how}"));
        let (decision, reason) = (Decision::Refuse, Reason::LogAltered);
        end.record(connection, &Event { detail, kind: Kind::Daemon, decision, reason, ..event.clone() })?;
    }
    end.record(connection, event)?;
    log::note(connection, key, Place::Head, end.head())
}

/// Whether a registry that must not be lost is at `path`.
#[must_use]
pub fn holds_something(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.len() > 0)
}

/// Moves into the registry what stands in its log, so that it is one file.
fn settle(path: &Path) -> Result<(), OpenError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    examine(&connection)?;
    check_accounts(&connection)?;
    // The last connection that closes leaves no log behind.
    connection.close().map_err(|(_, error)| error.into())
}

fn contents(connection: &Connection) -> rusqlite::Result<Contents> {
    let (accounts, devices) = count(connection)?;
    let mut statement = connection.prepare(SELECT_FIRST)?;
    let first = statement.query_map([FIRST], |row| {
        Ok(Bound { user: row.get(0)?, device: row.get(1)?, last_used: row.get(2)? })
    });
    let first = first?.collect::<Result<_, _>>()?;
    Ok(Contents { accounts, devices, first })
}

const LOGS: [&str; 2] = ["-wal", "-shm"];
/// As many as fit into a message.
const FIRST: u32 = 100;

/// With the drift that was known: a device whose clock moved on since may have codes left over that are newer, for as
/// many steps as it moved.
const SPEND: &str = "UPDATE device SET last_step = max(ifnull(last_step, 0), ?1 / period + drift + ?2) \
    WHERE state = 'active' AND kind = 'totp'";
/// How often a token was pressed since then nobody knows here.
const RESYNC: &str = "UPDATE device SET needs_resync = 1 WHERE state = 'active' AND kind = 'hotp'";
/// Any of these may have been used on the old box.
const VOID: &str = "UPDATE account SET stepped_up = NULL, recovery = NULL, recovered = NULL, enrol = NULL, enrol_until = NULL, enrol_tries = NULL, \
    mailed = NULL, admitted = NULL";
/// Who was to have these has them, or knows better by now.
const UNPOST: &str = "DELETE FROM outbox";
const UNCONFIRM: &str =
    "UPDATE account SET emails = (SELECT count(*) FROM email WHERE account = id AND code IS NULL)";
const SELECT_FIRST: &str = "SELECT coalesce(account.name, account.former, ''), device.name, device.last_used \
    FROM device JOIN account ON account.id = device.account WHERE state = 'active' ORDER BY 1, device.id LIMIT ?1";
