//! `sign-ins`, `sign-out`: where an account is signed in on the web.

use otpd_proto::account;
use otpd_proto::account::EndSignInsParameters;
use otpd_proto::account::Scope;
use otpd_proto::account::SignIn;
use otpd_proto::account::SignIns;
use otpd_proto::account::SignInsEnded;
use otpd_proto::account::SignInsParameters;

use super::Session;
use super::count;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::table::Table;
use crate::when::Clock;

/// Lists them.
pub(crate) fn list(session: &Session, user: Option<String>) -> Result<Exit, Failure> {
    let found: SignIns = session.calls.call(account::SIGN_INS, &SignInsParameters { user })?;
    session.output.result(&found, || text(&found.sign_ins, &Clock::read()))?;
    Ok(Exit::Ok)
}

/// Ends one, or all.
pub(crate) fn sign_out(session: &Session, typed: cli::SignOut) -> Result<Exit, Failure> {
    let (user, id) = typed.parts().ok_or_else(|| {
        Failure::usage("name a sign-in by its number, as otpctl sign-ins shows it, or pass --all")
    })?;
    let code = proof::given(session, &typed.proof)?;
    let done: SignInsEnded = proof::with_proof(session, code, |code| {
        session.calls.call(account::END_SIGN_INS, &EndSignInsParameters { user: user.clone(), id, code })
    })?;
    session.output.result(&done, || {
        vec![match done.ended {
            0 => "Not signed in anywhere.".into(),
            ended => format!("Signed out in {}.", count(ended, "place", "places")).into(),
        }]
    })?;
    Ok(Exit::Ok)
}

fn text(sign_ins: &[SignIn], clock: &Clock) -> Vec<Line> {
    if sign_ins.is_empty() {
        return vec!["Not signed in on the web anywhere.".into()];
    }
    let mut table = Table::new(["ID", "Where", "Last seen", "From", "Device", "Signed in", "Browser"]);
    for sign_in in sign_ins {
        table.row([
            sign_in.id.to_string().into(),
            place(sign_in),
            clock.when(sign_in.seen).into(),
            sign_in.address.clone().unwrap_or_default().into(),
            sign_in.device.clone().unwrap_or_default().into(),
            clock.when(sign_in.issued).into(),
            sign_in.agent.clone().unwrap_or_default().into(),
        ]);
    }
    table.lines()
}

fn place(sign_in: &SignIn) -> Line {
    match (sign_in.scope, &sign_in.host) {
        (Scope::Visit, Some(host)) => host.as_str().into(),
        _ => Line::new().then(Tone::Strong, "account page"),
    }
}
