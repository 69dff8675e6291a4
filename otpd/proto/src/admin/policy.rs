//! Who must have login protection, and whom that meets without.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The policy, and whom it meets.
pub const POLICY_REPORT: &str = "org.otpd.Admin.PolicyReport";
/// Requires protection of a group.
pub const REQUIRE_GROUP: &str = "org.otpd.Admin.RequireGroup";
/// Releases a group from that.
pub const RELEASE_GROUP: &str = "org.otpd.Admin.ReleaseGroup";

/// Parameters of `PolicyReport`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyReportParameters {
    /// As if an administrator required protection of this group, too.
    pub group: Option<String>,
    /// With this grace; without a group, as if this were the configuration's.
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

/// A group of which an administrator requires protection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequiredGroup {
    /// As it was called then.
    pub group: String,
    /// Its number, which counts.
    pub gid: u32,
    /// From when on, Unix seconds.
    pub from: i64,
    /// Who said so.
    pub by: String,
    /// When, Unix seconds.
    pub at: i64,
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
    /// Of the members of these, because administrators said so; by number.
    pub required: Vec<RequiredGroup>,
    /// By name.
    pub concerned: Vec<Concerned>,
    /// How many were looked at for this page.
    pub looked_at: u32,
    /// How many of them have a device.
    pub protected: u32,
    /// How many of them what was asked about would lock out at once, whom nothing locks out now.
    pub locks_out: u32,
    /// For the next page.
    pub next: Option<String>,
}

/// Parameters of `RequireGroup`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequireGroupParameters {
    /// Name or number.
    pub group: String,
    /// From so many days after now on, 0 to 3650.
    pub grace_days: u32,
    /// How many it locks out at once, which is what is wanted.
    pub locks_out: Option<u32>,
    /// The administrator's own.
    pub code: Option<Secret>,
}

/// Result of `RequireGroup`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupRequired {
    /// Its name.
    pub group: String,
    /// Its number.
    pub gid: u32,
    /// From when on, Unix seconds.
    pub from: i64,
    /// How many are locked out by it.
    pub locks_out: u32,
}

/// Parameters of `ReleaseGroup`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseGroupParameters {
    /// Name or number.
    pub group: String,
    /// The administrator's own.
    pub code: Option<Secret>,
}

/// Result of `ReleaseGroup`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupReleased {
    /// As it was called when protection was required of it.
    pub group: String,
    /// Its number.
    pub gid: u32,
    /// Whether the configuration requires protection of it still.
    pub configured: bool,
}
