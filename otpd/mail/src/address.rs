//! Mail addresses, read strictly: what is no plain ASCII address could be an option to a mail program, a second header, or
//! something else to the next server. The addresses of accounts were checked when they were stored; this process does
//! not rely on that.

use std::fmt;

/// A mailbox: a dot-atom, `@`, a domain; ASCII (RFC 5321, section 4.1.2, without quoted names and literals).
#[derive(Clone, PartialEq, Eq)]
pub struct Address(lettre::Address);

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, and how it should be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, domain) = text.rsplit_once('@').ok_or("it has the form name@example.org")?;
        if name.len() > 64 || text.len() > 254 {
            return Err("it is too long: at most 64 characters before the @, 254 in all");
        }
        if name.starts_with('-') || !name.split('.').all(is_atom) {
            return Err(
                "before the @ stand ASCII letters, digits and some signs only, and no - at the start",
            );
        }
        if !is_domain(domain) {
            return Err("behind the @ stands no domain (ASCII letters, digits, hyphens, dots)");
        }
        let address = lettre::Address::new(name, domain).map_err(|_| "no mail server would take it")?;
        Ok(Self(address))
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// As the crate that sends it has it.
    pub(crate) fn as_lettre(&self) -> lettre::Address {
        self.0.clone()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

/// Labels of letters, digits and inner hyphens, with dots between them.
pub(crate) fn is_domain(domain: &str) -> bool {
    domain.len() <= 253 && domain.split('.').all(is_label)
}

fn is_atom(atom: &str) -> bool {
    let is_text = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !atom.is_empty() && atom.bytes().all(is_text)
}

fn is_label(label: &str) -> bool {
    let hyphen_outside = label.starts_with('-') || label.ends_with('-');
    let within = (1..=63).contains(&label.len());
    within && !hyphen_outside && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_read() {
        for text in
            ["jane@example.org", "Jane.Doe+nas@Mail.Example.ORG", "root@localhost", "j@xn--bcher-kva.example"]
        {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn whatever_could_mean_something_else_is_refused() {
        for text in [
            "",
            "jane",
            "@example.org",
            "jane@",
            "-oQ/tmp@example.org",
            ".jane@example.org",
            "jane.@example.org",
            "ja ne@example.org",
            "\"jane\"@example.org",
            "jane@evil.org@example.org",
            "jäne@example.org",
            "jane\r\nBcc: x@example.org",
            "jane\0@example.org",
            "jane>@example.org",
            "jane@example.org\r\nX: y",
            "jane@bücher.example",
            "jane@-example.org",
            "jane@example..org",
            "jane@example.org.",
            "jane@[192.0.2.1]",
            " jane@example.org",
            "jane@example.org ",
            "jane@example.org, x@example.org",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_limited_on_both_sides() {
        let named = |length: usize| Address::parse(&format!("{}@example.org", "a".repeat(length)));
        assert!(named(64).is_ok() && named(65).is_err() && named(1_000_000).is_err());
        let label = "d".repeat(63);
        let long = |name: usize| format!("{}@{label}.{label}.{label}", "a".repeat(name));
        assert_eq!(long(62).len(), 254);
        assert!(Address::parse(&long(62)).is_ok() && Address::parse(&long(63)).is_err());
        assert!(Address::parse(&format!("a@{label}d.org")).is_err());
    }
}
