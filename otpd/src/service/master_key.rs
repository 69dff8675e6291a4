//! Another master key in the place of the one that there is: the data key is wrapped with both until the new one has
//! opened it.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::PoisonError;

use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::DataKey;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::admin as wire;

use super::Failure;
use super::Parties;
use super::Service;
use crate::keys::KeyError;
use crate::keys::MasterKey;
use crate::open::new_key;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// Makes a new master key; or takes the one in `file`, which is to be put in the old one's place by whoever can.
    ///
    /// # Errors
    /// [`Failure`]; the old key goes on to open the registry then.
    pub fn rotate_key(
        &self,
        peer: Peer,
        file: Option<OwnedFd>,
        now: UnixTime,
    ) -> Result<wire::KeyRotated, Failure> {
        let parties = self.root(peer, Request::MasterKey, Kind::MasterKey, now)?;
        let path = self.key_file.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match (file, &*path) {
            (Some(file), _) => self.announce(&parties, file, now).map(|()| wire::KeyRotated { key: None }),
            (None, Some(path)) => {
                self.replace(&parties, path, now).map(|()| wire::KeyRotated { key: Some(shown(path)) })
            }
            (None, None) => Err(Failure::refused(Reason::BadKey, BY_HAND)),
        };
        done.or_else(|failure| self.refuse(&parties, now, Kind::MasterKey, failure))
    }

    /// Lets another key open the registry as well, until it is the one that otpd starts with.
    fn announce(&self, parties: &Parties, file: OwnedFd, now: UnixTime) -> Result<(), Failure> {
        let refuse =
            |error: KeyError| Failure::refused(Reason::BadKey, format!("It cannot be used: {error}."));
        let new = MasterKey::read_open(File::from(file)).map_err(refuse)?;
        let wrapped = self.wrapped()?;
        if new.open_data_key(&wrapped).is_ok() {
            return Err(Failure::refused(Reason::BadKey, "That is the master key already."));
        }
        let detail = "another one was named, and waits until otpd starts with it";
        let next = Some(new.wrap(&self.keys)?);
        Ok(self.registry.set_data_key(DataKey { wrapped, next }, Some(event(parties, now, detail)))?)
    }

    /// At every moment the file that is in its place opens the registry.
    fn replace(&self, parties: &Parties, path: &Path, now: UnixTime) -> Result<(), Failure> {
        let wrapped = self.wrapped()?;
        let new_path = new_key(path);
        // Left by one that failed.
        let _ = std::fs::remove_file(&new_path);
        let new = MasterKey::random()?;
        new.store(&new_path).map_err(cannot_write)?;
        let next = new.wrap(&self.keys)?;
        self.registry.set_data_key(DataKey { wrapped, next: Some(next.clone()) }, None)?;
        let moved = std::fs::rename(&new_path, path)
            .and_then(|()| File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all());
        moved.map_err(|source| cannot_write(KeyError::File { path: path.to_owned(), source }))?;
        MasterKey::read(path)?.open_data_key(&next)?;
        let event = event(parties, now, "a new one was made, and the old one opens nothing any more");
        Ok(self.registry.set_data_key(DataKey { wrapped: next, next: None }, Some(event))?)
    }

    fn wrapped(&self) -> Result<Vec<u8>, Failure> {
        Ok(self.registry.data_key()?.ok_or(KeyError::DoesNotOpen)?.wrapped)
    }
}

fn event(parties: &Parties, now: UnixTime, detail: &str) -> Event {
    let event = parties.event(now, Kind::MasterKey, Decision::Accept, Reason::Ok);
    Event { detail: Some(detail.to_owned()), ..event }
}

fn cannot_write(error: KeyError) -> Failure {
    Failure::refused(Reason::BadKey, format!("otpd cannot write its master key ({error}). {WITH_FILE}"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

const BY_HAND: &str = "The master key is a systemd credential, which otpd cannot write. Make a new one of 32 random \
                       bytes and run: otpctl key rotate --to FILE";
const WITH_FILE: &str = "Make a new one of 32 random bytes and run: otpctl key rotate --to FILE";
