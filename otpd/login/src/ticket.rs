//! The ticket, from `otpd`: whom PAM let in gets one, and only `otpd-login` can ask for it.

use std::path::Path;
use std::time::Duration;

use otpd_proto::Secret;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::login;
use otpd_proto::login::Login;
use otpd_proto::login::ticket;
use otpd_proto::login::ticket::IssueTicketParameters;
use otpd_proto::login::ticket::RenewTicketParameters;
use otpd_proto::login::ticket::Ticket;
use otpd_proto::service;
use otpd_proto::session::Reason;

/// Why there is none.
#[derive(Debug)]
pub(crate) struct NoTicket {
    /// For `otpd-web`.
    pub(crate) reason: Reason,
    /// For the person, if `otpd` has words for it.
    pub(crate) say: Option<String>,
}

/// Asks at `login.sock` in the directory `runtime` for a new ticket, or for one in the place of `renewed`.
pub(crate) fn get(
    runtime: &Path,
    login: Login,
    agent: Option<String>,
    renewed: Option<Secret>,
) -> Result<Ticket, NoTicket> {
    let client = Client::connect(&runtime.join(otpd_proto::LOGIN_SOCKET), PATIENCE);
    let got = client.and_then(|mut client| match renewed {
        Some(ticket) => client.call(ticket::RENEW_TICKET, &RenewTicketParameters { login, ticket }),
        None => client.call(ticket::ISSUE_TICKET, &IssueTicketParameters { login, agent }),
    });
    got.map_err(why)
}

fn why(error: ClientError) -> NoTicket {
    log::error!("no ticket: {error}");
    match &error {
        ClientError::Refused { error, parameters } if error == ticket::REFUSED => {
            let told = serde_json::from_str::<service::Refused>(parameters);
            NoTicket { reason: Reason::Failed, say: told.ok().map(|told| told.say) }
        }
        ClientError::Refused { error, parameters } if error == login::UNAVAILABLE => {
            let told = serde_json::from_str::<service::Unavailable>(parameters);
            NoTicket { reason: Reason::Unavailable, say: told.ok().map(|told| told.say) }
        }
        _ => NoTicket { reason: Reason::Unavailable, say: None },
    }
}

/// The disk may have to spin up.
const PATIENCE: Duration = Duration::from_secs(30);
