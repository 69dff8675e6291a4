//! A backup comes in: all of it is checked before anything here is touched, and what was here is kept.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufReader;
use std::io::BufWriter;
use std::io::Seek;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::time::UnixTime;
use otpd_proto::offline as wire;

use crate::backup::BackupError;
use crate::backup::Header;
use crate::backup::Wrapping;
use crate::clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::keys::MasterKey;
use crate::registry::Bound;
use crate::registry::Restored;
use crate::registry::holds_something;
use crate::service::Failure;
use crate::service::prompt;
use crate::state::Lock;

/// The state directory that a registry is to come into.
pub(crate) struct Place {
    registry: PathBuf,
    key: PathBuf,
    credential: Option<MasterKey>,
    lock: RefCell<Lock>,
}

/// The master key of this box.
enum Master<'a> {
    Credential(&'a MasterKey),
    File(MasterKey),
    /// To be stored where the registry looks for it.
    New(MasterKey),
}

impl Place {
    pub(crate) fn new(config: &Config, credential: Option<MasterKey>, lock: Lock) -> Self {
        Self { registry: config.registry(), key: config.key(), credential, lock: RefCell::new(lock) }
    }

    /// Restores `file`.
    ///
    /// # Errors
    /// [`Failure`]; nothing is different then.
    pub(crate) fn restore(
        &self,
        call: &wire::RestoreParameters,
        file: Option<OwnedFd>,
        now: UnixTime,
    ) -> Result<wire::Restored, Failure> {
        if holds_something(&self.registry) && !call.replace {
            let at = self.registry.display();
            let say = format!(
                "There is a registry here ({at}). To put it aside and take the backup, pass --replace."
            );
            return Err(Failure::refused(Reason::RegistryExists, say));
        }
        let mut file = BufReader::new(backup_file(file)?);
        let header = Header::read(&mut file).map_err(bad_backup)?;
        fits_clock(&header, now)?;
        let master = self.master()?;
        let keys = open_keys(&header, &master, call)?;
        let (restored, out) = Restored::begin(&self.registry).map_err(|error| self.cannot_write(error))?;
        let mut out = BufWriter::new(out);
        header.open(&keys, &mut file, &mut out).map_err(bad_backup)?;
        out.into_inner().map_err(|error| self.cannot_write(error.into_error()))?;
        let wrapped = master.key().wrap(&keys)?;
        let contents = restored.adopt(&wrapped, keys.log(), now, &event(&header, now)).map_err(|error| {
            let say = format!("The registry in the backup cannot be used: {error}");
            Failure::refused(Reason::BadFile, say)
        })?;
        if let Master::New(key) = &master {
            key.store(&self.key)?;
        }
        let kept = restored.put_in_place(now).map_err(|error| self.cannot_write(error))?;
        self.lock.borrow_mut().note_registry().map_err(|error| Failure::Unavailable {
            say: format!("The registry is restored, but: {error:#}"),
            cause: format!("{error:#}"),
        })?;
        let device = |bound: Bound| wire::Device {
            user: bound.user,
            device: bound.device,
            last_used: bound.last_used,
        };
        Ok(wire::Restored {
            taken: header.taken.0,
            restored: now.0,
            accounts: contents.accounts,
            devices: contents.devices,
            first: contents.first.into_iter().map(device).collect(),
            kept: kept.map(|path| path.display().to_string()),
            key: matches!(master, Master::New(_)).then(|| self.key.display().to_string()),
        })
    }

    /// The key that this box has, or one to come.
    fn master(&self) -> Result<Master<'_>, Failure> {
        if let Some(credential) = &self.credential {
            return Ok(Master::Credential(credential));
        }
        if !self.key.exists() {
            return Ok(Master::New(MasterKey::random()?));
        }
        let refuse =
            |error| Failure::refused(Reason::BadKey, format!("The master key cannot be used: {error}"));
        MasterKey::read(&self.key).map(Master::File).map_err(refuse)
    }

    fn cannot_write(&self, error: std::io::Error) -> Failure {
        let say = format!("{} cannot be written: {error}", self.registry.display());
        Failure::Unavailable { cause: say.clone(), say }
    }
}

impl Master<'_> {
    fn key(&self) -> &MasterKey {
        match self {
            Self::Credential(key) => key,
            Self::File(key) | Self::New(key) => key,
        }
    }
}

/// The keys of the backup: by its passphrase, or by the master key of the box that made it, which has to be here then.
fn open_keys(header: &Header, master: &Master<'_>, call: &wire::RestoreParameters) -> Result<Keys, Failure> {
    let refuse = |reason, say: &str| Err(Failure::refused(reason, say));
    match (header.wrapping, &call.passphrase) {
        (Wrapping::Passphrase, None) => {
            refuse(Reason::PassphraseNeeded, "The backup opens with the passphrase that it was made with.")
        }
        (Wrapping::Passphrase, Some(passphrase)) => {
            let key = MasterKey::from_passphrase(passphrase, &header.salt)?;
            let wrong = "The passphrase is wrong, or the backup was altered.";
            key.open_data_key(&header.wrapped).or_else(|_| refuse(Reason::PassphraseWrong, wrong))
        }
        (Wrapping::MasterKey, Some(_)) => {
            let say = "The backup was made without the key and has no passphrase; leave the passphrase out.";
            refuse(Reason::BadFile, say)
        }
        (Wrapping::MasterKey, None) => master.key().open_data_key(&header.wrapped).or_else(|_| {
            let say = "The backup was made without the key. Put the registry.key of the box that it is of in the \
                       place of the one here first.";
            refuse(Reason::BadKey, say)
        }),
    }
}

fn backup_file(file: Option<OwnedFd>) -> Result<File, Failure> {
    let refuse = |why: &str| Failure::refused(Reason::BadFile, why);
    let mut file = File::from(file.ok_or_else(|| refuse("There is no file with the call."))?);
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(refuse("A backup is a regular file; copy it into one first."));
    }
    // It may have been passed before, with another passphrase.
    file.rewind().map_err(|error| refuse(&format!("The backup cannot be read: {error}")))?;
    Ok(file)
}

/// Codes up to now are to be spent, so now has to be right.
fn fits_clock(header: &Header, now: UnixTime) -> Result<(), Failure> {
    let time = |at: UnixTime| format!("{} {}", prompt::date(at), prompt::clock(at));
    let say = if clock::is_unset(now) {
        format!("This box's clock was never set (it is {} here); set it first.", time(now))
    } else if now < header.taken {
        let (now, taken) = (time(now), time(header.taken));
        format!("The backup was made at {taken}, and this box's clock says {now}: set it right first.")
    } else {
        return Ok(());
    };
    Err(Failure::refused(Reason::ClockUnset, say))
}

fn event(header: &Header, now: UnixTime) -> Event {
    let detail = format!("from a backup of {}; codes up to now are spent", prompt::date(header.taken));
    Event {
        detail: Some(detail),
        ..Event::blank(now, "-", "root", Kind::Restore, Decision::Accept, Reason::Ok)
    }
}

fn bad_backup(error: BackupError) -> Failure {
    let mut say = error.to_string();
    if let Some(first) = say.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Failure::refused(Reason::BadFile, format!("{say}. Nothing was changed."))
}
