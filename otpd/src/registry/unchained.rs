//! The registry without the master key: what is recorded then can be told from what the daemon chained.

use std::path::Path;

use otpd_core::chain::ChainKey;
use otpd_core::chain::Defect;
use otpd_core::chain::Flaw;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use rusqlite::Connection;

use super::Sqlite;
use super::contract::event;
use super::contract::open;

fn open_without_key(directory: &Path) -> Sqlite {
    let registry = Sqlite::open(&directory.join("registry.db")).unwrap();
    registry.start_unchained(Box::new(|_| {})).unwrap()
}

fn flaws(registry: &Sqlite) -> Vec<(Defect, i64)> {
    let walked = registry.walk(None, None, 1000).unwrap();
    walked.passed.flaws.iter().map(|flaw: &Flaw| (flaw.defect, flaw.number)).collect()
}

/// A log of three events, noted up to its end, and two that came without the key.
fn log() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    (1..=3).for_each(|at| registry.record(event("alice", at)).unwrap());
    registry.note_head().unwrap();
    drop(registry);
    let registry = open_without_key(directory.path());
    (4..=5).for_each(|at| registry.record(event("alice", at)).unwrap());
    assert_eq!(registry.head().number, 5);
    directory
}

#[test]
fn events_that_came_without_the_key_are_named_and_the_chain_goes_on_behind_them() {
    let directory = log();
    let registry = open(directory.path());
    assert_eq!(registry.altered_log(), None);
    registry.record(event("alice", 6)).unwrap();
    registry.note_head().unwrap();
    let expected = [(Defect::Unchained, 4), (Defect::Unchained, 5)];
    assert_eq!(flaws(&registry), expected);
    drop(registry);
    assert_eq!(flaws(&open(directory.path())), expected);
}

#[test]
fn without_the_key_nothing_is_said_or_noted_about_the_chain_and_nothing_removed() {
    let directory = log();
    let registry = open_without_key(directory.path());
    assert_eq!(registry.walk(None, None, 9).err(), Some(RegistryError::NoKey));
    assert_eq!(registry.note_head(), Err(RegistryError::NoKey));
    assert_eq!(registry.prune(UnixTime(9), 9, event("-", 9)), Err(RegistryError::NoKey));
}

#[test]
fn a_cut_end_is_not_filled_up_without_the_key() {
    let directory = log();
    let sql = |statements| {
        let file = Connection::open(directory.path().join("registry.db")).unwrap();
        file.execute_batch(statements).unwrap();
    };
    sql("DELETE FROM audit WHERE id > 2");
    open_without_key(directory.path()).record(event("alice", 7)).unwrap();
    assert_eq!(flaws(&open(directory.path()))[0], (Defect::Removed, 3));
    sql("DELETE FROM audit");
    open_without_key(directory.path()).record(event("alice", 8)).unwrap();
    assert_eq!(flaws(&open(directory.path()))[0], (Defect::Removed, 1));
}

#[test]
fn with_another_key_they_are_no_more_believed() {
    let directory = log();
    let other = ChainKey::new(&[2; ChainKey::LENGTH]);
    let registry = Sqlite::open(&directory.path().join("registry.db")).unwrap();
    let registry = registry.start(&other, Box::new(|_| {})).unwrap();
    assert!(registry.altered_log().is_some());
    assert!(flaws(&registry).len() >= 2);
}
