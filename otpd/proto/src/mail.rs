//! `org.otpd.Mail`: what `otpd-mail` takes out of the registry's outbox, delivers, and tells of it.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Mail";
/// Takes the mail that is due.
pub const CLAIM: &str = "org.otpd.Mail.Claim";
/// Tells what became of it.
pub const DONE: &str = "org.otpd.Mail.Done";
/// The call was understood and refused.
pub const REFUSED: &str = "org.otpd.Mail.Refused";
/// The registry cannot be read or written.
pub const UNAVAILABLE: &str = "org.otpd.Mail.Unavailable";

/// The most seconds that a `Claim` waits.
pub const LONGEST_WAIT: u8 = 30;

/// Who takes mails, and whether it can deliver any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailer {
    /// A word that no other process has.
    pub instance: String,
    /// How it delivers, in words.
    pub transport: String,
    /// Why it cannot, and what to change.
    pub problem: Option<String>,
}

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its code proves that the user reads what is sent to this address.
    Confirm,
    /// Its code lets the user in.
    Code,
    /// Something happened to the account.
    Notice,
    /// An administrator wants to see whether mails arrive.
    Test,
}

/// One mail to one address.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    /// The same at every try.
    pub id: String,
    /// What it is for.
    pub kind: Kind,
    /// Where it goes.
    pub to: String,
    /// As the user chose it: "zh", "en-GB".
    #[serde(default)]
    pub language: Option<String>,
    /// Whose account it is about.
    pub user: String,
    /// The name of this box.
    #[serde(rename = "box")]
    pub host: String,
    /// When it happened, Unix seconds.
    pub at: i64,
    /// In groups of four symbols.
    #[serde(default)]
    pub code: Option<Secret>,
    /// When the code and the mail are of no use any more, Unix seconds.
    pub expires: i64,
    /// What happened: a word of the audit log's kind, such as `device_bound`.
    #[serde(default)]
    pub notice: Option<String>,
    /// At which service.
    #[serde(default)]
    pub service: Option<String>,
    /// From which address.
    #[serde(default)]
    pub address: Option<String>,
    /// By or of which device.
    #[serde(default)]
    pub device: Option<String>,
    /// Anything else.
    #[serde(default)]
    pub detail: Option<String>,
}

/// Parameters of `Claim`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimParameters {
    /// Who claims.
    pub mailer: Mailer,
    /// Seconds to wait for a mail, at most [`LONGEST_WAIT`].
    pub wait: Option<u8>,
}

/// Result of `Claim`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claimed {
    /// What is due.
    pub message: Option<Message>,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A server took it.
    Delivered,
    /// Not now.
    Later,
    /// Never.
    Failed,
}

/// Parameters of `Done`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoneParameters {
    /// Of the message.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What the server said, or what went wrong on the way to it.
    pub answer: String,
    /// What to change.
    pub advice: Option<String>,
}

/// Result of `Done`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Settled {}
