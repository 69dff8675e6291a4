//! Who must have login protection, and whom that meets without.

use serde::Deserialize;
use serde::Serialize;

/// The policy, and whom it meets.
pub const POLICY_REPORT: &str = "org.otpd.Admin.PolicyReport";

/// Parameters of `PolicyReport`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyReportParameters {
    /// As if protection were required of this group, too.
    pub group: Option<String>,
    /// As if this were the grace.
    pub grace_days: Option<u32>,
    /// Continues behind this name.
    pub after: Option<String>,
}

/// Somebody without a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concerned {
    /// The name.
    pub user: String,
    /// The number.
    pub uid: u32,
    /// `locked_out`, `grace`, `exempt`.
    pub standing: String,
    /// The end of the grace, Unix seconds.
    pub from: Option<i64>,
    /// Whether an enrol code waits that lets them in once.
    pub enrol_code: bool,
}

/// Result of `PolicyReport`.
#[derive(Debug, Serialize, Deserialize)]
pub struct PolicyReport {
    /// Of everybody.
    pub require_everyone: bool,
    /// Of the members of these.
    pub require_groups: Vec<String>,
    /// Not of these.
    pub exempt_users: Vec<String>,
    /// Not of the members of these.
    pub exempt_groups: Vec<String>,
    /// How long after the first login at which it applied.
    pub grace_days: u32,
    /// Not before this, Unix seconds.
    pub grace_until: Option<i64>,
    /// By name.
    pub concerned: Vec<Concerned>,
    /// How many were looked at for this page.
    pub looked_at: u32,
    /// How many of them have a device.
    pub protected: u32,
    /// For the next page.
    pub next: Option<String>,
}
