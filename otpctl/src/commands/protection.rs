//! `off`, `unlock`, `reset`: the account as a whole.

use otpd_proto::account;
use otpd_proto::account::ProofParameters;
use otpd_proto::account::Requirement;
use otpd_proto::account::Status;
use otpd_proto::account::TurnedOff;
use otpd_proto::account::Unlocked;
use otpd_proto::admin;
use otpd_proto::admin::ResetParameters;
use otpd_proto::admin::WasReset;

use super::Session;
use super::count;
use super::enrol;
use super::proof;
use super::status;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::prompt;

/// Turns protection off.
pub(crate) fn off(session: &Session, typed: cli::Off) -> Result<Exit, Failure> {
    let status = status::fetch(session, typed.user.clone())?;
    if status.protected && !typed.yes {
        let devices = count(status.active_devices, "device is", "devices are");
        agree(
            session,
            &format!("{devices} removed, and logins as {} no longer ask for a code.", status.user),
            "Turn login protection off?",
        )?;
    }
    let code = proof::given(session, &typed.proof)?;
    let off: TurnedOff = proof::with_proof(session, code, |code| {
        session.calls.call(account::OFF, &ProofParameters { user: typed.user.clone(), code })
    })?;
    session.output.result(&off, || {
        let removed = count(off.retired, "device was", "devices were");
        vec![format!("Login protection is off for {}; {removed} removed.", status.user).into()]
    })?;
    Ok(Exit::Ok)
}

/// Opens closed lanes.
pub(crate) fn unlock(session: &Session, typed: cli::Unlock) -> Result<Exit, Failure> {
    let code = proof::given(session, &typed.proof)?;
    let unlocked: Unlocked = proof::with_proof(session, code, |code| {
        session.calls.call(account::UNLOCK, &ProofParameters { user: typed.user.clone(), code })
    })?;
    session.output.result(&unlocked, || {
        let lanes: Vec<String> = unlocked.opened.iter().map(|lane| status::lane_name(lane)).collect();
        vec![if lanes.is_empty() {
            "Nothing was closed; there were no failures to forget.".into()
        } else {
            format!("Failures are forgotten, and codes are looked at again ({}).", lanes.join(", ")).into()
        }]
    })?;
    Ok(Exit::Ok)
}

/// What logins do once the account has no device.
pub(super) fn without_device(status: &Status) -> String {
    let user = &status.user;
    if must_have_device(status) {
        format!("{user} must have a device and gets in with an enrol code only: otpctl enrol-code {user}")
    } else {
        format!("Logins as {user} ask for no code until a device is bound: {user} runs otpctl bind")
    }
}

/// Retires every device of an account.
pub(crate) fn reset(session: &Session, typed: cli::Reset) -> Result<Exit, Failure> {
    if !typed.yes {
        let status = status::fetch(session, Some(typed.user.clone()))?;
        let devices = count(status.active_devices, "device is", "devices are");
        let what =
            format!("{devices} retired and failed attempts are forgotten. {}", without_device(&status));
        agree(session, &what, &format!("Reset {}?", status.user))?;
    }
    let code = proof::given(session, &typed.proof)?;
    let done: WasReset = proof::with_proof(session, code, |code| {
        session.calls.call(admin::RESET, &ResetParameters { user: typed.user.clone(), code })
    })?;
    if session.output.is_json() {
        session.output.object(&done)?;
        return Ok(Exit::Ok);
    }
    let retired = count(done.retired, "device", "devices");
    session.output.lines(&[format!("{} was reset: {retired} retired.", typed.user).into()])?;
    let status = status::fetch(session, Some(typed.user.clone()))?;
    if must_have_device(&status) && session.calls.is_offline() {
        let say = format!(
            "{} must have a device, and only a running otpd makes an enrol code. If nobody is there to ask for one, have it \
             required no more: otpctl --offline policy report, then policy release GROUP, or exempt_users in otpd.toml.",
            typed.user
        );
        session.output.lines(&[say.into()])?;
    } else if must_have_device(&status) {
        let made = enrol::make(session, &typed.user, None)?;
        session.output.lines(&enrol::text(&made, &typed.user))?;
    } else {
        session.output.lines(&[without_device(&status).into()])?;
    }
    Ok(Exit::Ok)
}

/// Whether logins are refused until the account has a device.
fn must_have_device(status: &Status) -> bool {
    let Requirement { state, since, .. } = &status.requirement;
    state == "required" && since.is_some_and(|since| since <= status.now)
}

/// Says what will happen and goes on only if the person wants it.
pub(super) fn agree(session: &Session, what: &str, question: &str) -> Result<(), Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(format!("{what} If you are sure, pass --yes")));
    }
    session.output.remark(what)?;
    if prompt::agrees(&session.output, question)? {
        Ok(())
    } else {
        Err(Failure::new(Exit::Refused, "declined", "nothing was changed"))
    }
}
