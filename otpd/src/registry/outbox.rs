//! The outbox: mails are committed with the change that they tell of, and stay until a server has them.

use otpd_core::account::AccountId;
use otpd_core::outbox::Due;
use otpd_core::outbox::Fate;
use otpd_core::outbox::GivenUp;
use otpd_core::outbox::Mail;
use otpd_core::outbox::MailId;
use otpd_core::outbox::MailKind;
use otpd_core::outbox::Overview;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;

use super::rows::damaged;
use super::rows::unavailable;

/// Adds a mail, due at once. Of one account only so many notices wait.
pub(crate) fn insert(connection: &Connection, mail: &Mail) -> Result<(), RegistryError> {
    let mut statement = connection.prepare_cached(INSERT).map_err(unavailable)?;
    let done = statement.execute(params![
        mail.id.0,
        mail.account.map(|account| account.0),
        mail.kind.as_str(),
        mail.sealed,
        mail.at.0,
        mail.expires.0,
        MOST_NOTICES,
    ]);
    done.map(drop).map_err(unavailable)
}

/// The mail that is due first.
pub(crate) fn due(
    connection: &Connection,
    now: UnixTime,
    except: &[MailId],
) -> Result<Option<Due>, RegistryError> {
    let mut statement = connection.prepare_cached(SELECT_DUE).map_err(unavailable)?;
    let mut found = statement.query_map([now.0], due_of).map_err(unavailable)?;
    let free = |due: &rusqlite::Result<Due>| due.as_ref().map_or(true, |due| !except.contains(&due.mail.id));
    found.find(free).transpose().map_err(unavailable)
}

/// A mail that waits.
pub(crate) fn mail(connection: &Connection, id: MailId) -> Result<Option<Due>, RegistryError> {
    let select = "SELECT * FROM outbox WHERE id = ?1 AND sealed IS NOT NULL";
    connection.query_row(select, [id.0], due_of).optional().map_err(unavailable)
}

/// When the next mail is due.
pub(crate) fn next(connection: &Connection) -> Result<Option<UnixTime>, RegistryError> {
    let next = connection.query_row("SELECT min(next) FROM outbox WHERE sealed IS NOT NULL", (), |row| {
        Ok(row.get::<_, Option<i64>>(0)?.map(UnixTime))
    });
    next.map_err(unavailable)
}

/// Writes down what became of a mail. Returns whether it waited.
pub(crate) fn settle(connection: &Connection, id: MailId, fate: &Fate) -> Result<bool, RegistryError> {
    let done = match fate {
        Fate::Delivered => {
            connection.execute("DELETE FROM outbox WHERE id = ?1 AND sealed IS NOT NULL", [id.0])
        }
        Fate::Later { next, answer } => connection.execute(LATER, params![id.0, next.0, answer]),
        Fate::Failed { answer } => {
            let failed = connection.execute(FAILED, params![id.0, answer]);
            failed.and_then(|changed| connection.execute(FORGET, [MOST_GIVEN_UP]).map(|_| changed))
        }
    };
    done.map(|changed| changed > 0).map_err(unavailable)
}

/// What waits, and what was given up.
pub(crate) fn overview(connection: &Connection) -> Result<Overview, RegistryError> {
    let waiting =
        connection.query_row("SELECT count(*), min(at) FROM outbox WHERE sealed IS NOT NULL", (), |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.map(UnixTime)))
        });
    let (waiting, oldest) = waiting.map_err(unavailable)?;
    let mut statement = connection.prepare_cached(SELECT_GIVEN_UP).map_err(unavailable)?;
    let given_up = statement.query_map((), given_up_of).map_err(unavailable)?;
    let given_up = given_up.collect::<Result<_, _>>().map_err(unavailable)?;
    Ok(Overview { waiting, oldest, given_up })
}

fn due_of(row: &Row<'_>) -> rusqlite::Result<Due> {
    let mail = Mail {
        id: MailId(row.get("id")?),
        account: row.get::<_, Option<i64>>("account")?.map(AccountId),
        kind: kind_of(row)?,
        sealed: row.get("sealed")?,
        at: UnixTime(row.get("at")?),
        expires: UnixTime(row.get("expires")?),
    };
    Ok(Due { mail, tries: row.get("tries")? })
}

fn given_up_of(row: &Row<'_>) -> rusqlite::Result<GivenUp> {
    Ok(GivenUp {
        kind: kind_of(row)?,
        at: UnixTime(row.get("at")?),
        tries: row.get("tries")?,
        answer: row.get::<_, Option<String>>("answer")?.unwrap_or_default(),
    })
}

fn kind_of(row: &Row<'_>) -> rusqlite::Result<MailKind> {
    let kind: String = row.get("kind")?;
    MailKind::parse(&kind).ok_or_else(|| damaged("kind"))
}

/// Enough for everything that can happen to an account in a day, and not for somebody who makes it happen.
const MOST_NOTICES: u32 = 200;
const MOST_GIVEN_UP: u32 = 100;

const INSERT: &str = "\
    INSERT INTO outbox (id, account, kind, sealed, at, expires, next, tries)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?5, 0 WHERE ?3 <> 'notice' OR ?7 >
        (SELECT count(*) FROM outbox WHERE account = ?2 AND kind = 'notice' AND sealed IS NOT NULL)";
/// As many as may be with otpd-mail at once, and one more. What was posted in a time to come (the clock went back) does
/// not wait for it.
const SELECT_DUE: &str = "\
    SELECT * FROM outbox WHERE sealed IS NOT NULL AND (next <= ?1 OR at > ?1 + 600) ORDER BY kind = 'notice', next, id LIMIT 33";
/// Never later than it is of use: then it is due to be given up.
const LATER: &str = "\
    UPDATE outbox SET next = min(?2, expires), tries = tries + 1, answer = ?3 WHERE id = ?1 AND sealed IS NOT NULL";
const FAILED: &str = "\
    UPDATE outbox SET sealed = NULL, tries = tries + 1, answer = ?2 WHERE id = ?1 AND sealed IS NOT NULL";
const FORGET: &str = "\
    DELETE FROM outbox WHERE sealed IS NULL AND id NOT IN
        (SELECT id FROM outbox WHERE sealed IS NULL ORDER BY at DESC, id LIMIT ?1)";
const SELECT_GIVEN_UP: &str = "SELECT * FROM outbox WHERE sealed IS NULL ORDER BY at DESC, id LIMIT 10";
