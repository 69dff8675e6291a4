//! The conversation: what PAM modules say and ask, against what the person posted and still has to type. Pure but for
//! the session behind it.

use otpd_proto::Secret;
use otpd_proto::session::Style;
use otpd_proto::session::Text;

use crate::channel::Channel;
use crate::channel::Ended;
use crate::libpam::Converse;
use crate::libpam::Message;
use crate::libpam::MessageStyle;
use crate::libpam::Unanswered;
use crate::session::Session;
use crate::text;
use crate::text::Texts;

/// One person's side.
pub(crate) struct Conversation<C> {
    session: Session<C>,
    /// Until the first hidden prompt has taken it.
    password: Option<Secret>,
    texts: Texts,
    ended: Option<Ended>,
}

impl<C: Channel> Conversation<C> {
    /// With the password that was posted.
    pub(crate) fn new(session: Session<C>, password: Secret) -> Self {
        Self { session, password: Some(password), texts: Texts::default(), ended: None }
    }

    /// Why nothing more can be asked, if that is so.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// What was said after the last question, and the session.
    pub(crate) fn finish(mut self) -> (Vec<Text>, Session<C>) {
        (self.texts.take(), self.session)
    }

    fn ask(&mut self, message: &Message<'_>, echo: bool) -> Result<Secret, Unanswered> {
        if !echo && let Some(password) = self.password.take() {
            return Ok(password);
        }
        if self.ended.is_some() {
            // A module that asks again will not be heard either.
            return Err(Unanswered);
        }
        let answer = self.session.ask(self.texts.take(), text::prompt(message.text), echo);
        let answer = answer.map_err(|ended| {
            self.ended = Some(ended);
            Unanswered
        })?;
        if fits(&answer) { Ok(answer) } else { Err(Unanswered) }
    }
}

impl<C: Channel> Converse for Conversation<C> {
    fn converse(&mut self, messages: &[Message<'_>]) -> Result<Vec<Option<Secret>>, Unanswered> {
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            answers.push(match message.style {
                MessageStyle::Hidden => Some(self.ask(message, false)?),
                MessageStyle::Echoed => Some(self.ask(message, true)?),
                MessageStyle::Info => {
                    self.texts.add(Style::Info, message.text);
                    None
                }
                MessageStyle::Error => {
                    self.texts.add(Style::Error, message.text);
                    None
                }
                MessageStyle::Other => return Err(Unanswered),
            });
        }
        Ok(answers)
    }
}

/// Whether PAM can take it: a C string, with its end at most PAM_MAX_RESP_SIZE. What a module would cut off is no answer.
pub(crate) fn fits(typed: &Secret) -> bool {
    let typed = typed.expose_secret();
    typed.len() < MOST_TYPED && !typed.contains('\0')
}

const MOST_TYPED: usize = 512;

#[cfg(test)]
mod tests;
