//! The audit log: events are added at its end, each chained to the one before it, and removed from its beginning.

use otpd_core::chain::ChainKey;
use otpd_core::chain::Contents;
use otpd_core::chain::Defect;
use otpd_core::chain::Entry;
use otpd_core::chain::Field;
use otpd_core::chain::Flaw;
use otpd_core::chain::Link;
use otpd_core::chain::Mac;
use otpd_core::chain::Place;
use otpd_core::chain::Walk;
use otpd_core::event::Event;
use otpd_core::event::Reason;
use otpd_core::name::Uid;
use otpd_core::registry::Journal;
use otpd_core::registry::RegistryError;
use otpd_core::registry::Walked;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Statement;
use rusqlite::params;
use rusqlite::types::ValueRef;

use super::rows::unavailable;

/// The end of the log, as far as a transaction has written. Of one that is rolled back it is thrown away with the rest.
#[derive(Clone, Copy)]
pub(crate) struct End<'a> {
    key: Option<&'a ChainKey>,
    head: Link,
}

impl<'a> End<'a> {
    /// Without a key, events carry no MAC: so nobody can take them for what a daemon with the key wrote.
    pub(crate) fn new(key: Option<&'a ChainKey>, head: Link) -> Self {
        Self { key, head }
    }

    /// The last event.
    pub(crate) fn head(&self) -> Link {
        self.head
    }

    /// Adds an event, each of its texts cut to what a system has: whoever may cause events must not be able to fill the
    /// log with what they like.
    pub(crate) fn record(&mut self, connection: &Connection, event: &Event) -> Result<(), RegistryError> {
        let event = Cut::of(event);
        let contents = event.contents();
        let mut statement = connection.prepare_cached(INSERT).map_err(unavailable)?;
        let mut head = event.insert(&mut statement, self.next(&contents)?);
        if head.as_ref().is_err_and(is_taken) {
            // By nothing of ours. It stays, to be found; what we have to say stands behind it.
            self.head = newest(connection)?.unwrap_or(self.head);
            head = event.insert(&mut statement, self.next(&contents)?);
        }
        self.head = head.map_err(unavailable)?;
        Ok(())
    }

    fn next(&self, contents: &Contents) -> Result<Link, RegistryError> {
        let full = || RegistryError::Unavailable("the audit log has no number left".into());
        let number = self.head.number.checked_add(1).ok_or_else(full)?;
        let mac = self.key.map_or(Mac::NONE, |key| key.link(self.head.mac, number, contents));
        Ok(Link { number, mac })
    }
}

/// An event as it is written: its texts cut.
struct Cut<'a> {
    event: &'a Event,
    user: &'a str,
    actor: &'a str,
    service: Option<&'a str>,
    address: Option<&'a str>,
    device: Option<&'a str>,
    detail: Option<&'a str>,
}

impl<'a> Cut<'a> {
    fn of(event: &'a Event) -> Self {
        Self {
            event,
            user: cut(&event.user),
            actor: cut(&event.actor),
            service: event.service.as_deref().map(cut),
            address: event.address.as_deref().map(cut),
            device: event.device.as_deref().map(cut),
            detail: event.detail.as_deref().map(cut),
        }
    }

    /// In the order of [`SELECT`].
    fn contents(&self) -> Contents {
        let uid = self.event.uid.map(Uid::as_u32);
        let fields = [
            Field::Number(self.event.at.0),
            Some(self.user).into(),
            uid.map_or(Field::Nothing, |uid| Field::Number(uid.into())),
            Some(self.actor).into(),
            Some(self.event.kind.as_str()).into(),
            Some(self.event.decision.as_str()).into(),
            Some(self.event.reason.as_str()).into(),
            self.service.into(),
            self.address.into(),
            self.device.into(),
            self.event.lane.map(Lane::as_str).into(),
            self.detail.into(),
        ];
        fields.into_iter().collect()
    }

    fn insert(&self, statement: &mut Statement<'_>, link: Link) -> rusqlite::Result<Link> {
        let done = statement.execute(params![
            link.number,
            self.event.at.0,
            self.user,
            self.event.uid.map(Uid::as_u32),
            self.actor,
            self.event.kind.as_str(),
            self.event.decision.as_str(),
            self.event.reason.as_str(),
            self.service,
            self.address,
            self.device,
            self.event.lane.map(Lane::as_str),
            self.detail,
            link.mac.0,
        ]);
        done.map(|_| link)
    }
}

/// Begins the chain of a new registry.
pub(crate) fn begin(connection: &Connection, key: &ChainKey) -> Result<(), RegistryError> {
    note(connection, key, Place::Anchor, Link::START)?;
    note(connection, key, Place::Head, Link::START)
}

/// Where the log goes on after a start; and what is wrong with its end or its notes, as far as that shows at once. If its
/// end was cut, it goes on behind what was there, so that the gap stays.
pub(crate) fn resume(
    connection: &Connection,
    key: &ChainKey,
) -> Result<(Link, Option<String>), RegistryError> {
    let anchor = noted(connection, key, Place::Anchor)?;
    let reached = noted(connection, key, Place::Head)?;
    let newest = newest(connection)?;
    let last = newest.map_or(0, |link| link.number);
    let ends = [anchor, reached, newest].into_iter().flatten();
    let head = ends.max_by_key(|link| link.number).unwrap_or(Link::START);
    let wrong = match (anchor, reached) {
        (None, _) => Some("the note of where it begins was changed or removed".to_owned()),
        (_, None) => Some("the note of how far it came was changed or removed".to_owned()),
        _ if last < head.number => {
            let first = last.max(anchor.map_or(0, |anchor| anchor.number)).saturating_add(1);
            Some(format!("its end was cut off: events {first} to {} at least", head.number))
        }
        _ => None,
    };
    Ok((head, wrong))
}

/// Where the log goes on without the key: behind whatever number stands there, believed or not.
pub(crate) fn resume_unchained(connection: &Connection) -> Result<Link, RegistryError> {
    let select = "SELECT max(id) FROM (SELECT id FROM audit UNION ALL SELECT number FROM audit_note)";
    let number: Option<i64> = connection.query_row(select, (), |row| row.get(0)).map_err(unavailable)?;
    Ok(Link { number: number.unwrap_or(0), mac: Mac::NONE })
}

/// Notes a link in its place.
pub(crate) fn note(
    connection: &Connection,
    key: &ChainKey,
    place: Place,
    link: Link,
) -> Result<(), RegistryError> {
    let insert = "INSERT OR REPLACE INTO audit_note (place, number, mac, seal) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = connection.prepare_cached(insert).map_err(unavailable)?;
    let seal = key.seal(place, link);
    statement.execute(params![place.as_str(), link.number, link.mac.0, seal.0]).map_err(unavailable)?;
    Ok(())
}

/// Removes the oldest events. Looks at no more of them than it may remove, and at one more.
pub(crate) fn prune(
    connection: &Connection,
    key: &ChainKey,
    before: UnixTime,
    most: u32,
    alarm: Event,
    journal: &mut Journal,
) -> Result<u32, RegistryError> {
    let mut statement = connection.prepare_cached(SELECT).map_err(unavailable)?;
    let found = statement.query_map(params![i64::MIN, most.saturating_add(1)], entry_of);
    let mut old: Vec<Entry> = found.and_then(Iterator::collect).map_err(unavailable)?;
    let young = old.iter().position(|entry| entry.at >= before).unwrap_or(old.len());
    // The newest of all stays.
    old.truncate(young.min(old.len().saturating_sub(1)));
    let Some(last) = old.last().map(|entry| Link { number: entry.number, mac: entry.mac }) else {
        return Ok(0);
    };
    if let Some(number) = first_flaw(key, noted(connection, key, Place::Anchor)?, &old) {
        let detail = format!("event {number}, which was removed as old, was not as otpd chains it");
        journal.record(Event { detail: Some(detail), ..alarm });
    }
    note(connection, key, Place::Anchor, last)?;
    let mut statement = connection.prepare_cached("DELETE FROM audit WHERE id <= ?1").map_err(unavailable)?;
    let removed = statement.execute([last.number]).map_err(unavailable)?;
    Ok(u32::try_from(removed).unwrap_or(most))
}

/// The number of the first event that does not fit. Where a date was changed, an event may go before its time.
fn first_flaw(key: &ChainKey, anchor: Option<Link>, old: &[Entry]) -> Option<i64> {
    let first = old.first().map_or(0, |entry| entry.number);
    if anchor.is_none_or(|anchor| anchor.number >= first) {
        return Some(first);
    }
    let end = old.last().map(|entry| Link { number: entry.number, mac: entry.mac });
    let entries = old.iter().cloned().map(Ok::<_, RegistryError>);
    let passed = Walk::begin(anchor).pass(key, entries, end.as_slice(), u32::MAX).ok()?;
    passed.flaws.iter().find(|flaw| flaw.defect != Defect::Alarm).map(|flaw| flaw.number)
}

/// One page of a walk. `connection` is inside a transaction that began after `head` was committed.
pub(crate) fn walk(
    connection: &Connection,
    key: &ChainKey,
    (walk, known, most): (Option<Walk>, Option<Link>, u32),
    head: Link,
) -> Result<Walked, RegistryError> {
    let anchor = noted(connection, key, Place::Anchor)?;
    let reached = noted(connection, key, Place::Head)?;
    let mut flaws = Vec::new();
    let walk = match (walk, anchor) {
        (None, _) => {
            flaws = before_the_first(connection, anchor, reached, known)?;
            begin_walk(connection, anchor)?
        }
        // Meanwhile so much was removed as old.
        (Some(walk), Some(anchor)) if walk.last < anchor.number => Walk::begin(Some(anchor)),
        (Some(walk), _) => walk,
    };
    let noted: Vec<Link> = [Some(head), reached, known].into_iter().flatten().collect();
    let mut statement = connection.prepare_cached(SELECT).map_err(unavailable)?;
    let entries =
        statement.query_map(params![walk.last, most.saturating_add(1)], entry_of).map_err(unavailable)?;
    let mut passed = walk.pass(key, entries, &noted, most).map_err(unavailable)?;
    flaws.append(&mut passed.flaws);
    passed.flaws = flaws;
    Ok(Walked { passed, anchor, head })
}

fn begin_walk(connection: &Connection, anchor: Option<Link>) -> Result<Walk, RegistryError> {
    let mut walk = Walk::begin(anchor);
    if anchor.is_none() {
        let first: Option<i64> =
            connection.query_row("SELECT min(id) FROM audit", (), |row| row.get(0)).map_err(unavailable)?;
        walk.last = first.map_or(0, |first| first.saturating_sub(1));
    }
    Ok(walk)
}

/// What is wrong with the notes, and events that stand where there can be none any more.
fn before_the_first(
    connection: &Connection,
    anchor: Option<Link>,
    reached: Option<Link>,
    known: Option<Link>,
) -> Result<Vec<Flaw>, RegistryError> {
    let mut flaws = Vec::new();
    flaws.extend(anchor.is_none().then_some(Flaw::of(Defect::Anchor, 0)));
    flaws.extend(reached.is_none().then_some(Flaw::of(Defect::Head, 0)));
    let Some(anchor) = anchor else { return Ok(flaws) };
    if known.is_some_and(|known| known.number == anchor.number && known != anchor) {
        flaws.push(Flaw::of(Defect::Replaced, anchor.number));
    }
    let select = "SELECT id, at FROM audit WHERE id <= ?1 ORDER BY id LIMIT 50";
    let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
    let strays = statement.query_map([anchor.number], |row| Ok((row.get(0)?, row.get(1)?)));
    for stray in strays.map_err(unavailable)? {
        let (number, at): (i64, i64) = stray.map_err(unavailable)?;
        flaws.push(Flaw { at: Some(UnixTime(at)), ..Flaw::of(Defect::Inserted, number) });
    }
    Ok(flaws)
}

/// What is noted in a place, if it is authentic.
fn noted(connection: &Connection, key: &ChainKey, place: Place) -> Result<Option<Link>, RegistryError> {
    let select = "SELECT number, mac, seal FROM audit_note WHERE place = ?1";
    let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
    let found = statement.query_row([place.as_str()], |row| {
        Ok((Link { number: row.get(0)?, mac: mac_of(row, 1)? }, mac_of(row, 2)?))
    });
    let found = found.optional().map_err(unavailable)?;
    Ok(found.filter(|(link, seal)| key.seal(place, *link) == *seal).map(|(link, _)| link))
}

fn newest(connection: &Connection) -> Result<Option<Link>, RegistryError> {
    let select = "SELECT id, mac FROM audit ORDER BY id DESC LIMIT 1";
    let mut statement = connection.prepare_cached(select).map_err(unavailable)?;
    let found = statement.query_row((), |row| Ok(Link { number: row.get(0)?, mac: mac_of(row, 1)? }));
    found.optional().map_err(unavailable)
}

fn entry_of(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let fields = (2..COLUMNS).map(|column| row.get_ref(column).map(field_of));
    Ok(Entry {
        number: row.get(0)?,
        mac: mac_of(row, 1)?,
        at: UnixTime(row.get(2)?),
        contents: fields.collect::<Result<_, _>>()?,
        is_alarm: row.get_ref(REASON)?.as_bytes().is_ok_and(|reason| reason == ALARM.as_bytes()),
    })
}

/// As it stands there, whatever it is: what was altered need not be text.
fn field_of(value: ValueRef<'_>) -> Field<'_> {
    match value {
        ValueRef::Null => Field::Nothing,
        ValueRef::Integer(number) => Field::Number(number),
        ValueRef::Text(text) => Field::Text(text),
        ValueRef::Real(_) | ValueRef::Blob(_) => Field::Odd,
    }
}

fn mac_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Mac> {
    Ok(row.get_ref(column)?.as_blob().map_or(Mac::NONE, Mac::from_stored))
}

/// Whether the number was taken.
fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(LONGEST_TEXT).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// Characters of each text of an event.
const LONGEST_TEXT: usize = 256;

const ALARM: &str = Reason::LogAltered.as_str();

const INSERT: &str = "\
    INSERT INTO audit (id, at, user, uid, actor, kind, decision, reason, service, address, device, lane, detail, mac)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

const SELECT: &str = "\
    SELECT id, mac, at, user, uid, actor, kind, decision, reason, service, address, device, lane, detail
    FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2";
const COLUMNS: usize = 14;
const REASON: usize = 8;
