//! The outbox in memory.

use otpd_core::outbox::Due;
use otpd_core::outbox::Fate;
use otpd_core::outbox::GivenUp;
use otpd_core::outbox::Mail;
use otpd_core::outbox::MailId;
use otpd_core::outbox::MailKind;
use otpd_core::outbox::Overview;
use otpd_core::time::UnixTime;

#[derive(Default)]
pub(super) struct Outbox {
    waiting: Vec<(Due, UnixTime)>,
    given_up: Vec<GivenUp>,
}

impl Outbox {
    pub(super) fn post(&mut self, mails: Vec<Mail>) {
        for mail in mails {
            let of_account = self
                .waiting
                .iter()
                .filter(|(due, _)| due.mail.account == mail.account && due.mail.kind == MailKind::Notice);
            if mail.kind != MailKind::Notice || of_account.count() < 200 {
                let at = mail.at;
                self.waiting.push((Due { mail, tries: 0 }, at));
            }
        }
    }

    pub(super) fn due(&self, now: UnixTime, except: &[MailId]) -> Option<Due> {
        let due = self.waiting.iter().filter(|(due, next)| {
            (*next <= now || due.mail.at.0 > now.0 + 600) && !except.contains(&due.mail.id)
        });
        let first = due.min_by_key(|(due, next)| (due.mail.kind == MailKind::Notice, *next, due.mail.id));
        first.map(|(due, _)| due.clone())
    }

    pub(super) fn mail(&self, id: MailId) -> Option<Due> {
        self.waiting.iter().find(|(due, _)| due.mail.id == id).map(|(due, _)| due.clone())
    }

    pub(super) fn next(&self) -> Option<UnixTime> {
        self.waiting.iter().map(|(_, next)| *next).min()
    }

    pub(super) fn settle(&mut self, id: MailId, fate: Fate) -> bool {
        let Some(at) = self.waiting.iter().position(|(due, _)| due.mail.id == id) else { return false };
        match fate {
            Fate::Delivered => drop(self.waiting.remove(at)),
            Fate::Later { next, .. } => {
                let (due, next_try) = &mut self.waiting[at];
                due.tries += 1;
                *next_try = next.min(due.mail.expires);
            }
            Fate::Failed { answer } => {
                let (Due { mail, tries }, _) = self.waiting.remove(at);
                self.given_up.insert(0, GivenUp { kind: mail.kind, at: mail.at, tries: tries + 1, answer });
                self.given_up.sort_by_key(|given_up| std::cmp::Reverse(given_up.at));
            }
        }
        true
    }

    pub(super) fn overview(&self) -> Overview {
        Overview {
            waiting: u32::try_from(self.waiting.len()).unwrap(),
            oldest: self.waiting.iter().map(|(due, _)| due.mail.at).min(),
            given_up: self.given_up.iter().take(10).cloned().collect(),
        }
    }
}
