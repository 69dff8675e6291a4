//! `email`: secure emails, and the conversation in which an address is added and proven.

use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::AddEmailParameters;
use otpd_proto::account::ConfirmEmailParameters;
use otpd_proto::account::Email;
use otpd_proto::account::EmailAdded;
use otpd_proto::account::EmailConfirmed;
use otpd_proto::account::EmailRemoved;
use otpd_proto::account::Emails;
use otpd_proto::account::EmailsParameters;
use otpd_proto::account::RemoveEmailParameters;

use super::Session;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::prompt;
use crate::when::Clock;

/// Adds, proves, shows or removes them.
pub(crate) fn email(session: &Session, typed: cli::Email) -> Result<Exit, Failure> {
    match typed {
        cli::Email::Add(add) => add_one(session, add),
        cli::Email::Confirm(confirm) => confirm_one(session, &confirm),
        cli::Email::List(whose) => list(session, whose.user),
        cli::Email::Remove(remove) => remove_one(session, remove),
    }
}

/// Leads through the first secure email, which comes before the first device.
pub(super) fn lead(session: &Session, user: Option<&str>) -> Result<(), Failure> {
    session.output.lines(&[
        Line::new().then(Tone::Strong, "First a secure email"),
        "If the phone is lost, a code is mailed there; and you are told what happens to the account.".into(),
        Line::new(),
    ])?;
    for _ in 0..ATTEMPTS {
        let Some(address) = prompt::line(&session.output, "Address:")? else { return Err(declined()) };
        match add(session, user, &address, language(), None) {
            Ok(added) => return prove(session, user, &added.email).map(drop),
            Err(failure) if failure.reason == "bad_address" => session.output.remark(&failure.message)?,
            Err(failure) => return Err(failure),
        }
    }
    Err(declined())
}

/// The secure emails of an account.
pub(super) fn fetch(session: &Session, user: Option<String>) -> Result<Emails, Failure> {
    session.calls.call(account::EMAILS, &EmailsParameters { user })
}

/// Those that count, as a list of words.
pub(super) fn in_words(emails: &[Email], clock: &Clock) -> Option<String> {
    let counting = emails.iter().filter(|email| email.state == "confirmed");
    let words = counting.map(|email| match email.recovers.filter(|recovers| *recovers > clock.now()) {
        Some(recovers) => format!("{} (from {} on)", email.address, clock.short(recovers)),
        None => email.address.clone(),
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn add_one(session: &Session, typed: cli::AddEmail) -> Result<Exit, Failure> {
    let (user, address) = typed.parts().ok_or_else(|| Failure::usage("name an address"))?;
    let language = typed.language.or_else(language);
    let code = proof::given(session, &typed.proof)?;
    let user = user.as_deref();
    let added =
        proof::with_proof(session, code, |code| add(session, user, &address, language.clone(), code))?;
    if typed.begin || session.output.is_json() || !prompt::is_possible() {
        session.output.result(&added, || vec![waiting(&added.email, user).into()])?;
        return Ok(Exit::Ok);
    }
    let confirmed = prove(session, user, &added.email)?;
    session.output.lines(&counts(&confirmed))?;
    Ok(Exit::Ok)
}

fn add(
    session: &Session,
    user: Option<&str>,
    address: &str,
    language: Option<String>,
    code: Option<Secret>,
) -> Result<EmailAdded, Failure> {
    let (user, address) = (user.map(str::to_owned), address.to_owned());
    session.calls.call(account::ADD_EMAIL, &AddEmailParameters { user, address, language, code })
}

/// Asks for the code from the mail until it is right.
fn prove(session: &Session, user: Option<&str>, email: &Email) -> Result<Email, Failure> {
    let sent = format!(
        "A code was mailed to {}. It may take a minute; look into the spam folder too.",
        email.address
    );
    session.output.lines(&[sent.into()])?;
    for _ in 0..ATTEMPTS {
        let Some(code) = prompt::code(&session.output, "Code from the mail:")? else {
            return Err(Failure::new(Exit::Refused, "declined", waiting(email, user)));
        };
        match give(session, user, code) {
            Err(failure) if failure.asks_for_another_code() => session.output.remark(&failure.message)?,
            outcome => return outcome,
        }
    }
    Err(Failure::new(Exit::Code, "code_wrong", waiting(email, user)))
}

fn give(session: &Session, user: Option<&str>, code: Secret) -> Result<Email, Failure> {
    let parameters = ConfirmEmailParameters { user: user.map(str::to_owned), code };
    let confirmed: EmailConfirmed = session.calls.call(account::CONFIRM_EMAIL, &parameters)?;
    Ok(confirmed.email)
}

fn confirm_one(session: &Session, typed: &cli::ConfirmEmail) -> Result<Exit, Failure> {
    let (user, code) = typed.parts().ok_or_else(|| Failure::usage("name the code from the mail"))?;
    let code = prompt::or_standard_input(Some(code), "Code", &session.output)?
        .ok_or_else(|| Failure::usage("name the code from the mail"))?;
    let email = give(session, user.as_deref(), code)?;
    session.output.result(&EmailConfirmed { email: email.clone() }, || counts(&email))?;
    Ok(Exit::Ok)
}

fn list(session: &Session, user: Option<String>) -> Result<Exit, Failure> {
    let found = fetch(session, user.clone())?;
    session.output.result(&found, || {
        let clock = Clock::read();
        let mut lines: Vec<Line> = found.emails.iter().map(|email| row(email, &clock)).collect();
        if lines.is_empty() {
            let user = user.map(|user| format!("{user} ")).unwrap_or_default();
            lines.push(format!("No secure email. Add one: otpctl email add {user}ADDRESS").into());
        }
        lines.extend(found.mail_problem.as_ref().map(|problem| cannot(problem)));
        lines
    })?;
    Ok(Exit::Ok)
}

fn remove_one(session: &Session, typed: cli::RemoveEmail) -> Result<Exit, Failure> {
    let (user, email) = typed.parts().ok_or_else(|| Failure::usage("name an address, or its number"))?;
    let code = proof::given(session, &typed.proof)?;
    let removed: EmailRemoved = proof::with_proof(session, code, |code| {
        let parameters = RemoveEmailParameters { user: user.clone(), email: email.clone(), code };
        session.calls.call(account::REMOVE_EMAIL, &parameters)
    })?;
    session.output.result(&removed, || {
        let mut lines: Vec<Line> = vec![format!("{} is removed.", removed.email.address).into()];
        if removed.email.state == "removed"
            && let Some(until) = removed.email.until
        {
            let until = Clock::read().short(until);
            lines.push(format!("Until {until} it is still told what happens to the account.").into());
        }
        if removed.remaining == 0 {
            let warning =
                "No secure email is left: if every device is lost, recovery codes are the only way back.";
            lines.push(Line::new().then(Tone::Warn, warning));
        }
        lines
    })?;
    Ok(Exit::Ok)
}

fn row(email: &Email, clock: &Clock) -> Line {
    let line = Line::new()
        .then(Tone::Dim, format!("{:>3}  ", email.id))
        .then(Tone::Strong, &email.address)
        .padded(ADDRESS_WIDTH)
        .plain("  ");
    let until = email.until.map(|until| clock.short(until)).unwrap_or_default();
    match (email.state.as_str(), email.recovers) {
        ("confirmed", Some(recovers)) if recovers > clock.now() => {
            line.then(Tone::Warn, format!("can be used to get back in from {} on", clock.short(recovers)))
        }
        ("confirmed", _) => line.then(Tone::Good, "can be used to get back in"),
        ("pending", _) => line.then(Tone::Warn, format!("waits for its code until {until}")),
        ("removed", _) => line.then(Tone::Dim, format!("removed; told what happens until {until}")),
        (other, _) => line.plain(other),
    }
}

fn counts(email: &Email) -> Vec<Line> {
    let clock = Clock::read();
    let mut lines = vec![Line::new().then(Tone::Good, format!("{} is a secure email now.", email.address))];
    if let Some(recovers) = email.recovers.filter(|recovers| *recovers > clock.now()) {
        let from = clock.short(recovers);
        lines
            .push(format!("From {from} on it can be used to get back in; until then the others are.").into());
    }
    lines
}

/// The line about a box that mails nothing.
pub(super) fn cannot(problem: &str) -> Line {
    Line::new().then(Tone::Warn, "No mail goes out").plain(format!(": {problem}."))
}

fn waiting(email: &Email, user: Option<&str>) -> String {
    let user = user.map(|user| format!("{user} ")).unwrap_or_default();
    let until = email.until.map(|until| Clock::read().hour_and_minute(until)).unwrap_or_default();
    format!(
        "A code was mailed to {}. It counts once that is typed, until {until}: otpctl email confirm {user}CODE",
        email.address
    )
}

fn declined() -> Failure {
    Failure::new(Exit::Refused, "declined", "nothing was changed")
}

/// What the person's own programs speak.
#[expect(clippy::disallowed_methods, reason = "locale(7): the environment is where the language stands")]
pub(super) fn language() -> Option<String> {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let set =
        names.into_iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty())?;
    let word = set.split(['.', '@']).next().unwrap_or_default().to_owned();
    let is_plain = word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_plain && !matches!(word.as_str(), "" | "C" | "POSIX")).then_some(word)
}

const ATTEMPTS: u32 = 3;
/// Columns of numbers and addresses.
const ADDRESS_WIDTH: usize = 34;
