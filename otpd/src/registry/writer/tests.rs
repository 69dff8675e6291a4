//! A full disk, played: a change says so at its first try.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use otpd_core::event::Decision;
use otpd_core::event::Reason;
use otpd_core::registry::EventQuery;
use otpd_core::time::UnixTime;

use super::super::log;
use super::super::migrations::migrate;
use super::super::query;
use super::*;

/// A writer on a disk whose ballast is there, and is not made again.
struct Place {
    writer: Writer,
    disk: Arc<Disk>,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("registry.db");
        let mut connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        migrate(&mut connection).unwrap();
        let disk = Arc::new(Disk::of(&path));
        assert!(disk.ballast.make().unwrap());
        let key = Arc::new(ChainKey::new(&[7; ChainKey::LENGTH]));
        let (head, _) = log::resume(&connection, &key).unwrap();
        let writer = Writer::start(connection, Some(key), head, Box::new(|_| {}), Arc::clone(&disk)).unwrap();
        Self { writer, disk, directory }
    }

    /// A change that finds the disk full at its first `failures` tries, and how often it was tried.
    fn write(&self, failures: u32) -> (Result<(), RegistryError>, u32) {
        let tries = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&tries);
        let done = self.writer.call(move |connection, journal| {
            // A second one is an error, so what the first try did has to be undone.
            let insert = "INSERT INTO data_key (id, wrapped) VALUES (1, x'00')";
            connection.execute(insert, ()).map_err(unavailable)?;
            journal.record(event("written"));
            if counted.fetch_add(1, Ordering::Relaxed) < failures { Err(RegistryError::Full) } else { Ok(()) }
        });
        (done, tries.load(Ordering::Relaxed))
    }

    /// The details of all events, in order of the alphabet.
    fn events(&self) -> Vec<String> {
        // What was recorded soon is there when something later is.
        self.writer.call(record(event("z"))).unwrap();
        let connection = Connection::open(self.directory.path().join("registry.db")).unwrap();
        let query = EventQuery { limit: 100, ..EventQuery::default() };
        let events = query::events(&connection, &query).unwrap();
        let mut details: Vec<String> = events.into_iter().filter_map(|event| event.detail).collect();
        details.sort();
        details
    }
}

fn event(detail: &str) -> Event {
    Event::of_daemon(UnixTime(1), Decision::Accept, Reason::Ok, Some(detail.into()))
}

#[test]
fn a_change_that_finds_the_disk_full_is_undone_and_decided_anew() {
    let place = Place::new();
    assert_eq!(place.write(1), (Ok(()), 2));
    assert!(!place.disk.ballast.is_whole());
    let events = place.events();
    assert!(events[0].starts_with("the disk is full; the last 16 MiB"), "{events:?}");
    assert_eq!(events[1..], ["written", "z"]);
}

#[test]
fn where_it_is_full_again_nothing_is_written() {
    let place = Place::new();
    assert_eq!(place.write(2), (Err(RegistryError::Full), 2));
    assert_eq!(place.write(1), (Err(RegistryError::Full), 1), "there is nothing more to give up");
    assert_eq!(place.write(0), (Ok(()), 1), "what the first tries wrote is still there");
    assert_eq!(place.events(), ["the disk has room again", "written", "z"]);
}

#[test]
fn changes_of_one_commit_are_all_decided_anew_and_each_once() {
    let place = Place::new();
    let done = thread::scope(|scope| {
        let waiting = place.writer.hold(|| {
            for detail in ["a", "b", "c"] {
                assert!(place.writer.record_soon(event(detail)));
            }
            scope.spawn(|| place.write(1))
        });
        waiting.join().unwrap()
    });
    assert_eq!(done, (Ok(()), 2));
    let events = place.events();
    assert_eq!(events[..3], ["a", "b", "c"]);
    assert!(events[3].starts_with("the disk is full"), "{events:?}");
    assert_eq!(events[4..], ["written", "z"]);
}
