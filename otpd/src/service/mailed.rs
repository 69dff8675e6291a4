//! Mailed codes: asked for at a login with a word, and typed there. And enrol codes, which look the same when they are
//! typed.

use otpd_core::account::Account;
use otpd_core::address::Address;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::notice::Notice;
use otpd_core::outbox::MailKind;
use otpd_core::registry::Journal;
use otpd_core::short_code::ShortCode;
use otpd_core::time::UnixTime;
use otpd_proto::login::Next;

use super::office::Condition;
use super::post::ENROL_CODE;
use super::post::MAILED_CODE;
use super::post::Post;
use super::prompt;
use super::scene::DIGITS;
use super::scene::Scene;
use super::scene::ask;
use super::typed::Typed;
use crate::keys::KeyError;
use crate::keys::new_short_code;

impl Scene {
    /// Mails a code, inside one change of the account; `None`: it is not protected. Then the person is asked again.
    pub(super) fn mail_code(
        &self,
        account: &mut Account,
        condition: &Condition,
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<Option<Next>, KeyError> {
        if !account.is_protected() {
            return Ok(None);
        }
        let mut event = self.event(post.now, Kind::MailCode, Decision::Refuse, Reason::NoMail);
        event.lane = Some(self.lane(account, post.now));
        let next = match self.elsewhere(&mut event) {
            Some(elsewhere) => elsewhere,
            None => {
                let say = self.try_to_mail(account, condition, &mut event, post, journal)?;
                self.ask_again(account, say)
            }
        };
        journal.record(event);
        Ok(Some(next))
    }

    /// Mails a code if it can be, and returns what to say of it.
    fn try_to_mail(
        &self,
        account: &mut Account,
        condition: &Condition,
        event: &mut Event,
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<String, KeyError> {
        let now = post.now;
        // One that does not open must not keep the other from being used.
        let emails = account.emails.recovering(now);
        let opened = emails.filter_map(|email| post.keys.open_address(account.id, email).ok());
        let addresses: Vec<Address> = opened.collect();
        let Some(first) = addresses.first() else {
            event.reason = Reason::NoSuchEmail;
            return Ok(if account.emails.confirmed().next().is_some() { HELD } else { NO_EMAIL }.into());
        };
        if let Condition::Unable(problem) = condition {
            event.detail = Some(problem.clone());
            return Ok(NO_MAIL.into());
        }
        let lane = self.lane(account, now);
        if let Err(again) = account.postage_mut(lane).send(now) {
            event.reason = Reason::TooManyMails;
            return Ok(format!(
                "Several codes were mailed; the next one can be at {}.",
                prompt::clock(again)
            ));
        }
        let code = new_short_code()?;
        let until = account.mailed.begin(post.keys.mark(account.id, code.expose_symbols()), now);
        for address in &addresses {
            post.send_code(account, address, (MailKind::Code, &code), &self.facts(None), journal)?;
        }
        (event.decision, event.reason) = (Decision::Accept, Reason::Ok);
        event.detail = Some(format!("to {}", first.masked()));
        Ok(on_its_way(first, condition, until))
    }

    /// The answer to somebody who does not exist or has no device. A word that asks for something gets what it gets from
    /// those who have, where nothing is to be told.
    pub(super) fn nothing(&self, typed: &Typed, now: UnixTime) -> Next {
        match typed {
            Typed::Mail | Typed::Help if !self.settings.say_why => {
                ask(prompt::fit(ALIKE, &prompt::plain(&self.login.user)), DIGITS)
            }
            _ => self.wrong(now),
        }
    }

    /// A word of help, and the question again.
    pub(super) fn help(&self, account: &Account, now: UnixTime) -> Option<Next> {
        if !account.is_protected() {
            return None;
        }
        let mail = account.emails.recovering(now).next().is_some();
        let say = match (account.recovery.left().next().is_some(), mail) {
            (true, true) => "Type the digits of a device, a recovery code, or mail to have a code mailed.",
            (false, true) => "Type the digits of a device, or mail to have a code mailed.",
            (true, false) => "Type the digits of a device, or a recovery code.",
            (false, false) => "Type the digits of a device. An administrator can help: otpctl reset.",
        };
        Some(self.ask_again(account, say.to_owned()))
    }

    /// The whole decision about a short code, inside one change of the account; `None`: none waits for it.
    pub(super) fn short_code(
        &self,
        account: &mut Account,
        code: &ShortCode,
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<Option<Next>, KeyError> {
        if account.enrolment.is_none() && !account.is_protected() {
            return Ok(None);
        }
        let now = post.now;
        let lane = self.lane(account, now);
        let mut event = self.event(now, Kind::Login, Decision::Refuse, Reason::CodeWrong);
        event.lane = Some(lane);
        let mark = post.keys.mark(account.id, code.expose_symbols());
        let next = if account.enrol(mark, now) {
            self.enrol(account, &mut event, post, journal)?
        } else if let Some(elsewhere) = self.elsewhere(&mut event) {
            elsewhere
        } else if account.recover_by_mail(mark, lane, now) {
            self.let_in(account, MAILED_CODE, &mut event, post, journal)?
        } else {
            event.detail = Some("a code of 8 letters and digits".into());
            self.told(WRONG.into())
        };
        journal.record(event);
        Ok(Some(next))
    }

    /// Writes down what follows from an enrol code.
    fn enrol(
        &self,
        account: &mut Account,
        event: &mut Event,
        post: Post<'_>,
        journal: &mut Journal,
    ) -> Result<Next, KeyError> {
        let now = post.now;
        (event.decision, event.reason) = (Decision::Accept, Reason::Ok);
        event.device = Some(ENROL_CODE.into());
        self.admit(account, None, now);
        post.tell(account, Notice::RecoveryUsed, &self.facts(Some(ENROL_CODE)), journal)?;
        let notice = "This code let you in once. Bind a device now: otpctl bind".to_owned();
        Ok(Next::Accept { device: ENROL_CODE.into(), notice: Some(notice), digits: None })
    }

    fn ask_again(&self, account: &Account, say: String) -> Next {
        let say = if self.settings.say_why { say } else { ALIKE.to_owned() };
        self.ask_after(account, &say)
    }
}

fn on_its_way(address: &Address, condition: &Condition, until: UnixTime) -> String {
    let (address, until) = (address.masked_in_ascii(), prompt::clock(until));
    match condition {
        Condition::Able => format!("A code is on its way to {address}, good until {until}."),
        _ => format!(
            "The mail server takes nothing now; if it does, a code comes to {address}, good until {until}."
        ),
    }
}

const NO_EMAIL: &str =
    "There is no secure email to mail a code to. A recovery code works, or an administrator helps.";
const HELD: &str = "The secure email is too new for that. A recovery code works, or an administrator helps.";
const NO_MAIL: &str = "This box cannot send mail now. A recovery code works, or an administrator helps.";
const WRONG: &str = "That code is wrong, used or too old; it is good for 10 minutes.";
/// Where refusals tell nothing, this does not either.
const ALIKE: &str = "If a code can be mailed, it is on its way.";
