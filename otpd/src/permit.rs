//! Who may do what: one table, role × request × state. Nothing else in the daemon grants anything.

use otpd_core::account::Account;
use otpd_core::time::UnixTime;

/// What the caller is to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// uid 0, or the uid that otpd itself runs as: it could read the registry and its key anyway.
    Root,
    /// Root, with an otpd that was started for this alone and needs no key: nothing here opens or seals one.
    RootOffline,
    /// The account is the caller's own.
    Owner,
    /// A member of the administrators' group, on somebody else's account.
    Admin,
    /// A member of the administrators' group, on root's account.
    AdminOnRoot,
    /// otpd-mail.
    Mailer,
    /// otpd-web, which has nothing of its own: whoever signed in there has the role that is theirs.
    Web,
    /// Anybody else.
    Other,
}

impl Role {
    /// Whether the caller is root, one way or the other.
    #[must_use]
    pub fn is_root(self) -> bool {
        matches!(self, Self::Root | Self::RootOffline)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Start, Answer or Account of a login, on login.sock.
    LoginForAnyone,
    /// Start, Answer or Account of a login, on account.sock.
    LoginOfOwn,
    /// State of one account.
    Status,
    /// Its devices.
    Devices,
    /// Begin to bind.
    Begin,
    /// Prove a pending device.
    Confirm,
    /// Rename a device.
    Rename,
    /// Set a device right, by two codes of its own.
    Resync,
    /// Retire a device.
    Unbind,
    /// Turn protection off.
    Off,
    /// Open lanes.
    Unlock,
    /// Make new recovery codes.
    Codes,
    /// List secure emails.
    Emails,
    /// Mail a code to an address that is to be a secure email.
    AddEmail,
    /// Give that code.
    ConfirmEmail,
    /// Remove a secure email.
    RemoveEmail,
    /// Retire everything.
    Reset,
    /// Make an enrol code.
    EnrolCode,
    /// List accounts.
    Accounts,
    /// Whom the policy meets without a device.
    PolicyReport,
    /// Require protection of a group.
    RequireGroup,
    /// Release a group from that.
    ReleaseGroup,
    /// Read the audit log.
    Audit,
    /// Check the audit log.
    Verify,
    /// The daemon's health.
    Doctor,
    /// Take over another module's keys.
    Import,
    /// Give out every key.
    Export,
    /// Give out everything, sealed.
    Backup,
    /// Replace the master key.
    MasterKey,
    /// Give an account to whom its name or uid belongs now.
    Adopt,
    /// List and retire accounts whose users are gone.
    Prune,
    /// Forget what was noted while this box's clock was wrong.
    ClockReset,
    /// How mails fare.
    MailStatus,
    /// Send a mail to see whether it arrives.
    MailTest,
    /// Take mails to deliver them.
    Mail,
    /// List sign-ins on the web.
    SignIns,
    /// End some.
    EndSignIns,
    /// Have a ticket made for a login on the web.
    Ticket,
    /// Bring tickets.
    Web,
}

impl Request {
    /// Whether it changes the protection of an account, so that on the web the password has to be given anew for it. Not
    /// what proves that which was begun with one.
    #[must_use]
    pub fn wants_password(self) -> bool {
        matches!(
            self,
            Self::Begin
                | Self::Rename
                | Self::Resync
                | Self::Unbind
                | Self::Off
                | Self::Unlock
                | Self::Codes
                | Self::AddEmail
                | Self::RemoveEmail
                | Self::Reset
                | Self::EnrolCode
                | Self::RequireGroup
                | Self::ReleaseGroup
        )
    }
}

/// The account's state, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No active device.
    Unprotected,
    /// At least one.
    Protected,
    /// Protected, and a recovery code let its owner in less than 30 minutes ago.
    Recovered,
}

impl State {
    /// The state of an account.
    #[must_use]
    pub fn of(account: &Account, now: UnixTime) -> Self {
        match (account.is_protected(), account.may_rebind(now)) {
            (false, _) => Self::Unprotected,
            (true, false) => Self::Protected,
            (true, true) => Self::Recovered,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Free,
    /// With a code of a device of the account.
    OwnersCode,
    /// With a code of the administrator's own device, at most 10 minutes old.
    AdminsCode,
    /// No.
    Never,
}

/// The table.
#[must_use]
pub fn permit(role: Role, request: Request, state: State) -> Permit {
    use Request as Q;
    match role {
        Role::Root => match request {
            Q::LoginOfOwn => Permit::Never,
            _ => Permit::Free,
        },
        Role::RootOffline => match request {
            Q::Status | Q::Devices | Q::Off | Q::Unlock | Q::Reset | Q::Accounts | Q::Audit | Q::Verify => {
                Permit::Free
            }
            // Else a disk in another box could not be helped that demands what nobody has.
            Q::PolicyReport | Q::ReleaseGroup => Permit::Free,
            _ => Permit::Never,
        },
        Role::Owner => match (request, state) {
            // The two codes are the proof.
            (Q::LoginOfOwn | Q::Status | Q::Devices | Q::Confirm | Q::Resync, _) => Permit::Free,
            // The code that was mailed is the proof.
            (Q::Emails | Q::ConfirmEmail, _) => Permit::Free,
            // Whoever ends too much costs themselves a sign-in.
            (Q::SignIns | Q::EndSignIns, _) => Permit::Free,
            (
                Q::Begin
                | Q::Rename
                | Q::Unbind
                | Q::Off
                | Q::Unlock
                | Q::Codes
                | Q::AddEmail
                | Q::RemoveEmail,
                state,
            ) => match state {
                State::Unprotected | State::Recovered => Permit::Free,
                State::Protected => Permit::OwnersCode,
            },
            (
                Q::LoginForAnyone
                | Q::Reset
                | Q::EnrolCode
                | Q::Accounts
                | Q::PolicyReport
                | Q::RequireGroup
                | Q::ReleaseGroup
                | Q::Audit
                | Q::Verify
                | Q::Doctor
                | Q::Import
                | Q::Export
                | Q::Backup
                | Q::MasterKey
                | Q::Adopt
                | Q::Prune
                | Q::ClockReset
                | Q::MailStatus
                | Q::MailTest
                | Q::Mail
                | Q::Ticket
                | Q::Web,
                _,
            ) => Permit::Never,
        },
        Role::Admin => match request {
            Q::Status
            | Q::Devices
            | Q::Emails
            | Q::Accounts
            | Q::PolicyReport
            | Q::Doctor
            | Q::MailStatus
            | Q::SignIns => Permit::Free,
            Q::Off
            | Q::Unlock
            | Q::Reset
            | Q::EnrolCode
            | Q::RequireGroup
            | Q::ReleaseGroup
            | Q::Audit
            | Q::MailTest
            | Q::EndSignIns => Permit::AdminsCode,
            Q::LoginForAnyone
            | Q::LoginOfOwn
            | Q::Begin
            | Q::Confirm
            | Q::Rename
            | Q::Resync
            | Q::Unbind
            | Q::Codes
            | Q::AddEmail
            | Q::ConfirmEmail
            | Q::RemoveEmail
            | Q::Mail
            | Q::Ticket
            | Q::Web => Permit::Never,
            // Keys pass through these: not for a code that somebody may have taken. And whether the log is whole is
            // asked about administrators too.
            Q::Import | Q::Export | Q::Backup | Q::MasterKey | Q::Verify => Permit::Never,
            // Whoever could make users and give them accounts would have the protection of anybody.
            Q::Adopt | Q::Prune => Permit::Never,
            // Codes that were used could be used again.
            Q::ClockReset => Permit::Never,
        },
        Role::AdminOnRoot => match request {
            Q::Status | Q::Devices | Q::Emails | Q::SignIns => Permit::Free,
            _ => Permit::Never,
        },
        Role::Mailer => match request {
            Q::Mail => Permit::Free,
            _ => Permit::Never,
        },
        Role::Web => match request {
            Q::Web => Permit::Free,
            _ => Permit::Never,
        },
        Role::Other => Permit::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 8] = [
        Role::Root,
        Role::RootOffline,
        Role::Owner,
        Role::Admin,
        Role::AdminOnRoot,
        Role::Mailer,
        Role::Web,
        Role::Other,
    ];
    const REQUESTS: [Request; 39] = [
        Request::LoginForAnyone,
        Request::LoginOfOwn,
        Request::Status,
        Request::Devices,
        Request::Begin,
        Request::Confirm,
        Request::Rename,
        Request::Resync,
        Request::Unbind,
        Request::Off,
        Request::Unlock,
        Request::Codes,
        Request::Emails,
        Request::AddEmail,
        Request::ConfirmEmail,
        Request::RemoveEmail,
        Request::Reset,
        Request::EnrolCode,
        Request::Accounts,
        Request::PolicyReport,
        Request::RequireGroup,
        Request::ReleaseGroup,
        Request::Audit,
        Request::Verify,
        Request::Doctor,
        Request::Import,
        Request::Export,
        Request::Backup,
        Request::MasterKey,
        Request::Adopt,
        Request::Prune,
        Request::ClockReset,
        Request::MailStatus,
        Request::MailTest,
        Request::Mail,
        Request::SignIns,
        Request::EndSignIns,
        Request::Ticket,
        Request::Web,
    ];

    /// Every combination, written down a second time: a row a request, and in it, for each role, the answer for an
    /// unprotected, a protected and a recovered account. F free, c owner's code, a administrator's code, - never.
    #[test]
    fn the_whole_table_is_as_written_down() {
        const EXPECTED: &str = "\
            LoginForAnyone FFF --- --- --- --- --- --- ---
            LoginOfOwn     --- --- FFF --- --- --- --- ---
            Status         FFF FFF FFF FFF FFF --- --- ---
            Devices        FFF FFF FFF FFF FFF --- --- ---
            Begin          FFF --- FcF --- --- --- --- ---
            Confirm        FFF --- FFF --- --- --- --- ---
            Rename         FFF --- FcF --- --- --- --- ---
            Resync         FFF --- FFF --- --- --- --- ---
            Unbind         FFF --- FcF --- --- --- --- ---
            Off            FFF FFF FcF aaa --- --- --- ---
            Unlock         FFF FFF FcF aaa --- --- --- ---
            Codes          FFF --- FcF --- --- --- --- ---
            Emails         FFF --- FFF FFF FFF --- --- ---
            AddEmail       FFF --- FcF --- --- --- --- ---
            ConfirmEmail   FFF --- FFF --- --- --- --- ---
            RemoveEmail    FFF --- FcF --- --- --- --- ---
            Reset          FFF FFF --- aaa --- --- --- ---
            EnrolCode      FFF --- --- aaa --- --- --- ---
            Accounts       FFF FFF --- FFF --- --- --- ---
            PolicyReport   FFF FFF --- FFF --- --- --- ---
            RequireGroup   FFF --- --- aaa --- --- --- ---
            ReleaseGroup   FFF FFF --- aaa --- --- --- ---
            Audit          FFF FFF --- aaa --- --- --- ---
            Verify         FFF FFF --- --- --- --- --- ---
            Doctor         FFF --- --- FFF --- --- --- ---
            Import         FFF --- --- --- --- --- --- ---
            Export         FFF --- --- --- --- --- --- ---
            Backup         FFF --- --- --- --- --- --- ---
            MasterKey      FFF --- --- --- --- --- --- ---
            Adopt          FFF --- --- --- --- --- --- ---
            Prune          FFF --- --- --- --- --- --- ---
            ClockReset     FFF --- --- --- --- --- --- ---
            MailStatus     FFF --- --- FFF --- --- --- ---
            MailTest       FFF --- --- aaa --- --- --- ---
            Mail           FFF --- --- --- --- FFF --- ---
            SignIns        FFF --- FFF FFF FFF --- --- ---
            EndSignIns     FFF --- FFF aaa --- --- --- ---
            Ticket         FFF --- --- --- --- --- --- ---
            Web            FFF --- --- --- --- --- FFF ---";
        let letter = |permit| match permit {
            Permit::Free => 'F',
            Permit::OwnersCode => 'c',
            Permit::AdminsCode => 'a',
            Permit::Never => '-',
        };
        for (request, line) in REQUESTS.into_iter().zip(EXPECTED.lines()) {
            let cells = ROLES.map(|role| {
                let states = [State::Unprotected, State::Protected, State::Recovered];
                states.map(|state| letter(permit(role, request, state))).iter().collect::<String>()
            });
            let row = format!("{:<14} {}", format!("{request:?}"), cells.join(" "));
            assert_eq!(row, line.trim_start(), "{request:?}");
        }
    }
}
