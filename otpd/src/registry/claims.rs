//! Accounts whose name or uid is not what it was: looked up by either, and given to whoever it belongs to now.

use otpd_core::account::AccountId;
use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Claim;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::Row;
use rusqlite::params;

use super::rows::unavailable;

/// The accounts that this name or this uid leads to.
pub(crate) fn of(connection: &Connection, who: &Identity) -> Result<Vec<Claim>, RegistryError> {
    let mut statement = connection.prepare_cached(SELECT).map_err(unavailable)?;
    let claims =
        statement.query_map(params![who.uid.as_u32(), who.name.as_str()], claim_of).map_err(unavailable)?;
    claims.collect::<Result<_, _>>().map_err(unavailable)
}

/// Gives an account that is still as it was to somebody. Returns whether it was.
pub(crate) fn adopt(connection: &Connection, from: &Claim, to: &Identity) -> Result<bool, RegistryError> {
    let mut statement = connection.prepare_cached(UPDATE).map_err(unavailable)?;
    let done = statement.execute(params![
        from.account.0,
        from.uid.map(Uid::as_u32),
        from.name.as_ref().map(AccountName::as_str),
        to.uid.as_u32(),
        to.name.as_str(),
    ]);
    match done {
        Ok(changed) => Ok(changed > 0),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(RegistryError::Conflict)
        }
        Err(error) => Err(unavailable(error)),
    }
}

fn claim_of(row: &Row<'_>) -> rusqlite::Result<Claim> {
    let name: Option<String> = row.get("name")?;
    Ok(Claim {
        account: AccountId(row.get("id")?),
        uid: row.get::<_, Option<u32>>("uid")?.and_then(Uid::new),
        name: name.and_then(|name| AccountName::new(&name).ok()),
        active_devices: row.get("active")?,
        last_used: row.get::<_, Option<i64>>("last_used")?.map(UnixTime),
    })
}

const SELECT: &str = "\
    SELECT id, uid, name,
        (SELECT count(*) FROM device WHERE device.account = account.id AND state = 'active') AS active,
        (SELECT max(last_used) FROM device WHERE device.account = account.id) AS last_used
    FROM account WHERE uid = ?1 OR name = ?2 ORDER BY id";
const UPDATE: &str = "UPDATE account SET uid = ?4, name = ?5 WHERE id = ?1 AND uid IS ?2 AND name IS ?3";
