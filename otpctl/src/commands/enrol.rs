//! `enrol-code`: the way in for who must have a device and has none.

use otpd_proto::Secret;
use otpd_proto::admin;
use otpd_proto::admin::EnrolCode;
use otpd_proto::admin::ResetParameters;

use super::Session;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::when::Clock;

/// Makes an enrol code and shows it.
pub(crate) fn code(session: &Session, typed: cli::EnrolCode) -> Result<Exit, Failure> {
    let code = proof::given(session, &typed.proof)?;
    let made = proof::with_proof(session, code, |code| make(session, &typed.user, code))?;
    session.output.result(&made, || text(&made, &typed.user))?;
    Ok(Exit::Ok)
}

/// Makes one.
pub(super) fn make(session: &Session, user: &str, code: Option<Secret>) -> Result<EnrolCode, Failure> {
    session.calls.call(admin::ENROL_CODE, &ResetParameters { user: user.to_owned(), code })
}

/// The code, and what to do with it.
pub(super) fn text(made: &EnrolCode, user: &str) -> Vec<Line> {
    let until = Clock::read().hour_and_minute(made.expires);
    vec![
        Line::new().plain("Enrol code: ").then(Tone::Strong, made.enrol_code.expose_secret()),
        format!("Read it out to {user}, in person. Typed in place of a code it lets in once, until {until};")
            .into(),
        format!("then {user} runs: otpctl bind").into(),
    ]
}
