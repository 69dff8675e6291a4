//! What the audit log records: one typed event for every decision.

use crate::name::Uid;
use crate::throttle::Lane;
use crate::time::UnixTime;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A login's code, or its absence.
    Login,
    /// The account phase of a login without a code.
    Account,
    /// A device was begun.
    Bind,
    /// A pending device was proven.
    Confirm,
    /// A device got another name.
    Rename,
    /// A device was retired.
    Unbind,
    /// Protection was turned off.
    Off,
    /// Lanes were opened.
    Unlock,
    /// An account was reset.
    Reset,
    /// An administrator gave a code of their own.
    StepUp,
    /// A device was set right by two codes in a row.
    Resync,
    /// New recovery codes were made.
    Codes,
    /// An enrol code was made.
    EnrolCode,
    /// An administrator read what is not their own.
    Read,
    /// Devices came from another module's file.
    Import,
    /// Keys were given out.
    Export,
    /// The registry was copied into a backup.
    Backup,
    /// The registry came out of a backup.
    Restore,
    /// The master key was replaced, or is to be.
    MasterKey,
    /// An account was given to whom its name or uid belongs now.
    Adopt,
    /// An account was retired whose user is gone.
    Prune,
    /// The clocks were compared, and it is another one now that is off, or none.
    Clock,
    /// What was noted while this box's clock was wrong was forgotten.
    ClockReset,
    /// A code was to be mailed for a login.
    MailCode,
    /// A secure email was added, or was to be.
    EmailAdd,
    /// A code proved that a secure email is read.
    EmailConfirm,
    /// A secure email was removed.
    EmailRemove,
    /// A mail was given up, or sent to see whether it arrives.
    Mail,
    /// A password was right, and no code came after it.
    NoCode,
    /// Somebody signed in on the web, gave the password again there, or brought a ticket that is none.
    SignIn,
    /// Somebody signed out on the web.
    SignOut,
    /// Sign-ins on the web were ended, by somebody or by a change of the protection.
    SignInsEnded,
    /// Somebody who is signed in went on to another host.
    HandOff,
    /// Protection was required of a group.
    RequireGroup,
    /// A group was released from that.
    ReleaseGroup,
    /// The daemon started, stopped, or read its configuration.
    Daemon,
}

impl Kind {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Account => "account",
            Self::Bind => "bind",
            Self::Confirm => "confirm",
            Self::Rename => "rename",
            Self::Unbind => "unbind",
            Self::Off => "off",
            Self::Unlock => "unlock",
            Self::Reset => "reset",
            Self::StepUp => "step_up",
            Self::Resync => "resync",
            Self::Codes => "codes",
            Self::EnrolCode => "enrol_code",
            Self::Read => "read",
            Self::Import => "import",
            Self::Export => "export",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::MasterKey => "master_key",
            Self::Adopt => "adopt",
            Self::Prune => "prune",
            Self::Clock => "clock",
            Self::ClockReset => "clock_reset",
            Self::MailCode => "mail_code",
            Self::EmailAdd => "email_add",
            Self::EmailConfirm => "email_confirm",
            Self::EmailRemove => "email_remove",
            Self::Mail => "mail",
            Self::NoCode => "no_code",
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::SignInsEnded => "sign_ins_ended",
            Self::HandOff => "hand_off",
            Self::RequireGroup => "require_group",
            Self::ReleaseGroup => "release_group",
            Self::Daemon => "daemon",
        }
    }
}

/// How it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Done, let in.
    Accept,
    /// Not done, not let in.
    Refuse,
    /// Let by without a code.
    NotRequired,
}

impl Decision {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::NotRequired => "not_required",
        }
    }
}

/// Why: a stable word for programs. The same words are the `reason` of `Refused` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was right and allowed.
    Ok,
    /// A code is needed for this.
    CodeNeeded,
    /// No device has this code now.
    CodeWrong,
    /// Right, but given before.
    CodeUsed,
    /// Not the form of a code; not counted.
    CodeMalformed,
    /// The lane waits or is closed; the code was not looked at.
    Locked,
    /// The clock went back behind a spent step.
    ClockWentBack,
    /// The clock is older than this program.
    ClockUnset,
    /// A clock is off: this box's, or that of the device.
    ClockOff,
    /// Nobody of that name.
    NoSuchUser,
    /// The name or uid belongs to another account's row.
    IdentityConflict,
    /// The registry has no account of that user.
    NoSuchAccount,
    /// More than one account could be meant, or more than one user.
    Ambiguous,
    /// The user exists.
    UserExists,
    /// The account is not protected though it must be.
    NotProtected,
    /// Not required of this account.
    Optional,
    /// Required, but within the grace.
    Grace,
    /// The account is exempt.
    Exempt,
    /// This service never asks.
    ServiceNever,
    /// A login without our question (a key alone) by a protected account.
    NoCodeGiven,
    /// The caller may not do that.
    NotPermitted,
    /// The account has a device, so it needs no enrol code.
    HasDevice,
    /// No such device.
    NoSuchDevice,
    /// The name is taken.
    NameTaken,
    /// The name cannot be used.
    BadName,
    /// The key cannot be used.
    BadKey,
    /// The key is active on the account already.
    KeyInUse,
    /// Digits, period or algorithm out of range.
    BadParameters,
    /// Ten devices are enough.
    TooManyDevices,
    /// The last device must stay while policy demands one.
    LastDeviceRequired,
    /// The pending device is gone.
    PendingExpired,
    /// The configuration was to be reloaded and is wrong.
    BadConfiguration,
    /// The disk that the registry is on is full.
    DiskFull,
    /// No such import, or it is decided already.
    NoSuchImport,
    /// Something in an import is wrong, so none of it is taken.
    ImportHasProblems,
    /// An earlier import is still being completed.
    ImportUnfinished,
    /// The file that came with the call cannot be used.
    BadFile,
    /// The backup opens with a passphrase.
    PassphraseNeeded,
    /// The passphrase is not the one, or cannot be one.
    PassphraseWrong,
    /// A registry is where another one is to be put.
    RegistryExists,
    /// The disk has too little room.
    NoRoom,
    /// The audit log is not as it was written.
    LogAltered,
    /// No head of the audit log, or one from before its beginning.
    BadHead,
    /// Not an address that mail can be sent to.
    BadAddress,
    /// The address is a secure email of the account already.
    AddressInUse,
    /// The account has no such secure email.
    NoSuchEmail,
    /// Two secure emails are enough.
    TooManyEmails,
    /// A secure email is needed first, or the last one must stay.
    EmailNeeded,
    /// This box cannot send mail.
    NoMail,
    /// So many mails were sent that the next one has to wait.
    TooManyMails,
    /// No such mail is waiting.
    NoSuchMail,
    /// No server takes the mail.
    MailRefused,
    /// The mail came past its use.
    MailExpired,
    /// Recovery is not possible at this service.
    RecoveryElsewhere,
    /// Right, but by policy it opens only the binding of a new device.
    RebindOnly,
    /// The password was not given lately, as a change on the web wants it.
    PasswordNeeded,
    /// The ticket is unknown, over or ended.
    SignedOut,
    /// Nobody is signed in by that number.
    NoSuchSignIn,
    /// Not the name of a host.
    BadHost,
    /// The service is not one of the web.
    WrongService,
    /// There is no group of that name.
    NoSuchGroup,
    /// It is about root, and root's alone.
    NotOnRoot,
    /// Members of the group would be locked out at once.
    LocksOut,
    /// No administrator requires protection of the group.
    GroupNotRequired,
    /// It is required of so many groups that none more fits.
    TooManyGroups,
}

impl Reason {
    /// As stored, shown and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::CodeNeeded => "code_needed",
            Self::CodeWrong => "code_wrong",
            Self::CodeUsed => "code_used",
            Self::CodeMalformed => "code_malformed",
            Self::Locked => "locked",
            Self::ClockWentBack => "clock_went_back",
            Self::ClockUnset => "clock_unset",
            Self::ClockOff => "clock_off",
            Self::NoSuchUser => "no_such_user",
            Self::IdentityConflict => "identity_conflict",
            Self::NoSuchAccount => "no_such_account",
            Self::Ambiguous => "ambiguous",
            Self::UserExists => "user_exists",
            Self::NotProtected => "not_protected",
            Self::Optional => "optional",
            Self::Grace => "grace",
            Self::Exempt => "exempt",
            Self::ServiceNever => "service_never",
            Self::NoCodeGiven => "no_code_given",
            Self::NotPermitted => "not_permitted",
            Self::HasDevice => "has_device",
            Self::NoSuchDevice => "no_such_device",
            Self::NameTaken => "name_taken",
            Self::BadName => "bad_name",
            Self::BadKey => "bad_key",
            Self::KeyInUse => "key_in_use",
            Self::BadParameters => "bad_parameters",
            Self::TooManyDevices => "too_many_devices",
            Self::LastDeviceRequired => "last_device_required",
            Self::PendingExpired => "pending_expired",
            Self::BadConfiguration => "bad_configuration",
            Self::DiskFull => "disk_full",
            Self::NoSuchImport => "no_such_import",
            Self::ImportHasProblems => "import_has_problems",
            Self::ImportUnfinished => "import_unfinished",
            Self::BadFile => "bad_file",
            Self::PassphraseNeeded => "passphrase_needed",
            Self::PassphraseWrong => "passphrase_wrong",
            Self::RegistryExists => "registry_exists",
            Self::NoRoom => "no_room",
            Self::LogAltered => "log_altered",
            Self::BadHead => "bad_head",
            Self::BadAddress => "bad_address",
            Self::AddressInUse => "address_in_use",
            Self::NoSuchEmail => "no_such_email",
            Self::TooManyEmails => "too_many_emails",
            Self::EmailNeeded => "email_needed",
            Self::NoMail => "no_mail",
            Self::TooManyMails => "too_many_mails",
            Self::NoSuchMail => "no_such_mail",
            Self::MailRefused => "mail_refused",
            Self::MailExpired => "mail_expired",
            Self::RecoveryElsewhere => "recovery_elsewhere",
            Self::RebindOnly => "rebind_only",
            Self::PasswordNeeded => "password_needed",
            Self::SignedOut => "signed_out",
            Self::NoSuchSignIn => "no_such_sign_in",
            Self::BadHost => "bad_host",
            Self::WrongService => "wrong_service",
            Self::NoSuchGroup => "no_such_group",
            Self::NotOnRoot => "not_on_root",
            Self::LocksOut => "locks_out",
            Self::GroupNotRequired => "group_not_required",
            Self::TooManyGroups => "too_many_groups",
        }
    }
}

/// One decision. It has no room for a code or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: UnixTime,
    /// Whose account, as asked for.
    pub user: String,
    /// Its uid, if the name is known.
    pub uid: Option<Uid>,
    /// Who asked: a user's name, or the service of a login.
    pub actor: String,
    /// What was asked for.
    pub kind: Kind,
    /// How it was decided.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// PAM service.
    pub service: Option<String>,
    /// Where from, as PAM said it.
    pub address: Option<String>,
    /// Which device.
    pub device: Option<String>,
    /// Which lane.
    pub lane: Option<Lane>,
    /// Anything else worth knowing, for administrators only.
    pub detail: Option<String>,
}

impl Event {
    /// An event with nothing but what every event has.
    #[must_use]
    pub fn blank(
        at: UnixTime,
        user: &str,
        actor: &str,
        kind: Kind,
        decision: Decision,
        reason: Reason,
    ) -> Self {
        Self {
            at,
            user: user.to_owned(),
            uid: None,
            actor: actor.to_owned(),
            kind,
            decision,
            reason,
            service: None,
            address: None,
            device: None,
            lane: None,
            detail: None,
        }
    }

    /// One of the daemon's own, which is about no account.
    #[must_use]
    pub fn of_daemon(at: UnixTime, decision: Decision, reason: Reason, detail: Option<String>) -> Self {
        Self { detail, ..Self::blank(at, "-", "otpd", Kind::Daemon, decision, reason) }
    }
}
