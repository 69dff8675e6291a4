//! Tickets for logins on the web.

use serde::Deserialize;
use serde::Serialize;

use super::Login;
use crate::Secret;

/// Makes a ticket for a login that PAM let in.
pub const ISSUE_TICKET: &str = "org.otpd.Login.IssueTicket";
/// Replaces one whose holder gave the password again.
pub const RENEW_TICKET: &str = "org.otpd.Login.RenewTicket";
/// A ticket is refused.
pub const REFUSED: &str = "org.otpd.Login.Refused";

/// Parameters of `IssueTicket`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueTicketParameters {
    /// The login, as PAM let it in.
    pub login: Login,
    /// What the browser says of itself.
    pub agent: Option<String>,
}

/// Parameters of `RenewTicket`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewTicketParameters {
    /// The login, as PAM let it in.
    pub login: Login,
    /// The one to be replaced.
    pub ticket: Secret,
}

/// Result of both.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ticket {
    /// For the browser: 256 bits, of letters and digits, `-` and `_`.
    pub ticket: Secret,
    /// Unix seconds.
    pub expires: i64,
}
