//! `mail.toml`: one plain struct per section, unknown keys refused, every key with a default.

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::bail;
use otpd_daemon::trusted;
use serde::Deserialize;

use crate::address::Address;
use crate::address::is_domain;

/// The whole file. What each key means stands in mail.toml(5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The user that otpd-mail runs as when started by root.
    pub user: String,
    /// Where otpd gives out mails.
    pub socket: PathBuf,
    /// The way mails leave.
    pub transport: TransportKey,
    /// The sender's address; empty only without a transport.
    pub from: String,
    /// The sender's name; empty for the name of the box.
    pub from_name: String,
    /// Seconds after which a try to deliver a mail is over, whatever the server does.
    pub deadline_seconds: u16,
    /// The server that takes mails.
    pub smtp: SmtpSection,
    /// The local program that takes mails.
    pub sendmail: SendmailSection,
}

/// The values of `transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportKey {
    /// No mail can be sent.
    None,
    /// A server, over the network.
    Smtp,
    /// A program of this box.
    Sendmail,
}

/// `[smtp]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpSection {
    /// Name or address of the server.
    pub host: String,
    /// Its port; 0 for the usual one with this `tls`.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: TlsKey,
    /// Whom to log in as; empty for no login.
    pub user: String,
    /// The file with the password; empty for the credential `smtp.password`.
    pub password_file: PathBuf,
    /// Certificates of the authorities to trust; empty for the system's.
    pub ca_file: PathBuf,
    /// The name of this box to the server; empty for the host's name.
    pub ehlo: String,
}

/// The values of `smtp.tls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsKey {
    /// From the first byte (RFC 8314).
    Required,
    /// After STARTTLS, without which nothing is sent (RFC 3207).
    Starttls,
    /// Not at all, and so to this box only.
    None,
}

/// `[sendmail]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendmailSection {
    /// The program.
    pub program: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user: "otpd-mail".into(),
            socket: Path::new(otpd_proto::RUNTIME_DIR).join(otpd_proto::MAIL_SOCKET),
            transport: TransportKey::None,
            from: String::new(),
            from_name: String::new(),
            deadline_seconds: 60,
            smtp: SmtpSection::default(),
            sendmail: SendmailSection::default(),
        }
    }
}

impl Default for SmtpSection {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            tls: TlsKey::Required,
            user: String::new(),
            password_file: PathBuf::new(),
            ca_file: PathBuf::new(),
            ehlo: String::new(),
        }
    }
}

impl Default for SendmailSection {
    fn default() -> Self {
        Self { program: "/usr/sbin/sendmail".into() }
    }
}

impl Config {
    /// Reads the file. If it is missing at the default path, all is as by default.
    ///
    /// # Errors
    /// The file is not a regular one of root (or of us), others may write it, it is not TOML (with line and column),
    /// or a value is out of range.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match trusted::read(path) {
            Ok(text) => text,
            Err(error) if path == Path::new(DEFAULT_PATH) && trusted::is_missing(&error) => String::new(),
            Err(error) => return Err(error),
        };
        Self::parse(&text).with_context(|| format!("{}", path.display()))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.user.is_empty() {
            bail!("user: the name of a user is needed");
        }
        if !self.socket.is_absolute() {
            bail!("socket: {:?} is not an absolute path", self.socket);
        }
        if !(5..=300).contains(&self.deadline_seconds) {
            bail!("deadline_seconds: {} is not within 5 to 300", self.deadline_seconds);
        }
        if self.from_name.chars().count() > 64 || self.from_name.chars().any(char::is_control) {
            bail!("from_name: at most 64 characters, no control characters");
        }
        if !self.from.is_empty() || self.transport != TransportKey::None {
            Address::parse(&self.from)
                .map_err(|why| anyhow::anyhow!("from: {:?} is no address: {why}", self.from))?;
        }
        if !self.sendmail.program.is_absolute() {
            bail!("sendmail.program: {:?} is not an absolute path", self.sendmail.program);
        }
        self.smtp.check()?;
        if self.transport == TransportKey::Smtp && self.smtp.host.is_empty() {
            bail!("smtp.host: the server's name is needed with transport = \"smtp\"");
        }
        Ok(())
    }
}

impl SmtpSection {
    /// The port, the usual one if none is set.
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.port, self.tls) {
            (0, TlsKey::Required) => 465,
            (0, TlsKey::Starttls) => 587,
            (0, TlsKey::None) => 25,
            (port, _) => port,
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let is_host = |name: &str| is_domain(name) || name.parse::<IpAddr>().is_ok();
        if !self.host.is_empty() && !is_host(&self.host) {
            bail!(
                "smtp.host: {:?} is neither a name nor an address; the port is a key of its own",
                self.host
            );
        }
        if !self.ehlo.is_empty() && !is_host(&self.ehlo) {
            bail!("smtp.ehlo: {:?} is neither a name nor an address", self.ehlo);
        }
        if self.tls == TlsKey::None && !self.host.is_empty() && !is_loopback(&self.host) {
            bail!(
                "smtp.tls: \"none\" is for a server on this box (localhost, 127.0.0.1, ::1) only: codes would cross \
                 the network readable; set \"required\" or \"starttls\""
            );
        }
        if self.user.chars().any(char::is_control) {
            bail!("smtp.user: no control characters");
        }
        for (key, path) in [("password_file", &self.password_file), ("ca_file", &self.ca_file)] {
            if !path.as_os_str().is_empty() && !path.is_absolute() {
                bail!("smtp.{key}: {path:?} is not an absolute path");
            }
        }
        if self.user.is_empty() && !self.password_file.as_os_str().is_empty() {
            bail!("smtp.user: whose password is in smtp.password_file?");
        }
        Ok(())
    }
}

/// A name that the network cannot lead elsewhere: `localhost` is resolved to loopback by nss and glibc, and the address
/// is checked again when it is connected to.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Where the configuration is, unless another is named.
pub const DEFAULT_PATH: &str = "/etc/otpd/mail.toml";

#[cfg(test)]
mod tests;
