//! `org.otpd.Session`: one login on the web, between `otpd-web` and an `otpd-login` of its own.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Session";
/// The first call: a user and their password.
pub const OPEN: &str = "org.otpd.Session.Open";
/// What was typed at a prompt.
pub const ANSWER: &str = "org.otpd.Session.Answer";

/// The PAM service of a login on the web.
pub const SERVICE: &str = "otpd-web";
/// The PAM service that asks for the password alone, of somebody who is signed in.
pub const PASSWORD_SERVICE: &str = "otpd-web-password";

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// PAM_TEXT_INFO.
    Info,
    /// PAM_ERROR_MSG.
    Error,
}

/// What a PAM module had to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// How it is meant.
    pub style: Style,
    /// One line or more.
    pub text: String,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Wrong password, wrong code or no such user: which is not told.
    Failed,
    /// The account or its password is no longer good, and cannot be renewed here.
    Expired,
    /// A module wants no more tries.
    ManyTries,
    /// Too many logins at once.
    Busy,
    /// Nothing came for too long.
    Timeout,
    /// This box cannot check it at the moment.
    Unavailable,
}

/// What to do next. `texts` are what was said since the step before, in order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "next", rename_all = "snake_case")]
#[must_use]
pub enum Next {
    /// Show `prompt` and send what is typed with `Answer`.
    Ask {
        /// What was said before.
        texts: Vec<Text>,
        /// As the module words it.
        prompt: String,
        /// Whether what is typed may be shown.
        echo: bool,
    },
    /// Signed in.
    Done {
        /// What was said before.
        texts: Vec<Text>,
        /// As PAM has the name now.
        user: String,
        /// For the browser, of an account.
        ticket: Secret,
        /// Unix seconds.
        expires: i64,
    },
    /// Not signed in; the connection ends.
    Refuse {
        /// What was said before.
        texts: Vec<Text>,
        /// Why.
        reason: Reason,
    },
}

/// Parameters of `Open`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenParameters {
    /// As posted.
    pub user: String,
    /// As posted.
    pub password: Secret,
    /// The browser's: PAM_RHOST.
    pub address: Option<String>,
    /// What the browser says of itself.
    pub agent: Option<String>,
    /// A ticket of the user, to be renewed by the password.
    pub renew: Option<Secret>,
}

/// Parameters of `Answer`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerParameters {
    /// As posted.
    pub answer: Secret,
}

/// Result of both methods.
#[derive(Debug, Serialize, Deserialize)]
pub struct Step {
    /// What to do next.
    pub step: Next,
}
