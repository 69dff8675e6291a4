//! Tickets of the web: rows that go with the change of an account that they follow from.

use otpd_core::event::Event;
use otpd_core::mark::Mark;
use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Journal;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::NewTicket;
use otpd_core::ticket::Scope;
use otpd_core::ticket::Seen;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::params;

use super::rows::damaged;
use super::rows::unavailable;

/// Does what a journal says of tickets, and adds the events of that which came to something.
pub(crate) fn settle(connection: &Connection, journal: &mut Journal) -> Result<(), RegistryError> {
    let changes: Vec<(TicketChange, Option<Event>)> = std::mem::take(&mut journal.tickets);
    for (change, event) in changes {
        if apply(connection, &change)? > 0 {
            event.into_iter().for_each(|event| journal.record(event));
        }
    }
    Ok(())
}

/// Does a change. Returns how many tickets it concerned.
pub(crate) fn apply(connection: &Connection, change: &TicketChange) -> Result<u32, RegistryError> {
    match change {
        TicketChange::Issue(new) => issue(connection, new),
        TicketChange::Renew { mark, new, at } => execute(connection, RENEW, params![mark.0, new.0, at.0]),
        TicketChange::Prove { id, at } => execute(connection, PROVE, params![id.0, at.0]),
        // Visits first: those that go with another ticket are not counted by SQLite.
        TicketChange::End { who, id } => {
            let row = params![id.0, who.uid.as_u32(), who.name.as_str()];
            let visits = execute(connection, END_VISITS, row)?;
            Ok(execute(connection, END, row)?.saturating_add(visits))
        }
        TicketChange::EndAll { uid, name, but } => {
            let row = params![uid.map(Uid::as_u32), name, but.map(|id| id.0)];
            let visits = execute(connection, END_ALL_VISITS, row)?;
            Ok(execute(connection, END_ALL, row)?.saturating_add(visits))
        }
    }
}

fn issue(connection: &Connection, new: &NewTicket) -> Result<u32, RegistryError> {
    let (parent, host, most) = match &new.scope {
        Scope::Account => (None, None, Ticket::MOST),
        Scope::Visit { parent, host } => (Some(parent.0), Some(host), Ticket::MOST_VISITS),
    };
    execute(connection, MAKE_ROOM, params![new.who.uid.as_u32(), parent.is_some(), most.saturating_sub(1)])?;
    let row = params![
        new.mark.0,
        parent,
        new.who.uid.as_u32(),
        new.who.name.as_str(),
        host,
        new.issued.0,
        new.expires.0,
        new.address,
        new.agent,
        new.device,
    ];
    execute(connection, INSERT, row)
}

/// The ticket with this mark.
pub(crate) fn find(connection: &Connection, mark: Mark) -> Result<Option<Ticket>, RegistryError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM ticket WHERE mark = ?1").map_err(unavailable)?;
    statement.query_row([mark.0], ticket_of).optional().map_err(unavailable)
}

/// Fails unless the ticket on whose strength a change is asked for, if there is one, has not ended.
pub(crate) fn must_be_there(connection: &Connection, id: Option<TicketId>) -> Result<(), RegistryError> {
    let Some(id) = id else { return Ok(()) };
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM ticket WHERE id = ?1").map_err(unavailable)?;
    if statement.exists([id.0]).map_err(unavailable)? { Ok(()) } else { Err(RegistryError::SignedOut) }
}

/// Somebody's tickets.
pub(crate) fn of(connection: &Connection, who: &Identity) -> Result<Vec<Ticket>, RegistryError> {
    let select = "SELECT * FROM ticket WHERE uid = ?1 AND name = ?2 ORDER BY id DESC";
    let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
    let tickets =
        statement.query_map(params![who.uid.as_u32(), who.name.as_str()], ticket_of).map_err(unavailable)?;
    tickets.collect::<Result<_, _>>().map_err(unavailable)
}

/// Writes down uses.
pub(crate) fn note_seen(connection: &Connection, all: &[(TicketId, Seen)]) -> Result<(), RegistryError> {
    all.iter().try_for_each(|(id, seen)| {
        execute(connection, NOTE_SEEN, params![id.0, seen.at.0, seen.address]).map(drop)
    })
}

/// Removes what is over.
pub(crate) fn sweep(
    connection: &Connection,
    now: UnixTime,
    unused_since: UnixTime,
    most: u32,
) -> Result<u32, RegistryError> {
    execute(connection, SWEEP, params![now.0, unused_since.0, most])
}

fn execute(connection: &Connection, sql: &str, row: impl Params) -> Result<u32, RegistryError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    let changed = statement.execute(row).map_err(unavailable)?;
    Ok(u32::try_from(changed).unwrap_or(u32::MAX))
}

fn ticket_of(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let at = |column| row.get::<_, i64>(column).map(UnixTime);
    let name: String = row.get("name")?;
    let who = Identity {
        uid: Uid::new(row.get("uid")?).ok_or_else(|| damaged("uid"))?,
        name: AccountName::new(&name).map_err(|_| damaged("name"))?,
    };
    let scope = match (row.get::<_, Option<i64>>("parent")?, row.get("host")?) {
        (None, None) => Scope::Account,
        (Some(parent), Some(host)) => Scope::Visit { parent: TicketId(parent), host },
        _ => return Err(damaged("host")),
    };
    Ok(Ticket {
        id: TicketId(row.get("id")?),
        who,
        scope,
        issued: at("issued")?,
        expires: at("expires")?,
        seen: at("seen")?,
        password_at: at("password_at")?,
        code_at: row.get::<_, Option<i64>>("code_at")?.map(UnixTime),
        address: row.get("address")?,
        agent: row.get("agent")?,
        device: row.get("device")?,
    })
}

const INSERT: &str = "\
    INSERT INTO ticket (mark, parent, uid, name, host, issued, expires, seen, password_at, address, agent, device)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?6, ?8, ?9, ?10
    WHERE ?2 IS NULL OR EXISTS (SELECT 1 FROM ticket WHERE id = ?2)";
const MAKE_ROOM: &str = "\
    DELETE FROM ticket WHERE uid = ?1 AND (parent IS NOT NULL) = ?2 AND id NOT IN
        (SELECT id FROM ticket WHERE uid = ?1 AND (parent IS NOT NULL) = ?2 ORDER BY id DESC LIMIT ?3)";
const RENEW: &str =
    "UPDATE ticket SET mark = ?2, password_at = ?3, seen = ?3 WHERE mark = ?1 AND parent IS NULL";
const PROVE: &str = "UPDATE ticket SET code_at = ?2 WHERE id = ?1 AND parent IS NULL";
const END: &str = "DELETE FROM ticket WHERE id = ?1 AND uid = ?2 AND name = ?3";
const END_VISITS: &str = "DELETE FROM ticket WHERE parent = ?1 AND uid = ?2 AND name = ?3";
const END_ALL: &str = "\
    DELETE FROM ticket WHERE (uid = ?1 OR name = ?2) AND (?3 IS NULL OR (id <> ?3 AND parent IS NOT ?3))";
const END_ALL_VISITS: &str = "\
    DELETE FROM ticket WHERE (uid = ?1 OR name = ?2) AND (?3 IS NULL OR id <> ?3) AND parent IS NOT NULL AND parent IS NOT ?3";
const NOTE_SEEN: &str = "UPDATE ticket SET seen = max(seen, ?2), address = ?3 WHERE id = ?1";
const SWEEP: &str = "\
    DELETE FROM ticket WHERE id IN
        (SELECT id FROM ticket WHERE expires <= ?1 OR seen <= ?2 OR issued > ?1 ORDER BY id LIMIT ?3)";
