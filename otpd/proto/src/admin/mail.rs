//! Whether mails arrive.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// Sends a mail to see whether it arrives.
pub const MAIL_TEST: &str = "org.otpd.Admin.MailTest";
/// How mails fare.
pub const MAIL_STATUS: &str = "org.otpd.Admin.MailStatus";

/// Parameters of `MailTest`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTestParameters {
    /// Where it goes.
    pub address: String,
    /// The language of the mail, as in LANG.
    pub language: Option<String>,
    /// The administrator's own code.
    pub code: Option<Secret>,
}

/// Result of `MailTest`.
#[derive(Debug, Serialize, Deserialize)]
pub struct MailTested {
    /// For `MailStatus`.
    pub id: String,
}

/// Parameters of `MailStatus`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailStatusParameters {
    /// Of a `MailTest`.
    pub id: Option<String>,
}

/// What became of a try to deliver a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailTry {
    /// When, Unix seconds.
    pub at: i64,
    /// `delivered`, `later` or `failed`.
    pub outcome: String,
    /// What the server said, or what went wrong on the way to it.
    pub answer: String,
    /// What to change.
    pub advice: Option<String>,
}

/// A mail that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailGivenUp {
    /// `confirm`, `code`, `notice` or `test`.
    pub kind: String,
    /// When it was posted, Unix seconds.
    pub at: i64,
    /// How often it was tried.
    pub tries: u32,
    /// What the server said last.
    pub answer: String,
}

/// Result of `MailStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailStatus {
    /// How otpd-mail delivers, in words; absent if it is not there.
    pub transport: Option<String>,
    /// Why this box cannot send mail, and what to change.
    pub problem: Option<String>,
    /// Mails that wait.
    pub waiting: u32,
    /// When the oldest of them was posted, Unix seconds.
    pub oldest: Option<i64>,
    /// The last try that a server took, since otpd was started.
    pub last_delivered: Option<MailTry>,
    /// The last one that none took, since otpd was started.
    pub last_trouble: Option<MailTry>,
    /// The last ten that were given up, newest first.
    pub given_up: Vec<MailGivenUp>,
    /// The last try of the mail that was asked about; absent before the first.
    pub test: Option<MailTry>,
}
