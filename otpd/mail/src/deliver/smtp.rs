//! A server: one connection for each mail, every step of it within one deadline.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::client::TlsParameters;
use lettre::transport::smtp::commands::Data;
use lettre::transport::smtp::commands::Mail as MailFrom;
use lettre::transport::smtp::commands::Rcpt;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use otpd_proto::Secret;
use tokio::net::TcpStream;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::guarded::Guarded;
use super::judge::Judge;
use super::judge::Step;
use super::judge::Trouble;
use super::judge::is_unreached;
use crate::compose::Mail;
use crate::verdict::Verdict;

/// The server that takes mails.
pub struct Smtp {
    /// Name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Whom to log in as.
    pub login: Option<Login>,
    /// The name of this box to the server.
    pub hello: ClientId,
}

/// How the connection is encrypted.
#[derive(Clone)]
pub enum Encryption {
    /// From the first byte.
    Required(TlsParameters),
    /// After STARTTLS, or nothing is sent.
    Starttls(TlsParameters),
    /// Not at all: to loopback only.
    None,
}

/// A user of the server.
#[derive(Debug, Clone)]
pub struct Login {
    /// Their name.
    pub user: String,
    /// Their password.
    pub password: Secret,
}

impl Smtp {
    pub(super) fn in_words(&self) -> String {
        let Self { host, port, .. } = self;
        let how = match self.encryption {
            Encryption::Required(_) => "with TLS",
            Encryption::Starttls(_) => "with STARTTLS",
            Encryption::None => "not encrypted",
        };
        let who = self.login.as_ref().map(|login| format!(" as {}", login.user)).unwrap_or_default();
        format!("SMTP to {host}:{port} {how}{who}")
    }

    pub(super) async fn deliver(&self, mail: &Mail, deadline: Duration) -> Verdict {
        let step = Cell::new(Step::Resolve);
        let judge = |trouble| Judge { server: self, mail, step: step.get() }.verdict(trouble);
        match timeout(deadline, self.hand_over(mail, &step, deadline)).await {
            Ok(Ok((answer, mut connection))) => {
                // It has the mail; whether it also says goodbye changes nothing.
                let _ = timeout(GOODBYE, connection.quit()).await;
                Verdict::delivered(&in_one_line(&answer))
            }
            Ok(Err(trouble)) => judge(trouble),
            Err(_) => judge(Trouble::Late(deadline)),
        }
    }

    /// All of RFC 5321 that a client needs; `step` tells how far it came.
    async fn hand_over(
        &self,
        mail: &Mail,
        step: &Cell<Step>,
        deadline: Duration,
    ) -> Result<(Response, AsyncSmtpConnection), Trouble> {
        let addresses = self.addresses().await?;
        step.set(Step::Connect);
        let mut connection = self.connect(&addresses, step, deadline).await?;
        if let Encryption::Starttls(parameters) = &self.encryption {
            if !connection.can_starttls() {
                return Err(Trouble::NoStarttls);
            }
            step.set(Step::Tls);
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(login) = &self.login {
            step.set(Step::Login);
            self.log_in(&mut connection, login).await?;
        }
        step.set(Step::Sender);
        connection.command(MailFrom::new(Some(mail.from.as_lettre()), Vec::new())).await?;
        step.set(Step::Recipient);
        connection.command(Rcpt::new(mail.to.as_lettre(), Vec::new())).await?;
        step.set(Step::Data);
        let go_on = connection.command(Data).await?;
        if !go_on.has_code(354) {
            return Err(Trouble::Unexpected(in_one_line(&go_on)));
        }
        step.set(Step::Content);
        // The crate ends every mail with a line end of its own.
        let content = mail.content.strip_suffix(b"\r\n").unwrap_or(&mail.content);
        let answer = connection.message(content).await?;
        if answer.code().to_string().starts_with('2') {
            Ok((answer, connection))
        } else {
            Err(Trouble::Unexpected(in_one_line(&answer)))
        }
    }

    /// All addresses of the server. Without encryption those of this box alone, whatever a name server says.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Trouble> {
        let mut addresses: Vec<SocketAddr> = lookup_host((self.host.as_str(), self.port)).await?.collect();
        if matches!(self.encryption, Encryption::None) {
            addresses.retain(|address| address.ip().is_loopback());
        }
        if addresses.is_empty() {
            return Err(io::Error::other("it has no address that may be used").into());
        }
        Ok(addresses)
    }

    /// Connects to the first address that can be reached, as far as the server's EHLO.
    async fn connect(
        &self,
        addresses: &[SocketAddr],
        step: &Cell<Step>,
        deadline: Duration,
    ) -> Result<AsyncSmtpConnection, Trouble> {
        let share = u32::try_from(addresses.len()).ok().and_then(|count| deadline.checked_div(count));
        let share = share.unwrap_or(deadline);
        let mut last = Trouble::from(io::Error::from(io::ErrorKind::AddrNotAvailable));
        for address in addresses {
            step.set(Step::Connect);
            match self.connect_to(*address, step, share).await {
                Ok(connection) => return Ok(connection),
                Err(trouble) if is_unreached(&trouble) => last = trouble,
                Err(trouble) => return Err(trouble),
            }
        }
        step.set(Step::Connect);
        Err(last)
    }

    async fn connect_to(
        &self,
        address: SocketAddr,
        step: &Cell<Step>,
        within: Duration,
    ) -> Result<AsyncSmtpConnection, Trouble> {
        if let Encryption::Required(parameters) = &self.encryption {
            let parameters = Some(parameters.clone());
            let connected =
                AsyncSmtpConnection::connect_tokio1(address, Some(within), &self.hello, parameters, None);
            return Ok(connected.await?);
        }
        let too_late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let tcp = timeout(within, TcpStream::connect(address)).await.map_err(too_late)??;
        tcp.set_nodelay(true)?;
        step.set(Step::Greeting);
        Ok(AsyncSmtpConnection::connect_with_transport(Box::new(Guarded::new(tcp)), &self.hello).await?)
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection, login: &Login) -> Result<(), Trouble> {
        if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(Trouble::NoLogin);
        }
        let password = login.password.expose_secret().to_owned();
        let credentials = Credentials::new(login.user.clone(), password);
        connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        Ok(())
    }
}

/// Code and text, as the server sent them.
fn in_one_line(answer: &Response) -> String {
    answer.message().fold(answer.code().to_string(), |line, more| format!("{line} {more}"))
}

const GOODBYE: Duration = Duration::from_secs(1);
