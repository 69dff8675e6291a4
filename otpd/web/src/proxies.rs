//! Reverse proxies: whose word is taken for where a browser is.

use std::net::IpAddr;

use anyhow::Context;
use anyhow::bail;

/// Addresses and networks of proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    bits: u128,
    length: u32,
}

impl Proxies {
    /// Reads `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
    ///
    /// # Errors
    /// Which of them is neither an address nor a network.
    pub fn parse(texts: &[String]) -> anyhow::Result<Self> {
        texts.iter().map(|text| Network::parse(text)).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The browser's address: the last one in the list that is no proxy's. What stands before it, anybody may have
    /// written there. `None` if a proxy named no address that can be read.
    #[must_use]
    pub fn browser(&self, list: &str) -> Option<IpAddr> {
        let hops = list.rsplit(',').map(|hop| parse_hop(hop.trim()));
        hops.map_while(|hop| hop).find(|hop| !self.contain(*hop))
    }
}

impl Network {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr =
            address.parse().with_context(|| format!("{text:?} is neither an address nor a network"))?;
        let (bits, shift) = (bits(address), if address.is_ipv4() { 96 } else { 0 });
        let length: u32 = match length {
            Some(length) => length.parse().with_context(|| format!("{text:?}: not a length"))?,
            None => 128_u32.saturating_sub(shift),
        };
        let length = length.saturating_add(shift);
        if length > 128 || bits & !mask(length) != 0 {
            bail!("{text:?} is no network: the address has bits beyond its length");
        }
        Ok(Self { bits, length })
    }

    fn contains(self, address: IpAddr) -> bool {
        bits(address) & mask(self.length) == self.bits
    }
}

/// IPv4 as IPv4-mapped IPv6, so that a listener on `::` sees the same.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn mask(length: u32) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0)
}

/// `1.2.3.4`, `2001:db8::1`, and with a port, which some proxies add.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let address = plain.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|at| at.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// The last of what a header lists: the nearest proxy wrote it.
#[must_use]
pub fn last(list: &str) -> &str {
    list.rsplit(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(texts: &[&str]) -> Proxies {
        Proxies::parse(&texts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        let some = proxies(&["10.0.0.0/8", "192.168.1.2", "fd00::/8"]);
        for (address, inside) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("9.255.255.255", false),
            ("192.168.1.2", true),
            ("192.168.1.3", false),
            ("::ffff:10.1.2.3", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("::1", false),
        ] {
            assert_eq!(some.contain(address.parse().unwrap()), inside, "{address}");
        }
        assert!(!proxies(&[]).contain("127.0.0.1".parse().unwrap()));
        assert!(proxies(&["0.0.0.0/0"]).contain("8.8.8.8".parse().unwrap()));
        assert!(!proxies(&["0.0.0.0/0"]).contain("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "proxy", "10.0.0.1/8", "10.0.0.0/33", "fd00::/129", "10.0.0.0/x"] {
            assert!(Proxies::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn the_browser_is_the_last_address_that_is_no_proxy() {
        let some = proxies(&["10.0.0.0/8"]);
        for (list, browser) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("203.0.113.7:1234", Some("203.0.113.7")),
            ("[2001:db8::1]:1234", Some("2001:db8::1")),
            ("1.1.1.1, 203.0.113.7, 10.0.0.3", Some("203.0.113.7")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("10.0.0.3", None),
            ("", None),
            ("203.0.113.7, unknown", None),
        ] {
            assert_eq!(some.browser(list), browser.map(|it| it.parse().unwrap()), "{list}");
        }
    }
}
