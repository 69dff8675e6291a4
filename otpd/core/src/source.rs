//! Where a login comes from, as far as it can be believed: numeric addresses only. Names come from reverse look-ups
//! that a stranger may control (CVE-2024-10963, openSUSE CVE-2022-28321).

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv6Addr;

/// A network that logins come from: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// Reads a numeric address; anything else is `None`. A zone (`%eth0`) is left out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.split_once('%').map_or(text, |(address, _zone)| address);
        Some(Self::of(plain.parse().ok()?))
    }

    /// The network of an address. IPv4 in IPv6 clothes is IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_is_taken_whole_and_ipv6_by_its_64() {
        let same = |a: &str, b: &str| Source::parse(a).unwrap() == Source::parse(b).unwrap();
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("2001:db8::1", "2001:db8::ffff:2"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(same("fe80::1%eth0", "fe80::2"));
    }

    #[test]
    fn names_are_no_addresses() {
        for text in ["", "localhost", "192.0.2.1.evil.example", "192.0.2.1 ", "0x7f000001", "127.1"] {
            assert_eq!(Source::parse(text), None, "{text:?}");
        }
    }
}
