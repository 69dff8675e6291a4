//! What the configuration means on this box: groups as numbers, dates as moments. Replaced whole on SIGHUP.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use otpd_core::policy::Ask;
use otpd_core::policy::Grants;
use otpd_core::policy::Policy;
use otpd_core::policy::RecoveryPolicy;
use otpd_core::policy::RequireEmail;
use otpd_core::time::UnixTime;

use crate::config::AskKey;
use crate::config::Config;
use crate::config::GrantsKey;
use crate::config::NEVER_ASKING;
use crate::config::Recovery;
use crate::config::RequireEmailKey;
use crate::names::Groups;
use crate::names::Names;

/// Settings that a reload may change.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Who must have protection, and which services ask.
    pub policy: Policy,
    /// The administrators' group; `None` if there is no such group, or none is wanted.
    pub admin_group: Option<u32>,
    /// The name of this box in authenticator apps.
    pub issuer: String,
    /// Tell the person at the prompt why the last code was refused.
    pub say_why: bool,
    /// How long events stay in the audit log.
    pub keep_events: Duration,
    /// Ways back in.
    pub recovery: RecoveryPolicy,
    /// The user that otpd-mail runs as; none if there is no such user.
    pub mailer: Option<u32>,
    /// The user that otpd-web runs as; none if there is no such user.
    pub web: Option<u32>,
    /// Without use, a sign-in on the web is over after this.
    pub idle: Duration,
    /// However much it is used, a sign-in on the web is over after this.
    pub absolute: Duration,
}

impl Settings {
    /// Resolves a configuration.
    ///
    /// # Errors
    /// A group of the policy does not exist or cannot be looked up, or a date is none: a typo there must not pass for
    /// "nobody".
    pub fn resolve(config: &Config, names: &Names) -> anyhow::Result<Self> {
        let policy = &config.policy;
        let groups = |key: &str, named: &[String]| -> anyhow::Result<Vec<u32>> {
            named.iter().map(|name| group(names, key, name)).collect()
        };
        let admin_group = match config.admin.group.as_str() {
            "" => None,
            name => names.group(name).with_context(|| format!("admin.group: looking up {name:?}"))?,
        };
        Ok(Self {
            policy: Policy {
                require_everyone: policy.require_everyone,
                require_groups: groups("policy.require_groups", &policy.require_groups)?,
                exempt_users: policy.exempt_users.clone(),
                exempt_groups: groups("policy.exempt_groups", &policy.exempt_groups)?,
                grace_until: date(&policy.grace_until)?,
                grace: Duration::from_secs(u64::from(policy.grace_days).saturating_mul(86_400)),
                services: services(config),
                requirements: Vec::new(),
            },
            admin_group,
            issuer: issuer(&config.issuer)?,
            say_why: config.login.say_why,
            keep_events: Duration::from_secs(u64::from(config.audit.keep_days).saturating_mul(86_400)),
            recovery: recovery(&config.recovery),
            mailer: user(names, "mail.user", &config.mail.user)?,
            web: user(names, "web.user", &config.web.user)?,
            idle: Duration::from_secs(u64::from(config.web.idle_minutes).saturating_mul(60)),
            absolute: Duration::from_secs(u64::from(config.web.absolute_hours).saturating_mul(3600)),
        })
    }
}

impl Settings {
    /// The groups that decide anything.
    #[must_use]
    pub fn groups(&self) -> Groups {
        Groups::of(&self.policy, self.admin_group)
    }
}

fn group(names: &Names, key: &str, name: &str) -> anyhow::Result<u32> {
    match names.group(name).with_context(|| format!("{key}: looking up {name:?}"))? {
        Some(gid) => Ok(gid),
        None => bail!("{key}: there is no group {name:?}"),
    }
}

fn date(text: &str) -> anyhow::Result<Option<UnixTime>> {
    if text.is_empty() {
        return Ok(None);
    }
    let date: jiff::civil::Date = text.parse().context("policy.grace_until: a date is YYYY-MM-DD")?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::system()).context("policy.grace_until")?;
    Ok(Some(UnixTime(midnight.timestamp().as_second())))
}

fn recovery(keys: &Recovery) -> RecoveryPolicy {
    RecoveryPolicy {
        grants: match keys.grants {
            GrantsKey::Login => Grants::Login,
            GrantsKey::Rebind => Grants::Rebind,
        },
        services: keys.services.clone(),
        require_email: match keys.require_email {
            RequireEmailKey::IfMailWorks => RequireEmail::IfMailWorks,
            RequireEmailKey::Always => RequireEmail::Always,
            RequireEmailKey::Never => RequireEmail::Never,
        },
        hold: Duration::from_secs(u64::from(keys.hold_hours).saturating_mul(3600)),
    }
}

/// The number of one of our own users; none if there is none such.
fn user(names: &Names, key: &str, user: &str) -> anyhow::Result<Option<u32>> {
    let found =
        names.by_name(user, Groups::default()).with_context(|| format!("{key}: looking up {user:?}"))?;
    Ok(found.map(|person| person.identity.uid.as_u32()))
}

fn services(config: &Config) -> BTreeMap<String, Ask> {
    let shipped = NEVER_ASKING.iter().map(|name| ((*name).to_owned(), Ask::Never));
    let own = config.service.iter().map(|(name, service)| {
        let ask = match service.ask {
            AskKey::Always => Ask::Always,
            AskKey::Never => Ask::Never,
        };
        (name.clone(), ask)
    });
    shipped.chain(own).collect()
}

fn issuer(configured: &str) -> anyhow::Result<String> {
    if !configured.is_empty() {
        return Ok(configured.to_owned());
    }
    let host = nix::unistd::gethostname().context("issuer: reading the host's name")?;
    let host = host.to_string_lossy();
    let short = host.split('.').next().unwrap_or_default().replace(':', " ");
    Ok(if short.is_empty() { "otpd".to_owned() } else { short.chars().take(32).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> anyhow::Result<Settings> {
        Settings::resolve(&Config::parse(text).unwrap(), &Names::start().unwrap())
    }

    #[test]
    fn groups_become_numbers_and_a_missing_one_is_an_error() {
        let settings = resolve("[policy]\nrequire_groups = [\"root\", \"0\"]").unwrap();
        assert_eq!(settings.policy.require_groups, [0, 0]);
        let error = resolve("[policy]\nrequire_groups = [\"no-such-group-here\"]").unwrap_err().to_string();
        assert!(error.contains("policy.require_groups") && error.contains("no-such-group-here"), "{error}");
        assert_eq!(resolve("[admin]\ngroup = \"no-such-group-here\"").unwrap().admin_group, None);
    }

    #[test]
    fn dates_are_dates() {
        assert!(resolve("[policy]\ngrace_until = \"2027-01-31\"").unwrap().policy.grace_until.is_some());
        assert!(resolve("[policy]\ngrace_until = \"2027-02-31\"").is_err());
    }

    #[test]
    fn screen_lockers_do_not_ask_unless_told_to() {
        assert!(!resolve("").unwrap().policy.asks("swaylock"));
        assert!(resolve("[service.swaylock]\nask = \"always\"").unwrap().policy.asks("swaylock"));
        assert!(!resolve("[service.backup]\nask = \"never\"").unwrap().policy.asks("backup"));
    }
}
