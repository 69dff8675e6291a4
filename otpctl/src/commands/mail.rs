//! `mail`: whether mails arrive, and what to change if not.

use std::time::Duration;

use otpd_proto::admin;
use otpd_proto::admin::MailStatus;
use otpd_proto::admin::MailStatusParameters;
use otpd_proto::admin::MailTestParameters;
use otpd_proto::admin::MailTested;
use otpd_proto::admin::MailTry;
use serde_json::json;

use super::Session;
use super::count;
use super::email;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::when::Clock;

/// Sends a test, or shows how mails fare.
pub(crate) fn mail(session: &Session, typed: cli::Mail) -> Result<Exit, Failure> {
    match typed {
        cli::Mail::Test(test) => send(session, test),
        cli::Mail::Status => status(session),
    }
}

/// Waits until a server has the test or has refused it; of one that answers "later" the first answer is told.
fn send(session: &Session, typed: cli::MailTest) -> Result<Exit, Failure> {
    let before = fetch(session, None)?;
    if before.transport.is_none() {
        let problem = before.problem.unwrap_or_else(|| "otpd-mail is not running here".into());
        let say = format!("{problem}. Start it: systemctl start otpd-mail, or see otpd-mail(8).");
        return Err(Failure::new(Exit::Refused, "no_mail", say));
    }
    let code = proof::given(session, &typed.proof)?;
    let language = email::language();
    let address = typed.address;
    let sent: MailTested = proof::with_proof(session, code, |code| {
        let parameters = MailTestParameters { address: address.clone(), language: language.clone(), code };
        session.calls.call(admin::MAIL_TEST, &parameters)
    })?;
    let transport = before.transport.as_deref().unwrap_or_default();
    if !session.output.is_json() {
        session.output.lines(&[format!("Sending to {address} by {transport} ...").into()])?;
    }
    let tried = wait(session, &sent.id)?;
    let delivered = tried.as_ref().is_some_and(|tried| tried.outcome == "delivered");
    let problem = fetch(session, None)?.problem;
    session.output.result(
        &json!({"address": address, "transport": transport, "try": tried}),
        || match &tried {
            Some(tried) => about(tried, &address),
            None => vec![
                Line::new().then(Tone::Bad, "Not taken up within two minutes."),
                problem.unwrap_or_else(|| "otpd-mail does not come for mails: is it running?".into()).into(),
            ],
        },
    )?;
    Ok(if delivered { Exit::Ok } else { Exit::Refused })
}

fn wait(session: &Session, id: &str) -> Result<Option<MailTry>, Failure> {
    for _ in 0..LOOKS {
        if let Some(tried) = fetch(session, Some(id.to_owned()))?.test {
            return Ok(Some(tried));
        }
        pause();
    }
    Ok(None)
}

fn about(tried: &MailTry, address: &str) -> Vec<Line> {
    let mut lines = vec![match tried.outcome.as_str() {
        "delivered" => Line::new().then(Tone::Good, "Taken").plain(" by the mail server."),
        "later" => Line::new().then(Tone::Warn, "Not now").plain("; it is tried again for two minutes."),
        _ => Line::new().then(Tone::Bad, "Refused").plain("."),
    }];
    lines.push(fact("Answer", &tried.answer));
    lines.extend(tried.advice.as_ref().map(|advice| fact("Advice", advice)));
    if tried.outcome == "delivered" {
        lines.push(format!("Look whether it came to {address}, and not into the spam folder.").into());
    }
    lines
}

fn status(session: &Session) -> Result<Exit, Failure> {
    let status = fetch(session, None)?;
    session.output.result(&status, || text(&status, &Clock::read()))?;
    Ok(if status.problem.is_none() { Exit::Ok } else { Exit::Refused })
}

fn fetch(session: &Session, id: Option<String>) -> Result<MailStatus, Failure> {
    session.calls.call(admin::MAIL_STATUS, &MailStatusParameters { id })
}

fn text(status: &MailStatus, clock: &Clock) -> Vec<Line> {
    let works = match &status.problem {
        None => Line::new().plain("Mail ").then(Tone::Good, "works").plain(", as far as is known."),
        Some(problem) => {
            Line::new().plain("Mail ").then(Tone::Bad, "does not work").plain(format!(": {problem}"))
        }
    };
    let mut lines = vec![works, Line::new()];
    lines.push(fact("Sent by", status.transport.as_deref().unwrap_or("nobody: otpd-mail is not there")));
    let waiting = count(status.waiting, "mail", "mails");
    let waiting = match status.oldest {
        Some(oldest) => format!("{waiting}, the oldest {}", clock.relative(oldest)),
        None => "nothing".to_owned(),
    };
    lines.push(fact("Waiting", &waiting));
    for (name, tried) in [("Last taken", &status.last_delivered), ("Last trouble", &status.last_trouble)] {
        if let Some(tried) = tried {
            lines.push(fact(name, &format!("{}: {}", clock.short(tried.at), tried.answer)));
            lines.extend(tried.advice.as_ref().map(|advice| fact("", advice)));
        }
    }
    for (index, lost) in status.given_up.iter().enumerate() {
        let name = if index == 0 { "Given up" } else { "" };
        let tries = count(lost.tries, "try", "tries");
        lines.push(fact(name, &format!("{}, {}, {tries}: {}", clock.short(lost.at), lost.kind, lost.answer)));
    }
    lines
}

fn fact(name: &str, value: &str) -> Line {
    Line::new().plain("  ").then(Tone::Dim, name).padded(FACT_WIDTH).plain(value)
}

#[expect(clippy::disallowed_methods, reason = "otpd tells of a mail only when it is asked")]
fn pause() {
    std::thread::sleep(LOOK_EACH);
}

const LOOK_EACH: Duration = Duration::from_millis(250);
/// Two minutes of them.
const LOOKS: u32 = 480;
/// Columns of the names on the left.
const FACT_WIDTH: usize = 16;
