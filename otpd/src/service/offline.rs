//! Names while otpd is stopped or the disk is mounted elsewhere: whom the user database does not know (a directory that
//! is out of reach, another system's users) the registry may.

use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Registry;

use super::Failure;
use super::Service;
use crate::names::Person;

impl<R: Registry> Service<R> {
    /// Whoever has this name in the registry.
    pub(super) fn known_to_registry(&self, name: &str) -> Result<Option<Person>, Failure> {
        let Ok(name) = AccountName::new(name) else { return Ok(None) };
        let account = self.registry.find_by_name(&name)?;
        Ok(account.map(|account| Person { identity: account.identity, groups: Vec::new() }))
    }
}

/// The caller. No database is asked who root is.
pub(super) fn root() -> Option<Person> {
    let (uid, name) = Uid::new(0).zip(AccountName::new("root").ok())?;
    Some(Person { identity: Identity { uid, name }, groups: Vec::new() })
}
