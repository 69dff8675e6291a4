//! Writing mails: what the owner of an account is told, and the codes they get by mail. They are sealed here and go into
//! the outbox with the change that they tell of; nobody waits for a mail server.

use otpd_core::account::Account;
use otpd_core::address::Address;
use otpd_core::notice::Notice;
use otpd_core::outbox::Mail;
use otpd_core::outbox::MailKind;
use otpd_core::registry::Journal;
use otpd_core::short_code::ShortCode;
use otpd_core::throttle::Lane;
use otpd_core::throttle::Throttle;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::mail as wire;

use super::prompt;
use crate::keys::KeyError;
use crate::keys::Keys;
use crate::keys::new_mail_id;
use crate::settings::Settings;

/// What writing a mail takes.
#[derive(Clone, Copy)]
pub(super) struct Post<'a> {
    pub(super) keys: &'a Keys,
    pub(super) settings: &'a Settings,
    pub(super) now: UnixTime,
}

/// What a mail says, beside what it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    /// The service of a login.
    pub(super) service: Option<String>,
    /// The address of a login.
    pub(super) address: Option<String>,
    /// The device, or the code that stood for one.
    pub(super) device: Option<String>,
    /// Anything else.
    pub(super) detail: Option<String>,
}

impl Facts {
    /// About a device.
    pub(super) fn of_device(name: &str) -> Self {
        Self { device: Some(name.to_owned()), ..Self::default() }
    }
}

impl Post<'_> {
    /// Tells the owner what happened: by mail, wherever one is read or was until not long ago, and by a line at the next
    /// login. Nobody can turn this off but who reads the mails.
    pub(super) fn tell(
        self,
        account: &mut Account,
        notice: Notice,
        facts: &Facts,
        journal: &mut Journal,
    ) -> Result<(), KeyError> {
        self.notices(account, notice, facts)?.into_iter().for_each(|mail| journal.post(mail));
        leave_word(account, notice, facts, self.now);
        Ok(())
    }

    /// What is mailed of it: to every address that is read, or was until not long ago.
    pub(super) fn notices(
        self,
        account: &Account,
        notice: Notice,
        facts: &Facts,
    ) -> Result<Vec<Mail>, KeyError> {
        let mut mails = Vec::new();
        for email in account.emails.told(self.now) {
            let Ok(address) = self.keys.open_address(account.id, email) else {
                // Without the key (offline), or damaged: no reason to leave undone what is to be told.
                log::warn!("an address of {} does not open; it is told nothing", account.identity.name);
                continue;
            };
            let letter = wire::Message {
                notice: Some(notice.as_str().to_owned()),
                ..self.letter(account, MailKind::Notice, &address, facts)
            };
            mails.push(self.seal(Some(account), MailKind::Notice, letter)?);
        }
        Ok(mails)
    }

    /// Tells the owner that a lane closed, if it did since it had so many failures.
    pub(super) fn tell_if_closed(
        self,
        account: &mut Account,
        (lane, before): (Lane, u32),
        facts: &Facts,
        journal: &mut Journal,
    ) -> Result<(), KeyError> {
        let failures = account.lane(lane).failures;
        if before >= Throttle::CLOSES_AT || failures < Throttle::CLOSES_AT {
            return Ok(());
        }
        let facts = Facts { detail: Some(lane.to_string()), ..facts.clone() };
        self.tell(account, Notice::LaneClosed, &facts, journal)
    }

    /// Mails a code to a secure email.
    pub(super) fn send_code(
        self,
        account: &Account,
        to: &Address,
        (kind, code): (MailKind, &ShortCode),
        facts: &Facts,
        journal: &mut Journal,
    ) -> Result<(), KeyError> {
        let code = Secret::new(code.expose_grouped().to_string());
        let letter = wire::Message { code: Some(code), ..self.letter(account, kind, to, facts) };
        journal.post(self.seal(Some(account), kind, letter)?);
        Ok(())
    }

    /// A mail that says no more than that mails arrive.
    pub(super) fn test(
        self,
        address: &Address,
        language: Option<String>,
        by: &str,
    ) -> Result<Mail, KeyError> {
        let letter = self.blank(MailKind::Test, address, language, by);
        self.seal(None, MailKind::Test, letter)
    }

    fn letter(&self, account: &Account, kind: MailKind, address: &Address, facts: &Facts) -> wire::Message {
        let user = account.identity.name.as_str();
        let facts = facts.clone();
        wire::Message {
            service: facts.service,
            address: facts.address,
            device: facts.device,
            detail: facts.detail,
            ..self.blank(kind, address, account.language.clone(), user)
        }
    }

    fn blank(&self, kind: MailKind, to: &Address, language: Option<String>, user: &str) -> wire::Message {
        wire::Message {
            id: String::new(),
            kind: match kind {
                MailKind::Confirm => wire::Kind::Confirm,
                MailKind::Code => wire::Kind::Code,
                MailKind::Notice => wire::Kind::Notice,
                MailKind::Test => wire::Kind::Test,
            },
            to: to.expose_whole().to_owned(),
            language,
            user: user.to_owned(),
            host: self.settings.issuer.clone(),
            at: self.now.0,
            code: None,
            expires: self.now.plus(kind.keeps()).0,
            notice: None,
            service: None,
            address: None,
            device: None,
            detail: None,
        }
    }

    fn seal(
        &self,
        account: Option<&Account>,
        kind: MailKind,
        letter: wire::Message,
    ) -> Result<Mail, KeyError> {
        let id = new_mail_id()?;
        let letter = wire::Message { id: id.to_hex(), ..letter };
        let facts = serde_json::to_vec(&letter).map(zeroize::Zeroizing::new);
        let facts = facts.map_err(|error| KeyError::Random(error.to_string()))?;
        let sealed = self.keys.seal_mail(id, &facts)?;
        let account = account.map(|account| account.id);
        Ok(Mail { id, account, kind, sealed, at: self.now, expires: self.now.plus(kind.keeps()) })
    }
}

/// Says what happened in one line for the next login.
pub(super) fn leave_word(account: &mut Account, notice: Notice, facts: &Facts, now: UnixTime) {
    let device = facts.device.as_deref();
    let what = match (notice, device) {
        (Notice::RecoveryUsed, Some(MAILED_CODE)) => "A mailed code was used",
        (Notice::RecoveryUsed, Some(ENROL_CODE)) => "An enrol code was used",
        _ => notice.in_words(),
    };
    let named = device.filter(|name| notice != Notice::RecoveryUsed && name.is_ascii());
    let named = named.map(|name| format!(" ({name:?})")).unwrap_or_default();
    let (date, time) = (prompt::date(now), prompt::clock(now));
    account.tell(what, &format!("{what} {date} {time}{named}; not you? Tell an administrator."));
}

/// What stands for a device in an event, a notice and an accepted login, where a code let somebody in that is of none.
pub(super) const MAILED_CODE: &str = "mailed code";
/// The same for an enrol code.
pub(super) const ENROL_CODE: &str = "enrol code";
