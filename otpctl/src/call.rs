//! Calls to `otpd`: one connection each, since a person may think for minutes between two, and every error
//! turned into a [`Failure`] that says what to do.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use otpd_proto::account;
use otpd_proto::admin;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::offline;
use otpd_proto::service;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::offline::Offline;

/// The way to one daemon.
pub(crate) struct Calls {
    directory: PathBuf,
    socket: PathBuf,
    offline: Option<Offline>,
}

impl Calls {
    /// To the daemon whose sockets stand in `directory`, which is made absolute: a relative path is trusted by
    /// nobody.
    pub(crate) fn new(directory: &Path) -> Self {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        let socket = directory.join(otpd_proto::ACCOUNT_SOCKET);
        Self { directory, socket, offline: None }
    }

    /// To an otpd of our own.
    pub(crate) fn offline(offline: Offline) -> Self {
        Self { offline: Some(offline), ..Self::new(Path::new(otpd_proto::RUNTIME_DIR)) }
    }

    /// Whether it is otpd that is asked, or the registry itself.
    pub(crate) fn is_offline(&self) -> bool {
        self.offline.is_some()
    }

    /// Ends an otpd of our own, and returns what it had to remark.
    pub(crate) fn end(&self) -> Vec<String> {
        self.offline.as_ref().map(Offline::end).unwrap_or_default()
    }

    /// Where the sockets stand.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Calls `method` and waits for its result.
    pub(crate) fn call<P: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &P,
    ) -> Result<R, Failure> {
        self.call_on(DEADLINE, |client| client.call(method, parameters))
    }

    /// Calls `method` with a file, which is long work.
    pub(crate) fn call_with<P: Serialize, R: DeserializeOwned>(
        &self,
        method: &str,
        parameters: &P,
        file: BorrowedFd<'_>,
    ) -> Result<R, Failure> {
        self.call_on(FOR_FILES, |client| client.call_with(method, parameters, file))
    }

    fn call_on<R>(
        &self,
        within: Duration,
        call: impl FnOnce(&mut Client) -> Result<R, ClientError>,
    ) -> Result<R, Failure> {
        let Some(offline) = &self.offline else {
            let done = Client::connect(&self.socket, within).and_then(|mut client| call(&mut client));
            return done.map_err(|error| explain(&self.socket, error));
        };
        call(&mut offline.client(within)?).map_err(|error| match error {
            ClientError::Refused { error, parameters } => explain_answer(&error, &parameters),
            error => offline.explain(&error),
        })
    }
}

fn explain(socket: &Path, error: ClientError) -> Failure {
    let at = socket.display();
    match error {
        ClientError::Refused { error, parameters } => explain_answer(&error, &parameters),
        ClientError::Unreachable { source, .. } => {
            // Without the number: "No such file or directory", not "… (os error 2)".
            let source = source.to_string();
            let source = source.split(" (os error").next().unwrap_or_default();
            let message =
                format!("cannot reach otpd at {at}: {source}. Is it running? Try: systemctl status otpd");
            Failure::new(Exit::Unreachable, "unreachable", message)
        }
        ClientError::Untrusted { why, .. } => {
            let message =
                format!("not trusting {at}: {why}. Check who may write there: ls -ld {}", parent(socket));
            Failure::new(Exit::Unreachable, "untrusted", message)
        }
        ClientError::TimedOut { sent: false } => {
            let message =
                format!("otpd at {at} takes no calls. Is it overloaded? Try: systemctl status otpd");
            Failure::new(Exit::Unreachable, "timed_out", message)
        }
        ClientError::TimedOut { sent: true } => {
            let message =
                format!("otpd at {at} did not answer in time; it may have acted all the same. {LOOK}");
            Failure::new(Exit::Unreachable, "timed_out", message)
        }
        ClientError::Broken { sent, why } => {
            let acted = if sent { "; it may have acted all the same" } else { "" };
            let message = format!("no proper answer from otpd at {at} ({why}){acted}. {LOOK}");
            Failure::new(Exit::Unreachable, "broken", message)
        }
    }
}

fn parent(socket: &Path) -> String {
    socket.parent().unwrap_or(socket).display().to_string()
}

/// An error that the daemon sent. Its details are looked at only where the error's name promises them.
fn explain_answer(error: &str, parameters: &str) -> Failure {
    let unreadable =
        || Failure::new(Exit::Unreachable, "broken", format!("otpd answered {error}, without details"));
    match error {
        account::REFUSED | admin::REFUSED | offline::REFUSED => {
            match serde_json::from_str::<service::Refused>(parameters) {
                Ok(service::Refused { reason, say, until }) => {
                    Failure { until, ..Failure::new(Exit::of_refusal(&reason), &reason, say) }
                }
                Err(_) => unreadable(),
            }
        }
        account::UNAVAILABLE | admin::UNAVAILABLE | offline::UNAVAILABLE => {
            match serde_json::from_str::<service::Unavailable>(parameters) {
                Ok(service::Unavailable { say }) => Failure::new(Exit::Unreachable, "unavailable", say),
                Err(_) => unreadable(),
            }
        }
        service::PERMISSION_DENIED => {
            let message = "this is for root and the administrators. Try it with sudo";
            Failure::new(Exit::NotPermitted, "not_permitted", message)
        }
        service::INVALID_PARAMETER => {
            let named = serde_json::from_str::<InvalidParameter>(parameters);
            let parameter = named.map(|found| found.parameter).unwrap_or_default();
            let message = format!("otpd does not accept the value given for '{parameter}'");
            Failure::new(Exit::Refused, "invalid_parameter", message)
        }
        service::METHOD_NOT_FOUND | service::INTERFACE_NOT_FOUND | service::METHOD_NOT_IMPLEMENTED => {
            let message = "the running otpd does not know this command; is it older than otpctl? \
                           Try: systemctl restart otpd";
            Failure::new(Exit::Unreachable, "unknown_method", message)
        }
        _ => Failure::new(
            Exit::Unreachable,
            "broken",
            format!("otpd answered {error}, which otpctl does not know"),
        ),
    }
}

#[derive(Deserialize)]
struct InvalidParameter {
    parameter: String,
}

/// A NAS disk may have to spin up.
const DEADLINE: Duration = Duration::from_secs(30);

/// A large registry on a slow disk.
const FOR_FILES: Duration = Duration::from_secs(1800);

const LOOK: &str = "See what happened: otpctl status; journalctl -u otpd";

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(error: &str, parameters: &str) -> (Exit, String) {
        let failure = explain_answer(error, parameters);
        (failure.exit, failure.reason)
    }

    #[test]
    fn a_refusal_keeps_its_reason_words_and_time() {
        let failure = explain_answer(account::REFUSED, r#"{"reason":"locked","say":"Wait.","until":7}"#);
        assert_eq!((failure.exit, failure.until), (Exit::Code, Some(7)));
        assert_eq!((failure.reason.as_str(), failure.message.as_str()), ("locked", "Wait."));
    }

    #[test]
    fn the_errors_of_varlink_itself_are_told_apart() {
        assert_eq!(answer(service::PERMISSION_DENIED, "{}"), (Exit::NotPermitted, "not_permitted".into()));
        assert_eq!(
            answer(service::INVALID_PARAMETER, r#"{"parameter":"name"}"#),
            (Exit::Refused, "invalid_parameter".into())
        );
        assert_eq!(answer(service::METHOD_NOT_FOUND, "{}"), (Exit::Unreachable, "unknown_method".into()));
        assert_eq!(answer(admin::UNAVAILABLE, r#"{"say":"no"}"#), (Exit::Unreachable, "unavailable".into()));
    }

    #[test]
    fn a_refusal_without_its_details_is_no_refusal() {
        assert_eq!(answer(account::REFUSED, r#"{"reason":7}"#), (Exit::Unreachable, "broken".into()));
        assert_eq!(answer("org.example.Odd", "{}"), (Exit::Unreachable, "broken".into()));
    }

    #[test]
    fn a_relative_directory_becomes_absolute() {
        assert!(Calls::new(Path::new("run")).directory().is_absolute());
    }
}
