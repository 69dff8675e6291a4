//! Lists: accounts, devices, events. Read on a reader's connection, a page at a time.

use otpd_core::account::AccountId;
use otpd_core::clocks::Reading;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::recovery::Sheet;
use otpd_core::registry::AccountQuery;
use otpd_core::registry::EventQuery;
use otpd_core::registry::Only;
use otpd_core::registry::RegistryError;
use otpd_core::registry::StoredEvent;
use otpd_core::registry::Summary;
use otpd_core::throttle::Throttle;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use super::rows::device_of;
use super::rows::unavailable;

/// Accounts by name. The order is that of an index, so a page costs what is on it; a filter makes it pass over rows.
pub(crate) fn accounts(connection: &Connection, query: &AccountQuery) -> Result<Vec<Summary>, RegistryError> {
    let only = match query.only {
        None => "",
        Some(Only::Protected) => PROTECTED,
        Some(Only::Unprotected) => UNPROTECTED,
        Some(Only::Locked) => LOCKED,
    };
    let order = if query.before.is_some() { "DESC" } else { "ASC" };
    let name = |name: &Option<AccountName>| name.as_ref().map(|name| name.as_str().to_owned());
    // One bound each way, or SQLite begins at the wrong one of two. No text that begins so is greater than the last.
    let (prefix, last) = (query.prefix.clone(), format!("{}\u{10ffff}", query.prefix));
    let (after, before) = (name(&query.after).unwrap_or_default(), name(&query.before));
    let (bound, from) = if after < prefix { ("name >= ?1", prefix) } else { ("name > ?1", after) };
    let to = before.map_or_else(|| last.clone(), |before| before.min(last.clone()));
    let sql = format!(
        "{SELECT_ACCOUNTS} WHERE {bound} AND name < ?4 AND uid IS NOT NULL {only} ORDER BY name {order} LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(unavailable)?;
    let asked = params![from, query.limit, Throttle::CLOSES_AT, to];
    let rows = statement.query_map(asked, summary_of).map_err(unavailable)?;
    // A row that this version would not write (a name it refuses) is left out of the list, not fatal to it.
    let mut found: Vec<Summary> =
        rows.filter_map(Result::transpose).collect::<Result<_, _>>().map_err(unavailable)?;
    if query.before.is_some() {
        found.reverse();
    }
    Ok(found)
}

/// Devices of an account by number, behind `after`.
pub(crate) fn devices(
    connection: &Connection,
    account: AccountId,
    after: Option<DeviceId>,
    limit: u32,
) -> Result<Vec<Device>, RegistryError> {
    let mut statement = connection
        .prepare_cached("SELECT * FROM device WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3")
        .map_err(unavailable)?;
    let after = after.map_or(0, |id| id.0);
    let rows = statement.query_map(params![account.0, after, limit], device_of).map_err(unavailable)?;
    rows.collect::<Result<_, _>>().map_err(unavailable)
}

/// How far active devices were off, those used last first.
pub(crate) fn readings(
    connection: &Connection,
    since: UnixTime,
    most: u32,
) -> Result<Vec<Reading>, RegistryError> {
    let mut statement = connection.prepare_cached(SELECT_READINGS).map_err(unavailable)?;
    let rows = statement.query_map(params![since.0, most], reading_of).map_err(unavailable)?;
    rows.filter_map(Result::transpose).collect::<Result<_, _>>().map_err(unavailable)
}

/// When a backup was made last.
pub(crate) fn last_backup(connection: &Connection) -> Result<Option<UnixTime>, RegistryError> {
    let select =
        "SELECT at FROM audit WHERE kind = 'backup' AND decision = 'accept' ORDER BY id DESC LIMIT 1";
    let found = connection.query_row(select, (), |row| row.get(0).map(UnixTime)).optional();
    found.map_err(unavailable)
}

/// Events, oldest first.
pub(crate) fn events(connection: &Connection, query: &EventQuery) -> Result<Vec<StoredEvent>, RegistryError> {
    let order = if query.tail { "DESC" } else { "ASC" };
    let user = if query.user.is_some() { "user = ?1" } else { "?1 IS NULL" };
    let kind = if query.kind.is_some() { "kind = ?5" } else { "?5 IS NULL" };
    let decision = if query.decision.is_some() { "decision = ?6" } else { "?6 IS NULL" };
    let sql = format!(
        "SELECT * FROM audit WHERE {user} AND at >= ?2 AND id > ?3 AND id < ?7 AND {kind} AND {decision} \
         ORDER BY id {order} LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(unavailable)?;
    let since = query.since.map_or(i64::MIN, |at| at.0);
    let (after, before) = (query.after.unwrap_or(0), query.before.unwrap_or(i64::MAX));
    let asked = params![query.user, since, after, query.limit, query.kind, query.decision, before];
    let rows = statement.query_map(asked, event_of).map_err(unavailable)?;
    let mut events: Vec<StoredEvent> = rows.collect::<Result<_, _>>().map_err(unavailable)?;
    if query.tail {
        events.reverse();
    }
    Ok(events)
}

/// Runs SQLite's own check. `None` is no damage.
pub(crate) fn verify(connection: &Connection) -> Result<Option<String>, RegistryError> {
    let said: String =
        connection.query_row("PRAGMA integrity_check(1)", (), |row| row.get(0)).map_err(unavailable)?;
    Ok((said != "ok").then_some(said))
}

fn summary_of(row: &Row<'_>) -> rusqlite::Result<Option<Summary>> {
    let name: String = row.get("name")?;
    let identity = Uid::new(row.get("uid")?).zip(AccountName::new(&name).ok());
    let Some((uid, name)) = identity else { return Ok(None) };
    Ok(Some(Summary {
        identity: Identity { uid, name },
        active_devices: row.get("active")?,
        last_used: row.get::<_, Option<i64>>("last_used")?.map(UnixTime),
        locked: row.get("locked")?,
        recovery_codes: codes_left(row)?,
        emails: row.get("confirmed")?,
        recovers: row.get::<_, Option<i64>>("recovers")?.map(UnixTime),
        enrolment: row.get::<_, Option<i64>>("enrol_until")?.map(UnixTime),
        grace_since: row.get::<_, Option<i64>>("grace_since")?.map(UnixTime),
    }))
}

fn codes_left(row: &Row<'_>) -> rusqlite::Result<u32> {
    let bytes: Option<Vec<u8>> = row.get("recovery")?;
    let sheet = bytes.and_then(|bytes| Sheet::from_bytes(&bytes));
    Ok(sheet.map_or(0, |sheet| u32::try_from(sheet.left().count()).unwrap_or(u32::MAX)))
}

fn reading_of(row: &Row<'_>) -> rusqlite::Result<Option<Reading>> {
    let (user, name): (String, String) = (row.get("user")?, row.get("name")?);
    let identity = Uid::new(row.get("uid")?).zip(AccountName::new(&user).ok());
    let Some(((uid, user), name)) = identity.zip(DeviceName::new(&name).ok()) else { return Ok(None) };
    Ok(Some(Reading {
        who: Identity { uid, name: user },
        account: AccountId(row.get("account")?),
        device: DeviceId(row.get("id")?),
        name,
        offset: row.get("offset")?,
    }))
}

/// A text that somebody altered need not be one; the rest of the log is read all the same.
fn event_of(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
    let text = |column| row.get_ref(column).map(|value| value.as_bytes_or_null().ok().flatten().map(lossy));
    let needed = |column| text(column).map(Option::unwrap_or_default);
    Ok(StoredEvent {
        id: row.get("id")?,
        at: UnixTime(row.get("at")?),
        user: needed("user")?,
        uid: row.get::<_, Option<i64>>("uid")?.and_then(|uid| u32::try_from(uid).ok()),
        actor: needed("actor")?,
        kind: needed("kind")?,
        decision: needed("decision")?,
        reason: needed("reason")?,
        service: text("service")?,
        address: text("address")?,
        device: text("device")?,
        lane: text("lane")?,
        detail: text("detail")?,
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const SELECT_READINGS: &str = "\
    SELECT account, device.id, device.name, account.uid, account.name AS user,
        (drift + leaning) * period AS \"offset\"
    FROM device JOIN account ON account.id = device.account
    WHERE state = 'active' AND kind = 'totp' AND last_used >= ?1 AND account.uid IS NOT NULL
    ORDER BY last_used DESC, account, device.id LIMIT ?2";
const SELECT_ACCOUNTS: &str = "\
    SELECT account.name, account.uid, recovery, enrol_until, grace_since,
        (SELECT count(*) FROM device WHERE device.account = account.id AND state = 'active') AS active,
        (SELECT max(last_used) FROM device WHERE device.account = account.id) AS last_used,
        (SELECT count(*) FROM email WHERE email.account = account.id AND recovers IS NOT NULL AND removed IS NULL)
            AS confirmed,
        (SELECT min(recovers) FROM email WHERE email.account = account.id AND removed IS NULL) AS recovers,
        EXISTS (SELECT 1 FROM lane WHERE lane.account = account.id AND failures >= ?3) AS locked
    FROM account";
const PROTECTED: &str =
    "AND EXISTS (SELECT 1 FROM device WHERE device.account = account.id AND state = 'active')";
// They may be few among many: in the order of numbers, devices lie side by side; in that of names, each is another page.
const UNPROTECTED: &str = "\
    AND account.id IN (SELECT a.id FROM account AS a
        WHERE NOT EXISTS (SELECT 1 FROM device WHERE device.account = a.id AND state = 'active'))";
const LOCKED: &str = "AND account.id IN (SELECT lane.account FROM lane WHERE failures >= ?3)";
