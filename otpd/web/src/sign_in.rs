//! One login: what was posted goes to an `otpd-login` of its own, and what that asks comes back. Until it is done, the
//! connection to it waits on a shelf; dropping it ends the login.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use otpd_proto::Secret;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_proto::session;
use otpd_proto::session::AnswerParameters;
use otpd_proto::session::Next;
use otpd_proto::session::OpenParameters;
use otpd_proto::session::Reason;
use otpd_proto::session::Step;
use otpd_proto::session::Text;

use crate::daemon::Trouble;
use crate::daemon::blocking;
use crate::shelf::Slot;

/// A login between two prompts.
pub struct HalfLogin {
    /// As typed.
    pub user: String,
    /// What was said since the prompt before.
    pub texts: Vec<Text>,
    /// What is asked.
    pub prompt: String,
    /// Whether what is typed may be seen.
    pub echo: bool,
    client: Client,
    slot: Slot,
}

/// What became of a step.
pub enum Outcome {
    /// It goes on.
    Asked(HalfLogin),
    /// Signed in.
    Done {
        /// What was said.
        texts: Vec<Text>,
        /// The browser's.
        ticket: Secret,
    },
    /// Not signed in.
    Refused {
        /// What was said.
        texts: Vec<Text>,
        /// Why.
        reason: Reason,
    },
}

/// Begins a login.
///
/// # Errors
/// [`Trouble`]: nobody answers.
pub async fn open(sessions: &Path, opened: OpenParameters, slot: Slot) -> Result<Outcome, Trouble> {
    let (path, user): (PathBuf, String) = (sessions.to_owned(), opened.user.clone());
    let (step, client) = blocking(move || {
        let mut client = Client::connect(&path, PATIENCE)?;
        let step = client.call(session::OPEN, &opened)?;
        Ok((step, client))
    })
    .await?;
    Ok(outcome(step, user, client, slot))
}

impl HalfLogin {
    /// Answers the prompt.
    ///
    /// # Errors
    /// [`Trouble`]: nobody answers any more.
    pub async fn answer(self, answer: Secret) -> Result<Outcome, Trouble> {
        let Self { user, mut client, slot, .. } = self;
        let (step, client) = blocking(move || {
            client.go_on(PATIENCE);
            let step = match client.call(session::ANSWER, &AnswerParameters { answer }) {
                // It waited for too long and is gone.
                Err(ClientError::Broken { .. }) => {
                    Step { step: Next::Refuse { texts: Vec::new(), reason: Reason::Timeout } }
                }
                answered => answered?,
            };
            Ok((step, client))
        })
        .await?;
        Ok(outcome(step, user, client, slot))
    }
}

fn outcome(step: Step, user: String, client: Client, slot: Slot) -> Outcome {
    match step.step {
        Next::Ask { texts, prompt, echo } => {
            Outcome::Asked(HalfLogin { user, texts, prompt, echo, client, slot })
        }
        Next::Done { texts, ticket, .. } => Outcome::Done { texts, ticket },
        Next::Refuse { texts, reason } => Outcome::Refused { texts, reason },
    }
}

/// A module may ask a directory far away, and a failed login waits on purpose.
const PATIENCE: Duration = Duration::from_secs(60);
