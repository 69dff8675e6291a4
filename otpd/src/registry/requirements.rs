//! The groups of which administrators require protection. No login reads them here: the service has them in memory.

use otpd_core::policy::Requirement;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::params;

use super::rows::unavailable;

/// All, by number.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Requirement>, RegistryError> {
    let select = "SELECT gid, name, demanded, set_by, set_at FROM required_group ORDER BY gid";
    let mut statement = connection.prepare(select).map_err(unavailable)?;
    let found = statement.query_map((), |row| {
        Ok(Requirement {
            gid: row.get(0)?,
            group: row.get(1)?,
            from: UnixTime(row.get(2)?),
            by: row.get(3)?,
            at: UnixTime(row.get(4)?),
        })
    });
    found.map_err(unavailable)?.collect::<Result<_, _>>().map_err(unavailable)
}

/// Writes one in the place of its group's. Returns whether there was room for it.
pub(crate) fn put(connection: &Connection, requirement: &Requirement) -> Result<bool, RegistryError> {
    let Requirement { gid, group, from, by, at } = requirement;
    let count = "SELECT count(*) FROM required_group WHERE gid <> ?1";
    let others: u32 = connection.query_row(count, [gid], |row| row.get(0)).map_err(unavailable)?;
    if others as usize >= Requirement::MOST {
        return Ok(false);
    }
    let insert = "INSERT OR REPLACE INTO required_group (gid, name, demanded, set_by, set_at) \
        VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.execute(insert, params![gid, group, from.0, by, at.0]).map_err(unavailable)?;
    Ok(true)
}

/// Removes a group's. Returns whether it was there.
pub(crate) fn remove(connection: &Connection, gid: u32) -> Result<bool, RegistryError> {
    let removed =
        connection.execute("DELETE FROM required_group WHERE gid = ?1", [gid]).map_err(unavailable)?;
    Ok(removed > 0)
}
