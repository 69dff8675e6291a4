//! The life of devices, names and addresses of an account.

use super::*;
use crate::name::AccountName;
use crate::name::Uid;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn account() -> Account {
    let identity = Identity { uid: Uid::new(1000).unwrap(), name: AccountName::new("alice").unwrap() };
    Account::new(AccountId(1), identity)
}

fn new(name: &str) -> NewDevice {
    NewDevice {
        name: DeviceName::new(name).unwrap(),
        key: SealedKey(vec![1]),
        parameters: Parameters::default(),
        counter: None,
        replaces: None,
        by: "alice".into(),
        from: "account.sock".into(),
    }
}

fn bound(account: &mut Account, name: &str) -> DeviceId {
    let id = account.begin(new(name), NOW).unwrap();
    account.activate(id, NOW, "alice");
    id
}

fn after(seconds: u64) -> UnixTime {
    NOW.plus(Duration::from_secs(seconds))
}

#[test]
fn a_pending_device_protects_nothing_and_dies_after_ten_minutes() {
    let mut account = account();
    let id = account.begin(new("phone"), NOW).unwrap();
    assert!(!account.is_protected());
    assert!(account.find("phone").unwrap().is_pending(after(599)));
    assert!(!account.find("phone").unwrap().is_pending(after(600)));
    account.expire_pending(after(600));
    assert!(account.find("phone").is_none() && account.device_mut(id).is_none());
}

#[test]
fn beginning_anew_under_the_same_name_replaces_the_pending_one() {
    let mut account = account();
    let first = account.begin(new("phone"), NOW).unwrap();
    let second = account.begin(new("phone"), NOW).unwrap();
    assert_ne!(first, second);
    assert_eq!(account.find("phone").unwrap().id, second);
}

#[test]
fn names_are_unique_among_active_devices() {
    let mut account = account();
    bound(&mut account, "phone");
    assert_eq!(account.begin(new("phone"), NOW), Err(CannotBind::NameTaken));
    assert!(account.begin(new("tablet"), NOW).is_ok());
}

#[test]
fn ten_devices_are_the_most() {
    let mut account = account();
    for number in 0..10 {
        bound(&mut account, &format!("phone {number}"));
    }
    assert_eq!(account.begin(new("eleventh"), NOW), Err(CannotBind::TooMany));
    let replacing = NewDevice { replaces: Some(DeviceId(3)), ..new("eleventh") };
    assert!(account.begin(replacing, NOW).is_ok());
}

#[test]
fn the_old_device_works_until_its_replacement_is_proven() {
    let mut account = account();
    let old = bound(&mut account, "phone");
    let id = account.begin(NewDevice { replaces: Some(old), ..new("phone") }, NOW).unwrap();
    assert!(account.device_mut(old).unwrap().is_active());
    assert_eq!(account.activate(id, NOW, "alice").unwrap().as_str(), "phone");
    assert!(!account.device_mut(old).unwrap().is_active());
    assert!(account.device_mut(id).unwrap().is_active());
}

#[test]
fn a_device_begun_before_the_first_was_proven_cannot_become_a_second_way_in() {
    let mut account = account();
    let strangers = account.begin(new("stranger"), NOW).unwrap();
    bound(&mut account, "phone");
    assert!(account.find("stranger").is_none());
    assert_eq!(account.activate(strangers, NOW, "alice"), None);
    assert_eq!(account.active().count(), 1);
}

#[test]
fn a_retired_device_never_comes_back() {
    let mut account = account();
    let id = bound(&mut account, "phone");
    account.device_mut(id).unwrap().retire(NOW, "alice");
    account.device_mut(id).unwrap().retire(after(5), "mallory");
    assert_eq!(account.activate(id, NOW, "alice"), None);
    assert!(
        matches!(&account.device_mut(id).unwrap().state, State::Retired { at, by, .. } if *at == NOW && by == "alice")
    );
    assert!(account.find("1").is_none());
}

#[test]
fn a_device_is_found_by_its_name_or_its_number_as_it_is_written() {
    let mut account = account();
    bound(&mut account, "phone");
    assert!(account.find("phone").is_some() && account.find("1").is_some());
    for other in ["01", "+1", " 1", "1 ", "Phone", ""] {
        assert!(account.find(other).is_none(), "{other:?}");
    }
}

#[test]
fn numbers_are_never_used_again() {
    let mut account = account();
    let first = bound(&mut account, "phone");
    account.retire_all(NOW, "root");
    assert!(bound(&mut account, "phone") > first);
}

#[test]
fn sixteen_addresses_are_kept_for_thirty_days() {
    let mut account = account();
    let source = |n: u8| Source::parse(&format!("192.0.2.{n}")).unwrap();
    for n in 0..17 {
        account.learn_source(source(n), after(u64::from(n)));
    }
    assert_eq!(account.sources.len(), 16);
    assert!(!account.knows(source(0), after(20)) && account.knows(source(1), after(20)));
    assert!(account.knows(source(16), after(16 + 30 * 86_400 - 1)));
    assert!(!account.knows(source(16), after(16 + 30 * 86_400)));
}

#[test]
fn an_address_is_written_once_a_day() {
    let mut account = account();
    let source = Source::parse("192.0.2.1").unwrap();
    account.learn_source(source, NOW);
    account.learn_source(source, after(86_399));
    assert_eq!(account.sources, [(source, NOW)]);
    account.learn_source(source, after(86_400));
    assert_eq!(account.sources, [(source, after(86_400))]);
}

fn recoverable() -> (Account, DeviceId) {
    let mut account = account();
    let phone = bound(&mut account, "phone");
    account.recovery = Sheet::new((0..Sheet::CODES).map(|seed| Mark([seed; Mark::LENGTH])));
    (account, phone)
}

#[test]
fn a_recovery_stands_for_a_code_for_thirty_minutes_and_until_a_device_is_proven() {
    let (mut account, phone) = recoverable();
    assert!(!account.may_rebind(NOW));
    assert_eq!(account.recover(Mark([3; Mark::LENGTH]), NOW), Some(Spent::Now { number: 4 }));
    assert!(account.may_rebind(NOW) && account.may_rebind(after(1799)));
    assert!(!account.may_rebind(after(1800)) && !account.may_rebind(UnixTime(NOW.0 - 1)));
    let id = account.begin(NewDevice { replaces: Some(phone), ..new("phone") }, NOW).unwrap();
    assert!(account.may_rebind(after(1)));
    account.activate(id, after(1), "alice");
    assert!(!account.may_rebind(after(1)) && account.recovered.is_none());
}

#[test]
fn a_code_that_is_wrong_or_used_is_no_recovery() {
    let (mut account, _) = recoverable();
    assert_eq!(account.recover(Mark([99; Mark::LENGTH]), NOW), None);
    let _ = account.recover(Mark([3; Mark::LENGTH]), NOW);
    let again = account.recover(Mark([3; Mark::LENGTH]), after(1800));
    assert_eq!(again, Some(Spent::Before { number: 4, at: NOW }));
    assert!(!account.may_rebind(after(1800)));
}

#[test]
fn recovery_codes_go_with_the_devices() {
    let (mut account, _) = recoverable();
    let _ = account.recover(Mark([3; Mark::LENGTH]), NOW);
    account.retire_all(NOW, "root");
    assert_eq!(account.recovery.left().count(), 0);
    assert!(!account.may_rebind(NOW));
}
