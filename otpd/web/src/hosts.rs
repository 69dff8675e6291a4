//! Names of this box. A page on the internet can have its own name lead to this box (DNS rebinding) and would then be of
//! one origin with our pages, so a name that is not known is not answered. Addresses cannot lead elsewhere.

use std::net::IpAddr;

/// The names that browsers may ask for.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// This box's own name, alone and where home networks put it, `localhost`, and those of the configuration.
    #[must_use]
    pub fn new(box_name: &str, more: &[String]) -> Self {
        let own = box_name.to_ascii_lowercase();
        let short = own.split('.').next().unwrap_or_default().to_owned();
        let homes = HOME_NETWORKS.iter().map(|network| format!("{short}.{network}"));
        let more = more.iter().map(|host| host.to_ascii_lowercase());
        let mut names: Vec<String> = homes.chain(more).collect();
        names.extend(["localhost".to_owned(), short, own]);
        names.retain(|name| !name.is_empty());
        Self(names)
    }

    /// Whether a Host header names this box; the port does not matter.
    #[must_use]
    pub fn know(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let address = name.trim_start_matches('[').trim_end_matches(']');
        let name = name.trim_end_matches('.');
        address.parse::<IpAddr>().is_ok() || self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// What a certificate of our own is for: names first, and the one that people see in a browser's warning at the top.
#[must_use]
pub fn own_names(box_name: &str, more: &[String]) -> Vec<String> {
    let mut names = more.to_vec();
    let short = box_name.split('.').next().unwrap_or_default();
    names.extend([box_name.to_owned(), format!("{short}.local"), short.to_owned(), "localhost".to_owned()]);
    names.retain(|name| !name.is_empty());
    names.dedup();
    names
}

/// Networks that nobody on the internet can have a name in.
const HOME_NETWORKS: [&str; 6] = ["local", "lan", "home", "home.arpa", "internal", "fritz.box"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_of_this_box_is_not_known() {
        let hosts = Hosts::new("NAS.example.org", &["files.example.net".to_owned()]);
        for (host, known) in [
            ("nas", true),
            ("nas:8480", true),
            ("nas.local:8480", true),
            ("nas.local.", true),
            ("nas.fritz.box", true),
            ("nas.example.org", true),
            ("FILES.example.net:443", true),
            ("localhost:8480", true),
            ("127.0.0.1:8480", true),
            ("[::1]:8480", true),
            ("192.168.1.2", true),
            ("evil.example", false),
            ("nas.evil.example", false),
            ("nas.local.evil.example", false),
            ("files.example.net.evil.example", false),
            ("", false),
            (":8480", false),
        ] {
            assert_eq!(hosts.know(host), known, "{host}");
        }
    }
}
