//! Numbered migrations. A registry of a newer version is refused: an older program would lose what it does not know.

use rusqlite::Connection;

/// The version this program writes.
pub(crate) const VERSION: i64 = 1;

pub(super) const MIGRATIONS: [&str; 1] = [include_str!("schema_1.sql")];

/// "otpd" in ASCII, so that `file` and we can tell our registry from another database.
const APPLICATION_ID: i64 = 0x6f74_7064;

/// Why a registry cannot be used. It is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Written by a newer program.
    #[error(
        "the registry has version {found}, newer than the {VERSION} of this otpd; install the newer otpd again, or restore a backup that this otpd has made"
    )]
    Newer {
        /// Its version.
        found: i64,
    },
    /// A database of something else.
    #[error("the file is a database of another program; name another state directory (paths.state)")]
    Foreign,
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// The version of a registry that may be opened: 0 for a new one. Changes nothing.
pub(crate) fn examine(connection: &Connection) -> Result<i64, MigrateError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (found, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(MigrateError::Foreign);
    }
    if found > VERSION {
        return Err(MigrateError::Newer { found });
    }
    Ok(found)
}

/// Brings the registry to [`VERSION`], each step in a transaction of its own.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), MigrateError> {
    let found = examine(connection)?;
    for (done, sql) in (0_i64..).zip(MIGRATIONS) {
        if done >= found {
            let step = connection.transaction()?;
            step.execute_batch(sql)?;
            step.pragma_update(None, "application_id", APPLICATION_ID)?;
            step.pragma_update(None, "user_version", done.saturating_add(1))?;
            step.commit()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_registry_gets_the_newest_schema_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, VERSION);
    }

    #[test]
    fn a_newer_registry_is_refused_untouched() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(matches!(error, MigrateError::Newer { found } if found == VERSION + 1), "{error}");
    }

    #[test]
    fn a_database_of_something_else_is_refused_untouched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE photos (id INTEGER)").unwrap();
        assert!(matches!(migrate(&mut connection), Err(MigrateError::Foreign)));
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
