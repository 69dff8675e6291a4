//! Asking `otpd`: everything that is decided is decided there. Calls block, so each runs on a thread of the runtime's
//! pool.

use std::path::PathBuf;
use std::time::Duration;

use otpd_proto::Secret;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::web;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where `otpd` and the logins answer.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// web.sock
    pub socket: PathBuf,
    /// session.sock
    pub sessions: PathBuf,
}

/// Whose call it is.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The browser's.
    pub ticket: Secret,
    /// The browser's.
    pub address: Option<String>,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It was understood and refused.
    Refused {
        /// One word.
        reason: String,
        /// For the person, in English.
        say: String,
        /// Unix seconds.
        until: Option<i64>,
    },
    /// `otpd` cannot decide anything at the moment.
    Unavailable {
        /// For the person, in English.
        say: String,
    },
    /// `otpd` is not there.
    Away {
        /// For the log.
        why: String,
    },
    /// Too many at once.
    Busy,
    /// There is no such page.
    NotFound,
    /// It is for administrators.
    Forbidden,
    /// The request came from elsewhere, or from a page that is too old.
    Foreign,
    /// No name of this box.
    UnknownHost,
    /// Too long, or too slow.
    TooMuch,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    say: String,
    until: Option<i64>,
}

impl Daemon {
    /// Calls a method of `org.otpd.Web`.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn call<P, R>(&self, method: &'static str, parameters: P) -> Result<R, Trouble>
    where
        P: Serialize + Send + 'static,
        R: DeserializeOwned + Send + 'static,
    {
        let socket = self.socket.clone();
        blocking(move || Client::connect(&socket, PATIENCE)?.call(method, &parameters)).await
    }

    /// Whose ticket it is.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn who(&self, caller: &Caller) -> Result<web::Holder, Trouble> {
        let Caller { ticket, address } = caller.clone();
        self.call(web::WHO, web::WhoParameters { ticket, address }).await
    }

    /// Calls a method of `org.otpd.Account` or `org.otpd.Admin` as the holder of the ticket.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn call_as<P, R>(&self, caller: &Caller, method: &str, parameters: P) -> Result<R, Trouble>
    where
        P: Serialize + Send + 'static,
        R: DeserializeOwned + Send + 'static,
    {
        let Caller { ticket, address } = caller.clone();
        let parameters = web::AsParameters { ticket, address, method: method.to_owned(), parameters };
        let done: web::Done<R> = self.call(web::AS, parameters).await?;
        Ok(done.parameters)
    }

    /// Whether somebody answers.
    pub async fn is_there(&self) -> bool {
        let socket = self.socket.clone();
        blocking(move || Client::connect(&socket, Duration::from_secs(2)).map(drop)).await.is_ok()
    }
}

/// Runs a call where it may block.
pub(crate) async fn blocking<R: Send + 'static>(
    call: impl FnOnce() -> Result<R, ClientError> + Send + 'static,
) -> Result<R, Trouble> {
    match tokio::task::spawn_blocking(call).await {
        Ok(done) => done.map_err(Trouble::from),
        Err(error) => Err(Trouble::Away { why: error.to_string() }),
    }
}

impl Trouble {
    /// Whether it is this refusal.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason == word)
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        let ClientError::Refused { error, parameters } = error else {
            return Self::Away { why: error.to_string() };
        };
        match (error.rsplit('.').next(), serde_json::from_str::<Details>(&parameters)) {
            (Some("Refused"), Ok(Details { reason, say, until })) => Self::Refused { reason, say, until },
            (Some("Unavailable"), Ok(details)) => Self::Unavailable { say: details.say },
            _ => Self::Away { why: format!("otpd answered {error} {parameters}") },
        }
    }
}

/// As long as a disk may take to wake up.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_reason_its_words_and_its_time() {
        let refused = |error: &str, parameters: &str| {
            Trouble::from(ClientError::Refused { error: error.into(), parameters: parameters.into() })
        };
        let locked = refused("org.otpd.Account.Refused", r#"{"reason":"locked","say":"Locked.","until":7}"#);
        assert_eq!(
            locked,
            Trouble::Refused { reason: "locked".into(), say: "Locked.".into(), until: Some(7) }
        );
        assert!(locked.is("locked") && !locked.is("signed_out"));
        assert_eq!(
            refused("org.otpd.Web.Unavailable", r#"{"say":"Disk."}"#),
            Trouble::Unavailable { say: "Disk.".into() }
        );
        assert!(matches!(
            refused("org.varlink.service.MethodNotFound", r#"{"method":"x"}"#),
            Trouble::Away { .. }
        ));
    }
}
