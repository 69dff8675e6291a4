//! What an answer or an error of a server means: whether another try can succeed, and what to change.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::CertificateError;

use super::smtp::Encryption;
use super::smtp::Smtp;
use crate::compose::Mail;
use crate::verdict::Verdict;

/// How far a delivery came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Resolve,
    Connect,
    Greeting,
    Tls,
    Login,
    Sender,
    Recipient,
    Data,
    Content,
}

/// Why it came no further.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no, or the connection or its encryption failed.
    Smtp(lettre::transport::smtp::Error),
    /// The network.
    Io(io::Error),
    /// The server offers no STARTTLS, or somebody on the way took that out.
    NoStarttls,
    /// The server offers no login that we know.
    NoLogin,
    /// Not what the protocol has there.
    Unexpected(String),
    /// The deadline passed.
    Late(Duration),
}

impl From<lettre::transport::smtp::Error> for Trouble {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Smtp(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether another address of the same server may do better.
pub(super) fn is_unreached(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Io(_) => true,
        Trouble::Smtp(error) => io_error(error)
            .is_some_and(|io| io.raw_os_error().is_some() || io.kind() == io::ErrorKind::TimedOut),
        _ => false,
    }
}

/// What is known when something has gone wrong.
pub(super) struct Judge<'a> {
    pub(super) server: &'a Smtp,
    pub(super) mail: &'a Mail,
    pub(super) step: Step,
}

impl Judge<'_> {
    pub(super) fn verdict(&self, trouble: Trouble) -> Verdict {
        match trouble {
            Trouble::Smtp(error) => match error.status() {
                Some(code) => self.reply(u16::from(code), &reason(&error)),
                None => self.broken(&error),
            },
            Trouble::Io(error) => self.broken(&error),
            Trouble::NoStarttls => Verdict::later("the server does not offer STARTTLS, so nothing was sent")
                .with_advice("set smtp.tls = \"required\" with port 465, or ask the provider; if it offered STARTTLS before, somebody on the way may have taken it out"),
            Trouble::NoLogin => Verdict::later("the server offers no login by PLAIN or LOGIN")
                .with_advice("ask the provider which server and port take logins; without smtp.user none is tried"),
            Trouble::Unexpected(answer) => Verdict::later(&answer)
                .with_advice(format!("that is no answer to {}: is this a mail server?", self.doing())),
            Trouble::Late(deadline) => self.late(deadline),
        }
    }

    /// The server said 4yz or 5yz.
    fn reply(&self, code: u16, text: &str) -> Verdict {
        let answer = format!("{code} {text}");
        if code < 500 {
            return Verdict::later(&answer);
        }
        let advice = match self.step {
            Step::Resolve | Step::Connect | Step::Greeting => {
                "the server does not talk to this box: ask its administrator; if it is about the name, set smtp.ehlo"
                    .to_owned()
            }
            Step::Tls => "the server refused STARTTLS: ask the provider".to_owned(),
            Step::Login => "check smtp.user and the password".to_owned(),
            Step::Sender if wants_login(code, text) => self.log_in(),
            Step::Sender => format!("the server refuses {} as sender: set from to an address of the account there", self.mail.from),
            Step::Recipient | Step::Data if wants_login(code, text) || is_about_us(text) => self.log_in(),
            Step::Recipient | Step::Data => {
                return Verdict::failed(&answer).with_advice("check the address: the server does not take mail for it");
            }
            Step::Content => {
                return Verdict::failed(&answer).with_advice("the server refuses the mail itself; its answer says why");
            }
        };
        Verdict::later(&answer).with_advice(advice)
    }

    fn log_in(&self) -> String {
        match self.server.login {
            None => "the server takes mail from its users only: set smtp.user and its password".to_owned(),
            Some(_) => "the server takes no mail for others from this user: ask the provider".to_owned(),
        }
    }

    /// No answer, but an error on this side.
    fn broken(&self, error: &(dyn Error + 'static)) -> Verdict {
        if let Some(tls) = tls_error(error) {
            return Verdict::later(&format!("TLS: {tls}")).with_advice(tls_advice(tls));
        }
        let io = io_error(error);
        let what = match io {
            Some(io) => io.to_string(),
            None => {
                deepest(error).to_string().replace("incomplete response", "the server closed the connection")
            }
        };
        let verdict = Verdict::later(&format!("{}: {what}", self.doing()));
        match self.advice(io.map(io::Error::kind)) {
            Some(advice) => verdict.with_advice(advice),
            None => verdict,
        }
    }

    fn advice(&self, kind: Option<io::ErrorKind>) -> Option<String> {
        let Smtp { host, port, .. } = self.server;
        match (self.step, kind) {
            (Step::Resolve, _) => Some(format!(
                "the name {host} does not resolve: is smtp.host right, and does this box reach its name server?"
            )),
            (Step::Connect, Some(io::ErrorKind::ConnectionRefused)) => {
                Some(format!("connection refused at {host}:{port}: are smtp.host and smtp.port right?"))
            }
            (Step::Connect, Some(io::ErrorKind::TimedOut)) => Some(self.silent()),
            (Step::Connect, Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)) => {
                Some(format!("there is no way to {host}: is this box on the network?"))
            }
            (Step::Greeting, _) => Some(self.other_port()),
            _ => None,
        }
    }

    fn late(&self, deadline: Duration) -> Verdict {
        let answer = format!("{}: not done within {} s", self.doing(), deadline.as_secs());
        let verdict = Verdict::later(&answer);
        match self.step {
            Step::Resolve => verdict.with_advice("the name server does not answer: does this box reach it?"),
            Step::Connect => verdict.with_advice(self.silent()),
            Step::Greeting => verdict.with_advice(self.other_port()),
            _ => verdict.with_advice("the server is too slow: ask the provider, or raise deadline_seconds"),
        }
    }

    fn silent(&self) -> String {
        let Smtp { host, port, encryption, .. } = self.server;
        let tls = match encryption {
            Encryption::Required(_) => {
                ", does it speak TLS from the first byte there (else set smtp.tls = \"starttls\")"
            }
            Encryption::Starttls(_) | Encryption::None => "",
        };
        format!(
            "no answer from {host}:{port}: are smtp.host and smtp.port right{tls}, and does a firewall let this box out?"
        )
    }

    fn other_port(&self) -> String {
        let Smtp { host, port, .. } = self.server;
        format!(
            "{host}:{port} does not greet as a mail server does: with port 465 set smtp.tls = \"required\""
        )
    }

    fn doing(&self) -> String {
        let Smtp { host, port, .. } = self.server;
        match self.step {
            Step::Resolve => format!("looking up {host}"),
            Step::Connect => format!("connecting to {host}:{port}"),
            Step::Greeting => "waiting for the server's greeting".to_owned(),
            Step::Tls => "starting TLS".to_owned(),
            Step::Login => "logging in".to_owned(),
            Step::Sender => "naming the sender".to_owned(),
            Step::Recipient => "naming the recipient".to_owned(),
            Step::Data => "beginning the mail".to_owned(),
            Step::Content => "sending the mail".to_owned(),
        }
    }
}

/// RFC 4954: 530 and 5.7.0, authentication required; 5.7.8 and 5.7.9, it was not good enough.
fn wants_login(code: u16, text: &str) -> bool {
    matches!(code, 530 | 534 | 535 | 538)
        || ["5.7.0", "5.7.8", "5.7.9"].iter().any(|status| text.starts_with(status))
}

/// A refusal of the recipient that is about who asks: servers say that they do not relay.
fn is_about_us(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("relay") || text.contains("authenticat")
}

fn tls_advice(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is not trusted: set smtp.ca_file to the certificate of its authority"
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the server's certificate has expired: its administrator must renew it; is this box's clock right?"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "the certificate is from the future: is this box's clock right?",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the certificate is for another name: set smtp.host to a name that is in it",
        // Only its text tells what it is.
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server's certificate is marked as one of an authority (CA:TRUE): it needs one that is not"
        }
        rustls::Error::InvalidCertificate(_) => {
            "the certificate is not good: ask the server's administrator, or set smtp.ca_file to the certificate of its authority"
        }
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS there: set smtp.tls = \"starttls\" with port 587, or another port"
        }
        _ => "server and box do not agree on TLS: it must know TLS 1.2 or 1.3",
    }
    .to_owned()
}

/// What the server said, without the code.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn deepest<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    chain(error).last().unwrap_or(error)
}

fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An I/O error hides what it wraps from `source`.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    io_error(error)?.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests;
