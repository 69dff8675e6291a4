//! `prune`: accounts whose users are gone.

use otpd_proto::admin;
use otpd_proto::admin::Account;
use otpd_proto::admin::Gone;
use otpd_proto::admin::GoneParameters;
use otpd_proto::admin::PruneParameters;
use otpd_proto::admin::Pruned;
use serde_json::json;

use super::Session;
use super::count;
use super::protection::agree;
use crate::cli::root;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::table::Table;
use crate::when::Clock;

/// Lists them, and retires them if that is wanted.
pub(crate) fn prune(session: &Session, typed: root::Prune) -> Result<Exit, Failure> {
    let gone = fetch(session)?;
    if typed.dry_run || gone.is_empty() {
        let object = json!({ "accounts": gone, "pruned": 0, "retired": 0 });
        session.output.result(&object, || listed(&gone, &Clock::read()))?;
        return Ok(Exit::Ok);
    }
    let accounts = count(number(gone.len()), "account", "accounts");
    if !typed.yes {
        if !session.output.is_json() {
            session.output.lines(&listed(&gone, &Clock::read()))?;
        }
        let what = "Their devices are retired for good, and their names and uids are free for somebody new.";
        agree(session, what, &format!("Prune {accounts}?"))?;
    }
    let (pruned, retired) = prune_each(session, &gone)?;
    session.output.result(&json!({ "accounts": gone, "pruned": pruned, "retired": retired }), || {
        let devices = count(retired, "device", "devices");
        vec![format!("{} pruned, {devices} retired.", count(pruned, "account", "accounts")).into()]
    })?;
    Ok(if number(gone.len()) == pruned { Exit::Ok } else { Exit::Refused })
}

/// How many accounts and how many devices.
fn prune_each(session: &Session, gone: &[Account]) -> Result<(u32, u32), Failure> {
    let (mut pruned, mut retired) = (0_u32, 0_u32);
    for account in gone {
        let who = PruneParameters { user: account.user.clone(), uid: account.uid };
        match session.calls.call::<_, Pruned>(admin::PRUNE, &who) {
            Ok(done) => {
                pruned = pruned.saturating_add(1);
                retired = retired.saturating_add(done.retired);
            }
            // Somebody came back in the meantime.
            Err(failure) if failure.exit == Exit::Refused => {
                session.output.remark(&format!("{} is left as it is: {failure}", account.user))?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((pruned, retired))
}

fn fetch(session: &Session) -> Result<Vec<Account>, Failure> {
    let (mut accounts, mut after) = (Vec::new(), None);
    loop {
        let page: Gone = session.calls.call(admin::GONE, &GoneParameters { after: after.clone() })?;
        accounts.extend(page.accounts);
        match page.next {
            None => return Ok(accounts),
            Some(next) if after.is_none_or(|after| next > after) => after = Some(next),
            Some(_) => return Err(super::endless("accounts")),
        }
    }
}

fn listed(gone: &[Account], clock: &Clock) -> Vec<Line> {
    if gone.is_empty() {
        return vec!["Nothing to prune: every account has its user.".into()];
    }
    let mut table = Table::new(["Account", "UID", "Devices", "Last used"]);
    for account in gone {
        table.row([
            Line::new().then(Tone::Strong, &account.user),
            account.uid.to_string().into(),
            account.active_devices.to_string().into(),
            account.last_used.map_or_else(|| "never".to_owned(), |used| clock.when(used)).into(),
        ]);
    }
    let mut lines = table.lines();
    lines.push(Line::new());
    lines.push("The system has no user with such a name or such a uid at present.".into());
    lines
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
