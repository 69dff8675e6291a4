//! The post office: hands mails to otpd-mail, and knows how they fare.
//!
//! What otpd-mail has is remembered in memory alone: whoever is killed in between, a mail is delivered twice at worst, and
//! never lost.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use otpd_core::address::Address;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::outbox::Due;
use otpd_core::outbox::Fate;
use otpd_core::outbox::MailId;
use otpd_core::outbox::MailKind;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::mail as wire;

use super::Failure;
use super::Service;
use crate::clock::monotonic;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::permit::Request;
use crate::permit::Role;
use crate::permit::State;
use crate::permit::permit;
use crate::post_bell::PostBell;

/// What is known of otpd-mail and of the mails that it has.
#[derive(Default)]
pub(super) struct Office {
    desk: Mutex<Desk>,
    bell: Arc<PostBell>,
}

#[derive(Default)]
struct Desk {
    mailer: Option<(wire::Mailer, Instant)>,
    out: HashMap<MailId, (String, Instant)>,
    last: VecDeque<(MailId, Try)>,
    delivered: Option<Try>,
    trouble: Option<Try>,
    /// Whether a server took the last mail, of those that found a server.
    delivers: bool,
    /// When codes were mailed to addresses that nobody proved yet, in the last hour.
    unproven: VecDeque<Instant>,
}

/// What became of a try to deliver a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) at: UnixTime,
    pub(super) outcome: wire::Outcome,
    pub(super) answer: String,
    pub(super) advice: Option<String>,
}

/// Whether this box can send mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing speaks against it.
    Able,
    /// The server took nothing of late, for this reason; it may later.
    Troubled(String),
    /// It cannot, for this reason.
    Unable(String),
}

impl Condition {
    /// What speaks against it, for everybody: what a server says is for administrators.
    pub(super) fn in_short(&self) -> Option<&'static str> {
        match self {
            Self::Able => None,
            Self::Troubled(_) => Some("the mail server takes nothing at the moment"),
            Self::Unable(_) => Some("this box is not set up to send any"),
        }
    }

    /// What speaks against it, for administrators.
    pub(super) fn problem(self) -> Option<String> {
        match self {
            Self::Able => None,
            Self::Troubled(problem) | Self::Unable(problem) => Some(problem),
        }
    }
}

/// How mails fare.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    pub(super) transport: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) delivered: Option<Try>,
    pub(super) trouble: Option<Try>,
}

impl Office {
    pub(super) fn with_bell(bell: Arc<PostBell>) -> Self {
        Self { bell, ..Self::default() }
    }

    /// Whether this box can send mail, as far as is known.
    pub(super) fn condition(&self, now: Instant) -> Condition {
        self.desk().condition(now)
    }

    /// Whether so many addresses that nobody proved were mailed to that it must be enough for a while: all users of the box
    /// together could make it a nuisance to others.
    pub(super) fn is_busy(&self, now: Instant) -> bool {
        let unproven = &mut self.desk().unproven;
        unproven.retain(|at| now.saturating_duration_since(*at) < HOUR);
        unproven.len() >= MOST_UNPROVEN
    }

    /// Counts an address that nobody proved.
    pub(super) fn note_unproven(&self, now: Instant) {
        self.desk().unproven.push_back(now);
    }

    pub(super) fn report(&self, now: Instant) -> Report {
        let desk = self.desk();
        let there = desk.mailer.as_ref().filter(|_| desk.is_there(now));
        Report {
            transport: there.map(|(mailer, _)| mailer.transport.clone()),
            problem: desk.condition(now).problem(),
            delivered: desk.delivered.clone(),
            trouble: desk.trouble.clone(),
        }
    }

    /// What became of the last try of a mail.
    pub(super) fn last_try(&self, id: MailId) -> Option<Try> {
        let desk = self.desk();
        desk.last.iter().find(|(of, _)| *of == id).map(|(_, last)| last.clone())
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn condition(&self, now: Instant) -> Condition {
        let Some((mailer, _)) = self.mailer.as_ref().filter(|_| self.is_there(now)) else {
            return Condition::Unable("otpd-mail is not running here".into());
        };
        if let Some(problem) = &mailer.problem {
            return Condition::Unable(problem.clone());
        }
        let Some(trouble) = self.trouble.as_ref().filter(|_| !self.delivers) else { return Condition::Able };
        let advice = trouble.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
        Condition::Troubled(format!("the last mail was not taken: {}{advice}", trouble.answer))
    }

    /// Notes that otpd-mail is there. What another one had is free again, and what this one has had for too long.
    fn meet(&mut self, mailer: &wire::Mailer, now: Instant) {
        self.out.retain(|_, (instance, since)| {
            *instance == mailer.instance && now.saturating_duration_since(*since) < LONGEST_DELIVERY
        });
        self.mailer = Some((mailer.clone(), now));
    }

    /// Whether this is the otpd-mail that came last, and as it was then: it is still there. One that was killed or reloaded
    /// while it waited must not have what another one is to deliver.
    fn is_still(&mut self, mailer: &wire::Mailer, now: Instant) -> bool {
        let last = self.mailer.as_mut().filter(|(last, _)| last == mailer);
        last.map(|(_, at)| *at = now).is_some()
    }

    /// Gives a mail to a worker, unless another one has it.
    fn take(&mut self, id: MailId, mailer: &wire::Mailer) -> bool {
        let is_free = !self.out.contains_key(&id);
        if is_free {
            self.out.insert(id, (mailer.instance.clone(), monotonic()));
        }
        is_free
    }

    /// Whether otpd-mail asked for mails not long ago, or is delivering some.
    fn is_there(&self, now: Instant) -> bool {
        let asked = self.mailer.as_ref().is_some_and(|(_, at)| is_recent(*at, now));
        let delivers = |since: &Instant| now.saturating_duration_since(*since) < USUAL_DELIVERY;
        asked || self.out.values().any(|(_, since)| delivers(since))
    }

    fn note(&mut self, id: MailId, kind: MailKind, tried: Try) {
        self.last.retain(|(of, _)| *of != id);
        self.last.push_front((id, tried.clone()));
        self.last.truncate(REMEMBERED);
        match tried.outcome {
            wire::Outcome::Delivered => (self.delivers, self.delivered) = (true, Some(tried)),
            // Anybody can have a code mailed to an address that they made up; what a server replies to that says nothing of
            // this box.
            wire::Outcome::Later if kind == MailKind::Confirm && tried.answer.starts_with('4') => {}
            wire::Outcome::Later => (self.delivers, self.trouble) = (false, Some(tried)),
            // Of an address, as a rule, and not of the way there.
            wire::Outcome::Failed => {}
        }
    }
}

impl<R: Registry> Service<R> {
    /// Lets everybody go who waits for a mail.
    pub fn close_office(&self) {
        self.office.bell.stop();
    }

    /// Hands out the mail that is due, after waiting for one if need be.
    ///
    /// # Errors
    /// [`Failure`]: the caller is not otpd-mail, or the registry cannot be read.
    pub fn claim(
        &self,
        peer: Peer,
        call: &wire::ClaimParameters,
        clock: impl Fn() -> UnixTime,
    ) -> Result<wire::Claimed, Failure> {
        self.mailer(peer)?;
        let wait = Duration::from_secs(call.wait.unwrap_or(0).min(wire::LONGEST_WAIT).into());
        let begun = monotonic();
        let until = begun.checked_add(wait).unwrap_or(begun);
        self.office.desk().meet(&call.mailer, begun);
        loop {
            let heard = self.office.bell.rings();
            let message = self.next_mail(&call.mailer, &clock)?;
            let left = until.saturating_duration_since(monotonic());
            if message.is_some() || left.is_zero() {
                return Ok(wire::Claimed { message });
            }
            if !self.office.bell.wait(heard, self.until_next(&call.mailer, clock())?.min(left)) {
                return Ok(wire::Claimed { message: None });
            }
        }
    }

    /// How long it is worth waiting for the next mail.
    fn until_next(&self, mailer: &wire::Mailer, now: UnixTime) -> Result<Duration, Failure> {
        if mailer.problem.is_some() {
            return Ok(Duration::MAX);
        }
        let next = self.registry.next_mail()?;
        // One that is with another worker is due all the time.
        Ok(next.map_or(Duration::MAX, |next| next.since(now).max(BREATH)))
    }

    /// Writes down what became of a mail.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn done(
        &self,
        peer: Peer,
        call: &wire::DoneParameters,
        now: UnixTime,
    ) -> Result<wire::Settled, Failure> {
        self.mailer(peer)?;
        let nothing = || Failure::refused(Reason::NoSuchMail, "No such mail is waiting.");
        let id = MailId::from_hex(&call.id).ok_or_else(nothing)?;
        let due = self.registry.mail(id)?.ok_or_else(nothing)?;
        let answer = self.without_address(&due, &call.answer);
        let answer: String = answer.chars().filter(|c| !c.is_control()).take(LONGEST_ANSWER).collect();
        let advice = call.advice.as_ref().map(|advice| advice.chars().take(LONGEST_ANSWER).collect());
        let tried = Try { at: now, outcome: call.outcome, answer: answer.clone(), advice };
        let (fate, event) = match call.outcome {
            wire::Outcome::Delivered => (Fate::Delivered, None),
            wire::Outcome::Later => {
                let next = due.mail.kind.again(due.tries.saturating_add(1), now);
                (Fate::Later { next, answer }, None)
            }
            wire::Outcome::Failed => {
                let event = self.given_up(&due, now, Reason::MailRefused, &answer);
                (Fate::Failed { answer }, Some(event))
            }
        };
        self.registry.settle_mail(id, fate, event)?;
        let mut desk = self.office.desk();
        desk.out.remove(&id);
        desk.note(id, due.mail.kind, tried);
        Ok(wire::Settled {})
    }

    fn mailer(&self, peer: Peer) -> Result<(), Failure> {
        let role = match peer.raw_uid {
            _ if peer.is_root => Role::Root,
            uid if self.settings().mailer == Some(uid) => Role::Mailer,
            _ => Role::Other,
        };
        match permit(role, Request::Mail, State::Protected) {
            Permit::Free => Ok(()),
            _ => Err(Failure::refused(Reason::NotPermitted, "Mails are for otpd-mail alone.")),
        }
    }

    /// The next mail that is good for anything; what is past its use is given up on the way.
    fn next_mail(
        &self,
        mailer: &wire::Mailer,
        clock: impl Fn() -> UnixTime,
    ) -> Result<Option<wire::Message>, Failure> {
        if !self.office.desk().is_still(mailer, monotonic()) || mailer.problem.is_some() {
            return Ok(None);
        }
        loop {
            // What is written below may take a disk's time, in which nobody else is to wait.
            let out: Vec<MailId> = self.office.desk().out.keys().copied().collect();
            let now = clock();
            if out.len() >= MOST_OUT {
                return Ok(None);
            }
            let Some(due) = self.registry.due_mail(now, &out)? else { return Ok(None) };
            let reason = match self.read_mail(&due, now) {
                Ok(message) if self.office.desk().take(due.mail.id, mailer) => return Ok(Some(message)),
                // Another worker was quicker.
                Ok(_) => continue,
                Err(reason) => reason,
            };
            let why = if reason == Reason::MailExpired { "it came past its use" } else { "it does not open" };
            let event = self.given_up(&due, now, reason, why);
            let fate = Fate::Failed { answer: why.to_owned() };
            self.registry.settle_mail(due.mail.id, fate, Some(event))?;
        }
    }

    fn read_mail(&self, due: &Due, now: UnixTime) -> Result<wire::Message, Reason> {
        let mail = &due.mail;
        if now >= mail.expires || mail.at.since(now) > mail.kind.keeps() {
            return Err(Reason::MailExpired);
        }
        self.open_mail(due).ok_or(Reason::BadKey)
    }

    /// What a server said, without the address that it said it of: administrators read it, and the audit log keeps it.
    fn without_address(&self, due: &Due, answer: &str) -> String {
        let to = self.open_mail(due).and_then(|message| Address::parse(&message.to).ok());
        to.map_or_else(|| answer.to_owned(), |to| answer.replace(to.expose_whole(), &to.masked()))
    }

    fn open_mail(&self, due: &Due) -> Option<wire::Message> {
        let facts = self.keys.open_mail(due.mail.id, &due.mail.sealed).ok()?;
        serde_json::from_slice(&facts).ok()
    }

    /// The end of a mail that nobody got.
    fn given_up(&self, due: &Due, now: UnixTime, reason: Reason, answer: &str) -> Event {
        let user = self.open_mail(due).map_or_else(|| "-".to_owned(), |message| message.user);
        let tries = due.tries.saturating_add(u32::from(reason == Reason::MailRefused));
        let what = match due.mail.kind {
            MailKind::Confirm => "a code for an address",
            MailKind::Code => "a code for a login",
            MailKind::Notice => "a notice",
            MailKind::Test => "a test",
        };
        Event {
            detail: Some(format!("{what}, given up after {tries} tries: {answer}")),
            ..Event::blank(now, &user, "otpd-mail", Kind::Mail, Decision::Refuse, reason)
        }
    }
}

fn is_recent(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) < ABSENT_AFTER
}

/// otpd-mail asks at least every 30 seconds.
const ABSENT_AFTER: Duration = Duration::from_secs(45);
/// The longest deadline of a message, and a little.
const LONGEST_DELIVERY: Duration = Duration::from_secs(330);
/// As long as most configurations have it.
const USUAL_DELIVERY: Duration = Duration::from_secs(90);
const BREATH: Duration = Duration::from_millis(250);
const HOUR: Duration = Duration::from_secs(3600);
const MOST_UNPROVEN: usize = 60;
const MOST_OUT: usize = 32;
const REMEMBERED: usize = 32;
const LONGEST_ANSWER: usize = 500;
