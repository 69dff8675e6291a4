//! `org.otpd.Login`: what a PAM module asks while somebody logs in.

pub mod ticket;

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Login";
/// Begins a login.
pub const START: &str = "org.otpd.Login.Start";
/// Gives what the person typed.
pub const ANSWER: &str = "org.otpd.Login.Answer";
/// The account phase.
pub const ACCOUNT: &str = "org.otpd.Login.Account";
/// The registry, the key or the user database cannot be read.
pub const UNAVAILABLE: &str = "org.otpd.Login.Unavailable";

/// A login as PAM describes it. Absent and empty mean the same for every field but `user`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// PAM_USER: whose code is wanted.
    pub user: String,
    /// PAM_SERVICE.
    pub service: String,
    /// PAM_TTY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// PAM_RUSER: the caller of sudo and su.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruser: Option<String>,
    /// PAM_RHOST: an address, or a name with `UseDNS yes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rhost: Option<String>,
    /// sshd's SSH_CONNECTION from the PAM environment: always numeric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_connection: Option<String>,
    /// sshd's SSH_AUTH_INFO_0: the methods already passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_auth_info: Option<String>,
}

/// What to do next. The daemon leads, so a new factor needs no new module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
#[must_use]
pub enum Next {
    /// Show `prompt`, hide what is typed unless `echo`, send it with `Answer`.
    Ask {
        /// One line, ASCII, at most 200 bytes, ends with `": "`.
        prompt: String,
        /// Whether what is typed may be shown.
        echo: bool,
        /// Digits of the longest code that this account may have, for who must find a code behind a password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digits: Option<u8>,
    },
    /// Logged in.
    Accept {
        /// The device whose code it was.
        device: String,
        /// To be shown, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
        /// How many of the digits sent were the code, if they were a [`Given::Tail`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digits: Option<u8>,
    },
    /// No code is asked for here.
    NotRequired {
        /// The rule that says so, for the log.
        why: String,
        /// To be shown, if anything (protection will be required soon).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
    },
    /// Not logged in.
    Refuse {
        /// For the person.
        say: String,
    },
    /// Not logged in, and no code is looked at for a while.
    Locked {
        /// For the person.
        say: String,
        /// The end of the wait, Unix seconds; absent if only an unlock ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<i64>,
    },
}

/// Parameters of `Start` and `Account`.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoginParameters {
    /// The login.
    pub login: Login,
}

/// How an answer was given. Only who typed at the prompt has read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// Typed at the prompt of [`Next::Ask`].
    #[default]
    Typed,
    /// Typed at the prompt of another module.
    FirstPass,
    /// Typed behind a password that nobody has checked yet: the digits at the end, at most as many as
    /// [`Next::Ask`] names. The first of them may belong to the password.
    Tail,
}

impl Given {
    /// Whether this is what an absent field means.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        *self == Self::Typed
    }
}

/// Parameters of `Answer`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnswerParameters {
    /// The login, whole again: the daemon remembers nothing between calls.
    pub login: Login,
    /// What the person typed.
    pub answer: Secret,
    /// How.
    #[serde(default, skip_serializing_if = "Given::is_typed")]
    pub given: Given,
}

/// Result of all three methods.
#[derive(Debug, Serialize, Deserialize)]
pub struct Step {
    /// What to do next.
    pub step: Next,
}
