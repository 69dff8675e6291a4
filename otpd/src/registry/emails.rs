//! Secure emails and mailed codes, to rows and back.

use otpd_core::account::Account;
use otpd_core::account::AccountId;
use otpd_core::emails::Email;
use otpd_core::emails::Emails;
use otpd_core::emails::SealedAddress;
use otpd_core::emails::Stage;
use otpd_core::mailed::MailedCode;
use otpd_core::mailed::MailedCodes;
use otpd_core::mailed::Postage;
use otpd_core::mark::Mark;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use otpd_core::waiting::Waiting;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;

use super::rows::damaged;
use super::rows::unavailable;

/// The secure emails of an account.
pub(crate) fn load(connection: &Connection, account: AccountId) -> Result<Emails, RegistryError> {
    let mut statement = connection
        .prepare_cached("SELECT * FROM email WHERE account = ?1 ORDER BY number")
        .map_err(unavailable)?;
    let emails = statement.query_map([account.0], email_of).map_err(unavailable)?;
    emails.collect::<Result<_, _>>().map(Emails).map_err(unavailable)
}

/// Writes the secure emails of an account, and how many there are.
pub(crate) fn save(connection: &Connection, account: &Account) -> Result<(), RegistryError> {
    let id = account.id.0;
    let emails = &account.emails.0;
    let count = u32::try_from(emails.len()).unwrap_or(u32::MAX);
    connection.execute("DELETE FROM email WHERE account = ?1", [id]).map_err(unavailable)?;
    connection
        .execute("UPDATE account SET emails = ?2 WHERE id = ?1", params![id, count])
        .map_err(unavailable)?;
    emails.iter().try_for_each(|email| insert(connection, account.id, email))
}

/// Mailed codes as stored: for each until when it is good, and its mark.
pub(crate) fn codes_to_bytes(codes: &MailedCodes) -> Option<Vec<u8>> {
    let bytes = codes.0.iter().flat_map(|code| [&code.expires.0.to_be_bytes()[..], &code.mark.0].concat());
    Some(bytes.collect::<Vec<u8>>()).filter(|bytes| !bytes.is_empty())
}

/// Reads what [`codes_to_bytes`] wrote.
pub(crate) fn codes_of(bytes: &[u8]) -> rusqlite::Result<MailedCodes> {
    let code = |bytes: &[u8]| {
        let (expires, mark) = bytes.split_first_chunk()?;
        let mark = Mark(mark.try_into().ok()?);
        Some(MailedCode { mark, expires: UnixTime(i64::from_be_bytes(*expires)) })
    };
    let codes = bytes.chunks(CODE).map(code).collect::<Option<_>>();
    codes.map(MailedCodes).ok_or_else(|| damaged("mailed"))
}

/// When mails were sent, as stored.
pub(crate) fn sent_to_bytes(postage: &Postage) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = postage.sent.iter().flat_map(|at| at.0.to_be_bytes()).collect();
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// What was mailed and tried in a lane.
pub(crate) fn postage_of(row: &Row<'_>) -> rusqlite::Result<Postage> {
    let sent: Option<Vec<u8>> = row.get("mails")?;
    let at = |bytes: &[u8]| bytes.try_into().ok().map(|bytes| UnixTime(i64::from_be_bytes(bytes)));
    let sent = sent.unwrap_or_default().chunks(8).map(at).collect::<Option<_>>();
    Ok(Postage {
        sent: sent.ok_or_else(|| damaged("mails"))?,
        tries: row.get("mail_tries")?,
        tried: row.get::<_, Option<i64>>("mail_tried")?.map(UnixTime),
    })
}

fn insert(connection: &Connection, account: AccountId, email: &Email) -> Result<(), RegistryError> {
    let (waiting, recovers, removed) = match &email.stage {
        Stage::Pending(waiting) => (Some(waiting), None, None),
        Stage::Confirmed { recovers } => (None, Some(recovers.0), None),
        Stage::Removed { until } => (None, None, Some(until.0)),
    };
    let mut statement = connection
        .prepare_cached("INSERT INTO email VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
        .map_err(unavailable)?;
    let done = statement.execute(params![
        account.0,
        email.number,
        email.address.0,
        email.added.0,
        waiting.map(|waiting| waiting.mark.0),
        waiting.map(|waiting| waiting.expires.0),
        waiting.map(|waiting| waiting.tries),
        recovers,
        removed,
    ]);
    done.map(drop).map_err(unavailable)
}

fn email_of(row: &Row<'_>) -> rusqlite::Result<Email> {
    let time = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(UnixTime));
    let stage = match (row.get("code")?, time("recovers")?, time("removed")?) {
        (Some(mark), None, None) => {
            let expires = time("expires")?.ok_or_else(|| damaged("expires"))?;
            Stage::Pending(Waiting { mark: Mark(mark), expires, tries: row.get("tries")? })
        }
        (None, Some(recovers), None) => Stage::Confirmed { recovers },
        (None, None, Some(until)) => Stage::Removed { until },
        _ => return Err(damaged("email")),
    };
    Ok(Email {
        number: row.get("number")?,
        address: SealedAddress(row.get("address")?),
        added: UnixTime(row.get("added")?),
        stage,
    })
}

/// Bytes of a stored code.
const CODE: usize = 24;
