//! A log of whole pages, written as fast as the disk takes it.

use std::path::PathBuf;

use otpd_core::chain::ChainKey;
use rusqlite::OpenFlags;

use super::super::disk::Disk;
use super::super::log;
use super::super::migrations::migrate;
use super::super::rows::unavailable;
use super::super::sqlite::connect;
use super::*;

/// A registry with its writer and its checkpoints.
struct Place {
    directory: tempfile::TempDir,
    _checkpoints: Checkpoints,
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    _database: Arc<File>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("registry.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(&path, flags).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("CREATE TABLE filler (bytes BLOB)", ()).unwrap();
        let key = Arc::new(ChainKey::new(&[7; ChainKey::LENGTH]));
        let (head, _) = log::resume(&connection, &key).unwrap();
        let signal = Signal::default();
        signal.watch(&mut connection).unwrap();
        let shared = Arc::clone(&signal.0);
        let disk = Arc::new(Disk::of(&path));
        let writer = Arc::new(Writer::start(connection, Some(key), head, Box::new(|_| {}), disk).unwrap());
        let database = Arc::new(File::open(&path).unwrap());
        let beside = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let checkpoints =
            Checkpoints::start(beside, Arc::clone(&database), signal, Arc::clone(&writer)).unwrap();
        Self { directory, _checkpoints: checkpoints, shared, writer, _database: database }
    }

    /// A commit of a hundred pages and a few.
    fn write(&self) {
        let insert = "INSERT INTO filler VALUES (zeroblob(409600))";
        self.writer.call(move |connection, _| connection.execute(insert, ()).map_err(unavailable)).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("registry.db")
    }

    /// Pages in the database.
    fn database(&self) -> u64 {
        std::fs::metadata(self.path()).unwrap().len() / 4096
    }

    /// Pages that the log's file has room for.
    fn log(&self) -> u64 {
        std::fs::metadata(self.path().with_extension("db-wal")).unwrap().len() / 4096
    }

    fn due(&self) -> i32 {
        self.shared.due.load(Ordering::Relaxed)
    }
}

fn eventually(what: &str, so: impl Fn() -> bool) {
    for _ in 0..6000 {
        if so() {
            return;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    panic!("not within a minute: {what}");
}

#[test]
fn the_log_begins_anew_however_much_is_written() {
    let place = Place::new();
    // Without a pause it gets past its longest while it is moved, and not by much.
    (0..200).for_each(|_| place.write());
    assert!((1000..12_000).contains(&place.log()), "{} pages", place.log());
}

#[test]
fn what_was_written_is_moved_when_it_is_a_thousand_pages() {
    let place = Place::new();
    (0..9).for_each(|_| place.write());
    assert!(!place.shared.is_due());
    assert!(place.database() < 100, "{} pages", place.database());
    (0..2).for_each(|_| place.write());
    eventually("the pages in the database", || place.database() > 1000);
}

#[test]
fn while_somebody_reads_the_log_grows_as_much_again_before_another_try() {
    let place = Place::new();
    let reader = connect(&place.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let snapshot = reader.unchecked_transaction().unwrap();
    let rows = || snapshot.query_row("SELECT count(*) FROM filler", (), |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(rows(), 0);
    (0..11).for_each(|_| place.write());
    eventually("a try in vain", || (BEGIN_AT + 1000..LONGEST).contains(&place.due()));
    assert_eq!((rows(), place.shared.is_due()), (0, false));
    drop(snapshot);
    (0..11).for_each(|_| place.write());
    eventually("the log begins anew", || place.due() == BEGIN_AT);
}
