//! The audit log in its file, altered with SQL: whatever is done to it without the key is found and named.

use std::path::Path;
use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::chain::Defect;
use otpd_core::chain::Flaw;
use otpd_core::chain::Link;
use otpd_core::event::Event;
use otpd_core::registry::EventQuery;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use rusqlite::Connection;

use super::Sqlite;
use super::contract::event;
use super::contract::open;
use super::contract::who;

/// A log with the events 6 to 30, after 1 to 5 were removed as old, noted up to its end.
struct Log {
    directory: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        let log = Self { directory: tempfile::tempdir().unwrap() };
        let registry = log.opened();
        for at in 1..=30 {
            let detail = (at % 2 == 0).then(|| "detail".to_owned());
            let device = Some("phone".to_owned());
            let uid = otpd_core::name::Uid::new(1000);
            registry.record(Event { uid, device, detail, ..event("alice", at * 10) }).unwrap();
        }
        assert_eq!(registry.prune(UnixTime(60), 100, event("never", 0)).unwrap(), 5);
        registry.note_head().unwrap();
        assert_eq!(verify(&registry), []);
        drop(registry);
        log
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn opened(&self) -> Sqlite {
        open(self.path())
    }

    /// Runs SQL on the file, as somebody who has it and not the key.
    fn sql(&self, statements: &str) {
        let connection = Connection::open(self.path().join("registry.db")).unwrap();
        connection.execute_batch(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// What is found after that, by an otpd that is started then.
    fn found_after(&self, statements: &str) -> Vec<(Defect, i64, i64)> {
        self.sql(statements);
        verify(&self.opened())
    }
}

/// Walks along the whole log.
fn flaws(registry: &Sqlite, known: Option<Link>) -> Vec<Flaw> {
    let (mut walk, mut flaws) = (None, Vec::new());
    loop {
        let walked = registry.walk(walk, known, 7).unwrap();
        flaws.extend(walked.passed.flaws);
        if !walked.passed.more {
            return flaws;
        }
        walk = Some(walked.passed.walk);
    }
}

fn verify(registry: &Sqlite) -> Vec<(Defect, i64, i64)> {
    flaws(registry, None).iter().map(|flaw| (flaw.defect, flaw.number, flaw.last)).collect()
}

fn columns(log: &Log) -> Vec<String> {
    let connection = Connection::open(log.path().join("registry.db")).unwrap();
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('audit')").unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_byte_of_any_column_is_missed() {
    let columns = columns(&Log::new());
    assert_eq!(columns.len(), 14, "{columns:?}");
    for column in columns.iter().filter(|column| *column != "id") {
        let log = Log::new();
        let altered = match column.as_str() {
            "at" | "uid" => format!("{column} + 1"),
            // Set where there was nothing.
            "detail" => "'invented'".into(),
            "mac" => "CAST(substr(mac, 1, 15) || x'00' AS BLOB)".into(),
            _ => format!("substr({column}, 1, length({column}) - 1) || '!'"),
        };
        let found = log.found_after(&format!("UPDATE audit SET {column} = {altered} WHERE id = 17"));
        assert_eq!(found, [(Defect::Changed, 17, 17)], "{column}");
    }
    for gone in ["uid", "service", "address", "device", "lane"] {
        let found = Log::new().found_after(&format!("UPDATE audit SET {gone} = NULL WHERE id = 17"));
        assert_eq!(found, [(Defect::Changed, 17, 17)], "{gone}");
    }
    for odd in ["user = CAST(x'ff' AS TEXT)", "user = ''", "user = 'alice' || char(0)", "mac = x''"] {
        let log = Log::new();
        assert_eq!(
            log.found_after(&format!("UPDATE audit SET {odd} WHERE id = 17")),
            [(Defect::Changed, 17, 17)]
        );
        let all = EventQuery { limit: 100, ..EventQuery::default() };
        assert_eq!(log.opened().events(&all).unwrap().len(), 25, "the log can be read all the same");
    }
    // A number is a place: one event is gone from here, and stands behind the end.
    let found = Log::new().found_after("UPDATE audit SET id = 100 WHERE id = 17");
    assert_eq!(found.first(), Some(&(Defect::Removed, 17, 17)), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn any_row_that_is_deleted_is_missed() {
    for id in 6..=29 {
        let log = Log::new();
        let found = log.found_after(&format!("DELETE FROM audit WHERE id = {id}"));
        assert_eq!(found, [(Defect::Removed, id, id)]);
        let found = Log::new().found_after(&format!(
            "DELETE FROM audit WHERE id = {id}; UPDATE audit SET id = -id WHERE id > {id}; \
             UPDATE audit SET id = -id - 1 WHERE id < 0"
        ));
        assert_eq!((found[0].1, found[0].0 == Defect::Removed || id == 29), (id, true), "{found:?}");
    }
}

#[test]
fn two_rows_that_changed_places_are_found() {
    for (first, second) in [(6, 7), (10, 20), (29, 30), (6, 30)] {
        let log = Log::new();
        let found = log.found_after(&format!(
            "UPDATE audit SET id = -1 WHERE id = {first}; UPDATE audit SET id = {first} WHERE id = {second}; \
             UPDATE audit SET id = {second} WHERE id = -1"
        ));
        let near = |place: i64| found.iter().any(|flaw| (flaw.1 - place).abs() <= 1);
        assert!(near(first) && near(second), "{first} and {second}: {found:?}");
        if second - first > 1 {
            assert!(found.contains(&(Defect::Moved(first), second, second)), "{found:?}");
        }
    }
}

#[test]
fn a_row_that_is_inserted_is_found() {
    const FORGED: &str =
        "at, 'mallory', uid, actor, kind, decision, reason, service, address, device, lane, detail, mac";
    for id in [6, 15, 30] {
        let log = Log::new();
        let found = log.found_after(&format!(
            "UPDATE audit SET id = -id WHERE id >= {id}; UPDATE audit SET id = -id + 1 WHERE id < 0; \
             INSERT INTO audit SELECT {id}, {FORGED} FROM audit WHERE id = {id} + 1"
        ));
        assert_eq!(found, [(Defect::Inserted, id, id)]);
    }
    // At the end, before the beginning, and beyond all numbers.
    for (id, found) in [(31, 31), (5, 5), (-4, -4)] {
        let log = Log::new();
        let registry = log.opened();
        log.sql(&format!("INSERT INTO audit SELECT {id}, {FORGED} FROM audit WHERE id = 12"));
        assert_eq!(verify(&registry), [(Defect::Inserted, found, found)]);
        drop(registry);
        // To an otpd that finds it there it is an event that was changed.
        let again = verify(&log.opened());
        assert!(again.len() == 1 && again[0].1 == found, "{again:?}");
    }
}

#[test]
fn a_cut_at_the_end_is_found_at_once_and_for_ever() {
    for first in [6, 20, 30] {
        let log = Log::new();
        let registry = log.opened();
        log.sql(&format!("DELETE FROM audit WHERE id >= {first}"));
        assert_eq!(verify(&registry), [(Defect::Cut, first, 30)]);
        drop(registry);
        let registry = log.opened();
        let said = registry.altered_log().unwrap();
        assert!(said.contains(&format!("events {first} to 30 at least")), "{said}");
        assert_eq!(verify(&registry), [(Defect::Cut, first, 30)]);
        // What comes next leaves the gap open, for whoever looks later.
        registry.record(event("alice", 400)).unwrap();
        registry.note_head().unwrap();
        assert_eq!(verify(&registry), [(Defect::Removed, first, 30)]);
        assert_eq!(registry.head().number, 31);
    }
}

#[test]
fn a_cut_behind_the_noted_head_is_found_by_a_head_from_elsewhere() {
    let log = Log::new();
    let registry = log.opened();
    (0..5).for_each(|at| registry.record(event("alice", 400 + at)).unwrap());
    let head = registry.head();
    drop(registry);
    log.sql("DELETE FROM audit WHERE id > 32");
    let registry = log.opened();
    assert_eq!(verify(&registry), [], "nothing here remembers it");
    let cut = flaws(&registry, Some(head));
    assert_eq!((cut[0].defect, cut[0].number, cut[0].last), (Defect::Cut, 33, 35));
    (0..5).for_each(|at| registry.record(event("alice", 500 + at)).unwrap());
    let replaced = flaws(&registry, Some(head));
    assert_eq!((replaced[0].defect, replaced[0].number), (Defect::Replaced, 35));
}

#[test]
fn altered_notes_are_found() {
    for (place, defect) in [("anchor", Defect::Anchor), ("head", Defect::Head)] {
        for change in ["number = number - 1", "mac = zeroblob(16)", "seal = zeroblob(16)", "seal = x''"] {
            let log = Log::new();
            let found = log.found_after(&format!("UPDATE audit_note SET {change} WHERE place = '{place}'"));
            assert_eq!(found, [(defect, 0, 0)], "{place}: {change}");
            assert!(log.opened().altered_log().is_some());
        }
        let found = Log::new().found_after(&format!("DELETE FROM audit_note WHERE place = '{place}'"));
        assert_eq!(found, [(defect, 0, 0)], "{place}");
    }
    // One note in the place of the other.
    let log = Log::new();
    let exchange = "UPDATE audit_note SET (number, mac, seal) =
        (SELECT number, mac, seal FROM audit_note WHERE place = 'head') WHERE place = 'anchor'";
    assert_eq!(log.found_after(exchange), [(Defect::Anchor, 0, 0)]);
}

#[test]
fn an_event_that_was_made_old_to_be_removed_leaves_an_alarm() {
    let log = Log::new();
    log.sql("UPDATE audit SET at = 1 WHERE id <= 12");
    let registry = log.opened();
    assert_eq!(registry.prune(UnixTime(50), 100, event("alarm", 1000)).unwrap(), 7);
    let last = registry.events(&EventQuery { tail: true, limit: 1, ..EventQuery::default() }).unwrap();
    assert_eq!(last[0].user, "alarm");
    let detail = last[0].detail.as_ref().unwrap();
    assert!(detail.starts_with("event 6, which was removed"), "{detail}");
    // Whole from here on; what was wrong before is in the log.
    assert_eq!(verify(&registry), []);
}

#[test]
fn a_row_of_somebody_else_in_the_way_stops_no_login_and_stays_to_be_found() {
    let log = Log::new();
    let registry = log.opened();
    log.sql("INSERT INTO audit SELECT 31, at, user, uid, actor, kind, decision, reason, service, address, device, lane, detail, mac FROM audit WHERE id = 12");
    registry.record(event("alice", 400)).unwrap();
    assert_eq!(registry.head().number, 32);
    assert_eq!(verify(&registry), [(Defect::Changed, 31, 31)]);
}

#[test]
fn any_sequence_of_changes_failures_and_restarts_is_whole() {
    for seed in 1..=12_u64 {
        let mut random = seed;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let directory = tempfile::tempdir().unwrap();
        let mut registry = Arc::new(open(directory.path()));
        let mut heads = Vec::new();
        for at in 0..60_i64 {
            match next(8) {
                0 => fails(&registry, at),
                1 => drop(registry.prune(UnixTime(at - 5), 4, event("never", at)).unwrap()),
                2 => heads.push(registry.note_head().unwrap()),
                3 => crowd(&registry, at),
                4 => {
                    drop(registry);
                    registry = Arc::new(open(directory.path()));
                }
                5 => assert!(registry.record_soon(event("soon", at))),
                _ => registry.record(event("alice", at)).unwrap(),
            }
        }
        registry.record(event("last", 100)).unwrap();
        assert_eq!(verify(&registry), [], "seed {seed}");
        assert_eq!(registry.altered_log(), None);
        let anchor = registry.walk(None, None, 1).unwrap().anchor.unwrap();
        for head in heads.into_iter().filter(|head| head.number >= anchor.number) {
            assert_eq!(flaws(&registry, Some(head)), [], "seed {seed}");
        }
        let never = EventQuery { user: Some("never".into()), limit: 1, ..EventQuery::default() };
        assert!(registry.events(&never).unwrap().is_empty());
    }
}

/// Changes that record and then fail: by a panic, and by what the database refuses.
fn fails(registry: &Sqlite, at: i64) {
    let record_and_panic = move |_: &mut Account, journal: &mut Journal| {
        journal.record(event("lost", at));
        panic!("in the closure");
    };
    let failed = registry.change_or_create(&who(1000, "alice"), record_and_panic);
    assert!(matches!(failed, Err::<(), _>(RegistryError::Unavailable(_))));
}

/// Many callers at once, of whom some fail: in one commit there are some that stay and some that are rolled back.
fn crowd(registry: &Arc<Sqlite>, at: i64) {
    std::thread::scope(|scope| {
        for caller in 0..8 {
            scope.spawn(move || match caller % 4 {
                0 => fails(registry, at),
                _ => registry.record(event("crowd", at)).unwrap(),
            });
        }
    });
}

#[test]
fn a_commit_that_fails_leaves_the_chain_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    registry.record(event("alice", 1)).unwrap();
    let head = registry.head();
    // A reader of somebody else's cannot stop a writer; somebody who writes can.
    let other = Connection::open(directory.path().join("registry.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert!(registry.record(event("alice", 2)).is_err()));
        }
    });
    assert_eq!(registry.head(), head);
    other.execute_batch("ROLLBACK").unwrap();
    // Refused by a constraint as it is committed: after everything was written.
    other.execute_batch("CREATE TABLE late (id INTEGER PRIMARY KEY, of INTEGER REFERENCES late (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER dangles AFTER INSERT ON audit WHEN NEW.at = 3 BEGIN INSERT INTO late (of) VALUES (99); END").unwrap();
    assert!(registry.record(event("alice", 3)).is_err());
    std::thread::scope(|scope| {
        let registry = &registry;
        for at in [3, 4, 5] {
            scope.spawn(move || drop(registry.record(event("alice", at))));
        }
    });
    registry.record(event("alice", 6)).unwrap();
    assert_eq!(verify(&registry), []);
    let all = registry.events(&EventQuery { limit: 100, ..EventQuery::default() }).unwrap();
    assert_eq!(registry.head().number, i64::try_from(all.len()).unwrap());
    assert!(all.iter().all(|event| event.at.0 != 3));
}

#[test]
fn a_change_that_fails_between_two_of_its_events_leaves_no_link_behind() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    let other = Connection::open(directory.path().join("registry.db")).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER refuses BEFORE INSERT ON audit WHEN NEW.user = 'nobody'
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .unwrap();
    let two = |_: &mut Account, journal: &mut Journal| {
        journal.record(event("never", 1));
        journal.record(event("nobody", 1));
    };
    assert!(registry.change_or_create(&who(1000, "alice"), two).is_err());
    // In one commit with others, too.
    std::thread::scope(|scope| {
        let registry = &registry;
        for caller in 0..8 {
            scope.spawn(move || {
                for at in 0..20 {
                    match caller % 2 {
                        0 => assert!(registry.change_or_create(&who(1000, "alice"), two).is_err()),
                        _ => registry.record(event("crowd", at)).unwrap(),
                    }
                }
            });
        }
    });
    assert_eq!(verify(&registry), []);
    assert_eq!(registry.head().number, 80);
}
