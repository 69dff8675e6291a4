//! The address of a mailbox, as much of RFC 5321 and RFC 5322 as people have: an ASCII dot-atom, `@`, a domain. What else
//! those allow (quoted names, comments, literals, other letters) is refused: each is a way to mean something else to the
//! next program on the way.

use std::fmt;

/// An address. Its domain is in lower case; what stands before it is as its owner wrote it, since only their server
/// knows whether case matters there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

/// Why something is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// There is no `@` with something on both sides.
    #[error("it has the form name@example.org")]
    Form,
    /// Longer than RFC 5321 allows.
    #[error("it is too long: at most 64 characters before the @, 254 in all")]
    TooLong,
    /// A character that few mail servers take.
    #[error(
        "before the @ stand letters, digits and !#$%&'*+/=?^_`{{|}}~-. alone, beginning with neither - nor ."
    )]
    Name,
    /// Not a domain name.
    #[error("behind the @ stands no domain (letters, digits, hyphens and dots; other letters as xn--...)")]
    Domain,
}

impl Address {
    /// The most characters of a path in SMTP, without its brackets.
    pub const LONGEST: usize = 254;

    /// Reads an address; spaces around it do not matter.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn parse(typed: &str) -> Result<Self, BadAddress> {
        let typed = typed.trim_matches(' ');
        let (name, domain) = typed.rsplit_once('@').ok_or(BadAddress::Form)?;
        if name.is_empty() || domain.is_empty() {
            return Err(BadAddress::Form);
        }
        if name.len() > LONGEST_NAME || typed.len() > Self::LONGEST {
            return Err(BadAddress::TooLong);
        }
        // A leading hyphen would be an option to a local mail program.
        if name.starts_with('-') || !name.split('.').all(is_atom) {
            return Err(BadAddress::Name);
        }
        if !domain.split('.').all(is_label) {
            return Err(BadAddress::Domain);
        }
        Ok(Self(format!("{name}@{}", domain.to_ascii_lowercase())))
    }

    /// The whole address: for the mail itself, and for whoever may see it.
    #[must_use]
    pub fn expose_whole(&self) -> &str {
        &self.0
    }

    /// Enough for its owner to know it by: `j•••@e•••.org`.
    #[must_use]
    pub fn masked(&self) -> String {
        self.masked_with("•••")
    }

    /// The same for a prompt, which is ASCII: `j***@e***.org`.
    #[must_use]
    pub fn masked_in_ascii(&self) -> String {
        self.masked_with("***")
    }

    fn masked_with(&self, mask: &str) -> String {
        let (name, domain) = self.0.rsplit_once('@').unwrap_or_default();
        let first = |text: &str| text.get(..1).unwrap_or_default().to_owned();
        let (name, label) = (first(name), first(domain));
        match domain.rsplit_once('.') {
            Some((_, last)) if last.len() <= LONGEST_SHOWN => format!("{name}{mask}@{label}{mask}.{last}"),
            _ => format!("{name}{mask}@{label}{mask}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.masked_in_ascii())
    }
}

fn is_atom(atom: &str) -> bool {
    let is_text = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !atom.is_empty() && atom.bytes().all(is_text)
}

fn is_label(label: &str) -> bool {
    let hyphens = label.starts_with('-') || label.ends_with('-');
    let within = (1..=LONGEST_LABEL).contains(&label.len());
    within && !hyphens && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

const LONGEST_NAME: usize = 64;
const LONGEST_LABEL: usize = 63;
/// Of a top-level domain: a prompt has little room.
const LONGEST_SHOWN: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_have_is_read_and_its_domain_lowered() {
        for (typed, whole) in [
            ("jane@example.org", "jane@example.org"),
            (" Jane.Doe+nas@Mail.Example.ORG ", "Jane.Doe+nas@mail.example.org"),
            ("root@localhost", "root@localhost"),
            ("j@xn--bcher-kva.example", "j@xn--bcher-kva.example"),
            ("o'brien_1@a-b.co", "o'brien_1@a-b.co"),
        ] {
            assert_eq!(Address::parse(typed).unwrap().expose_whole(), whole);
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (typed, why) in [
            ("", BadAddress::Form),
            ("jane", BadAddress::Form),
            ("@example.org", BadAddress::Form),
            ("jane@", BadAddress::Form),
            ("-oQ/tmp@example.org", BadAddress::Name),
            (".jane@example.org", BadAddress::Name),
            ("jane.@example.org", BadAddress::Name),
            ("ja..ne@example.org", BadAddress::Name),
            ("ja ne@example.org", BadAddress::Name),
            ("\"jane\"@example.org", BadAddress::Name),
            ("jane@evil.org@example.org", BadAddress::Name),
            ("jäne@example.org", BadAddress::Name),
            ("jane\r\nBcc: x@example.org", BadAddress::Name),
            ("jane\0@example.org", BadAddress::Name),
            ("jane@exam ple.org", BadAddress::Domain),
            ("jane@example.org\r\nX: y", BadAddress::Domain),
            ("jane@bücher.example", BadAddress::Domain),
            ("jane@-example.org", BadAddress::Domain),
            ("jane@example-.org", BadAddress::Domain),
            ("jane@example..org", BadAddress::Domain),
            ("jane@example.org.", BadAddress::Domain),
            ("jane@[192.0.2.1]", BadAddress::Domain),
        ] {
            assert_eq!(Address::parse(typed).unwrap_err(), why, "{typed:?}");
        }
    }

    #[test]
    fn lengths_are_limited_on_both_sides() {
        let named = |length: usize| Address::parse(&format!("{}@example.org", "a".repeat(length)));
        assert!(named(64).is_ok());
        assert_eq!(named(65).unwrap_err(), BadAddress::TooLong);
        let label = "d".repeat(63);
        let long = |name: usize| format!("{}@{label}.{label}.{label}", "a".repeat(name));
        assert_eq!(long(62).len(), Address::LONGEST);
        assert!(Address::parse(&long(62)).is_ok());
        assert_eq!(Address::parse(&long(63)).unwrap_err(), BadAddress::TooLong);
        assert_eq!(Address::parse(&format!("a@{label}d.org")).unwrap_err(), BadAddress::Domain);
    }

    #[test]
    fn a_masked_address_tells_little() {
        let address = Address::parse("jane.doe@mail.example.org").unwrap();
        assert_eq!(address.masked(), "j•••@m•••.org");
        assert_eq!(address.masked_in_ascii(), "j***@m***.org");
        assert_eq!(Address::parse("root@localhost").unwrap().masked_in_ascii(), "r***@l***");
        let long = Address::parse("jane@example.abcdefghijklm").unwrap();
        assert_eq!(long.masked_in_ascii(), "j***@e***");
        assert_eq!(format!("{address:?}"), "Address(j***@m***.org)");
    }
}
