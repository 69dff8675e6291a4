//! `org.otpd.Web`: what `otpd-web` asks for on behalf of a browser.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// The interface's name.
pub const INTERFACE: &str = "org.otpd.Web";
/// Whose ticket it is.
pub const WHO: &str = "org.otpd.Web.Who";
/// Runs a method of the account or the administration as its holder.
pub const AS: &str = "org.otpd.Web.As";
/// Ends it.
pub const SIGN_OUT: &str = "org.otpd.Web.SignOut";
/// Makes a word for a visit of another host.
pub const HAND_OFF: &str = "org.otpd.Web.HandOff";
/// Gives a visit ticket for that word.
pub const VISIT: &str = "org.otpd.Web.Visit";
/// Whether a visit ticket is good.
pub const CHECK: &str = "org.otpd.Web.Check";
/// The call was understood and refused.
pub const REFUSED: &str = "org.otpd.Web.Refused";
/// The reason of that for whoever is signed in and asks too often.
pub const TOO_MANY_CALLS: &str = "too_many_calls";
/// Nothing could be decided.
pub const UNAVAILABLE: &str = "org.otpd.Web.Unavailable";

/// Parameters of `Who`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhoParameters {
    /// The browser's.
    pub ticket: Secret,
    /// The browser's.
    pub address: Option<String>,
}

/// Result of `Who`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Holder {
    /// The account.
    pub user: String,
    /// Root, or a member of the administrators' group.
    pub admin: bool,
    /// Whether logins ask for a code.
    pub protected: bool,
    /// The device that the sign-in was proven with.
    pub device: Option<String>,
    /// Until when changes need no code after a recovery, Unix seconds.
    pub rebind_until: Option<i64>,
    /// Unix seconds.
    pub issued: i64,
    /// Unix seconds.
    pub expires: i64,
    /// When a change wants the password anew, Unix seconds.
    pub password_until: Option<i64>,
    /// When an administrator's acts want a code anew, Unix seconds.
    pub code_until: Option<i64>,
}

/// Parameters of `As`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsParameters<P> {
    /// The browser's, of an account.
    pub ticket: Secret,
    /// The browser's.
    pub address: Option<String>,
    /// With its interface.
    pub method: String,
    /// Of that method.
    pub parameters: P,
}

/// Result of `As`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done<T> {
    /// The result of the method.
    pub parameters: T,
}

/// Parameters of `SignOut`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignOutParameters {
    /// The browser's.
    pub ticket: Secret,
}

/// Result of `SignOut`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SignedOut {}

/// Parameters of `HandOff`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOffParameters {
    /// The browser's, of an account.
    pub ticket: Secret,
    /// Where it goes.
    pub host: String,
}

/// Result of `HandOff`.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedOff {
    /// Good once, for 30 seconds.
    pub word: Secret,
}

/// Parameters of `Visit`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisitParameters {
    /// Of `HandOff`.
    pub word: Secret,
    /// Where it was brought to.
    pub host: String,
    /// The browser's.
    pub address: Option<String>,
    /// What the browser says of itself.
    pub agent: Option<String>,
}

/// Result of `Visit`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Visit {
    /// For the browser, at that host.
    pub ticket: Secret,
    /// Unix seconds.
    pub expires: i64,
}

/// Parameters of `Check`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckParameters {
    /// The browser's, of a visit.
    pub ticket: Secret,
    /// Which host asks.
    pub host: String,
    /// The browser's.
    pub address: Option<String>,
}

/// Result of `Check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The account.
    pub user: String,
    /// The names of its groups.
    pub groups: Vec<String>,
}
