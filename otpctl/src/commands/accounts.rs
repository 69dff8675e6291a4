//! `accounts`: who is protected.

use otpd_proto::admin;
use otpd_proto::admin::Account;
use otpd_proto::admin::AccountsParameters;
use serde_json::json;

use super::Session;
use super::proof;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::table::Table;
use crate::when::Clock;

/// Lists accounts.
pub(crate) fn list(session: &Session, typed: cli::Accounts) -> Result<Exit, Failure> {
    let accounts = fetch(session, typed)?;
    session.output.result(&json!({ "accounts": accounts }), || text(&accounts, &Clock::read()))?;
    Ok(Exit::Ok)
}

fn fetch(session: &Session, typed: cli::Accounts) -> Result<Vec<Account>, Failure> {
    // A code counts once and then for ten minutes, so it goes with the first page only.
    let mut code = proof::given(session, &typed.proof)?;
    let mut accounts: Vec<Account> = Vec::new();
    loop {
        let after = accounts.last().map(|account| account.user.clone());
        let page: admin::Accounts = proof::with_proof(session, code.take(), |code| {
            session.calls.call(
                admin::ACCOUNTS,
                &AccountsParameters { after: after.clone(), code, ..AccountsParameters::default() },
            )
        })?;
        let advances = page.accounts.last().is_some_and(|last| after.is_none_or(|after| last.user > after));
        accounts.extend(page.accounts);
        if !page.more {
            return Ok(accounts);
        }
        if !advances {
            return Err(super::endless("accounts"));
        }
    }
}

fn text(accounts: &[Account], clock: &Clock) -> Vec<Line> {
    if accounts.is_empty() {
        return vec!["No accounts yet. The first device makes one: otpctl bind".into()];
    }
    let mut table = Table::new(["Account", "UID", "Protection", "Devices", "Last used"]);
    for account in accounts {
        table.row([
            Line::new().then(Tone::Strong, &account.user),
            account.uid.to_string().into(),
            protection(account),
            account.active_devices.to_string().into(),
            account.last_used.map_or_else(|| "never".to_owned(), |used| clock.when(used)).into(),
        ]);
    }
    table.lines()
}

fn protection(account: &Account) -> Line {
    let state = if account.protected { (Tone::Good, "on") } else { (Tone::Warn, "off") };
    let line = Line::new().then(state.0, state.1);
    if account.locked { line.plain(", ").then(Tone::Bad, "locked") } else { line }
}
