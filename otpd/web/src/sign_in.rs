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
    // The slot goes along: a browser that hangs up ends this future, and not the login.
    let (step, client, slot) = blocking(move || {
        let slot = slot;
        let mut client = Client::connect(&path, PATIENCE)?;
        let step = client.call(session::OPEN, &opened)?;
        Ok((step, client, slot))
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
        let (step, client, slot) = blocking(move || {
            let slot = slot;
            client.go_on(PATIENCE);
            let step = match client.call(session::ANSWER, &AnswerParameters { answer }) {
                // It waited for too long and is gone.
                Err(ClientError::Broken { .. }) => {
                    Step { step: Next::Refuse { texts: Vec::new(), reason: Reason::Timeout } }
                }
                answered => answered?,
            };
            Ok((step, client, slot))
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::shelf::Slots;

    const ASKED: &[u8] =
        b"{\"parameters\":{\"step\":{\"next\":\"ask\",\"texts\":[],\"prompt\":\"Code\",\"echo\":false}}}\0";

    /// Reads a call, and holds the answer back.
    fn called(stream: &mut UnixStream) {
        let mut byte = [1];
        while byte != [0] {
            stream.read_exact(&mut byte).unwrap();
        }
    }

    async fn accepted(listener: UnixListener) -> UnixStream {
        let accept = move || {
            let (mut stream, _) = listener.accept().unwrap();
            called(&mut stream);
            stream
        };
        tokio::task::spawn_blocking(accept).await.unwrap()
    }

    #[tokio::test]
    async fn a_browser_that_hangs_up_keeps_its_place_until_the_login_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("session.sock");
        let slots = Slots::new(1, 1);
        for answers in [false, true] {
            let _ = std::fs::remove_file(&path);
            let listener = UnixListener::bind(&path).unwrap();
            let slot = slots.take(None).unwrap();
            let sessions = path.clone();
            let browser = tokio::spawn(async move {
                match open(&sessions, opened(), slot).await? {
                    Outcome::Asked(half) => half.answer(Secret::new("1".into())).await,
                    other => Ok(other),
                }
            });
            let mut login = accepted(listener).await;
            if answers {
                login.write_all(ASKED).unwrap();
                login = tokio::task::spawn_blocking(move || {
                    called(&mut login);
                    login
                })
                .await
                .unwrap();
            }
            browser.abort();
            assert!(browser.await.is_err_and(|error| error.is_cancelled()));
            assert!(slots.take(None).is_err(), "the login goes on; {answers}");
            drop(login);
            while slots.take(None).is_err() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn opened() -> OpenParameters {
        OpenParameters {
            user: "alice".into(),
            password: Secret::new("x".into()),
            address: None,
            agent: None,
            renew: None,
        }
    }
}
