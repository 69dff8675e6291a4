//! Asking `otpd`: everything that is decided is decided there. Calls block, so each runs on a thread of the runtime's
//! pool.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use otpd_proto::Secret;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::web;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::monotonic;

/// Where `otpd` and the logins answer.
pub struct Daemon {
    /// web.sock
    pub socket: PathBuf,
    /// session.sock
    pub sessions: PathBuf,
    /// Connections for the next checks, and since when they wait.
    idle: Arc<Mutex<Vec<(Instant, Client)>>>,
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
    /// At these sockets.
    #[must_use]
    pub fn new(socket: &Path, sessions: &Path) -> Self {
        Self { socket: socket.to_owned(), sessions: sessions.to_owned(), idle: Arc::default() }
    }

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

    /// Whose visit it is, at a connection that is kept. Asking twice does no harm, so one that was closed meanwhile is
    /// replaced.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn check(&self, check: web::CheckParameters) -> Result<web::Visitor, Trouble> {
        let (socket, idle) = (self.socket.clone(), Arc::clone(&self.idle));
        blocking(move || {
            let kept = lock(&idle).pop();
            let kept = kept.filter(|(since, _)| monotonic().saturating_duration_since(*since) < KEPT);
            let checked = kept.map(|(_, mut client)| {
                client.go_on(PATIENCE);
                (client.call(web::CHECK, &check), client)
            });
            let (visitor, client) = match checked {
                Some((visitor @ (Ok(_) | Err(ClientError::Refused { .. })), client)) => (visitor, client),
                _ => {
                    let mut client = Client::connect(&socket, PATIENCE)?;
                    (client.call(web::CHECK, &check), client)
                }
            };
            let mut idle = lock(&idle);
            if matches!(visitor, Ok(_) | Err(ClientError::Refused { .. })) && idle.len() < MOST_IDLE {
                idle.push((monotonic(), client));
            }
            visitor
        })
        .await
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

/// Runs something of several calls to its end, even if the browser hangs up between two of them.
pub(crate) async fn to_the_end<R: Send + 'static>(
    calls: impl Future<Output = Result<R, Trouble>> + Send + 'static,
) -> Result<R, Trouble> {
    match tokio::spawn(calls).await {
        Ok(done) => done,
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

fn lock(idle: &Mutex<Vec<(Instant, Client)>>) -> MutexGuard<'_, Vec<(Instant, Client)>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many as otpd has workers for us: more would only wait there.
const MOST_IDLE: usize = 4;
/// otpd closes what is idle for longer than 30 s.
const KEPT: Duration = Duration::from_secs(20);
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
