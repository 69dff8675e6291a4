//! Handing a mail over, within a deadline, and saying what became of it.

mod guarded;
mod judge;
mod sendmail;
mod smtp;

use std::fmt;
use std::time::Duration;

use crate::compose::Mail;
use crate::verdict::Verdict;

pub use sendmail::Sendmail;
pub use smtp::Encryption;
pub use smtp::Login;
pub use smtp::Smtp;

/// The way mails leave.
pub enum Transport {
    /// None, and what to do about it.
    None {
        /// What is missing, and where to set it.
        problem: String,
    },
    /// A server.
    Smtp(Box<Smtp>),
    /// A program of this box.
    Sendmail(Sendmail),
}

impl Transport {
    /// How mails leave, for people; without any secret.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::None { .. } => "none".into(),
            Self::Smtp(smtp) => smtp.in_words(),
            Self::Sendmail(sendmail) => sendmail.in_words(),
        }
    }

    /// Why no mail can leave.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::None { problem } => Some(problem),
            Self::Smtp(_) | Self::Sendmail(_) => None,
        }
    }

    /// Hands a mail over, or gives up at the deadline, whatever the other side does until then.
    pub async fn deliver(&self, mail: &Mail, deadline: Duration) -> Verdict {
        match self {
            Self::None { problem } => Verdict::later(problem),
            Self::Smtp(smtp) => smtp.deliver(mail, deadline).await,
            Self::Sendmail(sendmail) => sendmail.deliver(mail, deadline).await,
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport({})", self.in_words())
    }
}
