//! What is measured: four ways to check a code, and the floors under them.

use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

/// One way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Contestant {
    /// pam_google_authenticator.so, a file per user.
    Google,
    /// pam_oath.so, a file per user.
    OathPerUser,
    /// pam_oath.so, one file.
    OathOneFile,
    /// pam_otp.so and its otpd.
    Otp,
    /// pam_permit.so, one round trip to a server that answers after one fdatasync for all who wait.
    Floor,
    /// A part of the floor: pam_permit.so alone.
    Permit,
    /// A part of the floor: one round trip to a server that answers at once.
    Echo,
    /// A part of the floor: append and fdatasync, in a file of the caller's own.
    Sync,
}

impl Contestant {
    /// Those compared in every cell.
    pub const MAIN: [Self; 5] = [Self::Google, Self::OathPerUser, Self::OathOneFile, Self::Otp, Self::Floor];
    /// The parts of the floor.
    pub const PARTS: [Self; 3] = [Self::Permit, Self::Echo, Self::Sync];

    /// Its name in tables.
    pub fn label(self) -> &'static str {
        match self {
            Self::Google => "google-authenticator",
            Self::OathPerUser => "pam_oath, file per user",
            Self::OathOneFile => "pam_oath, one file",
            Self::Otp => "pam_otp",
            Self::Floor => "floor",
            Self::Permit => "pam_permit only",
            Self::Echo => "echo only",
            Self::Sync => "fdatasync only",
        }
    }

    /// Whether it is a rival.
    pub fn is_peer(self) -> bool {
        matches!(self, Self::Google | Self::OathPerUser | Self::OathOneFile)
    }

    /// Whether it looks at the code.
    pub fn checks_codes(self) -> bool {
        self.is_peer() || self == Self::Otp
    }

    /// Its PAM service, if it has one.
    pub fn service(self) -> Option<&'static str> {
        match self {
            Self::Google => Some("google"),
            Self::OathPerUser => Some("oath-per-user"),
            Self::OathOneFile => Some("oath-one-file"),
            Self::Otp => Some("otp"),
            Self::Floor | Self::Permit => Some("permit"),
            Self::Echo | Self::Sync => None,
        }
    }

    /// The line of its PAM stack; `at` is the directory of its accounts, `module` the built pam_otp.so.
    pub fn line(self, at: &Path, module: &Path, socket: &Path) -> String {
        let (at, module, socket) = (at.display(), module.display(), socket.display());
        match self {
            Self::Google => {
                format!("auth required pam_google_authenticator.so secret={at}/google/${{USER}} user=root")
            }
            Self::OathPerUser => {
                format!("auth required pam_oath.so usersfile={at}/oath/${{USER}} window=1 digits=6")
            }
            Self::OathOneFile => {
                format!("auth required pam_oath.so usersfile={at}/one/users.oath window=1 digits=6")
            }
            Self::Otp => format!("auth required {module} socket={socket}"),
            Self::Floor | Self::Permit | Self::Echo | Self::Sync => "auth required pam_permit.so".to_owned(),
        }
    }
}
