//! A backup: everything, sealed, in a file that root opened.

use std::fs::File;
use std::io::BufWriter;
use std::os::fd::OwnedFd;

use otpd_core::event::Decision;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use crate::backup::BackupError;
use crate::backup::Header;
use crate::backup::Wrapping;
use crate::keys::MasterKey;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Writes a backup into `file`.
    ///
    /// # Errors
    /// [`Failure`]; what is in the file then is no backup.
    pub fn backup(
        &self,
        peer: Peer,
        call: &wire::BackupParameters,
        file: Option<OwnedFd>,
        now: UnixTime,
    ) -> Result<wire::BackedUp, Failure> {
        let parties = self.root(peer, Request::Backup, Kind::Backup, now)?;
        let usable = usable(call.passphrase.as_ref()).and_then(|()| self.has_room());
        let target = match usable.and_then(|()| empty_file(file)) {
            Ok(target) => target,
            Err(failure) => return self.refuse(&parties, now, Kind::Backup, failure),
        };
        let wrapping = if call.passphrase.is_some() { Wrapping::Passphrase } else { Wrapping::MasterKey };
        let mut event = parties.event(now, Kind::Backup, Decision::Accept, Reason::Ok);
        event.detail = Some(match wrapping {
            Wrapping::Passphrase => "with the key, under a passphrase".into(),
            Wrapping::MasterKey => "without the key".into(),
        });
        self.registry.record(event)?;
        let mut header = Header::new(wrapping, now)?;
        header.wrapped = match &call.passphrase {
            Some(passphrase) => MasterKey::from_passphrase(passphrase, &header.salt)?.wrap(&self.keys)?,
            None => self.registry.data_key()?.map(|key| key.wrapped).unwrap_or_default(),
        };
        let mut snapshot = self.registry.snapshot()?;
        let mut out = BufWriter::new(&target);
        let written = header.seal(&self.keys, &mut snapshot.bytes, &mut out).and_then(|()| {
            out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            Ok(target.sync_all()?)
        });
        written.map_err(cannot_write)?;
        Ok(wire::BackedUp { taken: now.0, accounts: snapshot.accounts, devices: snapshot.devices })
    }

    /// A copy and a backup may both come to lie on the registry's disk, and logins want to write there meanwhile.
    fn has_room(&self) -> Result<(), Failure> {
        let needed = self.registry.size()?.saturating_mul(2).saturating_add(FOR_LOGINS);
        if self.registry.room()?.free >= needed {
            return Ok(());
        }
        let say = format!("The registry's disk needs {} MiB free for a backup; make room.", needed >> 20);
        Err(Failure::refused(Reason::NoRoom, say))
    }
}

/// The file, if it is one to write a backup into.
fn empty_file(file: Option<OwnedFd>) -> Result<File, Failure> {
    let refuse = |why: &str| {
        let say = format!("{why}; a new file has to be passed with the call, as otpctl backup does.");
        Failure::refused(Reason::BadFile, say)
    };
    let file = File::from(file.ok_or_else(|| refuse("There is no file with it"))?);
    match file.metadata() {
        Ok(found) if found.is_file() && found.len() == 0 => Ok(file),
        _ => Err(refuse("That is no empty file")),
    }
}

/// A passphrase stands against whoever finds the file and has all the time there is.
fn usable(passphrase: Option<&Secret>) -> Result<(), Failure> {
    let length = passphrase.map_or(SHORTEST, |words| words.expose_secret().chars().count());
    if (SHORTEST..=LONGEST).contains(&length) {
        return Ok(());
    }
    let say = format!("A passphrase has {SHORTEST} to {LONGEST} characters; a few words do better than one.");
    Err(Failure::refused(Reason::PassphraseWrong, say))
}

fn cannot_write(error: BackupError) -> Failure {
    let say = format!("The backup cannot be written: {error}");
    Failure::Unavailable { cause: say.clone(), say }
}

/// 64 MiB.
const FOR_LOGINS: u64 = 64 << 20;
/// Characters.
const SHORTEST: usize = 8;
const LONGEST: usize = 1024;
