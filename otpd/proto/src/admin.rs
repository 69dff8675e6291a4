//! `org.otpd.Admin`: for root and the administrators' group. Callers may be unprivileged, so unknown fields are
//! refused.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Admin";
/// Accounts by name.
pub const ACCOUNTS: &str = "org.otpd.Admin.Accounts";
/// Retires every device of an account.
pub const RESET: &str = "org.otpd.Admin.Reset";
/// The audit log.
pub const AUDIT: &str = "org.otpd.Admin.Audit";
/// The daemon's own health.
pub const DOCTOR: &str = "org.otpd.Admin.Doctor";
/// The call was understood and refused.
pub const REFUSED: &str = "org.otpd.Admin.Refused";
/// The registry, the key or the user database cannot be read.
pub const UNAVAILABLE: &str = "org.otpd.Admin.Unavailable";

/// One account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its uid.
    pub uid: u32,
    /// Whether logins ask for a code.
    pub protected: bool,
    /// How many devices are active.
    pub active_devices: u32,
    /// The last accepted code, Unix seconds.
    pub last_used: Option<i64>,
    /// Whether a lane is closed.
    pub locked: bool,
}

/// One decision of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Rising, without gaps.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// Whose account.
    pub user: String,
    /// Its uid, if the name is known.
    pub uid: Option<u32>,
    /// Who asked: a user's name, or the service.
    pub actor: String,
    /// What was asked: `login`, `bind`, `confirm`, …
    pub event: String,
    /// `accept`, `refuse` or `not_required`.
    pub verdict: String,
    /// A stable word.
    pub reason: String,
    /// PAM service.
    pub service: Option<String>,
    /// Where from.
    pub address: Option<String>,
    /// Which device.
    pub device: Option<String>,
    /// Which lane.
    pub lane: Option<String>,
    /// Anything else.
    pub detail: Option<String>,
}

/// One line of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub check: String,
    /// `ok`, `warn` or `fail`.
    pub verdict: String,
    /// What was found and what to do.
    pub say: String,
}

/// Parameters of `Accounts`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsParameters {
    /// Continues behind this name.
    pub after: Option<String>,
    /// The administrator's own.
    pub code: Option<Secret>,
}

/// Result of `Accounts`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Accounts {
    /// By name.
    pub accounts: Vec<Account>,
    /// Whether another page follows.
    pub more: bool,
}

/// Parameters of `Reset`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetParameters {
    /// The account.
    pub user: String,
    /// The administrator's own.
    pub code: Option<Secret>,
}

/// Result of `Reset`.
#[derive(Debug, Serialize, Deserialize)]
pub struct WasReset {
    /// How many devices were retired.
    pub retired: u32,
}

/// Parameters of `Audit`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditParameters {
    /// Of this account only.
    pub user: Option<String>,
    /// From this time on, Unix seconds.
    pub since: Option<i64>,
    /// Continues behind this id.
    pub after: Option<i64>,
    /// Start with the newest so many (at most 200) instead.
    pub tail: Option<u32>,
    /// The administrator's own.
    pub code: Option<Secret>,
}

/// Result of `Audit`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Audit {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Whether another page follows.
    pub more: bool,
}

/// Result of `Doctor`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Doctor {
    /// In the order to read them.
    pub checks: Vec<Check>,
}
