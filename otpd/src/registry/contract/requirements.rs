//! Groups of which administrators require protection.

use std::sync::Arc;

use otpd_core::policy::Requirement;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::ticket::TicketId;
use otpd_core::time::UnixTime;

use super::NOW;
use super::event;

pub(super) fn require<R: Registry>(registry: &R, gid: u32, from: UnixTime) -> bool {
    registry.require_group(None, &requirement(gid, from), event("root", 1)).unwrap()
}

fn requirement(gid: u32, from: UnixTime) -> Requirement {
    Requirement { gid, group: format!("group{gid}"), from, by: "root".into(), at: NOW }
}

fn events<R: Registry>(registry: &R) -> usize {
    registry.events(&super::EventQuery { limit: 99, ..Default::default() }).unwrap().len()
}

pub(super) fn a_group_is_required_until_it_is_released<R: Registry>(registry: &Arc<R>) {
    assert_eq!(registry.requirements().unwrap(), []);
    assert!(require(&**registry, 200, NOW) && require(&**registry, 100, UnixTime(1)));
    assert_eq!(registry.requirements().unwrap(), [requirement(100, UnixTime(1)), requirement(200, NOW)]);
    assert!(require(&**registry, 100, UnixTime(2)), "in the place of the one before");
    assert_eq!(registry.requirements().unwrap(), [requirement(100, UnixTime(2)), requirement(200, NOW)]);
    assert_eq!(events(&**registry), 3);
    assert!(registry.release_group(None, 100, event("root", 2)).unwrap());
    assert!(!registry.release_group(None, 100, event("root", 3)).unwrap());
    assert_eq!(registry.requirements().unwrap(), [requirement(200, NOW)]);
    assert_eq!(events(&**registry), 4, "of what changed nothing there is none");
}

pub(super) fn of_too_many_groups_the_last_has_no_room<R: Registry>(registry: &Arc<R>) {
    let most = u32::try_from(Requirement::MOST).unwrap();
    assert!((1..=most).all(|gid| require(&**registry, gid, NOW)));
    assert!(!require(&**registry, most + 1, NOW));
    assert!(require(&**registry, most, UnixTime(1)), "it is there already");
    assert_eq!(registry.requirements().unwrap().len(), Requirement::MOST);
}

pub(super) fn what_is_required_in_a_sign_in_ends_with_it<R: Registry>(registry: &Arc<R>) {
    assert!(require(&**registry, 100, NOW));
    let over = Some(TicketId(7));
    let refused = registry.require_group(over, &requirement(200, NOW), event("root", 1));
    assert_eq!(refused, Err(RegistryError::SignedOut));
    assert_eq!(registry.release_group(over, 100, event("root", 1)), Err(RegistryError::SignedOut));
    assert_eq!(registry.requirements().unwrap(), [requirement(100, NOW)]);
}
