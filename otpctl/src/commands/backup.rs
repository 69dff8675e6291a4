//! `backup`: everything that otpd knows, sealed, in a new file.

use std::os::fd::AsFd;

use otpd_proto::Secret;
use otpd_proto::admin;
use otpd_proto::admin::BackedUp;
use otpd_proto::admin::BackupParameters;
use serde_json::json;

use super::Session;
use super::count;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::new_file::NewFile;
use crate::prompt;
use crate::when::Clock;

/// Writes a backup.
pub(crate) fn backup(session: &Session, typed: &cli::Backup) -> Result<Exit, Failure> {
    let file = NewFile::create(&typed.file)?;
    let passphrase = passphrase(session, typed)?;
    let has_key = passphrase.is_some();
    let done: BackedUp =
        session.calls.call_with(admin::BACKUP, &BackupParameters { passphrase }, file.as_fd())?;
    let name = file.keep()?;
    let BackedUp { taken, accounts, devices } = done;
    let object = json!({ "taken": taken, "accounts": accounts, "devices": devices, "has_key": has_key });
    session.output.result(&object, || {
        let (devices, accounts) =
            (count(devices, "device", "devices"), count(accounts, "account", "accounts"));
        vec![format!("{devices} of {accounts}, as of {}, in {name}.", Clock::read().full(taken)).into()]
    })?;
    session.output.remark(if has_key { WITH_KEY } else { WITHOUT_KEY })?;
    Ok(Exit::Ok)
}

/// What is to open it; `None` if the key stays here.
fn passphrase(session: &Session, typed: &cli::Backup) -> Result<Option<Secret>, Failure> {
    if typed.without_key {
        return Ok(None);
    }
    if let Some(path) = &typed.passphrase_file {
        return prompt::passphrase_in(path).map(Some);
    }
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "nobody is there to ask for a passphrase. Pass --passphrase-file FILE, or --without-key",
        ));
    }
    let ask = |question| {
        let ended = || Failure::new(Exit::Refused, "declined", "no backup was made");
        prompt::passphrase(&session.output, question)?.ok_or_else(ended)
    };
    let (first, second) = (ask("Passphrase for the backup:")?, ask("Once more:")?);
    if first.expose_secret() != second.expose_secret() {
        return Err(Failure::usage("these were two different ones; no backup was made"));
    }
    Ok(Some(first))
}

const WITH_KEY: &str = "It opens with the passphrase alone, on any box: keep the two apart. Without the passphrase \
                        nobody can open it.";
const WITHOUT_KEY: &str = "The key is not in it: it can be restored only where the master key of this box is \
                           (registry.key, or the systemd credential of that name). Keep a copy of that elsewhere; \
                           without it all devices have to be bound anew.";
