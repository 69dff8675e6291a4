//! Registries of released versions, of SQLite alone. `otpd/tests/registry/VERSION.sql` is one of that version with something
//! in every table; a newer version has to open it and to find all of it.
//!
//! A released version's file is never changed. That of this version is written by `OTPD_REGISTRY_BLESS=1 cargo test -p otpd`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use otpd_core::ticket::Scope;
use rusqlite::Connection;

use super::super::migrations::MIGRATIONS;
use super::super::migrations::VERSION;
use super::super::migrations::migrate;
use super::*;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry")
}

/// The samples, by version of the program.
fn released() -> BTreeMap<String, String> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let version = path.file_stem().unwrap().to_string_lossy().into_owned();
            (version, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// A registry that says what the sample says.
fn made_of(sample: &str, path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sample).unwrap();
    connection
}

/// What the tables are, without the space between words.
fn schema(connection: &Connection) -> BTreeMap<String, String> {
    let mut found = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let rows = found.query_map((), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(Result::unwrap)
        .map(|(name, sql)| (name, sql.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

/// The rows of a table, each as its columns by name.
fn rows(connection: &Connection, table: &str) -> Vec<BTreeMap<String, String>> {
    let columns: Vec<String> = connection
        .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let values: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
    let mut found = connection.prepare(&format!("SELECT {} FROM {table}", values.join(", "))).unwrap();
    let each = found.query_map((), |row| {
        columns.iter().enumerate().map(|(at, column)| Ok((column.clone(), row.get(at)?))).collect()
    });
    each.unwrap().map(Result::unwrap).collect()
}

fn tables(connection: &Connection) -> Vec<String> {
    schema(connection)
        .into_iter()
        .filter(|(_, sql)| sql.starts_with("CREATE TABLE"))
        .map(|(name, _)| name)
        .collect()
}

fn version(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Of each kind of row at least one.
fn fill(directory: &Path) {
    let registry = Arc::new(open(directory));
    what_a_change_did_is_read_back(&registry);
    bind(registry.as_ref(), &who(1001, "bob"), "phone");
    bind(registry.as_ref(), &who(1002, "carol"), "téléphone");
    registry.detach(&who(1001, "bob"), NOW, "root", event("bob", 1).into()).unwrap();
    tickets::issue(registry.as_ref(), 1, &who(1000, "alice"));
    mail::post(registry.as_ref(), mail::mail(1, otpd_core::outbox::MailKind::Notice, NOW));
    requirements::require(registry.as_ref(), 100, NOW);
    let import = registry.begin_import("root").unwrap();
    registry.stage(import, vec![staged(1, 1), staged(2, 2)]).unwrap();
    registry.decide_import(import, event("root", 1)).unwrap();
    for at in 2..6 {
        registry.change(&who(1002, "carol"), move |_, journal| journal.record(event("carol", at))).unwrap();
    }
    assert!(registry.prune(UnixTime(3), 100, event("x", 1)).is_ok());
}

/// Everything that a registry is, as SQL that makes it.
fn dump(connection: &Connection) -> String {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    let version = version(connection);
    let mut text = format!(
        "PRAGMA application_id = {application};\nPRAGMA user_version = {version};\nPRAGMA foreign_keys = OFF;\n"
    );
    let mut found = connection
        .prepare(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
        )
        .unwrap();
    for sql in found.query_map((), |row| row.get::<_, String>(0)).unwrap() {
        text.push_str(&format!("{};\n", sql.unwrap()));
    }
    for table in tables(connection) {
        for row in rows(connection, &table) {
            let (columns, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
            text.push_str(&format!(
                "INSERT INTO {table} ({}) VALUES ({});\n",
                columns.join(", "),
                values.join(", ")
            ));
        }
    }
    text
}

#[test]
fn this_versions_schema_is_that_of_its_sample() {
    let place = tempfile::tempdir().unwrap();
    let mut fresh = Connection::open_in_memory().unwrap();
    migrate(&mut fresh).unwrap();
    let file = directory().join(concat!(env!("CARGO_PKG_VERSION"), ".sql"));
    if std::env::var_os("OTPD_REGISTRY_BLESS").is_some() {
        fill(place.path());
        let filled = Connection::open(place.path().join("registry.db")).unwrap();
        fs::write(&file, dump(&filled)).unwrap();
    }
    let sample = fs::read_to_string(&file).expect("a sample of this version");
    let sample = made_of(&sample, &place.path().join("sample.db"));
    assert_eq!(schema(&sample), schema(&fresh), "changed since this version was written down");
    assert_eq!(version(&sample), VERSION);
    for table in tables(&sample) {
        assert!(!rows(&sample, &table).is_empty(), "nothing is in {table}");
    }
}

#[test]
fn every_schema_has_a_sample_and_none_has_changed_since() {
    let place = tempfile::tempdir().unwrap();
    let mut seen = BTreeSet::new();
    for (name, sample) in released() {
        let sample = made_of(&sample, &place.path().join(&name));
        let made = Connection::open_in_memory().unwrap();
        for step in MIGRATIONS.iter().take(usize::try_from(version(&sample)).unwrap()) {
            made.execute_batch(step).unwrap();
        }
        assert_eq!(schema(&sample), schema(&made), "{name}");
        seen.insert(version(&sample));
    }
    assert_eq!(seen, (1..=VERSION).collect(), "a schema without a sample");
}

#[test]
fn a_registry_of_a_released_version_is_opened_whole() {
    for (name, sample) in released() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("registry.db");
        let old = made_of(&sample, &path);
        let before: BTreeMap<_, _> =
            tables(&old).into_iter().map(|table| (table.clone(), rows(&old, &table))).collect();
        drop(old);
        let registry = open(place.path());
        assert_eq!(registry.altered_log(), None, "{name}");
        let alice = registry.find(&who(1000, "alice")).unwrap().expect("alice");
        assert!(alice.is_protected() && alice.devices.len() == 2, "{name}: {alice:?}");
        assert!(registry.find(&who(1002, "carol")).unwrap().unwrap().is_protected());
        assert_eq!(registry.find(&who(1001, "bob")).unwrap(), None);
        assert_eq!(registry.unfinished_import().unwrap().unwrap().1, Progress { left: 2, skipped: 0 });
        let tickets = registry.tickets(&who(1000, "alice")).unwrap();
        assert!(
            tickets.iter().any(|ticket| matches!(ticket.scope, Scope::Visit { .. })),
            "{name}: {tickets:?}"
        );
        assert!(registry.due_mail(NOW, &[]).unwrap().is_some());
        drop(registry);
        let new = Connection::open(&path).unwrap();
        assert_eq!(version(&new), VERSION);
        for (table, old) in before {
            let new = rows(&new, &table);
            for row in old {
                let is_there = |new: &BTreeMap<String, String>| {
                    row.iter().all(|(key, value)| new.get(key) == Some(value))
                };
                assert!(
                    table == "audit_note" || new.iter().any(is_there),
                    "{name}, {table}: {row:?} is gone"
                );
            }
        }
    }
}

#[test]
fn a_registry_of_a_newer_version_is_left_alone_and_the_way_back_is_told() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path()));
    let path = place.path().join("registry.db");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", VERSION + 1).unwrap();
    newer.execute_batch("CREATE TABLE future (id INTEGER); PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(newer);
    let before = fs::read(&path).unwrap();
    let Err(refused) = Sqlite::open(&path) else { panic!("it was opened") };
    let said = refused.to_string();
    assert!(said.contains("install the newer otpd again"), "{said}");
    assert!(said.contains("or restore a backup that this otpd has made"), "{said}");
    assert!(fs::read(&path).unwrap() == before, "it was written to");
}
