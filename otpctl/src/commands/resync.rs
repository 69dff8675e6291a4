//! `resync`: sets a device right whose codes are refused because its clock, or its counter, is far off.

use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::ResyncParameters;
use otpd_proto::account::Resynced;

use super::Session;
use super::count;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::prompt;

/// Sets a device right by two codes in a row.
pub(crate) fn resync(session: &Session, mut typed: cli::Resync) -> Result<Exit, Failure> {
    let (user, device) = typed.parts().ok_or_else(|| Failure::usage("name a device"))?;
    let given = typed.codes.take().map(<[Secret; 2]>::try_from);
    let [first, second] = match given {
        Some(Ok([first, second])) => {
            [read(session, first, "First code")?, read(session, second, "Second code")?]
        }
        Some(Err(_)) => return Err(Failure::usage("give two codes")),
        None => ask(session)?,
    };
    let parameters = ResyncParameters { user, device, first, second };
    let done: Resynced = session.calls.call(account::RESYNC, &parameters)?;
    session.output.result(&done, || vec![text(&done).into()])?;
    Ok(Exit::Ok)
}

/// The code that was given, or the next line of standard input.
fn read(session: &Session, given: Secret, what: &str) -> Result<Secret, Failure> {
    let code = prompt::or_standard_input(Some(given), what, &session.output)?;
    code.ok_or_else(|| Failure::usage("give two codes"))
}

fn ask(session: &Session) -> Result<[Secret; 2], Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "two codes are needed. Pass them with --codes FIRST SECOND, or --codes - - and a line each on standard input",
        ));
    }
    let ask = |question| {
        let declined = || Failure::new(Exit::Refused, "declined", "nothing was changed");
        prompt::code(&session.output, question)?.ok_or_else(declined)
    };
    Ok([ask("A code that it shows:")?, ask("The code after that:")?])
}

/// What was wrong with it.
fn text(done: &Resynced) -> String {
    let device = &done.device;
    let by = done.moved.unsigned_abs();
    let found = match (device.kind.as_str(), done.moved) {
        ("hotp", _) => format!("it was {} ahead", plural(by, "code", "codes")),
        (_, 0) => "its clock is right".to_owned(),
        (_, moved) => {
            let seconds = by.saturating_mul(device.period.into());
            let way = if moved > 0 { "fast" } else { "slow" };
            format!(
                "its clock is about {} {way}, which is taken into account from now on",
                plural(seconds, "second", "seconds")
            )
        }
    };
    format!("\"{}\" is in step again: {found}. Take its next code to log in.", device.name)
}

fn plural(number: u64, one: &str, many: &str) -> String {
    count(u32::try_from(number).unwrap_or(u32::MAX), one, many)
}
