//! Where an account is signed in on the web.

use serde::Deserialize;
use serde::Serialize;

use crate::Secret;

/// Lists where an account is signed in on the web.
pub const SIGN_INS: &str = "org.otpd.Account.SignIns";
/// Ends one of them, or all.
pub const END_SIGN_INS: &str = "org.otpd.Account.EndSignIns";

/// What a ticket is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The account page.
    Account,
    /// Another host, behind a proxy that asks whether somebody is signed in.
    Visit,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Names it in `EndSignIns`.
    pub id: i64,
    /// What it is good for.
    pub scope: Scope,
    /// The host that is visited.
    pub host: Option<String>,
    /// The one that asks.
    pub current: bool,
    /// Unix seconds.
    pub issued: i64,
    /// When it was last used, to the minute, Unix seconds.
    pub seen: i64,
    /// Unix seconds.
    pub expires: i64,
    /// Of the browser, when it was last used.
    pub address: Option<String>,
    /// What the browser said of itself.
    pub agent: Option<String>,
    /// The device that it was proven with.
    pub device: Option<String>,
}

/// Parameters of `SignIns`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInsParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
}

/// Result of `SignIns`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignIns {
    /// At most 100, the latest first.
    pub sign_ins: Vec<SignIn>,
}

/// Parameters of `EndSignIns`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndSignInsParameters {
    /// The account, or the caller's own.
    pub user: Option<String>,
    /// Which; without it, all but the one that asks.
    pub id: Option<i64>,
    /// The proof, where one is needed.
    pub code: Option<Secret>,
}

/// Result of `EndSignIns`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignInsEnded {
    /// How many.
    pub ended: u32,
}
