//! The data key and the whole.

use std::io::Read;
use std::sync::Arc;

use otpd_core::registry::DataKey;
use otpd_core::registry::Registry;

use super::bind;
use super::event;
use super::who;

pub(super) fn the_data_key_is_replaced_as_a_whole<R: Registry>(registry: &Arc<R>) {
    let first = DataKey { wrapped: vec![1; 73], next: Some(vec![2; 73]) };
    registry.set_data_key(first.clone(), None).unwrap();
    assert_eq!(registry.data_key().unwrap(), Some(first));
    let second = DataKey { wrapped: vec![2; 73], next: None };
    registry.set_data_key(second.clone(), Some(event("root", 7))).unwrap();
    assert_eq!(registry.data_key().unwrap(), Some(second));
    assert_eq!(registry.events(&super::EventQuery { limit: 9, ..Default::default() }).unwrap().len(), 1);
}

pub(super) fn a_snapshot_counts_what_is_protected<R: Registry>(registry: &Arc<R>) {
    let count = || registry.snapshot().map(|found| (found.accounts, found.devices)).unwrap();
    assert_eq!(count(), (0, 0));
    let (alice, bob) = (who(1000, "alice"), who(1001, "bob"));
    for (owner, name) in [(&alice, "a"), (&alice, "b"), (&bob, "a")] {
        bind(&**registry, owner, name);
    }
    assert_eq!(count(), (2, 3));
    registry.change(&bob, |account, _| account.retire_all(super::NOW, "bob")).unwrap();
    assert_eq!(count(), (1, 2));
    let mut bytes = Vec::new();
    registry.snapshot().unwrap().bytes.read_to_end(&mut bytes).unwrap();
    assert!(bytes.windows(5).any(|name| name == b"alice"));
}
