//! Other software that has its visitors sign in here: the hosts of `[forward_auth]`, and no others. Nobody is sent, and
//! no ticket is given, to a host that is not among them.

use std::net::IpAddr;

use anyhow::bail;

/// The sign-in page and the hosts that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sites {
    login: Site,
    all: Vec<Site>,
}

/// A host, as browsers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// `https://wiki.example.org`
    pub origin: String,
    /// `wiki.example.org`, with the port if it is not the usual one.
    pub host: String,
    encrypted: bool,
}

impl Sites {
    /// The sign-in page first: what is on its host needs no other name. `None` if it is nowhere.
    ///
    /// # Errors
    /// One of them is not the address of a host, or there are hosts and no sign-in page.
    pub fn parse(login: &str, hosts: &[String]) -> anyhow::Result<Option<Self>> {
        if login.is_empty() {
            return match hosts {
                [] => Ok(None),
                _ => bail!(
                    "login: hosts need the address of the sign-in page, like \"https://nas.example.org\""
                ),
            };
        }
        let login = Site::parse(login)?;
        let mut all = vec![login.clone()];
        for host in hosts {
            all.push(Site::parse(host)?);
        }
        Ok(Some(Self { login, all }))
    }

    /// The one with this Host header.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&Site> {
        self.all.iter().find(|site| site.is_named(host))
    }

    /// Where people sign in.
    #[must_use]
    pub fn login(&self) -> &Site {
        &self.login
    }
}

impl Site {
    /// `wiki.example.org`, `wiki.example.org:8443`, `https://wiki.example.org`; `http://` for loopback alone.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (encrypted, rest) = match text.split_once("://") {
            None => (true, text),
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => bail!("{text:?}: only https, and http for addresses of this box alone"),
        };
        let host = rest.to_ascii_lowercase();
        let (name, port) = split(&host);
        if !is_name(name) || !port.is_none_or(is_port) {
            bail!(
                "{text:?} is not the name of a host, like \"wiki.example.org\" or \"wiki.example.org:8443\""
            );
        }
        if !encrypted && !is_loopback(name) {
            bail!(
                "{text:?}: without encryption anybody on the way could take a ticket; only https works here"
            );
        }
        let host = plain(&host, encrypted).to_owned();
        let scheme = if encrypted { "https" } else { "http" };
        Ok(Self { origin: format!("{scheme}://{host}"), host, encrypted })
    }

    /// Whether a Host header names it.
    #[must_use]
    pub fn is_named(&self, host: &str) -> bool {
        plain(host, self.encrypted).eq_ignore_ascii_case(&self.host)
    }

    /// The name without the port.
    #[must_use]
    pub fn name(&self) -> &str {
        split(&self.host).0
    }
}

/// Without the port that it would have anyway.
fn plain(host: &str, encrypted: bool) -> &str {
    host.strip_suffix(if encrypted { ":443" } else { ":80" }).unwrap_or(host)
}

fn split(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

fn is_name(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(is_part)
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(name == "localhost" || name.ends_with(".localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(login: &str, hosts: &[&str]) -> anyhow::Result<Option<Sites>> {
        Sites::parse(login, &hosts.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_site_is_encrypted_or_on_this_box() {
        for (text, origin) in [
            ("wiki.example.org", "https://wiki.example.org"),
            ("Wiki.Example.ORG:443", "https://wiki.example.org"),
            ("https://wiki.example.org:8443", "https://wiki.example.org:8443"),
            ("http://localhost:8081", "http://localhost:8081"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:8081", "http://[::1]:8081"),
            ("http://wiki.localhost", "http://wiki.localhost"),
        ] {
            assert_eq!(Site::parse(text).unwrap().origin, origin, "{text}");
        }
        for text in [
            "",
            "http://wiki.example.org",
            "http://192.168.1.2",
            "http://localhost.example.org",
            "ftp://wiki.example.org",
            "javascript://wiki.example.org",
            "https://",
            "//wiki.example.org",
            "wiki.example.org/",
            "user@wiki.example.org",
            "https://a:b@wiki.example.org",
            "wiki.example.org:0",
            "wiki.example.org:65536",
            "wiki.example.org:+1",
            "wiki.example.org:",
            "wiki example.org",
            "wiki.example.org\n",
            "wiki\\.example.org",
            "*.example.org",
            "::1",
        ] {
            assert!(Site::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_the_hosts_of_the_configuration_are_found() {
        let some = sites("https://nas.example.org", &["wiki.example.org", "photos.example.org:8443"]);
        let some = some.unwrap().unwrap();
        for (host, origin) in [
            ("nas.example.org", Some("https://nas.example.org")),
            ("WIKI.example.org", Some("https://wiki.example.org")),
            ("wiki.example.org:443", Some("https://wiki.example.org")),
            ("photos.example.org:8443", Some("https://photos.example.org:8443")),
            ("photos.example.org", None),
            ("wiki.example.org:80", None),
            ("wiki.example.org:8443", None),
            ("wiki.example.org.", None),
            ("evil.example", None),
            ("wiki.example.org.evil.example", None),
            ("evil.example/wiki.example.org", None),
            ("x@wiki.example.org", None),
            ("", None),
        ] {
            assert_eq!(some.find(host).map(|site| site.origin.as_str()), origin, "{host}");
        }
        assert_eq!(some.login().name(), "nas.example.org");
    }

    #[test]
    fn hosts_need_a_place_to_sign_in() {
        assert_eq!(sites("", &[]).unwrap(), None);
        assert!(sites("", &["wiki.example.org"]).unwrap_err().to_string().contains("login"));
        assert!(sites("nas.example.org", &["http://wiki.example.org"]).is_err());
    }
}
