//! The three questions to otpd, one connection each: nothing is kept between them, so a host may fork, and otpd may
//! restart, while a person types.

use std::io;
use std::path::Path;
use std::time::Duration;

use otpd_proto::Secret;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::login;
use otpd_proto::login::Given;
use otpd_proto::login::Login;
use otpd_proto::login::Next;
use serde::Serialize;

use crate::reply::Reply;

/// Who says what to do next.
pub(crate) trait Daemon {
    /// Begins a login.
    fn start(&self, login: &Login) -> Result<Next, Fault>;
    /// Gives what was typed.
    fn answer(&self, login: &Login, answer: &Secret, given: Given) -> Result<Next, Fault>;
    /// The account phase.
    fn account(&self, login: &Login) -> Result<Next, Fault>;
}

/// Why nobody said what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody answered.
    Silence {
        /// Whether the daemon may have acted all the same.
        sent: bool,
        /// For the log.
        why: String,
    },
    /// We could not even ask.
    Unaskable(String),
    /// Somebody answers whom we must not believe.
    Untrusted(String),
    /// The daemon answered with an error.
    Error {
        /// Its name.
        name: String,
        /// What it tells the person.
        say: Option<String>,
    },
    /// The daemon answered what this module does not know; it may be newer.
    Unknown,
}

/// The real one.
pub(crate) struct Otpd<'a> {
    socket: &'a Path,
    timeout: Duration,
}

impl<'a> Otpd<'a> {
    /// `timeout` bounds all questions but the answer, whose commit a sleeping disk may delay.
    pub(crate) fn new(socket: &'a Path, timeout: Duration) -> Self {
        Self { socket, timeout }
    }

    fn ask(&self, method: &str, parameters: &Parameters<'_>, within: Duration) -> Result<Next, Fault> {
        let client = Client::connect(self.socket, within)?;
        read(&client.exchange(method, parameters)?)
    }
}

/// The parameters of all three methods (`LoginParameters`, `AnswerParameters`), borrowed.
#[derive(Serialize)]
struct Parameters<'a> {
    login: &'a Login,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a Secret>,
    #[serde(skip_serializing_if = "Given::is_typed")]
    given: Given,
}

impl<'a> Parameters<'a> {
    /// Of `Start` and `Account`.
    fn of(login: &'a Login) -> Self {
        Self { login, answer: None, given: Given::Typed }
    }
}

impl Daemon for Otpd<'_> {
    fn start(&self, login: &Login) -> Result<Next, Fault> {
        self.ask(login::START, &Parameters::of(login), self.timeout)
    }

    fn answer(&self, login: &Login, answer: &Secret, given: Given) -> Result<Next, Fault> {
        let parameters = Parameters { login, answer: Some(answer), given };
        self.ask(login::ANSWER, &parameters, self.timeout.max(ANSWER_WITHIN))
    }

    fn account(&self, login: &Login) -> Result<Next, Fault> {
        self.ask(login::ACCOUNT, &Parameters::of(login), self.timeout)
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        let why = error.to_string();
        match error {
            // Only a daemon that is not there. That this process may open no more files, say, is no silence: its
            // caller may have seen to that.
            ClientError::Unreachable { ref source, .. }
                if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Self::Silence { sent: false, why }
            }
            ClientError::Unreachable { .. } => Self::Unaskable(why),
            ClientError::TimedOut { sent } | ClientError::Broken { sent, .. } => Self::Silence { sent, why },
            ClientError::Untrusted { .. } => Self::Untrusted(why),
            ClientError::Refused { .. } => Self::Unknown,
        }
    }
}

/// Reads a reply. Whatever came is an answer: only silence may let a login through.
fn read(reply: &[u8]) -> Result<Next, Fault> {
    let reply: Reply = serde_json::from_slice(reply).map_err(|_| Fault::Unknown)?;
    let parameters = reply.field("parameters").ok_or(Fault::Unknown)?;
    match reply.field("error") {
        None | Some(Reply::Other) => parameters.step().ok_or(Fault::Unknown),
        // Nothing else of it is logged: it may repeat what was sent.
        Some(Reply::Text(name)) => Err(Fault::Error { name: name.clone(), say: parameters.text("say") }),
        Some(_) => Err(Fault::Unknown),
    }
}

/// A NAS disk may have to spin up before a code can be spent.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use otpd_proto::login::AnswerParameters;
    use otpd_proto::login::LoginParameters;

    use super::*;

    #[test]
    fn the_parameters_are_those_of_the_protocol() {
        let login = &Login { user: "alice".to_owned(), ..Login::default() };
        let answer = Secret::new("123456".to_owned());
        let json = serde_json::to_string(&Parameters::of(login)).unwrap();
        assert_eq!(json, serde_json::to_string(&LoginParameters { login: login.clone() }).unwrap());
        for given in [Given::Typed, Given::FirstPass, Given::Tail] {
            let json = serde_json::to_string(&Parameters { login, answer: Some(&answer), given }).unwrap();
            let (login, answer) = (login.clone(), answer.clone());
            assert_eq!(json, serde_json::to_string(&AnswerParameters { login, answer, given }).unwrap());
        }
    }

    #[test]
    fn only_silence_is_silence() {
        let path = Path::new("/run/otpd/login.sock").to_owned();
        let source = io::Error::from(io::ErrorKind::NotFound);
        let is_silence = |error: ClientError| matches!(Fault::from(error), Fault::Silence { .. });
        assert!(is_silence(ClientError::Unreachable { path: path.clone(), source }));
        let source = io::Error::from_raw_os_error(libc::EMFILE);
        assert!(!is_silence(ClientError::Unreachable { path: path.clone(), source }));
        assert!(is_silence(ClientError::TimedOut { sent: false }));
        assert!(!is_silence(ClientError::Untrusted { path, why: String::new() }));
        assert!(!is_silence(ClientError::Refused { error: "a.b.C".to_owned(), parameters: "{}".to_owned() }));
    }

    #[test]
    fn whether_the_call_had_left_is_kept() {
        for sent in [true, false] {
            let timed_out = Fault::from(ClientError::TimedOut { sent });
            let broken = Fault::from(ClientError::Broken { sent, why: String::new() });
            for fault in [timed_out, broken] {
                assert!(matches!(fault, Fault::Silence { sent: kept, .. } if kept == sent), "{fault:?}");
            }
        }
    }

    #[test]
    fn an_error_keeps_its_name_and_text_and_nothing_else() {
        let named =
            |say: Option<&str>| Err(Fault::Error { name: "a.b.C".to_owned(), say: say.map(str::to_owned) });
        let error =
            |parameters: &str| read(format!(r#"{{"error":"a.b.C","parameters":{parameters}}}"#).as_bytes());
        assert_eq!(
            error(r#"{"say":"the registry cannot be read"}"#),
            named(Some("the registry cannot be read"))
        );
        assert_eq!(error(r#"{"parameter":"123456"}"#), named(None));
        assert_eq!(error("7"), named(None));
        let with_step = r#"{"step":{"next":"accept","device":"phone"}}"#;
        assert_eq!(error(with_step), named(None));
    }

    #[test]
    fn garbage_is_an_answer_and_not_silence() {
        for reply in [
            "",
            "{",
            "7",
            "{}",
            r#"{"parameters":{}}"#,
            r#"{"error":7,"parameters":{}}"#,
            r#"{"error":"a.b.C"}"#,
        ] {
            assert_eq!(read(reply.as_bytes()), Err(Fault::Unknown), "{reply}");
        }
    }

    #[test]
    fn a_step_is_read() {
        let reply = br#"{"parameters":{"step":{"next":"refuse","say":"No."}}}"#;
        assert_eq!(read(reply), Ok(Next::Refuse { say: "No.".to_owned() }));
        let reply = br#"{"error":null,"parameters":{"step":{"next":"refuse","say":"No."}}}"#;
        assert_eq!(read(reply), Ok(Next::Refuse { say: "No.".to_owned() }));
    }
}
