//! A mail as it goes out: plain text and HTML, with headers that no name or address can add to.
//!
//! Everything in a message may be hostile: users choose the names of their devices, and whoever logs in has an address.

mod html;
mod letter;
mod text;

use std::time::Duration;
use std::time::SystemTime;

use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use lettre::message::MultiPart;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;
use otpd_proto::mail::Message;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::catalogue::Catalogues;
use crate::verdict::Verdict;

use letter::Letter;
use letter::clean;

/// Who mails come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Their address.
    pub address: Address,
    /// Their name; empty for that of the box.
    pub name: String,
}

/// A mail that is ready to be handed over.
#[derive(Debug)]
pub struct Mail {
    /// Who it comes from.
    pub from: Address,
    /// Who gets it.
    pub to: Address,
    /// Headers and body, with CRLF at the end of each line. May hold a code.
    pub content: Zeroizing<Vec<u8>>,
}

impl Mail {
    /// Writes the mail for a message, in the language of its user, with times of this zone.
    ///
    /// # Errors
    /// The verdict that it cannot be sent at all.
    pub fn compose(
        message: &Message,
        from: &Sender,
        catalogues: &Catalogues,
        zone: &TimeZone,
    ) -> Result<Self, Verdict> {
        let to = Address::parse(&message.to)
            .map_err(|why| Verdict::failed(&format!("the recipient is no mail address: {why}")))?;
        let letter = Letter::new(message, catalogues.best(message.language.as_deref()), zone)?;
        let name = if from.name.is_empty() { &message.host } else { &from.name };
        let name = Some(clean(name, LONGEST_NAME)).filter(|name| !name.is_empty());
        let mail = lettre::Message::builder()
            .from(Mailbox::new(name, from.address.as_lettre()))
            .to(Mailbox::new(None, to.as_lettre()))
            .subject(letter.subject.clone())
            .date(date(message.at))
            .message_id(Some(format!("<{}@{}>", message_id(&message.id), from.address.domain())))
            // Neither a person away from home nor another program answers it (RFC 3834; the second for Exchange).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .raw_header(header("Content-Language", &letter.tag))
            .multipart(MultiPart::alternative_plain_html(
                text::write(&letter).to_string(),
                html::write(&letter).to_string(),
            ))
            .map_err(|error| Verdict::failed(&format!("the mail cannot be composed: {error}")))?;
        Ok(Self { from: from.address.clone(), to, content: Zeroizing::new(mail.formatted()) })
    }
}

/// The same at every try, so that a mail that came twice can be known as one.
fn message_id(id: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=64).contains(&id.len()) && id.bytes().all(is_plain) {
        return format!("otpd.{id}");
    }
    let hex: String = id.bytes().take(64).map(|byte| format!("{byte:02x}")).collect();
    format!("otpd.x.{hex}")
}

/// The crate that writes it knows the years 1970 to 9999 and panics at others.
fn date(at: i64) -> SystemTime {
    let seconds = u64::try_from(at).unwrap_or_default().min(LAST_SECOND_OF_9999);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

const LONGEST_NAME: usize = 64;
const LAST_SECOND_OF_9999: u64 = 253_402_300_799;

#[cfg(test)]
mod tests;
