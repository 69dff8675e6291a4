//! Notices: what an account's owner is told, by mail to every secure email and by a line at their next login.

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The first device was bound.
    ProtectionOn,
    /// The last device was removed, or all at once.
    ProtectionOff,
    /// Another device was bound.
    DeviceBound,
    /// One of several devices was removed.
    DeviceRemoved,
    /// A recovery code, a mailed code or an enrol code let somebody in.
    RecoveryUsed,
    /// New recovery codes were made.
    CodesNew,
    /// A secure email was added.
    EmailAdded,
    /// A secure email was removed.
    EmailRemoved,
    /// So many wrong codes were given that a lane closed.
    LaneClosed,
    /// Lanes were opened again.
    LaneOpened,
    /// A right code was given a second time, from elsewhere: somebody may have seen it.
    CodeReused,
    /// A right password was given, and no code after it.
    NoCode,
    /// An administrator retired every device.
    Reset,
}

impl Notice {
    /// As otpd-mail and programs know it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProtectionOn => "protection_on",
            Self::ProtectionOff => "protection_off",
            Self::DeviceBound => "device_bound",
            Self::DeviceRemoved => "device_removed",
            Self::RecoveryUsed => "recovery_used",
            Self::CodesNew => "codes_new",
            Self::EmailAdded => "email_added",
            Self::EmailRemoved => "email_removed",
            Self::LaneClosed => "lane_closed",
            Self::LaneOpened => "lane_opened",
            Self::CodeReused => "code_reused",
            Self::NoCode => "no_code",
            Self::Reset => "reset",
        }
    }

    /// In words, for one line: what follows is when.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::ProtectionOn => "Login protection was turned on",
            Self::ProtectionOff => "Login protection was turned off",
            Self::DeviceBound => "A device was bound",
            Self::DeviceRemoved => "A device was removed",
            Self::RecoveryUsed => "A recovery code was used",
            Self::CodesNew => "New recovery codes were made",
            Self::EmailAdded => "A secure email was added",
            Self::EmailRemoved => "A secure email was removed",
            Self::LaneClosed => "Too many wrong codes were given",
            Self::LaneOpened => "Logins with a code were opened again",
            Self::CodeReused => "A used code was given again, from elsewhere,",
            Self::NoCode => "Your password was given, and no code after it,",
            Self::Reset => "An administrator removed every device",
        }
    }
}
