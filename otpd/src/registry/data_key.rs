//! The one row of the wrapped data key.

use otpd_core::registry::DataKey;
use otpd_core::registry::RegistryError;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use super::rows::unavailable;

pub(crate) fn read(connection: &Connection) -> Result<Option<DataKey>, RegistryError> {
    let found = connection.query_row("SELECT wrapped, next FROM data_key", (), |row| {
        Ok(DataKey { wrapped: row.get(0)?, next: row.get(1)? })
    });
    found.optional().map_err(unavailable)
}

/// Replaces the row. SQLite overwrites what was there: it opens with a master key that may have been lost to somebody.
pub(crate) fn write(connection: &Connection, key: &DataKey) -> Result<(), RegistryError> {
    overwrite(connection, true)?;
    let upsert = "INSERT INTO data_key (id, wrapped, next) VALUES (1, ?1, ?2)
        ON CONFLICT (id) DO UPDATE SET wrapped = excluded.wrapped, next = excluded.next";
    let written = connection.execute(upsert, params![key.wrapped, key.next]).map(drop).map_err(unavailable);
    overwrite(connection, false)?;
    written
}

fn overwrite(connection: &Connection, freed: bool) -> Result<(), RegistryError> {
    let set = connection.pragma_update_and_check(None, "secure_delete", freed, |_| Ok(()));
    set.map_err(unavailable)
}
