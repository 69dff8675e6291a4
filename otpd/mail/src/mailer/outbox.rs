//! The calls to otpd, each on a connection of its own: a connection has one deadline, and a Claim may wait.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::mail;
use otpd_proto::mail::ClaimParameters;
use otpd_proto::mail::Claimed;
use otpd_proto::mail::DoneParameters;
use otpd_proto::mail::LONGEST_WAIT;
use otpd_proto::mail::Message;

use crate::deliver::Transport;
use crate::verdict::Verdict;

/// The outbox, at its socket.
pub(super) struct Outbox {
    pub(super) socket: PathBuf,
}

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// otpd understood it and said no.
    Refused(ClientError),
    /// otpd is away, too slow, cannot read its registry, or is not otpd.
    Away(ClientError),
}

impl Unanswered {
    /// Whether otpd may have done what it was called for.
    pub(super) fn may_have_acted(&self) -> bool {
        let (Self::Refused(error) | Self::Away(error)) = self;
        matches!(error, ClientError::TimedOut { sent: true } | ClientError::Broken { sent: true, .. })
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(error) | Self::Away(error)) = self;
        error.fmt(f)
    }
}

impl From<ClientError> for Unanswered {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused { error: name, .. } if name != mail::UNAVAILABLE => Self::Refused(error),
            _ => Self::Away(error),
        }
    }
}

impl Outbox {
    /// Waits for a mail; `None` if none came.
    pub(super) fn claim(&self, instance: &str, transport: &Transport) -> Result<Option<Message>, Unanswered> {
        let mailer = mail::Mailer {
            instance: instance.to_owned(),
            transport: transport.in_words(),
            problem: transport.problem().map(str::to_owned),
        };
        let wait = if mailer.problem.is_none() { LONGEST_WAIT } else { WAIT_FOR_NOTHING };
        let within = Duration::from_secs(wait.into()).saturating_add(ANSWER);
        let parameters = ClaimParameters { mailer, wait: Some(wait) };
        let claimed: Claimed = Client::connect(&self.socket, within)?.call(mail::CLAIM, &parameters)?;
        Ok(claimed.message)
    }

    /// Tells what became of a mail.
    pub(super) fn done(&self, id: &str, verdict: &Verdict) -> Result<(), Unanswered> {
        let parameters = DoneParameters {
            id: id.to_owned(),
            outcome: verdict.outcome,
            answer: verdict.answer.clone(),
            advice: verdict.advice.clone(),
        };
        let _: serde_json::Value = Client::connect(&self.socket, ANSWER)?.call(mail::DONE, &parameters)?;
        Ok(())
    }
}

/// Seconds for a claim that gets no mail: otpd believes the problem as long as the claim waits, even after a reload.
const WAIT_FOR_NOTHING: u8 = 10;
/// A disk that spins up may take that long before it is durable.
const ANSWER: Duration = Duration::from_secs(30);
