//! Secure emails of an account.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The secure emails of an account.
pub const EMAILS: &str = "org.otpd.Account.Emails";
/// Mails a code to an address.
pub const ADD_EMAIL: &str = "org.otpd.Account.AddEmail";
/// Proves that mail to it is read.
pub const CONFIRM_EMAIL: &str = "org.otpd.Account.ConfirmEmail";
/// Removes a secure email.
pub const REMOVE_EMAIL: &str = "org.otpd.Account.RemoveEmail";

/// A secure email.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// Number within the account.
    pub id: u32,
    /// Whole for its owner and root, masked for others.
    pub address: String,
    /// `pending`, `confirmed` or `removed`.
    pub state: String,
    /// When it was given, Unix seconds.
    pub added: i64,
    /// From when on codes for a login are mailed to it, Unix seconds; of a confirmed one.
    pub recovers: Option<i64>,
    /// Until when its code is good, or it is told what happens, Unix seconds.
    pub until: Option<i64>,
}

/// Parameters of `Emails`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailsParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
}

/// Result of `Emails`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Emails {
    /// By rising id.
    pub emails: Vec<Email>,
    /// Why this box cannot send mail.
    pub mail_problem: Option<String>,
}

/// Parameters of `AddEmail`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddEmailParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// The address.
    pub address: String,
    /// The language of mails to this account, as in LANG.
    pub language: Option<String>,
    /// Proof.
    pub code: Option<Secret>,
}

/// Result of `AddEmail`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmailAdded {
    /// The address, pending.
    pub email: Email,
}

/// Parameters of `ConfirmEmail`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmEmailParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// The code that was mailed to it.
    pub code: Secret,
}

/// Result of `ConfirmEmail`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmailConfirmed {
    /// The address, confirmed.
    pub email: Email,
}

/// Parameters of `RemoveEmail`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveEmailParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// The address, or its id.
    pub email: String,
    /// Proof.
    pub code: Option<Secret>,
}

/// Result of `RemoveEmail`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmailRemoved {
    /// The address.
    pub email: Email,
    /// Confirmed ones that are left.
    pub remaining: u32,
}
