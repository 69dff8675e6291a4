//! `web.toml`: one plain struct per section, unknown keys refused, every key with a default.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::bail;
use otpd_daemon::trusted;
use serde::Deserialize;

use crate::listen::Door;
use crate::proxies::Proxies;
use crate::sites::Sites;

/// The whole file. What each key means stands in web.toml(5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The user that otpd-web runs as when started by root.
    pub user: String,
    /// Addresses with ports, and paths of Unix sockets.
    pub listen: Vec<String>,
    /// Names that browsers may ask for, beside addresses and this box's own.
    pub hosts: Vec<String>,
    /// Addresses and networks whose X-Forwarded-* is believed.
    pub proxies: Vec<String>,
    /// Where otpd answers otpd-web.
    pub socket: PathBuf,
    /// Where each login gets an otpd-login.
    pub session_socket: PathBuf,
    /// Where the certificate is that this box made for itself.
    pub state: PathBuf,
    /// Other software that has its visitors sign in here.
    pub forward_auth: ForwardAuthSection,
    /// Encryption.
    pub tls: TlsSection,
    /// What is held at once.
    pub limits: LimitsSection,
}

/// `[forward_auth]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardAuthSection {
    /// The address of the sign-in page, as browsers have it; empty for none of this.
    pub login: String,
    /// The hosts of that software, beside the one of the sign-in page.
    pub hosts: Vec<String>,
}

/// `[tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSection {
    /// PEM, with the chain; empty for one that signs itself.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// On loopback addresses too.
    pub loopback: bool,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Of all browsers together.
    pub connections: usize,
    /// Of one address; a proxy counts as none.
    pub connections_per_address: usize,
    /// Logins between password and code, of all.
    pub logins: usize,
    /// Of one address.
    pub logins_per_address: usize,
}

impl Default for Config {
    fn default() -> Self {
        let runtime = Path::new(otpd_proto::RUNTIME_DIR);
        Self {
            user: "otpd-web".into(),
            listen: vec!["127.0.0.1:8480".into()],
            hosts: Vec::new(),
            proxies: Vec::new(),
            socket: runtime.join(otpd_proto::WEB_SOCKET),
            session_socket: runtime.join(otpd_proto::SESSION_SOCKET),
            state: "/var/lib/otpd-web".into(),
            forward_auth: ForwardAuthSection::default(),
            tls: TlsSection::default(),
            limits: LimitsSection::default(),
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self { connections: 256, connections_per_address: 32, logins: 64, logins_per_address: 8 }
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

    /// Where to listen.
    ///
    /// # Errors
    /// One of them is neither an address with a port nor an absolute path.
    pub fn doors(&self) -> anyhow::Result<Vec<Door>> {
        self.listen.iter().map(|text| Door::parse(text).context("listen")).collect()
    }

    /// Whom to believe where a browser is.
    ///
    /// # Errors
    /// One of them is neither an address nor a network.
    pub fn proxies(&self) -> anyhow::Result<Proxies> {
        Proxies::parse(&self.proxies).context("proxies")
    }

    /// Other software that has its visitors sign in here.
    ///
    /// # Errors
    /// One of the hosts is none, or would have tickets pass unencrypted.
    pub fn sites(&self) -> anyhow::Result<Option<Sites>> {
        let ForwardAuthSection { login, hosts } = &self.forward_auth;
        Sites::parse(login, hosts).context("forward_auth")
    }

    fn check(&self) -> anyhow::Result<()> {
        if self.user.is_empty() {
            bail!("user: the name of a user is needed");
        }
        if self.doors()?.is_empty() {
            bail!("listen: at least one address is needed");
        }
        self.proxies()?;
        self.sites()?;
        for host in &self.hosts {
            let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || !host.bytes().all(part) {
                bail!("hosts: {host:?} is not a host name; it stands without https:// and without a port");
            }
        }
        let paths = [
            ("socket", &self.socket),
            ("session_socket", &self.session_socket),
            ("state", &self.state),
            ("tls.certificate", &self.tls.certificate),
            ("tls.key", &self.tls.key),
        ];
        for (key, path) in paths {
            let may_be_empty = key.starts_with("tls.") && path.as_os_str().is_empty();
            if !may_be_empty && !path.is_absolute() {
                bail!("{key}: {path:?} is not an absolute path");
            }
        }
        if self.tls.certificate.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            bail!("tls: certificate and key belong together; set both, or none for one that this box makes");
        }
        self.limits.check()
    }
}

impl LimitsSection {
    fn check(&self) -> anyhow::Result<()> {
        let all = [
            ("connections", self.connections, 8, 4096),
            ("connections_per_address", self.connections_per_address, 4, 4096),
            ("logins", self.logins, 1, 512),
            ("logins_per_address", self.logins_per_address, 1, 512),
        ];
        for (key, value, least, most) in all {
            if !(least..=most).contains(&value) {
                bail!("limits.{key}: {value} is not within {least} to {most}");
            }
        }
        Ok(())
    }
}

/// Where the configuration is, unless another is named.
pub const DEFAULT_PATH: &str = "/etc/otpd/web.toml";

#[cfg(test)]
mod tests;
