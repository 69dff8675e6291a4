//! The name of a host, as a browser names it: one spelling, so that two that are the same are equal.

/// Why a text is no name of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a host is a name like files.example.org, or an address; with a port if it is not the usual one")]
pub struct NotAHost;

/// Lower case, without the dot of the root; an address of IPv6 in brackets; a port only if one was given.
///
/// # Errors
/// [`NotAHost`].
pub fn normalise(text: &str) -> Result<String, NotAHost> {
    let lower = text.to_ascii_lowercase();
    let (name, port) = split(&lower).ok_or(NotAHost)?;
    // parse takes a sign, too.
    let is_number = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = |port: &str| port.parse::<u16>().ok().filter(|number| *number != 0 && is_number(port));
    let port = port.map(number);
    let port = match port {
        None => String::new(),
        Some(Some(number)) => format!(":{number}"),
        Some(None) => return Err(NotAHost),
    };
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: std::net::Ipv6Addr = address.parse().map_err(|_| NotAHost)?;
        return Ok(format!("[{address}]{port}"));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    // RFC 1123, 2.1, and underscores, which are in use.
    let is_label = |label: &str| {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len())
            && label.bytes().all(is_sign)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > LONGEST || !name.split('.').all(is_label) {
        return Err(NotAHost);
    }
    Ok(format!("{name}{port}"))
}

fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let (address, rest) = text.split_at_checked(text.find(']')?.checked_add(1)?)?;
        return if rest.is_empty() {
            Some((address, None))
        } else {
            Some((address, Some(rest.strip_prefix(':')?)))
        };
    }
    Some(text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))))
}

const LONGEST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (text, host) in [
            ("Files.Example.ORG", "files.example.org"),
            ("files.example.org.", "files.example.org"),
            ("nas:8443", "nas:8443"),
            ("nas:08443", "nas:8443"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:DB8:0::1]:443", "[2001:db8::1]:443"),
            ("my_nas", "my_nas"),
        ] {
            assert_eq!(normalise(text).as_deref(), Ok(host), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let long = format!("{}.org", "a".repeat(64));
        for text in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a/b",
            "a@b",
            "nas:",
            "nas:0",
            "nas:65536",
            "nas:80:80",
            "nas:+1",
            "[::1",
            "[::1]80",
            "::1",
            "ä.example",
            "a\n",
            "http://nas",
            &long,
        ] {
            assert_eq!(normalise(text), Err(NotAHost), "{text:?}");
        }
        assert_eq!(normalise(&format!("{}a", "a.".repeat(127))), Err(NotAHost));
    }
}
