//! `import`: reads another module's files and hands their tokens to the daemon, all or none. What a token must be is
//! decided there and in `otpd-core`; here are files, progress and what to say.

use otpd_core::time::UnixTime;
use otpd_proto::admin::ImportSize;
use serde::Serialize;

use super::Session;
use super::count;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::when::Clock;

mod google;
mod lines;
mod oath;
mod transfer;

use transfer::Transfer;

/// Takes over devices.
pub(crate) fn import(session: &Session, typed: cli::Import) -> Result<Exit, Failure> {
    let mut transfer = Transfer::begin(session)?;
    let dry_run = match typed {
        cli::Import::Oath(typed) => {
            oath::read(&mut transfer, &typed.file, UnixTime(Clock::read().now()))?;
            typed.dry_run
        }
        cli::Import::GoogleAuthenticator(typed) => {
            match &typed.file {
                Some(file) => google::read_one(&mut transfer, file, typed.user)?,
                None => google::read_all(&mut transfer)?,
            }
            typed.dry_run
        }
    };
    let scratch_codes = transfer.scratch_codes();
    let (size, skipped) = transfer.end(dry_run)?;
    let ImportSize { devices, accounts } = size;
    let imported = Imported { devices, accounts, skipped, scratch_codes, dry_run };
    session.output.result(&imported, || imported.text())?;
    Ok(if skipped == 0 { Exit::Ok } else { Exit::Refused })
}

/// The result.
#[derive(Serialize)]
struct Imported {
    devices: u32,
    accounts: u32,
    skipped: u32,
    scratch_codes: u32,
    dry_run: bool,
}

impl Imported {
    fn text(&self) -> Vec<Line> {
        if self.devices == 0 {
            return vec!["There is nothing to take over.".into()];
        }
        let devices = count(self.devices.saturating_sub(self.skipped), "device", "devices");
        let accounts = count(self.accounts, "account", "accounts");
        let mut lines: Vec<Line> = vec![if self.dry_run {
            format!("{devices} of {accounts} can be taken over. Nothing was changed.").into()
        } else {
            format!("{devices} of {accounts} taken over.").into()
        }];
        if !self.dry_run {
            lines.push(
                "Codes up to this moment's count as used; of tokens that count, those up to the last one used."
                    .into(),
            );
        }
        if self.skipped > 0 {
            let skipped = count(self.skipped, "device", "devices");
            lines.push(format!("{skipped} not, at the last moment: otpctl audit says why.").into());
        }
        if self.scratch_codes > 0 {
            let codes = count(self.scratch_codes, "scratch code", "scratch codes");
            let left = if self.dry_run { "would be" } else { "were" };
            lines.push(format!("{codes} {left} left behind; they do not work here.").into());
        }
        lines
    }
}
