//! `otpd.toml`: one plain struct per section, unknown keys refused, every key with a default.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::bail;
use otpd_daemon::trusted;
use serde::Deserialize;

/// The whole file. What each key means stands in otpd.toml(5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The user that otpd runs as when started by root.
    pub user: String,
    /// The name of this box in authenticator apps; empty for the host's name.
    pub issuer: String,
    /// Where things are.
    pub paths: Paths,
    /// Who must have protection.
    pub policy: PolicySection,
    /// What logins say.
    pub login: LoginSection,
    /// Ways back in.
    pub recovery: Recovery,
    /// Who delivers mail.
    pub mail: Mail,
    /// Signing in on the web.
    pub web: Web,
    /// Who administers.
    pub admin: Admin,
    /// Bounds on callers.
    pub limits: Limits,
    /// The audit log.
    pub audit: Audit,
    /// Services that differ from the rest, by PAM service name.
    pub service: BTreeMap<String, Service>,
}

/// `[paths]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// The directory of the registry.
    pub state: PathBuf,
    /// The directory of the sockets.
    pub runtime: PathBuf,
    /// The master key; empty for `registry.key` in the state directory.
    pub key: PathBuf,
    /// Where syslog listens.
    pub syslog: PathBuf,
}

/// `[policy]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySection {
    /// Everybody must have protection.
    pub require_everyone: bool,
    /// Members of these groups must.
    pub require_groups: Vec<String>,
    /// These users need not.
    pub exempt_users: Vec<String>,
    /// Members of these groups need not.
    pub exempt_groups: Vec<String>,
    /// No requirement before this date (`YYYY-MM-DD`, local midnight); empty for none.
    pub grace_until: String,
    /// No requirement for so many days after the first login at which it applied.
    pub grace_days: u16,
}

/// `[login]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginSection {
    /// Tell the person at the prompt why the last code was refused.
    pub say_why: bool,
}

/// `[recovery]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recovery {
    /// What a recovery code and a mailed code open.
    pub grants: GrantsKey,
    /// PAM services that take them; empty for all.
    pub services: Vec<String>,
    /// Whether an account needs a secure email before its first device.
    pub require_email: RequireEmailKey,
    /// Hours that a secure email other than the first waits before it recovers.
    pub hold_hours: u16,
}

/// The values of `grants`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantsKey {
    /// The login, and for 30 minutes the binding of a new device.
    Login,
    /// The binding alone.
    Rebind,
}

/// The values of `require_email`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequireEmailKey {
    /// Unless this box cannot send mail.
    IfMailWorks,
    /// In any case.
    Always,
    /// No.
    Never,
}

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The user that otpd-mail runs as.
    pub user: String,
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// The user that otpd-web runs as.
    pub user: String,
    /// Minutes without use after which a sign-in is over.
    pub idle_minutes: u16,
    /// Hours after which a sign-in is over, however much it is used.
    pub absolute_hours: u16,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Members administer other accounts; empty for root alone.
    pub group: String,
}

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Days after which an event is removed.
    pub keep_days: u16,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Threads that serve login.sock.
    pub login_workers: u16,
    /// Threads that serve account.sock.
    pub account_workers: u16,
    /// Connections held at once, on each socket.
    pub connections: u16,
    /// Connections held at once by one user other than root.
    pub connections_per_user: u16,
    /// Calls a minute by one user other than root, and by one who is signed in on the web.
    pub calls_per_minute: u16,
}

/// `[service.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Whether it asks for codes.
    pub ask: AskKey,
}

/// The values of `ask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskKey {
    /// Protected accounts are asked.
    Always,
    /// Nobody is.
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user: "otpd".into(),
            issuer: String::new(),
            paths: Paths::default(),
            policy: PolicySection::default(),
            login: LoginSection::default(),
            recovery: Recovery::default(),
            mail: Mail::default(),
            web: Web::default(),
            admin: Admin::default(),
            audit: Audit::default(),
            limits: Limits::default(),
            service: BTreeMap::new(),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            state: "/var/lib/otpd".into(),
            runtime: otpd_proto::RUNTIME_DIR.into(),
            key: PathBuf::new(),
            syslog: "/dev/log".into(),
        }
    }
}

impl Default for LoginSection {
    fn default() -> Self {
        Self { say_why: true }
    }
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            grants: GrantsKey::Login,
            services: Vec::new(),
            require_email: RequireEmailKey::IfMailWorks,
            hold_hours: 24,
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self { user: "otpd-mail".into() }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self { user: "otpd-web".into(), idle_minutes: 60, absolute_hours: 24 }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { group: "otpadmin".into() }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self { keep_days: 365 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_workers: 32,
            account_workers: 4,
            connections: 1024,
            connections_per_user: 16,
            calls_per_minute: 120,
        }
    }
}

impl Config {
    /// Reads the file. If it is missing at the default path and `may_be_missing`, all is as by default.
    ///
    /// # Errors
    /// The file is not a regular one of root (or of us), others may write it, it is not TOML (with line and column),
    /// or a value is out of range.
    pub fn read(path: &Path, may_be_missing: bool) -> anyhow::Result<Self> {
        let text = match trusted::read(path) {
            Ok(text) => text,
            Err(error)
                if may_be_missing && path == Path::new(DEFAULT_PATH) && trusted::is_missing(&error) =>
            {
                String::new()
            }
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

    /// Where the registry is.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.paths.state.join("registry.db")
    }

    /// Where the master key is, unless systemd gives it.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        if self.paths.key.as_os_str().is_empty() {
            self.paths.state.join("registry.key")
        } else {
            self.paths.key.clone()
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        for (key, path) in
            [("state", &self.paths.state), ("runtime", &self.paths.runtime), ("syslog", &self.paths.syslog)]
        {
            if !path.is_absolute() {
                bail!("paths.{key}: {path:?} is not an absolute path");
            }
        }
        if !self.paths.key.as_os_str().is_empty() && !self.paths.key.is_absolute() {
            bail!("paths.key: {:?} is not an absolute path", self.paths.key);
        }
        if self.user.is_empty() {
            bail!("user: the name of a user is needed");
        }
        if self.issuer.chars().count() > 32 || self.issuer.chars().any(|c| c.is_control() || c == ':') {
            bail!("issuer: at most 32 characters, no colon, no control characters");
        }
        let limits = &self.limits;
        for (key, value, least, most) in [
            ("login_workers", limits.login_workers, 1, 256),
            ("account_workers", limits.account_workers, 1, 64),
            ("connections", limits.connections, 16, 16_384),
            ("connections_per_user", limits.connections_per_user, 1, 1024),
            ("calls_per_minute", limits.calls_per_minute, 1, 60_000),
        ] {
            if !(least..=most).contains(&value) {
                bail!("limits.{key}: {value} is not within {least} to {most}");
            }
        }
        if !(1..=36_500).contains(&self.audit.keep_days) {
            bail!("audit.keep_days: {} is not within 1 to 36500", self.audit.keep_days);
        }
        if self.recovery.hold_hours > 720 {
            bail!("recovery.hold_hours: {} is not within 0 to 720", self.recovery.hold_hours);
        }
        if self.mail.user.is_empty() || self.mail.user == self.user {
            bail!("mail.user: the name of a user of its own is needed");
        }
        if self.web.user.is_empty() || [&self.user, &self.mail.user].contains(&&self.web.user) {
            bail!("web.user: the name of a user of its own is needed");
        }
        if !(5..=1440).contains(&self.web.idle_minutes) {
            bail!("web.idle_minutes: {} is not within 5 to 1440", self.web.idle_minutes);
        }
        if !(1..=720).contains(&self.web.absolute_hours) {
            bail!("web.absolute_hours: {} is not within 1 to 720", self.web.absolute_hours);
        }
        if self.policy.grace_days > 3650 {
            bail!("policy.grace_days: {} is not within 0 to 3650", self.policy.grace_days);
        }
        Ok(())
    }
}

/// Where the configuration is, unless another is named.
pub const DEFAULT_PATH: &str = "/etc/otpd/otpd.toml";

/// Screen lockers that cannot show a second prompt, or that abort on one; and the password given again by somebody who is
/// signed in on the web, with a code already. A `[service.NAME]` of one's own wins.
pub const NEVER_ASKING: &[&str] = &[
    "gtklock",
    "hyprlock",
    "i3lock",
    "kde",
    "kde-fingerprint",
    "light-locker",
    "mate-screensaver",
    otpd_proto::session::PASSWORD_SERVICE,
    "physlock",
    "slock",
    "swaylock",
    "vlock",
    "waylock",
    "xlock",
    "xscreensaver",
    "xsecurelock",
];

#[cfg(test)]
mod tests;
