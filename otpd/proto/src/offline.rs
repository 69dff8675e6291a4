//! `org.otpd.Offline`: what needs the registry to itself.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Offline";
/// Takes the registry of a backup.
pub const RESTORE: &str = "org.otpd.Offline.Restore";
/// The call was understood and refused.
pub const REFUSED: &str = "org.otpd.Offline.Refused";
/// The files cannot be read or written.
pub const UNAVAILABLE: &str = "org.otpd.Offline.Unavailable";

/// Parameters of `Restore`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreParameters {
    /// Whether a registry that is there may be put aside.
    pub replace: bool,
    /// What opens the backup, if it was made with one.
    pub passphrase: Option<Secret>,
}

/// Result of `Restore`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Restored {
    /// When the backup was made, Unix seconds.
    pub taken: i64,
    /// Now, Unix seconds: codes up to this moment are spent.
    pub restored: i64,
    /// Protected accounts.
    pub accounts: u32,
    /// Active devices.
    pub devices: u32,
    /// At most 100 of them, by account.
    pub first: Vec<Device>,
    /// Where the registry that was here is kept.
    pub kept: Option<String>,
    /// The file of the master key, if one had to be made.
    pub key: Option<String>,
}

/// An active device of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Whose.
    pub user: String,
    /// Its name.
    pub device: String,
    /// The last accepted code, Unix seconds.
    pub last_used: Option<i64>,
}
