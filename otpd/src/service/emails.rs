//! Secure emails: added, confirmed, listed, removed.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::address::Address;
use otpd_core::emails::CannotAdd;
use otpd_core::emails::Confirmation;
use otpd_core::emails::Email;
use otpd_core::emails::Emails;
use otpd_core::emails::Stage;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::notice::Notice;
use otpd_core::outbox::MailKind;
use otpd_core::policy::RequireEmail;
use otpd_core::registry::Registry;
use otpd_core::short_code::ShortCode;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;
use otpd_proto::account as wire;

use super::Failure;
use super::Parties;
use super::Service;
use super::office::Condition;
use super::post::Facts;
use super::post::Post;
use super::prompt;
use super::proof::Asked;
use crate::clock;
use crate::keys::Keys;
use crate::keys::new_short_code;
use crate::peer::Peer;
use crate::permit::Request;
use crate::permit::Role;
use crate::settings::Settings;

impl<R: Registry> Service<R> {
    /// The secure emails of an account.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn emails(
        &self,
        peer: Peer,
        call: &wire::EmailsParameters,
        now: UnixTime,
    ) -> Result<wire::Emails, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let account = self.read_permitted(&parties, Request::Emails, now)?;
        let emails = account.map(|account| self.wire_emails(&parties, &account, now)).unwrap_or_default();
        Ok(wire::Emails { emails, mail_problem: self.mail_problem() })
    }

    /// Mails a code to an address, which is a secure email once the code comes back.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn add_email(
        &self,
        peer: Peer,
        call: &wire::AddEmailParameters,
        now: UnixTime,
    ) -> Result<wire::EmailAdded, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let checked = self
            .check_address(&call.address)
            .and_then(|address| Ok((address, call.language.as_deref().map(check_language).transpose()?)));
        let (address, language) = match checked {
            Ok(checked) => checked,
            Err(failure) => return self.refuse(&parties, now, Kind::EmailAdd, failure),
        };
        if parties.role == Role::Owner && self.office.is_busy(clock::monotonic()) {
            let failure = Failure::refused(Reason::TooManyMails, MANY_UNPROVEN);
            return self.refuse(&parties, now, Kind::EmailAdd, failure);
        }
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::AddEmail, kind: Kind::EmailAdd, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, event, journal| {
            event.detail = Some(address.masked());
            account.emails.check_room(now).map_err(cannot_add)?;
            check_new(account, &address, &keys)?;
            let postage = account.postage_mut(Lane::Own);
            postage.send(now).map_err(too_many_mails)?;
            let code = new_short_code()?;
            let mark = keys.mark(account.id, code.expose_symbols());
            let sealed = keys.seal_address(account.id, account.emails.next_number(), &address)?;
            let number = account.emails.add(sealed, mark, now).map_err(cannot_add)?;
            if language.is_some() {
                account.language.clone_from(&language);
            }
            let email = find(&account.emails, number)?;
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            post.send_code(account, &address, (MailKind::Confirm, &code), &Facts::default(), journal)?;
            Ok(wire::EmailAdded { email: wire_email(email, deciding.show(Some(&address))) })
        })
        .inspect(|_| self.office.note_unproven(clock::monotonic()))
    }

    /// Takes the code that was mailed to an address.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn confirm_email(
        &self,
        peer: Peer,
        call: &wire::ConfirmEmailParameters,
        now: UnixTime,
    ) -> Result<wire::EmailConfirmed, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let Some(code) = ShortCode::parse(call.code.expose_secret()) else {
            let failure =
                Failure::refused(Reason::CodeMalformed, "The code from the mail has 8 letters and digits.");
            return self.refuse(&parties, now, Kind::EmailConfirm, failure);
        };
        let (deciding, keys) = (parties.clone(), Arc::clone(&self.keys));
        let asked = Asked { request: Request::ConfirmEmail, kind: Kind::EmailConfirm, code: None, now };
        self.change_permitted(&parties, &asked, move |account, event, journal| {
            let waiting = account.emails.pending(now);
            let address = waiting.map(|email| keys.open_address(account.id, email)).transpose()?;
            let mark = keys.mark(account.id, code.expose_symbols());
            let number = match account.emails.confirm(mark, deciding.settings.recovery.hold, now) {
                Confirmation::Confirmed(number) => number,
                Confirmation::Wrong => return Err(Failure::refused(Reason::CodeWrong, WRONG)),
                Confirmation::NothingWaits => {
                    return Err(Failure::refused(Reason::NoSuchEmail, NOTHING_WAITS));
                }
            };
            let email = find(&account.emails, number)?.clone();
            let address = address.ok_or_else(|| Failure::refused(Reason::NoSuchEmail, NOTHING_WAITS))?;
            event.detail = Some(address.masked());
            let facts = Facts { detail: Some(address.masked()), ..Facts::default() };
            let post = Post { keys: &keys, settings: &deciding.settings, now };
            post.tell(account, Notice::EmailAdded, &facts, journal)?;
            Ok(wire::EmailConfirmed { email: wire_email(&email, deciding.show(Some(&address))) })
        })
    }

    /// Removes a secure email.
    ///
    /// # Errors
    /// [`Failure`]; nothing changed but, for a wrong code, the throttle.
    pub fn remove_email(
        &self,
        peer: Peer,
        call: &wire::RemoveEmailParameters,
        now: UnixTime,
    ) -> Result<wire::EmailRemoved, Failure> {
        let parties = self.parties(peer, call.user.as_deref())?;
        let (deciding, keys, named) = (parties.clone(), Arc::clone(&self.keys), call.email.clone());
        let asked =
            Asked { request: Request::RemoveEmail, kind: Kind::EmailRemove, code: call.code.as_ref(), now };
        self.change_permitted(&parties, &asked, move |account, event, journal| {
            account.emails.expire(now);
            let (email, address) = named_email(account, &named, &keys)?;
            let masked = address.as_ref().map_or_else(|| SEALED.to_owned(), Address::masked);
            event.detail = Some(masked.clone());
            deciding.may_remove(account, &email)?;
            if matches!(email.stage, Stage::Confirmed { .. }) {
                let facts = Facts { detail: Some(masked), ..Facts::default() };
                let post = Post { keys: &keys, settings: &deciding.settings, now };
                post.tell(account, Notice::EmailRemoved, &facts, journal)?;
            }
            account.emails.remove(email.number, deciding.settings.recovery.hold, now);
            let email = account.emails.0.iter().find(|left| left.number == email.number).unwrap_or(&email);
            let remaining = u32::try_from(account.emails.confirmed().count()).unwrap_or(u32::MAX);
            Ok(wire::EmailRemoved { email: wire_email(email, deciding.show(address.as_ref())), remaining })
        })
    }

    /// Why this box cannot send mail, as far as is known.
    pub(super) fn mail_problem(&self) -> Option<String> {
        self.office.condition(clock::monotonic()).in_short().map(ToOwned::to_owned)
    }

    /// The secure emails of an account as this caller may see them. Without the key (offline) they are there all the same.
    pub(super) fn wire_emails(
        &self,
        parties: &Parties,
        account: &Account,
        now: UnixTime,
    ) -> Vec<wire::Email> {
        let mut emails = account.emails.clone();
        emails.expire(now);
        let shown = emails.0.iter().map(|email| {
            let address = self.keys.open_address(account.id, email).ok();
            wire_email(email, parties.show(address.as_ref()))
        });
        shown.collect()
    }

    /// Whether the policy wants a secure email before the first device.
    pub(super) fn wants_email(&self, settings: &Settings) -> bool {
        match settings.recovery.require_email {
            RequireEmail::Never => false,
            RequireEmail::Always => true,
            RequireEmail::IfMailWorks => {
                !matches!(self.office.condition(clock::monotonic()), Condition::Unable(_))
            }
        }
    }

    fn check_address(&self, typed: &str) -> Result<Address, Failure> {
        let address = Address::parse(typed).map_err(|why| {
            Failure::refused(Reason::BadAddress, format!("That is no address for mail: {why}."))
        })?;
        match self.office.condition(clock::monotonic()) {
            Condition::Able | Condition::Troubled(_) => Ok(address),
            Condition::Unable(_) => Err(Failure::refused(Reason::NoMail, NO_MAIL)),
        }
    }
}

impl Parties {
    /// An address as this caller may see it.
    fn show(&self, address: Option<&Address>) -> String {
        match (address, self.role) {
            (None, _) => SEALED.to_owned(),
            (Some(address), Role::Owner | Role::Root) => address.expose_whole().to_owned(),
            (Some(address), _) => address.masked(),
        }
    }

    /// Refuses the owner a first device without a secure email, if one is wanted. Root may bind without.
    pub(super) fn need_email(&self, account: &Account, wanted: bool) -> Result<(), Failure> {
        let has_one = account.is_protected() || account.emails.confirmed().next().is_some();
        if !wanted || has_one || self.role != Role::Owner {
            return Ok(());
        }
        Err(Failure::refused(Reason::EmailNeeded, EMAIL_NEEDED))
    }

    /// Refuses to remove the last address that counts while the policy demands one. Root may.
    fn may_remove(&self, account: &Account, email: &Email) -> Result<(), Failure> {
        let is_demanded = self.settings.recovery.require_email == RequireEmail::Always;
        let mut others = account.emails.confirmed().filter(|other| other.number != email.number);
        let is_last = matches!(email.stage, Stage::Confirmed { .. }) && others.next().is_none();
        if self.role == Role::Owner && is_demanded && is_last && account.is_protected() {
            return Err(Failure::refused(
                Reason::EmailNeeded,
                "A secure email is required of this account. Add the new one first (otpctl email add), then remove this one.",
            ));
        }
        Ok(())
    }
}

/// A secure email as callers see it.
fn wire_email(email: &Email, address: String) -> wire::Email {
    let (state, recovers, until) = match &email.stage {
        Stage::Pending(waiting) => ("pending", None, Some(waiting.expires.0)),
        Stage::Confirmed { recovers } => ("confirmed", Some(recovers.0), None),
        Stage::Removed { until } => ("removed", None, Some(until.0)),
    };
    wire::Email { id: email.number, address, state: state.to_owned(), added: email.added.0, recovers, until }
}

pub(super) fn check_language(language: &str) -> Result<String, Failure> {
    // As in LANG: what stands behind the language and the country is of no use to a mail.
    let plain = language.split(['.', '@']).next().unwrap_or_default();
    let is_word =
        |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if (1..=16).contains(&plain.len()) && is_word(plain) {
        return Ok(plain.to_owned());
    }
    Err(Failure::refused(Reason::BadParameters, "language: a word such as \"zh_CN\" is expected."))
}

/// Each address counts once.
fn check_new(account: &Account, address: &Address, keys: &Keys) -> Result<(), Failure> {
    for email in account.emails.confirmed() {
        if keys.open_address(account.id, email).is_ok_and(|other| other == *address) {
            return Err(Failure::refused(
                Reason::AddressInUse,
                "That is a secure email of this account already.",
            ));
        }
    }
    Ok(())
}

/// The email of this address or number, and its address, if that opens.
fn named_email(account: &Account, named: &str, keys: &Keys) -> Result<(Email, Option<Address>), Failure> {
    let typed = Address::parse(named).ok();
    for email in account.emails.0.iter().filter(|email| !matches!(email.stage, Stage::Removed { .. })) {
        let address = keys.open_address(account.id, email).ok();
        if (typed.is_some() && typed == address) || named == email.number.to_string() {
            return Ok((email.clone(), address));
        }
    }
    Err(no_such_email())
}

/// The refusal for a secure email that is not there.
pub(super) fn no_such_email() -> Failure {
    Failure::refused(
        Reason::NoSuchEmail,
        "This account has no such secure email; otpctl email list shows those it has.",
    )
}

fn find(emails: &Emails, number: u32) -> Result<&Email, Failure> {
    let found = emails.0.iter().find(|email| email.number == number);
    found.ok_or_else(|| Failure::refused(Reason::NoSuchEmail, NOTHING_WAITS))
}

fn cannot_add(cannot: CannotAdd) -> Failure {
    let say = match cannot {
        CannotAdd::TooMany => {
            format!("There are {} secure emails already; remove one first: otpctl email remove", Emails::MOST)
        }
        CannotAdd::TooManyChanges => {
            format!("{} secure emails were removed not long ago; try again tomorrow.", Emails::MOST_REMOVED)
        }
    };
    Failure::refused(Reason::TooManyEmails, say)
}

fn too_many_mails(again: UnixTime) -> Failure {
    Failure::Refused {
        reason: Reason::TooManyMails,
        say: format!(
            "Several mails were sent already; the next one can be sent at {}.",
            prompt::clock(again)
        ),
        until: Some(again),
    }
}

/// In the place of an address that does not open.
const SEALED: &str = "(sealed)";
const WRONG: &str = "That is not the code of the mail. The newest mail has the one that counts.";
const NOTHING_WAITS: &str =
    "No address is waiting for a code; a code is good for 10 minutes. Begin anew with otpctl email add.";
const MANY_UNPROVEN: &str = "Many addresses were given on this box in the last hour; try again in a while.";
const NO_MAIL: &str = "This box is not set up to send mail. An administrator can see why: otpctl mail status";
const EMAIL_NEEDED: &str =
    "A secure email comes first, so that you get back in when the phone is lost: otpctl email add ADDRESS";
