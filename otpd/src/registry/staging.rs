//! Imports on their way: staged, decided, applied, swept away. Every change here is a few entries, so that logins wait
//! for none of them.

use otpd_core::account::Account;
use otpd_core::device::SealedKey;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Journal;
use otpd_core::registry::RegistryError;
use otpd_core::staging::ImportId;
use otpd_core::staging::Progress;
use otpd_core::staging::Staged;
use otpd_core::time::Step;
use otpd_core::totp::Parameters;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::params;

use super::rows;
use super::rows::damaged;
use super::rows::unavailable;

/// Drops what is open, forgets what is completed, and begins anew.
pub(crate) fn begin(connection: &Connection, by: &str) -> Result<ImportId, RegistryError> {
    drop_all(connection)?;
    execute(connection, "DELETE FROM import WHERE state = 'decided' AND entries = 0", ())?;
    let insert = "INSERT INTO import (state, by, entries, skipped) VALUES ('open', ?1, 0, 0)";
    let mut statement = connection.prepare_cached(insert).map_err(unavailable)?;
    statement.insert([by]).map(ImportId).map_err(unavailable)
}

/// Adds entries to an open import.
pub(crate) fn stage(
    connection: &Connection,
    import: ImportId,
    entries: &[Staged],
) -> Result<bool, RegistryError> {
    let update = "UPDATE import SET entries = entries + ?2 WHERE id = ?1 AND state = 'open'";
    let more = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    if execute(connection, update, params![import.0, more])? == 0 {
        return Ok(false);
    }
    let mut statement = connection.prepare_cached(INSERT_ENTRY).map_err(unavailable)?;
    for entry in entries {
        let done = statement.execute(named_params! {
            ":import": import.0,
            ":number": entry.number,
            ":uid": entry.who.uid.as_u32(),
            ":name": entry.who.name.as_str(),
            ":key": entry.key.0,
            ":algorithm": entry.parameters.algorithm().as_str(),
            ":digits": entry.parameters.digits(),
            ":period": entry.parameters.period(),
            ":drift": entry.drift,
            ":last_step": entry.last_step.map(|step| step.0.cast_signed()),
            ":device": entry.name.as_ref().map(DeviceName::as_str),
        });
        done.map_err(unavailable)?;
    }
    Ok(true)
}

/// What is staged for a uid, by number.
pub(crate) fn of(
    connection: &Connection,
    import: ImportId,
    who: &Identity,
) -> Result<Vec<Staged>, RegistryError> {
    // Left to itself, SQLite reads the whole import: that is in order already.
    let select = "SELECT * FROM import_entry INDEXED BY import_entry_uid WHERE import = ?1 AND uid = ?2 ORDER BY number";
    select_entries(connection, select, params![import.0, who.uid.as_u32()])
}

/// Decides an open import.
pub(crate) fn decide(connection: &Connection, import: ImportId) -> Result<bool, RegistryError> {
    let decide = "UPDATE import SET state = 'decided' WHERE id = ?1 AND state = 'open'";
    Ok(execute(connection, decide, [import.0])? == 1)
}

/// Applies the next entries of a decided import.
pub(crate) fn apply(
    connection: &Connection,
    import: ImportId,
    most: u32,
    journal: &mut Journal,
    mut apply: impl FnMut(&str, &Staged, Option<&mut Account>, &mut Journal) -> bool,
) -> Result<Option<Progress>, RegistryError> {
    let select = "SELECT by, entries, skipped FROM import WHERE id = ?1 AND state = 'decided'";
    let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
    let decided = |row: &Row<'_>| {
        let progress = Progress { left: row.get(1)?, skipped: row.get(2)? };
        Ok((row.get::<_, String>(0)?, progress))
    };
    let found = statement.query_row([import.0], decided).optional().map_err(unavailable)?;
    let Some((by, mut progress)) = found else { return Ok(None) };
    let select = "SELECT * FROM import_entry WHERE import = ?1 ORDER BY number LIMIT ?2";
    let entries = select_entries(connection, select, params![import.0, most])?;
    for entry in &entries {
        let applied = match rows::load(connection, &entry.who) {
            Err(RegistryError::Conflict) => apply(&by, entry, None, journal),
            Err(error) => return Err(error),
            Ok(found) => {
                let mut account = match found {
                    Some(account) => account,
                    None => rows::create(connection, &entry.who)?,
                };
                let before = account.clone();
                let applied = apply(&by, entry, Some(&mut account), journal);
                rows::save(connection, &before, &account)?;
                applied
            }
        };
        progress.skipped = progress.skipped.saturating_add((!applied).into());
    }
    if let Some(last) = entries.last() {
        let delete = "DELETE FROM import_entry WHERE import = ?1 AND number <= ?2";
        let removed = execute(connection, delete, params![import.0, last.number])?;
        progress.left = progress.left.saturating_sub(u32::try_from(removed).unwrap_or(u32::MAX));
        let update = "UPDATE import SET entries = ?2, skipped = ?3 WHERE id = ?1";
        execute(connection, update, params![import.0, progress.left, progress.skipped])?;
    }
    Ok(Some(progress))
}

/// The oldest import that is decided and not completed.
pub(crate) fn unfinished(connection: &Connection) -> Result<Option<(ImportId, Progress)>, RegistryError> {
    let select =
        "SELECT id, entries, skipped FROM import WHERE state = 'decided' AND entries > 0 ORDER BY id LIMIT 1";
    let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
    let found = statement.query_row((), |row| {
        Ok((ImportId(row.get(0)?), Progress { left: row.get(1)?, skipped: row.get(2)? }))
    });
    found.optional().map_err(unavailable)
}

/// Drops an open import.
pub(crate) fn drop_one(connection: &Connection, import: ImportId) -> Result<bool, RegistryError> {
    let update = "UPDATE import SET state = 'dropped' WHERE id = ?1 AND state = 'open'";
    Ok(execute(connection, update, [import.0])? == 1)
}

/// Drops every open import.
pub(crate) fn drop_all(connection: &Connection) -> Result<(), RegistryError> {
    execute(connection, "UPDATE import SET state = 'dropped' WHERE state = 'open'", ()).map(drop)
}

/// Removes entries of a dropped import, and the import with its last.
pub(crate) fn sweep(connection: &Connection, most: u32) -> Result<u32, RegistryError> {
    let mut swept: u32 = 0;
    while swept < most {
        let select = "SELECT id FROM import WHERE state = 'dropped' ORDER BY id LIMIT 1";
        let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
        let dropped = statement.query_row((), |row| row.get(0)).optional().map_err(unavailable)?;
        let Some(import): Option<i64> = dropped else { break };
        let rest = most.saturating_sub(swept);
        let removed = execute(connection, DELETE_SOME, params![import, rest])?;
        swept = swept.saturating_add(u32::try_from(removed).unwrap_or(u32::MAX));
        if swept < most {
            execute(connection, "DELETE FROM import WHERE id = ?1", [import])?;
        }
    }
    Ok(swept)
}

fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<usize, RegistryError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    statement.execute(params).map_err(unavailable)
}

fn select_entries(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<Staged>, RegistryError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    let entries = statement.query_map(params, entry_of).map_err(unavailable)?;
    entries.collect::<Result<_, _>>().map_err(unavailable)
}

fn entry_of(row: &Row<'_>) -> rusqlite::Result<Staged> {
    let name: String = row.get("name")?;
    let algorithm: String = row.get("algorithm")?;
    let algorithm = algorithm.parse().map_err(|_| damaged("algorithm"))?;
    let device = row.get::<_, Option<String>>("device")?;
    Ok(Staged {
        number: row.get("number")?,
        who: Identity {
            uid: Uid::new(row.get("uid")?).ok_or_else(|| damaged("uid"))?,
            name: AccountName::new(&name).map_err(|_| damaged("name"))?,
        },
        key: SealedKey(row.get("key")?),
        parameters: Parameters::with_period(algorithm, row.get("digits")?, row.get("period")?)
            .map_err(|_| damaged("parameters"))?,
        drift: row.get("drift")?,
        last_step: row.get::<_, Option<i64>>("last_step")?.map(|step| Step(step.cast_unsigned())),
        name: device.map(|name| DeviceName::new(&name)).transpose().map_err(|_| damaged("device"))?,
    })
}

const INSERT_ENTRY: &str = "\
    INSERT INTO import_entry (
        import, number, uid, name, key, algorithm, digits, period, drift, last_step, device
    ) VALUES (
        :import, :number, :uid, :name, :key, :algorithm, :digits, :period, :drift, :last_step, :device
    )";

const DELETE_SOME: &str = "\
    DELETE FROM import_entry WHERE import = ?1 AND number IN
        (SELECT number FROM import_entry WHERE import = ?1 ORDER BY number LIMIT ?2)";
