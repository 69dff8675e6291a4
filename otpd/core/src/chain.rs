//! The audit log's chain: each event carries a MAC over itself, its number and the MAC of the event before it, so that
//! whoever lacks the key can change, remove, insert or move nothing without a trace. HMAC-SHA-256 (RFC 2104), of which
//! 16 bytes are kept.
//!
//! What begins and what ends a chain is no part of it: an anchor stands for the events that were removed as old, and
//! links that were noted elsewhere show a cut at the end.

mod walk;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac as _;
use sha2::Sha256;

use crate::time::UnixTime;

pub use walk::Defect;
pub use walk::Flaw;
pub use walk::Hole;
pub use walk::Passed;
pub use walk::Walk;

/// The MAC of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 16]);

impl Mac {
    /// As it stands before the first event. Also what is read in the place of something that is no MAC: it fits nothing.
    pub const NONE: Self = Self([0; 16]);

    /// From stored bytes.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(Self::NONE, Self)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Mac {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| NotALink)?;
        bytes.try_into().map(Self).map_err(|_| NotALink)
    }
}

/// An event's number and MAC. Written `NUMBER:MAC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Rising from 1; 0 stands before the first event.
    pub number: i64,
    /// Stands for this event and all before it.
    pub mac: Mac,
}

impl Link {
    /// Before the first event.
    pub const START: Self = Self { number: 0, mac: Mac::NONE };
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.mac)
    }
}

/// No number and MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no NUMBER:MAC, such as 2034: and 32 hexadecimal digits")]
pub struct NotALink;

impl FromStr for Link {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let (number, mac) = text.split_once(':').ok_or(NotALink)?;
        let number = number.parse().ok().filter(|number| *number >= 0).ok_or(NotALink)?;
        Ok(Self { number, mac: mac.parse()? })
    }
}

/// One column of an event, as stored.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    /// NULL.
    Nothing,
    /// A number.
    Number(i64),
    /// A text, in whatever encoding stands there.
    Text(&'a [u8]),
    /// Something that no event has.
    Odd,
}

impl<'a> From<Option<&'a str>> for Field<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, |text| Self::Text(text.as_bytes()))
    }
}

/// All columns of an event but its number and its MAC, one after the other and each with its kind and length, so that
/// no two events read the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents(Vec<u8>);

impl<'a> FromIterator<Field<'a>> for Contents {
    fn from_iter<I: IntoIterator<Item = Field<'a>>>(fields: I) -> Self {
        let mut bytes = Vec::with_capacity(USUAL);
        for field in fields {
            match field {
                Field::Nothing => bytes.push(0),
                Field::Number(number) => {
                    bytes.push(1);
                    bytes.extend_from_slice(&number.to_be_bytes());
                }
                Field::Text(text) => {
                    bytes.push(2);
                    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
                    bytes.extend_from_slice(text);
                }
                Field::Odd => bytes.push(3),
            }
        }
        Self(bytes)
    }
}

/// An event as it stands in the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The number that it has there.
    pub number: i64,
    /// When, as it says.
    pub at: UnixTime,
    /// What it carries.
    pub mac: Mac,
    /// Everything else.
    pub contents: Contents,
    /// Whether it says that the log was found altered.
    pub is_alarm: bool,
}

/// What of the log is noted outside of its chain, authenticated by a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The last event that was removed as old.
    Anchor,
    /// An event that the log had reached.
    Head,
}

impl Place {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Head => "head",
        }
    }
}

/// Makes and checks MACs.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

impl ChainKey {
    /// As long as a block of the hash.
    pub const LENGTH: usize = 64;

    /// From secret random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; Self::LENGTH]) -> Self {
        Self(Hmac::new(bytes.into()))
    }

    /// The MAC of an event with this number, behind one with the MAC `before`.
    #[must_use]
    pub fn link(&self, before: Mac, number: i64, contents: &Contents) -> Mac {
        self.mac(&[b"e", &before.0, &number.to_be_bytes(), &contents.0])
    }

    /// Authenticates a link that is noted in this place.
    #[must_use]
    pub fn seal(&self, place: Place, link: Link) -> Mac {
        let place: &[u8] = match place {
            Place::Anchor => b"a",
            Place::Head => b"h",
        };
        self.mac(&[place, &link.mac.0, &link.number.to_be_bytes()])
    }

    /// Parts of fixed length, but for the last.
    fn mac(&self, parts: &[&[u8]]) -> Mac {
        let mut hmac = self.0.clone();
        parts.iter().for_each(|part| hmac.update(part));
        let whole: [u8; 32] = hmac.finalize().into_bytes().into();
        let (kept, _) = whole.split_first_chunk().unwrap_or((&Mac::NONE.0, &[]));
        Mac(*kept)
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainKey").finish_non_exhaustive()
    }
}

/// Bytes of most events.
const USUAL: usize = 256;
