//! `org.otpd.Account`: login protection of one account. Callers are unprivileged, so unknown fields are refused.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

mod email;
mod sign_in;

pub use email::ADD_EMAIL;
pub use email::AddEmailParameters;
pub use email::CONFIRM_EMAIL;
pub use email::ConfirmEmailParameters;
pub use email::EMAILS;
pub use email::Email;
pub use email::EmailAdded;
pub use email::EmailConfirmed;
pub use email::EmailRemoved;
pub use email::Emails;
pub use email::EmailsParameters;
pub use email::REMOVE_EMAIL;
pub use email::RemoveEmailParameters;
pub use sign_in::END_SIGN_INS;
pub use sign_in::EndSignInsParameters;
pub use sign_in::SIGN_INS;
pub use sign_in::Scope;
pub use sign_in::SignIn;
pub use sign_in::SignIns;
pub use sign_in::SignInsEnded;
pub use sign_in::SignInsParameters;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Account";
/// State of an account.
pub const STATUS: &str = "org.otpd.Account.Status";
/// Its devices.
pub const DEVICES: &str = "org.otpd.Account.Devices";
/// Begins to bind a device.
pub const BEGIN: &str = "org.otpd.Account.Begin";
/// Proves a pending device.
pub const CONFIRM: &str = "org.otpd.Account.Confirm";
/// Renames a device.
pub const RENAME: &str = "org.otpd.Account.Rename";
/// Retires a device.
pub const UNBIND: &str = "org.otpd.Account.Unbind";
/// Sets a device right by two codes in a row.
pub const RESYNC: &str = "org.otpd.Account.Resync";
/// Turns protection off.
pub const OFF: &str = "org.otpd.Account.Off";
/// Opens closed lanes.
pub const UNLOCK: &str = "org.otpd.Account.Unlock";
/// Makes new recovery codes.
pub const NEW_CODES: &str = "org.otpd.Account.NewCodes";
/// The call was understood and refused.
pub const REFUSED: &str = "org.otpd.Account.Refused";
/// The registry, the key or the user database cannot be read.
pub const UNAVAILABLE: &str = "org.otpd.Account.Unavailable";

/// A device, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Number within the account, never used again.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// `pending`, `active` or `retired`.
    pub state: String,
    /// `totp` or `hotp`.
    pub kind: String,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6 to 8.
    pub digits: u8,
    /// Seconds of one step, 15 to 120; 0 if it counts its codes.
    pub period: u16,
    /// Whether its codes are refused until two in a row were given (`Resync`).
    #[serde(default)]
    pub needs_resync: bool,
    /// Unix seconds.
    pub created: i64,
    /// Who began to bind it.
    pub created_by: String,
    /// From where: a socket's name, or an address.
    #[serde(default)]
    pub created_from: Option<String>,
    /// When it was proven, Unix seconds.
    pub activated: Option<i64>,
    /// When it was retired, Unix seconds.
    pub retired: Option<i64>,
    /// Who retired it.
    pub retired_by: Option<String>,
    /// Its last accepted code, Unix seconds.
    pub last_used: Option<i64>,
    /// The service of that login.
    pub last_service: Option<String>,
    /// The address of that login.
    pub last_address: Option<String>,
}

/// Failures in one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// `local`, `known`, `unknown` or `own`.
    pub lane: String,
    /// Wrong codes in a row.
    pub failures: u32,
    /// No code is looked at before, Unix seconds.
    pub until: Option<i64>,
    /// Closed until unlocked.
    pub closed: bool,
}

/// Whether protection is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// `required`, `exempt` or `optional`.
    pub state: String,
    /// From when on it is required (the end of the grace), Unix seconds.
    pub since: Option<i64>,
    /// The rule, in words.
    pub why: String,
}

/// Parameters of `Status`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
}

/// Result of `Status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The account.
    pub user: String,
    /// Whether logins ask for a code.
    pub protected: bool,
    /// What the policy says.
    pub requirement: Requirement,
    /// How many devices are active.
    pub active_devices: u32,
    /// How many are waiting to be proven.
    pub pending_devices: u32,
    /// Lanes with failures.
    pub lanes: Vec<Lane>,
    /// Numbers of the recovery codes that are left.
    #[serde(default)]
    pub recovery_codes: Vec<u8>,
    /// After a login by a recovery code, until a new device is proven: until then changes need no code, Unix seconds.
    #[serde(default)]
    pub rebind_until: Option<i64>,
    /// In how many places the account is signed in on the web.
    #[serde(default)]
    pub sign_ins: u32,
    /// Secure emails.
    #[serde(default)]
    pub emails: Vec<Email>,
    /// Why this box cannot send mail, so that no code can come by it.
    #[serde(default)]
    pub mail_problem: Option<String>,
    /// What happened to the account that no login has told yet, a line each, oldest first.
    #[serde(default)]
    pub news: Vec<String>,
    /// This box's clock, Unix seconds.
    pub now: i64,
    /// Whether the kernel says its clock follows a source; absent if it does not say.
    pub clock_synchronised: Option<bool>,
    /// For the person: what is wrong with this box, or with a clock, that may keep them out.
    pub warnings: Vec<String>,
}

/// Parameters of `Devices`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicesParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Retired ones too.
    pub retired: Option<bool>,
    /// Continues behind this id.
    pub after: Option<u32>,
}

/// Result of `Devices`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Devices {
    /// By rising id.
    pub devices: Vec<Device>,
    /// Whether another page follows.
    pub more: bool,
}

/// Parameters of `Begin`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// The device's name, 1 to 32 characters; the daemon chooses one if absent.
    pub name: Option<String>,
    /// Base32, 16 to 64 bytes; the daemon makes one of 20 bytes if absent.
    pub key: Option<Secret>,
    /// `SHA1` if absent.
    pub algorithm: Option<String>,
    /// 6 if absent.
    pub digits: Option<u8>,
    /// 30 seconds if absent.
    pub period: Option<u16>,
    /// It counts its codes (HOTP), and the next one has this number.
    pub counter: Option<u64>,
    /// Name or id of the active device that this one takes over from.
    pub replaces: Option<String>,
    /// Proof; see the interface.
    pub code: Option<Secret>,
}

/// Result of `Begin`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Begun {
    /// The pending device.
    pub device: u32,
    /// Its name.
    pub name: String,
    /// Base32 without padding.
    pub key: Secret,
    /// `otpauth://`, for a QR code.
    pub uri: Secret,
    /// Unix seconds.
    pub expires: i64,
}

/// Parameters of `Confirm`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Name or id.
    pub device: String,
    /// A code of that device.
    pub code: Secret,
}

/// Result of `Confirm`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Confirmed {
    /// The device, now active.
    pub device: Device,
    /// How far the code was from this box's clock, seconds; below 0 if the code was older.
    pub offset: i64,
    /// Whether this turned protection on.
    pub first: bool,
    /// The recovery codes, numbered from 1 on, if it did.
    #[serde(default)]
    pub recovery_codes: Option<Vec<Secret>>,
    /// The device that it replaced.
    pub retired: Option<String>,
    /// This box's clock, Unix seconds.
    pub now: i64,
    /// Whether the kernel says its clock follows a source.
    pub clock_synchronised: Option<bool>,
}

/// Parameters of `Rename`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Name or id.
    pub device: String,
    /// The new name.
    pub name: String,
    /// Proof.
    pub code: Option<Secret>,
}

/// Result of `Rename`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Renamed {
    /// The device with its new name.
    pub device: Device,
}

/// Parameters of `Unbind`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnbindParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Name or id.
    pub device: String,
    /// Proof.
    pub code: Option<Secret>,
}

/// Result of `Unbind`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unbound {
    /// The device, now retired.
    pub device: Device,
    /// Active devices left; with 0 protection is off.
    pub remaining: u32,
}

/// Parameters of `Resync`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResyncParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Name or id.
    pub device: String,
    /// A code of it.
    pub first: Secret,
    /// The one that it showed after that.
    pub second: Secret,
}

/// Result of `Resync`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Resynced {
    /// The device.
    pub device: Device,
    /// Steps that its clock is ahead of this box's, or codes that it was ahead of what was known.
    pub moved: i64,
}

/// Parameters of `Off`, `Unlock` and `NewCodes`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Proof.
    pub code: Option<Secret>,
}

/// Result of `Off`.
#[derive(Debug, Serialize, Deserialize)]
pub struct TurnedOff {
    /// How many devices were retired.
    pub retired: u32,
}

/// Result of `Unlock`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unlocked {
    /// The lanes that had failures.
    pub opened: Vec<String>,
}

/// Result of `NewCodes`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RecoveryCodes {
    /// Numbered from 1 on, four groups of four.
    pub codes: Vec<Secret>,
}
