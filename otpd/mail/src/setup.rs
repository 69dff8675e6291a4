//! What a configuration comes to: the transport with its password and its trust, ready to be used.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::client::CertificateStore;
use lettre::transport::smtp::client::TlsParameters;
use lettre::transport::smtp::extension::ClientId;
use otpd_daemon::trusted;
use otpd_proto::Secret;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::compose::Sender;
use crate::config::Config;
use crate::config::SmtpSection;
use crate::config::TlsKey;
use crate::config::TransportKey;
use crate::deliver::Encryption;
use crate::deliver::Login;
use crate::deliver::Sendmail;
use crate::deliver::Smtp;
use crate::deliver::Transport;

/// Everything that a mail needs on its way out, but the languages.
#[derive(Debug)]
pub struct Setup {
    /// The way mails leave.
    pub transport: Transport,
    /// Who they come from; `None` only if none can leave.
    pub sender: Option<Sender>,
    /// When a try is over.
    pub deadline: Duration,
}

impl Setup {
    /// Looks up and reads what the configuration names. `credential` is the directory that systemd passes secrets in;
    /// `path` is the configuration's, for people; `old` is what was there before a reload.
    ///
    /// # Errors
    /// A file is missing, damaged, or not as safe as it has to be.
    pub fn resolve(
        config: &Config,
        path: &Path,
        credentials: Option<&Path>,
        old: Option<&Self>,
    ) -> anyhow::Result<Self> {
        let transport = match config.transport {
            TransportKey::None => {
                let problem = format!("mail is not configured: set transport in {}", path.display());
                Transport::None { problem }
            }
            TransportKey::Smtp => {
                Transport::Smtp(Box::new(smtp(&config.smtp, credentials, old.and_then(Self::login))?))
            }
            TransportKey::Sendmail => {
                Transport::Sendmail(Sendmail { program: config.sendmail.program.clone() })
            }
        };
        let sender = Address::parse(&config.from).ok();
        Ok(Self {
            transport,
            sender: sender.map(|address| Sender { address, name: config.from_name.clone() }),
            deadline: Duration::from_secs(config.deadline_seconds.into()),
        })
    }

    fn login(&self) -> Option<&Login> {
        match &self.transport {
            Transport::Smtp(smtp) => smtp.login.as_ref(),
            Transport::None { .. } | Transport::Sendmail(_) => None,
        }
    }
}

/// Where systemd puts what `LoadCredential=` names (systemd.exec(5)).
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the environment is how a credential is passed")]
pub fn credentials() -> Option<std::path::PathBuf> {
    std::env::var("CREDENTIALS_DIRECTORY").ok().map(Into::into)
}

fn smtp(section: &SmtpSection, credentials: Option<&Path>, old: Option<&Login>) -> anyhow::Result<Smtp> {
    let hello = match section.ehlo.parse() {
        Ok(std::net::IpAddr::V4(ip)) => ClientId::Ipv4(ip),
        Ok(std::net::IpAddr::V6(ip)) => ClientId::Ipv6(ip),
        Err(_) if section.ehlo.is_empty() => ClientId::default(),
        Err(_) => ClientId::Domain(section.ehlo.clone()),
    };
    Ok(Smtp {
        host: section.host.clone(),
        port: section.port(),
        encryption: match section.tls {
            TlsKey::Required => Encryption::Required(trust(section)?),
            TlsKey::Starttls => Encryption::Starttls(trust(section)?),
            TlsKey::None => Encryption::None,
        },
        login: login(section, credentials, old)?,
        hello,
    })
}

fn trust(section: &SmtpSection) -> anyhow::Result<TlsParameters> {
    let builder = TlsParameters::builder(section.host.clone());
    if section.ca_file.as_os_str().is_empty() {
        return builder.build().context("the system's certificates");
    }
    let name = section.ca_file.display();
    let pem = trusted::read(&section.ca_file).context("smtp.ca_file")?;
    let certificate =
        Certificate::from_pem(pem.as_bytes()).with_context(|| format!("smtp.ca_file: {name}"))?;
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        bail!("smtp.ca_file: {name} has no certificate (PEM: -----BEGIN CERTIFICATE-----)");
    }
    builder
        .certificate_store(CertificateStore::None)
        .add_root_certificate(certificate)
        .build()
        .with_context(|| format!("smtp.ca_file: {name}"))
}

/// The credential goes before the file. On a reload we are not root any more, and a password of root's stays as it was.
fn login(
    section: &SmtpSection,
    credentials: Option<&Path>,
    old: Option<&Login>,
) -> anyhow::Result<Option<Login>> {
    let user = section.user.clone();
    if user.is_empty() {
        return Ok(None);
    }
    // One that cannot be looked for is there: systemd lets nobody into a directory of root's.
    let is_there = |path: &std::path::PathBuf| path.try_exists().unwrap_or(true);
    let credential = credentials.map(|directory| directory.join(CREDENTIAL)).filter(is_there);
    let path = credential.as_deref().unwrap_or(&section.password_file);
    if path.as_os_str().is_empty() {
        bail!(
            "smtp.user needs a password: set smtp.password_file, or pass the systemd credential {CREDENTIAL}"
        );
    }
    let password = match (trusted::read_secret(path), old.filter(|old| old.user == user)) {
        (Ok(text), _) => first_line(&Zeroizing::new(text)).with_context(|| format!("{}", path.display()))?,
        (Err(error), Some(old)) if trusted::is_forbidden(&error) => {
            log::warn!("{}: root's alone, so the password stays; a new one needs a restart", path.display());
            old.password.clone()
        }
        (Err(error), _) => return Err(error.context("smtp.password_file")),
    };
    Ok(Some(Login { user, password }))
}

/// A password is a line, with or without its end.
fn first_line(text: &str) -> anyhow::Result<Secret> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.chars().any(char::is_control) {
        bail!("one line with the password is expected, and nothing else");
    }
    Ok(Secret::new(line.to_owned()))
}

/// The credential's name.
pub const CREDENTIAL: &str = "smtp.password";

#[cfg(test)]
mod tests;
