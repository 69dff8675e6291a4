//! Giving keys out: the one place where they leave the seal, for root alone.

use otpd_core::account::Account;
use otpd_core::check::Opener;
use otpd_core::event::Decision;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::name::AccountName;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::time::UnixTime;
use otpd_proto::Secret;
use otpd_proto::admin as wire;

use super::Failure;
use super::Service;
use crate::peer::Peer;
use crate::permit::Request;

impl<R: Registry> Service<R> {
    /// The keys of active devices by account, a page at a time.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn export(
        &self,
        peer: Peer,
        call: &wire::ExportParameters,
        now: UnixTime,
    ) -> Result<wire::Exported, Failure> {
        let parties = self.root(peer, Request::Export, Kind::Export, now)?;
        let after = match call.after.as_deref() {
            Some(name) => Some(AccountName::new(name).map_err(|_| Failure::no_such_user(name))?),
            None => {
                let mut event = parties.event(now, Kind::Export, Decision::Accept, Reason::Ok);
                event.detail = Some("the keys of all active devices".into());
                self.registry.record(event)?;
                None
            }
        };
        let page = self.registry.accounts(after.as_ref(), ACCOUNTS)?;
        // Only an empty page is the end: one may lack accounts that this version cannot read.
        let mut next = page.last();
        let mut entries = Vec::new();
        for summary in &page {
            match self.registry.find(&summary.identity) {
                // Between the list and this look it was cleared by root.
                Ok(None) | Err(RegistryError::Conflict) => {}
                Ok(Some(account)) => self.open_keys(&account, &mut entries)?,
                Err(error) => return Err(error.into()),
            }
            if entries.iter().map(size).fold(0, usize::saturating_add) > ROOM {
                next = Some(summary);
                break;
            }
        }
        Ok(wire::Exported { entries, next: next.map(|last| last.identity.name.to_string()) })
    }

    fn open_keys(&self, account: &Account, entries: &mut Vec<wire::ExportEntry>) -> Result<(), Failure> {
        for device in account.active() {
            let key = self.keys.open(account, device)?;
            entries.push(wire::ExportEntry {
                user: account.identity.name.to_string(),
                device: device.name.to_string(),
                key: Secret::new(key.expose_base32().to_string()),
                algorithm: device.parameters.algorithm().to_string(),
                digits: device.parameters.digits(),
                period: device.parameters.period(),
                last_step: device.last_step.map(|step| step.0),
            });
        }
        Ok(())
    }
}

/// At most so many bytes as JSON: of a name each may become two.
fn size(entry: &wire::ExportEntry) -> usize {
    let names = entry.user.len().saturating_add(entry.device.len()).saturating_mul(2);
    names.saturating_add(entry.key.expose_secret().len()).saturating_add(160)
}

/// Accounts of a page.
const ACCOUNTS: u32 = 100;
/// Bytes after which no further account begins: one has ten devices of at most 1 KiB.
const ROOM: usize = 48 * 1024;
