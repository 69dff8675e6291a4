//! `clock-reset`: after this machine's clock was wrong, right codes are right again.

use otpd_proto::admin;
use otpd_proto::admin::ClockResetParameters;
use otpd_proto::admin::ClockWasReset;
use serde_json::json;

use super::Session;
use super::count;
use super::protection::agree;
use crate::cli::root;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::when::Clock;

/// Shows what will be forgotten, and forgets it.
pub(crate) fn clock_reset(session: &Session, typed: root::ClockReset) -> Result<Exit, Failure> {
    let look = call(session, typed.user.as_deref(), true)?;
    if typed.dry_run || look.accounts.is_empty() {
        session.output.result(&object(&look), || vec![plan(&look).into()])?;
        return Ok(Exit::Ok);
    }
    if !typed.yes {
        let what = format!("{} {GIVEN_UP} {}", plan(&look), time(&look, &Clock::read()));
        agree(session, &what, "Is that the right time?")?;
    }
    let done = call(session, typed.user.as_deref(), false)?;
    session.output.result(&object(&done), || {
        let accounts = count(number(&done), "account", "accounts");
        vec![format!("{} of {accounts} set back.", count(done.devices, "device", "devices")).into()]
    })?;
    Ok(Exit::Ok)
}

/// Page after page, as one.
fn call(session: &Session, user: Option<&str>, dry_run: bool) -> Result<ClockWasReset, Failure> {
    let (mut accounts, mut devices, mut after) = (Vec::new(), 0_u32, None);
    loop {
        let asked = ClockResetParameters {
            user: user.map(str::to_owned),
            after: after.clone(),
            dry_run: Some(dry_run),
        };
        let page: ClockWasReset = session.calls.call(admin::CLOCK_RESET, &asked)?;
        accounts.extend(page.accounts.iter().cloned());
        devices = devices.saturating_add(page.devices);
        match page.next.clone() {
            None => return Ok(ClockWasReset { accounts, devices, ..page }),
            Some(next) if after.is_none_or(|after| next > after) => after = Some(next),
            Some(_) => return Err(super::endless("accounts")),
        }
    }
}

fn plan(look: &ClockWasReset) -> String {
    if look.accounts.is_empty() {
        return "Nothing to do: no device is ahead of this machine's clock, or far from it.".into();
    }
    let named: Vec<&str> = look.accounts.iter().take(NAMED).map(String::as_str).collect();
    let more = look.accounts.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let devices = count(look.devices, "device", "devices");
    format!("{devices} of {}{more} to be set back to this machine's time.", named.join(", "))
}

fn time(look: &ClockWasReset, clock: &Clock) -> String {
    let how = match look.clock_synchronised {
        Some(true) => "synchronised",
        Some(false) => "NOT synchronised",
        None => "nobody says whether it is synchronised",
    };
    format!("It is {} by this machine, {how}.", clock.with_zone(look.now))
}

fn object(look: &ClockWasReset) -> serde_json::Value {
    json!({ "accounts": look.accounts, "devices": look.devices, "now": look.now,
        "clock_synchronised": look.clock_synchronised })
}

fn number(look: &ClockWasReset) -> u32 {
    u32::try_from(look.accounts.len()).unwrap_or(u32::MAX)
}

/// So many accounts are named.
const NAMED: usize = 10;
const GIVEN_UP: &str = "What that gives up: codes of the time that is set back, which were used or \
    skipped, could be used again when it comes.";
