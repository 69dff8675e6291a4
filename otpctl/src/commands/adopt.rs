//! `adopt`: an account follows somebody who was renamed or renumbered.

use otpd_proto::admin;
use otpd_proto::admin::AdoptParameters;
use otpd_proto::admin::Adopted;

use super::Session;
use super::count;
use super::protection::agree;
use crate::cli::root;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::when::Clock;

/// Shows what will change, and changes it.
pub(crate) fn adopt(session: &Session, typed: root::Adopt) -> Result<Exit, Failure> {
    let look = call(session, &typed.user, true)?;
    if typed.dry_run || !look.changed {
        session.output.result(&look, || vec![plan(&look, &Clock::read()).into()])?;
        return Ok(Exit::Ok);
    }
    if !typed.yes {
        agree(session, &plan(&look, &Clock::read()), "Is it the same person?")?;
    }
    let done = call(session, &typed.user, false)?;
    let taken = format!("The account is now that of {} (uid {}).", done.user, done.uid);
    session.output.result(&done, || vec![taken.into()])?;
    Ok(Exit::Ok)
}

fn call(session: &Session, user: &str, dry_run: bool) -> Result<Adopted, Failure> {
    session.calls.call(admin::ADOPT, &AdoptParameters { user: user.to_owned(), dry_run: Some(dry_run) })
}

/// What changes, and what is at stake.
fn plan(look: &Adopted, clock: &Clock) -> String {
    let now = format!("{} (uid {})", look.user, look.uid);
    if !look.changed {
        return format!("Nothing to do: the account is that of {now} already.");
    }
    let name = look.was_user.as_deref().unwrap_or("nobody");
    let was = look.was_uid.map_or("no uid".to_owned(), |uid| format!("uid {uid}"));
    let devices = count(look.active_devices, "active device", "active devices");
    let used = look
        .last_used
        .map_or_else(|| "never used".to_owned(), |used| format!("last used {}", clock.when(used)));
    format!("The account of {name} ({was}), with {devices}, {used}, becomes that of {now}.")
}
