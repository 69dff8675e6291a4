//! `restore`: a backup's registry in the place of the one here.

use std::fs::File;
use std::os::fd::AsFd;

use otpd_proto::Secret;
use otpd_proto::offline;
use otpd_proto::offline::RestoreParameters;
use otpd_proto::offline::Restored;

use super::Session;
use super::count;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::table::Table;
use crate::prompt;
use crate::when::Clock;

/// Restores a backup.
pub(crate) fn restore(session: &Session, typed: &cli::Restore) -> Result<Exit, Failure> {
    let file = File::open(&typed.file).map_err(|error| Failure::cannot_read(&typed.file, &error))?;
    let given = typed.passphrase_file.as_deref().map(prompt::passphrase_in).transpose()?;
    let asks = given.is_none() && prompt::is_possible();
    let call = |passphrase: Option<Secret>| {
        let parameters = RestoreParameters { replace: typed.replace, passphrase };
        session.calls.call_with(offline::RESTORE, &parameters, file.as_fd())
    };
    let mut outcome: Result<Restored, Failure> = call(given);
    for _ in 0..ATTEMPTS {
        match &outcome {
            Err(failure) if asks && failure.reason == "passphrase_wrong" => {
                session.output.remark(&failure.message)?;
            }
            Err(failure) if asks && failure.reason == "passphrase_needed" => {}
            _ => break,
        }
        let Some(passphrase) = prompt::passphrase(&session.output, "Passphrase of the backup:")? else {
            break;
        };
        outcome = call(Some(passphrase));
    }
    let restored = outcome.map_err(|failure| match failure.reason.as_str() {
        "passphrase_needed" => failure.advise("Pass it with --passphrase-file FILE."),
        _ => failure,
    })?;
    session.output.result(&restored, || text(&restored, &Clock::read()))?;
    Ok(Exit::Ok)
}

fn text(restored: &Restored, clock: &Clock) -> Vec<Line> {
    let (devices, accounts) =
        (count(restored.devices, "device", "devices"), count(restored.accounts, "account", "accounts"));
    let taken = clock.full(restored.taken);
    let mut lines =
        vec![Line::new().then(Tone::Good, format!("Restored: {devices} of {accounts}, as of {taken}."))];
    let mut table = Table::new(["Account", "Device", "Last used"]);
    for device in &restored.first {
        table.row([
            Line::new().then(Tone::Strong, &device.user),
            device.device.as_str().into(),
            device.last_used.map_or_else(|| "never".to_owned(), |used| clock.when(used)).into(),
        ]);
    }
    if !restored.first.is_empty() {
        lines.extend(table.lines());
    }
    let shown = u32::try_from(restored.first.len()).unwrap_or(u32::MAX);
    if restored.devices > shown {
        lines.push(
            format!("… and {} more: otpctl --offline accounts", restored.devices.abs_diff(shown)).into(),
        );
    }
    lines.extend([
        Line::new(),
        "What was removed since then is bound again, and what was bound since then is not.".into(),
        "Codes up to now are spent: the phones have good ones in a minute. Tokens that count have to be"
            .into(),
        "set right (otpctl resync), and recovery codes are void: otpctl codes new makes others.".into(),
    ]);
    if let Some(kept) = &restored.kept {
        lines.push(format!("The registry that was here is kept: {kept}").into());
    }
    if let Some(key) = &restored.key {
        lines.push(format!("A new master key was made: {key}").into());
    }
    lines.push("Start otpd: systemctl start otpd".into());
    lines
}

/// A passphrase is long and does not show.
const ATTEMPTS: u32 = 3;
