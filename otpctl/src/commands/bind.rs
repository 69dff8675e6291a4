//! `bind`: begins a device, shows its key, and proves it with a code, in one conversation.

use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::BeginParameters;
use otpd_proto::account::Begun;
use otpd_proto::account::ConfirmParameters;
use otpd_proto::account::Confirmed;

use super::Session;
use super::confirm;
use super::email;
use super::proof;
use super::status;
use crate::cli;
use crate::cli::Algorithm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::key;
use crate::output::line::Line;
use crate::prompt;
use crate::qr::Symbol;
use crate::qr::file::QrFile;
use crate::when::Clock;

mod screen;

/// Binds a device, or with `--begin` only begins to.
pub(crate) fn bind(session: &Session, typed: cli::Bind) -> Result<Exit, Failure> {
    check_form(session, &typed)?;
    let mut file = QrFile::reserve(&typed.qr)?;
    let ink = typed.qr.ink(&session.output);
    let (user, begins_only) = (typed.user.clone(), typed.begin);
    let begun = match begin(session, &typed) {
        Err(failure) if failure.reason == "email_needed" && !begins_only => {
            email::lead(session, user.as_deref())?;
            begin(session, &typed)?
        }
        begun => begun?,
    };
    if !begins_only && !session.output.is_json() {
        tell_of_email(session, user.as_deref())?;
    }
    let symbol =
        if ink.is_some() || file.is_some() { Some(Symbol::of(begun.uri.expose_secret())?) } else { None };
    if let (Some(file), Some(symbol)) = (&mut file, &symbol) {
        file.fill(symbol)?;
    }
    if session.output.is_json() {
        session.output.object(&begun)?;
        return Ok(Exit::Ok);
    }
    let drawn = symbol.filter(|_| file.is_none()).zip(ink);
    session.output.lines(&screen::lines(&begun, drawn, session.output.size(), &Clock::read()))?;
    if let Some(file) = &file {
        session.output.lines(&[format!(
            "The QR code is in {}. It holds the key: delete it after scanning.",
            file.path().display()
        )
        .into()])?;
    }
    if begins_only {
        session.output.lines(&[next_step(&begun, user.as_deref())])?;
        return Ok(Exit::Ok);
    }
    let confirmed = prove(session, &begun, user.as_deref())?;
    let mut lines = vec![Line::new()];
    lines.extend(confirm::text(&confirmed, user.as_deref(), &Clock::read()));
    if confirmed.first {
        lines.extend(way_back(session, user)?);
    }
    session.output.lines(&lines)?;
    Ok(Exit::Ok)
}

/// What must be settled before a key is made.
fn check_form(session: &Session, typed: &cli::Bind) -> Result<(), Failure> {
    if typed.begin {
        return Ok(());
    }
    if session.output.is_json() {
        return Err(Failure::usage(
            "a conversation cannot be JSON. Use: otpctl bind --begin --json, then otpctl confirm",
        ));
    }
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "bind asks for a code of the new device, and standard input is not a terminal. \
             Use: otpctl bind --begin, then otpctl confirm",
        ));
    }
    Ok(())
}

fn begin(session: &Session, typed: &cli::Bind) -> Result<Begun, Failure> {
    let key = prompt::or_standard_input(typed.key.clone(), "Key", &session.output)?;
    let read = if typed.hex { key::from_hex } else { key::normalise };
    let key = key.map(|key| read(&key)).transpose()?;
    let counter = typed.hotp.then(|| typed.counter.unwrap_or(0));
    let code = proof::given(session, &typed.proof)?;
    proof::with_proof(session, code, |code| {
        let parameters = BeginParameters {
            user: typed.user.clone(),
            name: typed.name.clone(),
            key: key.clone(),
            algorithm: typed.algorithm.map(|algorithm| Algorithm::name(algorithm).to_owned()),
            digits: typed.digits,
            period: typed.period,
            counter,
            replaces: typed.replace.clone(),
            code,
        };
        session.calls.call(account::BEGIN, &parameters)
    })
}

/// Asks for codes of the new device until one is right.
fn prove(session: &Session, begun: &Begun, user: Option<&str>) -> Result<Confirmed, Failure> {
    for attempt in 1..=ATTEMPTS {
        let Some(code) = prompt::code(&session.output, QUESTION)? else {
            return Err(Failure::new(Exit::Refused, "declined", unproven(begun, user)));
        };
        let failure = match confirm_with(session, begun, user, code) {
            Err(failure) if failure.asks_for_another_code() => failure,
            outcome => return outcome,
        };
        if attempt == ATTEMPTS {
            return Err(failure.advise(&unproven(begun, user)));
        }
        session.output.remark(&failure.message)?;
        if attempt == TELL_TIME_AT {
            session.output.remark(&this_time(session, user)?)?;
        }
    }
    Err(Failure::new(Exit::Code, "code_wrong", unproven(begun, user)))
}

fn confirm_with(
    session: &Session,
    begun: &Begun,
    user: Option<&str>,
    code: Secret,
) -> Result<Confirmed, Failure> {
    let parameters =
        ConfirmParameters { user: user.map(str::to_owned), device: begun.device.to_string(), code };
    session.calls.call(account::CONFIRM, &parameters)
}

/// Before the first device anybody at the account's programs can have given an address: its owner is to see it.
fn tell_of_email(session: &Session, user: Option<&str>) -> Result<(), Failure> {
    let status = status::fetch(session, user.map(str::to_owned))?;
    let Some(emails) = email::in_words(&status.emails, &Clock::read()).filter(|_| !status.protected) else {
        return Ok(());
    };
    let line = format!("Secure email: {emails}. Not yours? Remove it first: otpctl email remove");
    Ok(session.output.lines(&[line.into()])?)
}

/// What there is beside the recovery codes when the phone is lost.
fn way_back(session: &Session, user: Option<String>) -> Result<Vec<Line>, Failure> {
    let found = email::fetch(session, user)?;
    Ok(match (email::in_words(&found.emails, &Clock::read()), found.mail_problem) {
        (Some(emails), None) => {
            vec![format!("  Lost the phone? Type mail at a login:           a code comes to {emails}").into()]
        }
        (_, Some(problem)) => {
            let line = email::cannot(&problem);
            vec![Line::new(), line.plain(" If the device is lost, recovery codes are the way back.")]
        }
        (None, None) => {
            vec!["  Have codes mailed if it is lost:                otpctl email add ADDRESS".into()]
        }
    })
}

/// The commonest reason for a code that stays wrong is a clock.
fn this_time(session: &Session, user: Option<&str>) -> Result<String, Failure> {
    let status = status::fetch(session, user.map(str::to_owned))?;
    let clock = Clock::read();
    let synchronised = match status.clock_synchronised {
        Some(true) => " (synchronised)",
        Some(false) => " (not synchronised)",
        None => "",
    };
    Ok(format!("This machine's clock says {}{synchronised}. Does the phone's agree?", clock.full(status.now)))
}

fn unproven(begun: &Begun, user: Option<&str>) -> String {
    let clock = Clock::read();
    let until = clock.hour_and_minute(begun.expires);
    let command = confirm_command(begun, user);
    format!(
        "The device is not bound and nothing has changed. Until {until} it can still be proven: {command}"
    )
}

fn next_step(begun: &Begun, user: Option<&str>) -> Line {
    let until = Clock::read().hour_and_minute(begun.expires);
    format!("Prove it before {until}, with a code it shows:  {}", confirm_command(begun, user)).into()
}

fn confirm_command(begun: &Begun, user: Option<&str>) -> String {
    let user = user.map(|user| format!("{user} ")).unwrap_or_default();
    format!("otpctl confirm {user}{} CODE", begun.device)
}

const ATTEMPTS: u32 = 5;
/// After so many wrong codes it is hardly a slip of the finger.
const TELL_TIME_AT: u32 = 2;

const QUESTION: &str = "Code from the new device:";
