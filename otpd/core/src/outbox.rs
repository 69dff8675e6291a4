//! The outbox: mails that are to be delivered, kept with what they are about until a server has them.

use std::time::Duration;

use crate::account::AccountId;
use crate::time::UnixTime;

/// What tells a mail from every other one, at every try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(pub [u8; 16]);

/// What a mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// Its code proves that an address is read.
    Confirm,
    /// Its code lets in.
    Code,
    /// It tells what happened.
    Notice,
    /// It shows whether mails arrive.
    Test,
}

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Which.
    pub id: MailId,
    /// Whose account it is about, if it is about one.
    pub account: Option<AccountId>,
    /// What for.
    pub kind: MailKind,
    /// Its address and facts, sealed to its id.
    pub sealed: Vec<u8>,
    /// When it was posted.
    pub at: UnixTime,
    /// From then on it is of no use.
    pub expires: UnixTime,
}

/// A mail that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The mail.
    pub mail: Mail,
    /// How often it was tried.
    pub tries: u32,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// A server has it.
    Delivered,
    /// It is tried again.
    Later {
        /// When.
        next: UnixTime,
        /// What the server said, or what went wrong.
        answer: String,
    },
    /// It was given up.
    Failed {
        /// What the server said, or what went wrong.
        answer: String,
    },
}

/// A mail that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// What it was for.
    pub kind: MailKind,
    /// When it was posted.
    pub at: UnixTime,
    /// How often it was tried.
    pub tries: u32,
    /// What the server said last.
    pub answer: String,
}

/// The outbox from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Mails that wait.
    pub waiting: u32,
    /// When the oldest of them was posted.
    pub oldest: Option<UnixTime>,
    /// The last ones that were given up, newest first.
    pub given_up: Vec<GivenUp>,
}

impl MailId {
    /// As 32 hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Reads [`MailId::to_hex`].
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl MailKind {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Test => "test",
        }
    }

    /// Reads [`MailKind::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Confirm, Self::Code, Self::Notice, Self::Test].into_iter().find(|kind| kind.as_str() == word)
    }

    /// How long a mail of this kind is of use.
    #[must_use]
    pub fn keeps(self) -> Duration {
        match self {
            Self::Confirm | Self::Code => crate::waiting::Waiting::FOR,
            Self::Notice => Duration::from_secs(3 * 86_400),
            Self::Test => Duration::from_secs(120),
        }
    }

    /// When to try again after so many tries in vain. Somebody waits for a code; a notice can wait for a server that is
    /// away for the night.
    #[must_use]
    pub fn again(self, tries: u32, now: UnixTime) -> UnixTime {
        let (first, longest) = match self {
            Self::Confirm | Self::Code | Self::Test => (10, 60),
            Self::Notice => (60, 3600),
        };
        let doubled = 2_u64.checked_pow(tries.saturating_sub(1)).unwrap_or(u64::MAX);
        now.plus(Duration::from_secs(doubled.saturating_mul(first).min(longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    #[test]
    fn pauses_double_up_to_their_longest() {
        let pauses = |kind: MailKind| {
            (1..=9).map(|tries| kind.again(tries, NOW).since(NOW).as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(pauses(MailKind::Code), [10, 20, 40, 60, 60, 60, 60, 60, 60]);
        assert_eq!(pauses(MailKind::Notice), [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(MailKind::Notice.again(u32::MAX, NOW).since(NOW).as_secs(), 3600);
    }

    #[test]
    fn ids_and_kinds_are_read_back() {
        let id = MailId([0xab; 16]);
        assert_eq!(MailId::from_hex(&id.to_hex()), Some(id));
        for wrong in ["", "ab", "zz", &"AB".repeat(16), &"ab".repeat(17)] {
            assert_eq!(MailId::from_hex(wrong), None, "{wrong}");
        }
        for kind in [MailKind::Confirm, MailKind::Code, MailKind::Notice, MailKind::Test] {
            assert_eq!(MailKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(MailKind::parse("letter"), None);
    }
}
