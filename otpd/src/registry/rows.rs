//! Accounts to rows and back. Loads one account whole; writes only what a change altered.

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::account::Admission;
use otpd_core::account::Refusal;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::device::SealedKey;
use otpd_core::device::State;
use otpd_core::device::Use;
use otpd_core::mailed::Postage;
use otpd_core::mark::Mark;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::recovery::Sheet;
use otpd_core::registry::RegistryError;
use otpd_core::source::Source;
use otpd_core::throttle::Lane;
use otpd_core::throttle::Throttle;
use otpd_core::time::Step;
use otpd_core::time::UnixTime;
use otpd_core::totp::Parameters;
use otpd_core::waiting::Waiting;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::Row;
use rusqlite::named_params;
use rusqlite::params;

use super::emails;

/// The account of `who`, or `None` if neither its uid nor its name is known. Anything but one row with both is a
/// conflict: a renumbered user, a name given to somebody else.
pub(crate) fn load(connection: &Connection, who: &Identity) -> Result<Option<Account>, RegistryError> {
    let mut statement = connection.prepare_cached(SELECT_ACCOUNT).map_err(unavailable)?;
    let mut rows = statement.query(params![who.uid.as_u32(), who.name.as_str()]).map_err(unavailable)?;
    let Some(row) = rows.next().map_err(unavailable)? else { return Ok(None) };
    let both: bool = row.get("both").map_err(unavailable)?;
    let mut account = account_of(row, who).map_err(unavailable)?;
    let has_emails = has_emails(row).map_err(unavailable)?;
    if !both || rows.next().map_err(unavailable)?.is_some() {
        return Err(RegistryError::Conflict);
    }
    drop(rows);
    fill(connection, &mut account, has_emails)?;
    Ok(Some(account))
}

/// The account of this name, if it has a uid too.
pub(crate) fn load_by_name(
    connection: &Connection,
    name: &AccountName,
) -> Result<Option<Account>, RegistryError> {
    let mut statement = connection.prepare_cached(SELECT_BY_NAME).map_err(unavailable)?;
    let mut rows = statement.query([name.as_str()]).map_err(unavailable)?;
    let Some(row) = rows.next().map_err(unavailable)? else { return Ok(None) };
    let Some(uid) = Uid::new(row.get("uid").map_err(unavailable)?) else { return Ok(None) };
    let mut account = account_of(row, &Identity { uid, name: name.clone() }).map_err(unavailable)?;
    let has_emails = has_emails(row).map_err(unavailable)?;
    drop(rows);
    fill(connection, &mut account, has_emails)?;
    Ok(Some(account))
}

fn fill(connection: &Connection, account: &mut Account, has_emails: bool) -> Result<(), RegistryError> {
    account.devices = live_devices(connection, account.id)?;
    if has_emails {
        account.emails = emails::load(connection, account.id)?;
    }
    load_lanes(connection, account)?;
    load_sources(connection, account)
}

/// Makes an empty account.
pub(crate) fn create(connection: &Connection, who: &Identity) -> Result<Account, RegistryError> {
    let mut statement = connection
        .prepare_cached("INSERT INTO account (uid, name, next_device) VALUES (?1, ?2, 1)")
        .map_err(unavailable)?;
    let id = statement.insert(params![who.uid.as_u32(), who.name.as_str()]).map_err(unavailable)?;
    Ok(Account::new(AccountId(id), who.clone()))
}

/// Writes what differs between `before` and `after`.
pub(crate) fn save(connection: &Connection, before: &Account, after: &Account) -> Result<(), RegistryError> {
    let own = |account: &Account| {
        let Account { next_device, grace_since, stepped_up, recovered, enrolment, warned, .. } = account;
        (*next_device, *grace_since, *stepped_up, *recovered, *enrolment, *warned)
    };
    let words =
        |account: &Account| (account.announce.clone(), account.language.clone(), account.admitted.clone());
    let codes = |account: &Account| (account.recovery.clone(), account.mailed.clone());
    if own(before) != own(after) || words(before) != words(after) || codes(before) != codes(after) {
        save_account(connection, after)?;
    }
    if before.emails != after.emails {
        emails::save(connection, after)?;
    }
    for device in &after.devices {
        match before.devices.iter().find(|old| old.id == device.id) {
            Some(old) if old == device => {}
            Some(old) if *old == with_use_of(device, old) => save_use(connection, after.id, device)?,
            _ => save_device(connection, after.id, device)?,
        }
    }
    for device in &before.devices {
        if !after.devices.iter().any(|kept| kept.id == device.id) {
            drop_device(connection, after.id, device.id)?;
        }
    }
    for lane in Lane::ALL {
        let of = |account: &Account| {
            (account.lane(lane).clone(), account.refusal(lane), account.postage(lane).clone())
        };
        if of(before) != of(after) {
            save_lane(connection, after, lane)?;
        }
    }
    if before.sources != after.sources {
        save_sources(connection, after)?;
    }
    Ok(())
}

/// Reads a device row, whatever its state.
pub(crate) fn device_of(row: &Row<'_>) -> rusqlite::Result<Device> {
    let state: String = row.get("state")?;
    let activated = row.get::<_, Option<i64>>("activated")?.map(UnixTime);
    let state = match state.as_str() {
        "pending" => State::Pending {
            expires: UnixTime(row.get::<_, Option<i64>>("expires")?.unwrap_or(0)),
            tries: row.get("tries")?,
            replaces: row.get::<_, Option<u32>>("replaces")?.map(DeviceId),
        },
        "active" => State::Active { since: activated.ok_or_else(|| damaged("activated"))? },
        _ => State::Retired {
            activated,
            at: UnixTime(row.get::<_, Option<i64>>("retired")?.unwrap_or(0)),
            by: row.get::<_, Option<String>>("retired_by")?.unwrap_or_default(),
        },
    };
    let algorithm: String = row.get("algorithm")?;
    let algorithm = algorithm.parse().map_err(|_| damaged("algorithm"))?;
    let last_used: Option<i64> = row.get("last_used")?;
    Ok(Device {
        id: DeviceId(row.get("id")?),
        name: DeviceName::new(&row.get::<_, String>("name")?).map_err(|_| damaged("name"))?,
        state,
        key: SealedKey(row.get("key")?),
        parameters: Parameters::with_period(algorithm, row.get("digits")?, row.get("period")?)
            .map_err(|_| damaged("parameters"))?,
        drift: row.get("drift")?,
        leaning: row.get("leaning")?,
        last_step: row.get::<_, Option<i64>>("last_step")?.map(|step| Step(step.cast_unsigned())),
        needs_resync: row.get("needs_resync")?,
        created: UnixTime(row.get("created")?),
        created_by: row.get("created_by")?,
        created_from: row.get("created_from")?,
        last_use: match last_used {
            Some(at) => Some(Use {
                at: UnixTime(at),
                service: row.get::<_, Option<String>>("last_service")?.unwrap_or_default(),
                address: row.get("last_address")?,
            }),
            None => None,
        },
    })
}

/// Whatever SQLite says means: no answer.
pub(crate) fn unavailable(error: rusqlite::Error) -> RegistryError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => RegistryError::Full,
        Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => RegistryError::Disk(error.to_string()),
        _ => RegistryError::Unavailable(error.to_string()),
    }
}

/// A value that this program would not have written.
pub(crate) fn damaged(column: &'static str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnName(format!("damaged value in {column}"))
}

fn account_of(row: &Row<'_>, who: &Identity) -> rusqlite::Result<Account> {
    let mut account = Account::new(AccountId(row.get("id")?), who.clone());
    account.next_device = row.get("next_device")?;
    account.grace_since = row.get::<_, Option<i64>>("grace_since")?.map(UnixTime);
    account.stepped_up = row.get::<_, Option<i64>>("stepped_up")?.map(UnixTime);
    account.announce = row.get("announce")?;
    let recovery: Option<Vec<u8>> = row.get("recovery")?;
    account.recovery = Sheet::from_bytes(&recovery.unwrap_or_default()).ok_or_else(|| damaged("recovery"))?;
    account.recovered = row.get::<_, Option<i64>>("recovered")?.map(UnixTime);
    account.enrolment = enrolment_of(row)?;
    account.mailed = emails::codes_of(&row.get::<_, Option<Vec<u8>>>("mailed")?.unwrap_or_default())?;
    account.language = row.get("language")?;
    account.warned.no_code = row.get::<_, Option<i64>>("warned_no_code")?.map(UnixTime);
    account.warned.reuse = row.get::<_, Option<i64>>("warned_reuse")?.map(UnixTime);
    let (at, device) = (row.get::<_, Option<i64>>("admitted")?, row.get("admitted_by")?);
    account.admitted = at.map(|at| Admission { at: UnixTime(at), device });
    Ok(account)
}

fn has_emails(row: &Row<'_>) -> rusqlite::Result<bool> {
    row.get("emails")
}

fn enrolment_of(row: &Row<'_>) -> rusqlite::Result<Option<Waiting>> {
    let Some(mark) = row.get("enrol")? else { return Ok(None) };
    let (expires, tries) = (UnixTime(row.get("enrol_until")?), row.get("enrol_tries")?);
    Ok(Some(Waiting { mark: Mark(mark), expires, tries }))
}

fn live_devices(connection: &Connection, account: AccountId) -> Result<Vec<Device>, RegistryError> {
    let mut statement = connection
        .prepare_cached("SELECT * FROM device WHERE account = ?1 AND state <> 'retired' ORDER BY id")
        .map_err(unavailable)?;
    let devices = statement.query_map([account.0], device_of).map_err(unavailable)?;
    devices.collect::<Result<_, _>>().map_err(unavailable)
}

fn load_lanes(connection: &Connection, account: &mut Account) -> Result<(), RegistryError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM lane WHERE account = ?1").map_err(unavailable)?;
    let mut rows = statement.query([account.id.0]).map_err(unavailable)?;
    while let Some(row) = rows.next().map_err(unavailable)? {
        let (lane, throttle, refusal) = lane_of(row).map_err(unavailable)?;
        *account.lane_mut(lane) = throttle;
        account.set_refusal(lane, refusal);
        *account.postage_mut(lane) = emails::postage_of(row).map_err(unavailable)?;
    }
    Ok(())
}

fn lane_of(row: &Row<'_>) -> rusqlite::Result<(Lane, Throttle, Option<Refusal>)> {
    let lane: String = row.get("lane")?;
    let throttle =
        Throttle { failures: row.get("failures")?, last: row.get::<_, Option<i64>>("last")?.map(UnixTime) };
    let spent = row.get::<_, Option<bool>>("refused_spent")?.unwrap_or(false);
    let refusal = row.get::<_, Option<i64>>("refused")?.map(|at| Refusal { at: UnixTime(at), spent });
    Ok((lane.parse().map_err(|_| damaged("lane"))?, throttle, refusal))
}

fn load_sources(connection: &Connection, account: &mut Account) -> Result<(), RegistryError> {
    let mut statement = connection
        .prepare_cached("SELECT address, at FROM source WHERE account = ?1 ORDER BY at DESC, address")
        .map_err(unavailable)?;
    let mut rows = statement.query([account.id.0]).map_err(unavailable)?;
    while let Some(row) = rows.next().map_err(unavailable)? {
        let address: String = row.get(0).map_err(unavailable)?;
        // A /64 is stored with its length; its first address stands for all of it.
        let source =
            Source::parse(address.trim_end_matches("/64")).ok_or_else(|| unavailable(damaged("address")))?;
        account.sources.push((source, UnixTime(row.get(1).map_err(unavailable)?)));
    }
    Ok(())
}

fn save_account(connection: &Connection, account: &Account) -> Result<(), RegistryError> {
    let mut statement = connection
        .prepare_cached(
            "UPDATE account SET next_device = ?2, grace_since = ?3, stepped_up = ?4, announce = ?5, recovery = ?6,
                recovered = ?7, enrol = ?8, enrol_until = ?9, enrol_tries = ?10, mailed = ?11, language = ?12, warned_no_code = ?13,
                warned_reuse = ?14, admitted = ?15, admitted_by = ?16
                WHERE id = ?1",
        )
        .map_err(unavailable)?;
    let done = statement.execute(params![
        account.id.0,
        account.next_device,
        account.grace_since.map(|at| at.0),
        account.stepped_up.map(|at| at.0),
        account.announce,
        Some(account.recovery.to_bytes()).filter(|bytes| !bytes.is_empty()),
        account.recovered.map(|at| at.0),
        account.enrolment.map(|enrolment| enrolment.mark.0),
        account.enrolment.map(|enrolment| enrolment.expires.0),
        account.enrolment.map(|enrolment| enrolment.tries),
        emails::codes_to_bytes(&account.mailed),
        account.language,
        account.warned.no_code.map(|at| at.0),
        account.warned.reuse.map(|at| at.0),
        account.admitted.as_ref().map(|admission| admission.at.0),
        account.admitted.as_ref().and_then(|admission| admission.device.as_ref()),
    ]);
    done.map(drop).map_err(unavailable)
}

fn save_device(connection: &Connection, account: AccountId, device: &Device) -> Result<(), RegistryError> {
    let mut statement = connection.prepare_cached(UPSERT_DEVICE).map_err(unavailable)?;
    let (state, expires, tries, replaces, activated, retired, retired_by) = match &device.state {
        State::Pending { expires, tries, replaces } => {
            ("pending", Some(expires), *tries, *replaces, None, None, None)
        }
        State::Active { since } => ("active", None, 0, None, Some(since), None, None),
        State::Retired { activated, at, by } => {
            ("retired", None, 0, None, activated.as_ref(), Some(at), Some(by))
        }
    };
    let done = statement.execute(named_params! {
        ":account": account.0,
        ":id": device.id.0,
        ":name": device.name.as_str(),
        ":state": state,
        ":key": device.key.0,
        ":kind": device.parameters.moving().as_str(),
        ":algorithm": device.parameters.algorithm().as_str(),
        ":digits": device.parameters.digits(),
        ":period": device.parameters.period(),
        ":drift": device.drift,
        ":leaning": device.leaning,
        ":last_step": device.last_step.map(|step| step.0.cast_signed()),
        ":needs_resync": device.needs_resync,
        ":created": device.created.0,
        ":created_by": device.created_by,
        ":created_from": device.created_from,
        ":expires": expires.map(|at| at.0),
        ":tries": tries,
        ":replaces": replaces.map(|id| id.0),
        ":activated": activated.map(|at| at.0),
        ":retired": retired.map(|at| at.0),
        ":retired_by": retired_by,
        ":last_used": device.last_use.as_ref().map(|used| used.at.0),
        ":last_service": device.last_use.as_ref().map(|used| &used.service),
        ":last_address": device.last_use.as_ref().and_then(|used| used.address.as_ref()),
    });
    done.map(drop).map_err(unavailable)
}

/// The device as it was before it was used as `old` says.
fn with_use_of(device: &Device, old: &Device) -> Device {
    Device {
        drift: old.drift,
        leaning: old.leaning,
        last_step: old.last_step,
        last_use: old.last_use.clone(),
        ..device.clone()
    }
}

/// Writes what a login changes, in place: no index has to follow.
fn save_use(connection: &Connection, account: AccountId, device: &Device) -> Result<(), RegistryError> {
    let mut statement = connection.prepare_cached(UPDATE_USE).map_err(unavailable)?;
    let used = device.last_use.as_ref();
    let done = statement.execute(params![
        account.0,
        device.id.0,
        device.drift,
        device.leaning,
        device.last_step.map(|step| step.0.cast_signed()),
        used.map(|used| used.at.0),
        used.map(|used| &used.service),
        used.and_then(|used| used.address.as_ref()),
    ]);
    done.map(drop).map_err(unavailable)
}

fn drop_device(connection: &Connection, account: AccountId, id: DeviceId) -> Result<(), RegistryError> {
    let mut statement = connection
        .prepare_cached("DELETE FROM device WHERE account = ?1 AND id = ?2")
        .map_err(unavailable)?;
    statement.execute(params![account.0, id.0]).map(drop).map_err(unavailable)
}

fn save_lane(connection: &Connection, account: &Account, lane: Lane) -> Result<(), RegistryError> {
    let (throttle, refusal, postage) = (account.lane(lane), account.refusal(lane), account.postage(lane));
    let is_blank = *throttle == Throttle::default() && refusal.is_none() && *postage == Postage::default();
    let done = if is_blank {
        let mut statement = connection
            .prepare_cached("DELETE FROM lane WHERE account = ?1 AND lane = ?2")
            .map_err(unavailable)?;
        statement.execute(params![account.id.0, lane.as_str()])
    } else {
        let mut statement = connection
            .prepare_cached("INSERT OR REPLACE INTO lane VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
            .map_err(unavailable)?;
        statement.execute(params![
            account.id.0,
            lane.as_str(),
            throttle.failures,
            throttle.last.map(|at| at.0),
            refusal.map(|refusal| refusal.at.0),
            refusal.map(|refusal| refusal.spent),
            emails::sent_to_bytes(postage),
            postage.tries,
            postage.tried.map(|at| at.0),
        ])
    };
    done.map(drop).map_err(unavailable)
}

fn save_sources(connection: &Connection, account: &Account) -> Result<(), RegistryError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM source WHERE account = ?1").map_err(unavailable)?;
    statement.execute([account.id.0]).map_err(unavailable)?;
    let mut statement =
        connection.prepare_cached("INSERT INTO source VALUES (?1, ?2, ?3)").map_err(unavailable)?;
    for (source, at) in &account.sources {
        statement.execute(params![account.id.0, source.to_string(), at.0]).map_err(unavailable)?;
    }
    Ok(())
}

const SELECT_ACCOUNT: &str =
    "SELECT *, uid IS ?1 AND name IS ?2 AS both FROM account WHERE uid = ?1 OR name = ?2";

const SELECT_BY_NAME: &str = "SELECT * FROM account WHERE name = ?1 AND uid IS NOT NULL";

const UPSERT_DEVICE: &str = "\
    INSERT OR REPLACE INTO device (
        account, id, name, state, kind, key, algorithm, digits, period, drift, leaning, last_step, needs_resync, created, created_by, created_from,
        expires, tries, replaces, activated, retired, retired_by, last_used, last_service, last_address
    ) VALUES (
        :account, :id, :name, :state, :kind, :key, :algorithm, :digits, :period, :drift, :leaning, :last_step, :needs_resync,
        :created, :created_by, :created_from, :expires, :tries, :replaces, :activated, :retired, :retired_by, :last_used,
        :last_service, :last_address
    )";

const UPDATE_USE: &str = "\
    UPDATE device SET drift = ?3, leaning = ?4, last_step = ?5, last_used = ?6, last_service = ?7, last_address = ?8
    WHERE account = ?1 AND id = ?2";
