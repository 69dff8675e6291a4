//! `org.otpd.Admin`: for root and the administrators' group. Callers may be unprivileged, so unknown fields are
//! refused.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

mod mail;
mod policy;

pub use mail::MAIL_STATUS;
pub use mail::MAIL_TEST;
pub use mail::MailGivenUp;
pub use mail::MailStatus;
pub use mail::MailStatusParameters;
pub use mail::MailTestParameters;
pub use mail::MailTested;
pub use mail::MailTry;
pub use policy::Concerned;
pub use policy::GroupReleased;
pub use policy::GroupRequired;
pub use policy::POLICY_REPORT;
pub use policy::PolicyReport;
pub use policy::PolicyReportParameters;
pub use policy::RELEASE_GROUP;
pub use policy::REQUIRE_GROUP;
pub use policy::ReleaseGroupParameters;
pub use policy::RequireGroupParameters;
pub use policy::RequiredGroup;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Admin";
/// Accounts by name.
pub const ACCOUNTS: &str = "org.otpd.Admin.Accounts";
/// Retires every device of an account.
pub const RESET: &str = "org.otpd.Admin.Reset";
/// Makes an enrol code.
pub const ENROL_CODE: &str = "org.otpd.Admin.EnrolCode";
/// The audit log.
pub const AUDIT: &str = "org.otpd.Admin.Audit";
/// Checks the audit log.
pub const VERIFY_AUDIT: &str = "org.otpd.Admin.VerifyAudit";
/// The daemon's own health.
pub const DOCTOR: &str = "org.otpd.Admin.Doctor";
/// Begins an import.
pub const IMPORT_BEGIN: &str = "org.otpd.Admin.ImportBegin";
/// Stages entries of an import.
pub const IMPORT_ADD: &str = "org.otpd.Admin.ImportAdd";
/// Decides an import.
pub const IMPORT_COMMIT: &str = "org.otpd.Admin.ImportCommit";
/// Applies some entries of a decided import.
pub const IMPORT_STEP: &str = "org.otpd.Admin.ImportStep";
/// Drops an import that is not decided.
pub const IMPORT_DROP: &str = "org.otpd.Admin.ImportDrop";
/// Gives out the keys of active devices.
pub const EXPORT: &str = "org.otpd.Admin.Export";
/// Writes a backup into the file that comes with the call.
pub const BACKUP: &str = "org.otpd.Admin.Backup";
/// Replaces the master key.
pub const ROTATE_KEY: &str = "org.otpd.Admin.RotateKey";
/// Gives an account to whom its name or uid belongs now.
pub const ADOPT: &str = "org.otpd.Admin.Adopt";
/// Accounts whose users are gone.
pub const GONE: &str = "org.otpd.Admin.Gone";
/// Retires an account whose user is gone.
pub const PRUNE: &str = "org.otpd.Admin.Prune";
/// Forgets what was noted while this box's clock was wrong.
pub const CLOCK_RESET: &str = "org.otpd.Admin.ClockReset";
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
    /// Recovery codes that are left.
    pub recovery_codes: u32,
    /// Secure emails that are confirmed.
    pub emails: u32,
    /// The weakest thing that opens it besides the password: `none`, `mailed_code`, `enrol_code`, `recovery_code` or
    /// `device`.
    pub weakest: String,
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
    /// The last ones before this name instead.
    pub before: Option<String>,
    /// Names that begin so.
    pub prefix: Option<String>,
    /// `protected`, `unprotected` or `locked` ones alone.
    pub only: Option<String>,
    /// The administrator's own.
    pub code: Option<Secret>,
}

/// Result of `Accounts`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Accounts {
    /// By name.
    pub accounts: Vec<Account>,
    /// Whether another page follows, or, before a name, is before this one.
    pub more: bool,
}

/// Parameters of `Reset` and `EnrolCode`.
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

/// Result of `EnrolCode`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EnrolCode {
    /// Two groups of four.
    pub enrol_code: Secret,
    /// Unix seconds.
    pub expires: i64,
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
    /// Before this id only.
    pub before: Option<i64>,
    /// Of this kind only: a word of an event's `event`.
    pub event: Option<String>,
    /// Decided like this only: `accept`, `refuse` or `not_required`.
    pub verdict: Option<String>,
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
    /// From the newest: what to give as `before` for those that are older, if there may be any.
    pub older: Option<i64>,
}

/// A place of the audit log whose own event was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// Its number.
    pub number: i64,
    /// The MAC that its event continues.
    pub before: String,
    /// The MAC that stands there.
    pub there: String,
}

/// How far a check of the audit log has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// The last event that was checked.
    pub last: i64,
    /// What the next one continues, if that is known.
    pub mac: Option<String>,
    /// By how much the numbers are too high.
    pub shift: i64,
    /// Events that were not where they belong.
    pub holes: Vec<Hole>,
}

/// Something wrong with the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaw {
    /// `removed`, `changed`, `inserted`, `moved`, `cut`, `replaced`, `alarm`, `anchor` or `head`.
    pub defect: String,
    /// The first event that is meant; 0 if none is.
    pub number: i64,
    /// The last one.
    pub last: i64,
    /// Unix seconds, as the event says; of removed ones, as the next one says.
    pub at: Option<i64>,
    /// For the person.
    pub say: String,
}

/// Parameters of `VerifyAudit`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyAuditParameters {
    /// Continues there; absent to begin.
    pub walk: Option<Walk>,
    /// A head from before, `NUMBER:MAC`, which has to be in the log.
    pub known: Option<String>,
}

/// Result of `VerifyAudit`.
#[derive(Debug, Serialize, Deserialize)]
pub struct VerifiedAudit {
    /// To go on with.
    pub walk: Walk,
    /// What is wrong with the events that were checked.
    pub flaws: Vec<Flaw>,
    /// The log's first event, if its beginning is known.
    pub first: Option<i64>,
    /// The log's last event, `NUMBER:MAC`.
    pub head: String,
    /// Whether there are more events.
    pub more: bool,
}

/// Result of `Doctor`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Doctor {
    /// In the order to read them.
    pub checks: Vec<Check>,
}

/// The most entries of one `ImportAdd`.
pub const IMPORT_ENTRIES: usize = 100;

/// A token of another module.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportEntry {
    /// Whose it is to be.
    pub user: String,
    /// Base32, 16 to 64 bytes.
    pub key: Secret,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6 to 8.
    pub digits: u8,
    /// Seconds of one step, 15 to 120; 0 if it counts its codes.
    pub period: u16,
    /// Steps that the device's clock is ahead of this box's, -10 to 10.
    pub drift: i8,
    /// The newest step that is known to be used.
    pub last_step: Option<u64>,
    /// The device's name, 1 to 32 characters; the daemon chooses one if absent.
    pub name: Option<String>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportProblem {
    /// Its place among the entries of the call, from 0.
    pub index: u32,
    /// For the person: what is wrong, what to do next.
    pub say: String,
}

/// A device whose key is given out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportEntry {
    /// Whose it is.
    pub user: String,
    /// Its name.
    pub device: String,
    /// Base32.
    pub key: Secret,
    /// `SHA1`, `SHA256` or `SHA512`.
    pub algorithm: String,
    /// 6 to 8.
    pub digits: u8,
    /// Seconds of one step, 15 to 120.
    pub period: u16,
    /// The newest spent step.
    pub last_step: Option<u64>,
}

/// Result of `ImportBegin`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportBegun {
    /// Its number.
    pub import: i64,
}

/// Parameters of `ImportAdd`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAddParameters {
    /// The import.
    pub import: i64,
    /// At most [`IMPORT_ENTRIES`].
    pub entries: Vec<ImportEntry>,
}

/// Result of `ImportAdd`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportAdded {
    /// Any of them keeps the whole import from being decided.
    pub problems: Vec<ImportProblem>,
}

/// Parameters of `ImportCommit`, `ImportStep` and `ImportDrop`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportParameters {
    /// The import.
    pub import: i64,
}

/// Result of `ImportCommit` and `ImportDrop`: what was staged.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportSize {
    /// Devices.
    pub devices: u32,
    /// Accounts that they are for.
    pub accounts: u32,
}

/// Result of `ImportStep`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportProgress {
    /// Entries that are still to be applied.
    pub left: u32,
    /// Entries that had become impossible; the audit log has each.
    pub skipped: u32,
}

/// Parameters of `Export`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportParameters {
    /// Continues behind this account.
    pub after: Option<String>,
}

/// Result of `Export`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exported {
    /// By account.
    pub entries: Vec<ExportEntry>,
    /// Where the next page continues; absent at the end.
    pub next: Option<String>,
}

/// Parameters of `Backup`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupParameters {
    /// What is to open it; the master key of this box if absent.
    pub passphrase: Option<Secret>,
}

/// Result of `Backup`.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackedUp {
    /// When, Unix seconds.
    pub taken: i64,
    /// Protected accounts in it.
    pub accounts: u32,
    /// Active devices in it.
    pub devices: u32,
}

/// Result of `RotateKey`.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyRotated {
    /// The file of the new key; absent if one came with the call, which waits until otpd starts with it.
    pub key: Option<String>,
}

/// Parameters of `Adopt`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptParameters {
    /// Who the account is to belong to.
    pub user: String,
    /// Look and change nothing.
    pub dry_run: Option<bool>,
}

/// Result of `Adopt`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Adopted {
    /// The name that the account had.
    pub was_user: Option<String>,
    /// The uid that it had.
    pub was_uid: Option<u32>,
    /// The name that it has now.
    pub user: String,
    /// The uid that it has now.
    pub uid: u32,
    /// How many devices are active on it.
    pub active_devices: u32,
    /// The last accepted code, Unix seconds.
    pub last_used: Option<i64>,
    /// Whether anything was different.
    pub changed: bool,
}

/// Parameters of `Gone`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoneParameters {
    /// Continues behind this account.
    pub after: Option<String>,
}

/// Result of `Gone`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Gone {
    /// By name.
    pub accounts: Vec<Account>,
    /// Where the next page continues; absent at the end.
    pub next: Option<String>,
}

/// Parameters of `Prune`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneParameters {
    /// The account's name.
    pub user: String,
    /// Its uid.
    pub uid: u32,
}

/// Result of `Prune`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pruned {
    /// How many devices were retired.
    pub retired: u32,
}

/// Parameters of `ClockReset`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockResetParameters {
    /// Of this account only.
    pub user: Option<String>,
    /// Continues behind this account.
    pub after: Option<String>,
    /// Look and change nothing.
    pub dry_run: Option<bool>,
}

/// Result of `ClockReset`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClockWasReset {
    /// The accounts that had anything to forget.
    pub accounts: Vec<String>,
    /// How many devices.
    pub devices: u32,
    /// Where the next page continues; absent at the end.
    pub next: Option<String>,
    /// This box's clock, Unix seconds.
    pub now: i64,
    /// Whether the kernel says its clock follows a source; absent if it does not say.
    pub clock_synchronised: Option<bool>,
}
