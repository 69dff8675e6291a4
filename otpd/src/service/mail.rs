//! Whether mails arrive, for administrators: a test, how mails fare, and the line of `doctor`.

use otpd_core::address::Address;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::outbox::GivenUp;
use otpd_core::outbox::MailId;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;
use otpd_proto::mail::Outcome;

use super::Failure;
use super::Service;
use super::admin::check;
use super::emails::check_language;
use super::office::Try;
use super::post::Post;
use crate::clock;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Sends a mail to see whether it arrives.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn mail_test(
        &self,
        peer: Peer,
        call: &wire::MailTestParameters,
        now: UnixTime,
    ) -> Result<wire::MailTested, Failure> {
        let parties = self.administrator(peer, Request::MailTest, call.code.as_ref(), now)?;
        let address = Address::parse(&call.address).map_err(|why| {
            Failure::refused(Reason::BadAddress, format!("That is no address for mail: {why}."))
        })?;
        let language = call.language.as_deref().map(check_language).transpose()?;
        let by = parties.caller.identity.name.as_str();
        let mail =
            Post { keys: &self.keys, settings: &parties.settings, now }.test(&address, language, by)?;
        let id = mail.id.to_hex();
        let detail = Some(format!("a test to {}", address.masked()));
        let event = Event { detail, ..Event::blank(now, by, by, Kind::Mail, Decision::Accept, Reason::Ok) };
        self.registry.post(mail, event)?;
        Ok(wire::MailTested { id })
    }

    /// How mails fare.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn mail_status(
        &self,
        peer: Peer,
        call: &wire::MailStatusParameters,
        now: UnixTime,
    ) -> Result<wire::MailStatus, Failure> {
        self.administrator(peer, Request::MailStatus, None, now)?;
        let outbox = self.registry.outbox()?;
        let report = self.office.report(clock::monotonic());
        let test = call.id.as_deref().and_then(MailId::from_hex).and_then(|id| self.office.last_try(id));
        Ok(wire::MailStatus {
            transport: report.transport,
            problem: report.problem,
            waiting: outbox.waiting,
            oldest: outbox.oldest.map(|at| at.0),
            last_delivered: report.delivered.map(wire_try),
            last_trouble: report.trouble.map(wire_try),
            given_up: outbox.given_up.into_iter().map(wire_given_up).collect(),
            test: test.map(wire_try),
        })
    }

    /// The line of `doctor`.
    pub(super) fn check_mail(&self) -> wire::Check {
        let condition = self.office.condition(clock::monotonic());
        match (condition.problem(), self.office.report(clock::monotonic()).transport) {
            (None, transport) => {
                let how = transport.unwrap_or_default();
                check("mail", "ok", &format!("by {how}; try it with otpctl mail test ADDRESS"))
            }
            (Some(problem), None) => {
                let say = format!("{problem}: nobody gets a code or a notice by mail. See otpd-mail(8)");
                check("mail", "warn", &say)
            }
            (Some(problem), Some(_)) => check("mail", "fail", &problem),
        }
    }
}

fn wire_try(tried: Try) -> wire::MailTry {
    let outcome = match tried.outcome {
        Outcome::Delivered => "delivered",
        Outcome::Later => "later",
        Outcome::Failed => "failed",
    };
    wire::MailTry { at: tried.at.0, outcome: outcome.to_owned(), answer: tried.answer, advice: tried.advice }
}

fn wire_given_up(given_up: GivenUp) -> wire::MailGivenUp {
    wire::MailGivenUp {
        kind: given_up.kind.as_str().to_owned(),
        at: given_up.at.0,
        tries: given_up.tries,
        answer: given_up.answer,
    }
}
