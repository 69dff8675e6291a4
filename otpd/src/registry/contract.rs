//! What every [`Registry`] promises, run over each implementation: memory, and SQLite in a file.

use std::sync::Arc;
use std::time::Duration;

use otpd_core::account::Account;
use otpd_core::account::Admission;
use otpd_core::account::NewDevice;
use otpd_core::chain::ChainKey;
use otpd_core::device::DeviceId;
use otpd_core::device::SealedKey;
use otpd_core::device::Use;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::mark::Mark;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::recovery::Sheet;
use otpd_core::registry::EventQuery;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::source::Source;
use otpd_core::staging::Progress;
use otpd_core::staging::Staged;
use otpd_core::throttle::Lane;
use otpd_core::time::Step;
use otpd_core::time::UnixTime;
use otpd_core::totp::Algorithm;
use otpd_core::totp::Parameters;
use otpd_core::waiting::Waiting;

mod copies;
mod lists;
mod log;
mod mail;
mod released;
mod requirements;
mod tickets;

use super::Sqlite;
use super::memory::Memory;
use super::writer::Sink;
use super::writer::Written;

use copies::a_snapshot_counts_what_is_protected;
use copies::the_data_key_is_replaced_as_a_whole;
use lists::a_summary_says_what_opens_the_account;
use lists::accounts_are_found_by_name_and_state_and_paged_both_ways;
use lists::events_are_found_by_kind_and_decision;
use log::a_head_from_before_stays_on_the_way;
use log::the_log_is_whole_whatever_was_recorded_and_removed;
use mail::a_mail_that_is_given_up_leaves_nothing_but_its_end;
use mail::a_mail_waits_until_a_server_has_it;
use mail::codes_go_before_notices_and_of_notices_only_so_many_wait;
use requirements::a_group_is_required_until_it_is_released;
use requirements::of_too_many_groups_the_last_has_no_room;
use requirements::what_is_required_in_a_sign_in_ends_with_it;
use tickets::a_renewed_ticket_has_another_mark_and_keeps_its_visits;
use tickets::a_ticket_is_known_by_its_mark_until_it_ends;
use tickets::all_tickets_of_a_number_or_a_name_end_but_one_and_its_visits;
use tickets::of_too_many_tickets_the_oldest_goes;
use tickets::what_a_ticket_asked_for_ends_with_it;
use tickets::what_was_over_or_not_used_is_swept_a_few_at_a_time;

const NOW: UnixTime = UnixTime(1_800_000_000);

/// Runs each check over each implementation.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod memory_registry {
            $(#[test] fn $name() { super::$name(&std::sync::Arc::new(super::Memory::default())); })*
        }
        mod sqlite_registry {
            $(#[test] fn $name() {
                let directory = tempfile::tempdir().unwrap();
                super::$name(&std::sync::Arc::new(super::open(directory.path())));
            })*
        }
    };
}

contract!(
    a_name_that_nobody_has_makes_no_account,
    what_a_change_did_is_read_back,
    only_the_owner_of_name_and_uid_is_found,
    a_name_finds_its_account_whoever_has_it_now,
    a_detached_name_is_free_again,
    an_account_is_given_to_whoever_has_its_name_or_its_uid_now,
    an_account_is_not_given_to_somebody_who_has_one,
    an_account_whose_uid_was_set_free_can_be_given_back,
    changes_of_one_account_come_one_after_the_other,
    of_many_callers_one_wins_a_step,
    events_are_numbered_without_gaps_and_paged,
    accounts_are_listed_by_name,
    accounts_are_found_by_name_and_state_and_paged_both_ways,
    events_are_found_by_kind_and_decision,
    a_summary_says_what_opens_the_account,
    retired_devices_stay_on_record,
    readings_are_of_active_devices_used_since,
    what_is_recorded_soon_is_recorded,
    old_events_go_and_the_newest_stays,
    the_log_is_whole_whatever_was_recorded_and_removed,
    a_head_from_before_stays_on_the_way,
    what_is_staged_counts_for_nothing_until_it_is_decided,
    a_decided_import_is_applied_a_few_at_a_time,
    an_entry_that_is_passed_over_is_counted,
    of_imports_that_are_open_the_newest_stays_so,
    the_data_key_is_replaced_as_a_whole,
    a_snapshot_counts_what_is_protected,
    a_mail_waits_until_a_server_has_it,
    codes_go_before_notices_and_of_notices_only_so_many_wait,
    a_mail_that_is_given_up_leaves_nothing_but_its_end,
    a_ticket_is_known_by_its_mark_until_it_ends,
    a_renewed_ticket_has_another_mark_and_keeps_its_visits,
    all_tickets_of_a_number_or_a_name_end_but_one_and_its_visits,
    of_too_many_tickets_the_oldest_goes,
    what_a_ticket_asked_for_ends_with_it,
    what_was_over_or_not_used_is_swept_a_few_at_a_time,
    a_group_is_required_until_it_is_released,
    of_too_many_groups_the_last_has_no_room,
    what_is_required_in_a_sign_in_ends_with_it,
);

pub(super) fn open(directory: &std::path::Path) -> Sqlite {
    open_with(directory, Box::new(|_| {}))
}

fn open_with(directory: &std::path::Path, sink: Sink) -> Sqlite {
    let key = ChainKey::new(&[1; ChainKey::LENGTH]);
    let mut registry = Sqlite::open(&directory.join("registry.db")).unwrap();
    if registry.data_key().unwrap().is_none() {
        registry.store_data_key(&[], &key).unwrap();
    }
    registry.start(&key, sink).unwrap()
}

pub(super) fn who(uid: u32, name: &str) -> Identity {
    Identity { uid: Uid::new(uid).unwrap(), name: AccountName::new(name).unwrap() }
}

pub(super) fn event(user: &str, at: i64) -> Event {
    Event {
        at: UnixTime(at),
        user: user.into(),
        uid: None,
        actor: "sshd".into(),
        kind: Kind::Login,
        decision: Decision::Refuse,
        reason: Reason::CodeWrong,
        service: Some("sshd".into()),
        address: Some("192.0.2.1".into()),
        device: None,
        lane: Some(Lane::Unknown),
        detail: None,
    }
}

fn bind<R: Registry>(registry: &R, who: &Identity, name: &str) -> DeviceId {
    let name = DeviceName::new(name).unwrap();
    let bound = registry.change_or_create(who, move |account, _| {
        let parameters = Parameters::new(Algorithm::Sha512, 8, 60).unwrap();
        let new = NewDevice {
            name,
            key: SealedKey(vec![1, 2, 3]),
            parameters,
            counter: None,
            replaces: None,
            by: "alice".into(),
            from: "account.sock".into(),
        };
        let id = account.begin(new, NOW).unwrap();
        account.activate(id, NOW, "alice");
        id
    });
    bound.unwrap()
}

fn a_name_that_nobody_has_makes_no_account<R: Registry>(registry: &Arc<R>) {
    assert_eq!(registry.find(&who(1, "a")).unwrap(), None);
    assert_eq!(registry.change(&who(1, "a"), |_, _| ()).unwrap(), None);
    assert_eq!(registry.find(&who(1, "a")).unwrap(), None);
    assert!(registry.accounts(None, 10).unwrap().is_empty());
}

fn what_a_change_did_is_read_back<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    bind(&**registry, &alice, "phone");
    let changed = registry.change(&alice, |account, _| {
        let device = account.device_mut(DeviceId(1)).unwrap();
        (device.drift, device.leaning, device.last_step) = (-3, 1, Some(Step(u64::from(u32::MAX) + 7)));
        account.note_use(DeviceId(1), Use { at: NOW, service: "sshd".into(), address: Some("::1".into()) });
        account.lane_mut(Lane::Unknown).fail(NOW);
        account.learn_source(Source::parse("2001:db8::1").unwrap(), NOW);
        account.learn_source(Source::parse("192.0.2.9").unwrap(), NOW.plus(Duration::from_secs(1)));
        account.grace_since = Some(UnixTime(5));
        account.stepped_up = Some(UnixTime(6));
        account.announce = Some("hello".into());
        account.recovery = Sheet::new([Mark([1; 16]), Mark([2; 16])]);
        let _ = account.recover(Mark([2; 16]), NOW);
        account.enrolment = Some(Waiting::begin(Mark([3; 16]), NOW));
        account.admitted = Some(Admission { at: NOW, device: Some("phone".into()) });
        assert!(!account.enrol(Mark([4; 16]), NOW));
        mail::fill(account);
        let new = NewDevice {
            name: DeviceName::new("téléphone").unwrap(),
            key: SealedKey(vec![]),
            parameters: Parameters::counting(Algorithm::Sha1, 6).unwrap(),
            counter: Some(5),
            replaces: Some(DeviceId(1)),
            by: "root".into(),
            from: "account.sock".into(),
        };
        let token = account.begin(new, NOW).unwrap();
        account.device_mut(token).unwrap().needs_resync = true;
        account.clone()
    });
    assert_eq!(registry.find(&alice).unwrap(), changed.unwrap());
    registry.change(&alice, |account, _| account.open_lanes()).unwrap();
    assert_eq!(registry.find(&alice).unwrap().unwrap().lane(Lane::Unknown).failures, 0);
}

fn only_the_owner_of_name_and_uid_is_found<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    bind(&**registry, &who(1001, "bob"), "phone");
    for stranger in [who(1002, "alice"), who(1000, "carol"), who(1000, "bob"), who(1001, "alice")] {
        assert_eq!(registry.find(&stranger), Err(RegistryError::Conflict), "{stranger:?}");
        assert_eq!(registry.change(&stranger, |_, _| ()), Err(RegistryError::Conflict));
        assert_eq!(registry.change_or_create(&stranger, |_, _| ()), Err(RegistryError::Conflict));
    }
    assert!(registry.find(&who(1000, "alice")).unwrap().is_some());
    assert!(registry.find(&who(1000, "ALICE")).is_err());
}

fn a_name_finds_its_account_whoever_has_it_now<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    assert_eq!(registry.find_by_name(&alice.name).unwrap(), None);
    bind(registry.as_ref(), &alice, "phone");
    let found = registry.find_by_name(&alice.name).unwrap().unwrap();
    assert_eq!(found, registry.find(&alice).unwrap().unwrap());
    assert_eq!(found.identity, alice);
    registry.detach(&alice, NOW, "root", event("alice", 1).into()).unwrap();
    assert_eq!(registry.find_by_name(&alice.name).unwrap(), None);
}

fn a_detached_name_is_free_again<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    bind(&**registry, &who(1001, "bob"), "phone");
    bind(&**registry, &who(1002, "carol"), "phone");
    assert_eq!(registry.detach(&who(1001, "alice"), NOW, "root", event("alice", 1).into()).unwrap(), 1);
    assert_eq!(registry.find(&who(1001, "alice")).unwrap(), None);
    // bob had that uid. He is refused, not let in without a code.
    assert_eq!(registry.find(&who(1005, "bob")), Err(RegistryError::Conflict));
    // A name without a uid is nobody's account, and no list fails because of it.
    let listed = registry.accounts(None, 10).unwrap();
    assert!(listed.iter().any(|summary| summary.identity == who(1002, "carol")), "{listed:?}");
    let made = registry.change_or_create(&who(1001, "alice"), |account, _| account.id).unwrap();
    assert!(made.0 > 3, "{made:?}");
    assert!(registry.find(&who(1002, "carol")).unwrap().unwrap().is_protected());
}

fn an_account_is_given_to_whoever_has_its_name_or_its_uid_now<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    assert_eq!(registry.claims(&who(1001, "bob")).unwrap(), []);
    for (from, to) in [(who(1000, "alice"), who(2000, "alice")), (who(2000, "alice"), who(2000, "alicia"))] {
        let before = registry.find(&from).unwrap().unwrap();
        let claims = registry.claims(&to).unwrap();
        let [claim] = &claims[..] else { panic!("{claims:?}") };
        assert!(claim.is_of(&from) && !claim.is_of(&to) && claim.active_devices == 1, "{claim:?}");
        assert!(registry.adopt(claim, &to, event("adopted", 1).into()).unwrap());
        let after = registry.find(&to).unwrap().unwrap();
        assert_eq!((after.id, &after.devices, &after.identity), (before.id, &before.devices, &to));
        assert!(
            !registry.adopt(claim, &who(3000, "x"), event("adopted", 1).into()).unwrap(),
            "it has changed since"
        );
    }
    assert_eq!(registry.find(&who(1000, "alice")).unwrap(), None);
    assert_eq!(registry.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap().len(), 2);
}

fn an_account_is_not_given_to_somebody_who_has_one<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    bind(&**registry, &who(1001, "bob"), "phone");
    // alice and bob swapped their numbers.
    let claims = registry.claims(&who(1001, "alice")).unwrap();
    assert_eq!(claims.len(), 2);
    for claim in &claims {
        let given = registry.adopt(claim, &who(1001, "alice"), event("alice", 1).into());
        assert_eq!(given, Err(RegistryError::Conflict));
    }
    assert_eq!(registry.claims(&who(1000, "alice")).unwrap().len(), 1);
    assert_eq!(registry.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap(), []);
}

fn an_account_whose_uid_was_set_free_can_be_given_back<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    bind(&**registry, &who(1001, "bob"), "phone");
    registry.detach(&who(1001, "alice"), NOW, "root", event("alice", 1).into()).unwrap();
    let claims = registry.claims(&who(1000, "bob")).unwrap();
    assert_eq!(claims.iter().map(|claim| claim.uid).collect::<Vec<_>>(), [None]);
    assert!(registry.adopt(&claims[0], &who(1000, "bob"), event("bob", 2).into()).unwrap());
    assert!(registry.find(&who(1000, "bob")).unwrap().unwrap().is_protected());
}

fn changes_of_one_account_come_one_after_the_other<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    bind(&**registry, &alice, "phone");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let add_one = |account: &mut Account, _: &mut _| {
                        let device = account.device_mut(DeviceId(1)).unwrap();
                        device.last_step = Some(Step(device.last_step.map_or(1, |step| step.0 + 1)));
                    };
                    registry.change(&alice, add_one).unwrap().unwrap();
                }
            });
        }
    });
    let count = registry.find(&alice).unwrap().unwrap().devices[0].last_step;
    assert_eq!(count, Some(Step(80)));
}

fn of_many_callers_one_wins_a_step<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    bind(&**registry, &alice, "phone");
    for step in 1..=20 {
        let spend = move |account: &mut Account, _: &mut _| {
            let device = account.device_mut(DeviceId(1)).unwrap();
            let fresh = device.last_step.is_none_or(|last| last < Step(step));
            device.last_step = device.last_step.max(Some(Step(step)));
            fresh
        };
        let won: usize = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| registry.change(&alice, spend))).collect();
            callers.into_iter().map(|caller| usize::from(caller.join().unwrap().unwrap().unwrap())).sum()
        });
        assert_eq!(won, 1, "step {step}");
    }
}

fn events_are_numbered_without_gaps_and_paged<R: Registry>(registry: &Arc<R>) {
    for at in 1..=5 {
        registry.record(event(if at % 2 == 1 { "alice" } else { "bob" }, at)).unwrap();
    }
    let ids = |query: EventQuery| -> Vec<i64> {
        registry.events(&query).unwrap().into_iter().map(|event| event.id).collect()
    };
    let all = EventQuery { limit: 100, ..EventQuery::default() };
    assert_eq!(ids(all.clone()), [1, 2, 3, 4, 5]);
    assert_eq!(ids(EventQuery { limit: 2, ..all.clone() }), [1, 2]);
    assert_eq!(ids(EventQuery { limit: 2, after: Some(2), ..all.clone() }), [3, 4]);
    assert_eq!(ids(EventQuery { limit: 2, tail: true, ..all.clone() }), [4, 5]);
    assert_eq!(ids(EventQuery { user: Some("alice".into()), ..all.clone() }), [1, 3, 5]);
    assert_eq!(ids(EventQuery { since: Some(UnixTime(4)), ..all }), [4, 5]);
    let read = registry.events(&EventQuery { limit: 1, ..EventQuery::default() }).unwrap().remove(0);
    assert_eq!(
        (read.kind.as_str(), read.decision.as_str(), read.reason.as_str()),
        ("login", "refuse", "code_wrong")
    );
    assert_eq!((read.service.as_deref(), read.lane.as_deref()), (Some("sshd"), Some("unknown")));
}

fn old_events_go_and_the_newest_stays<R: Registry>(registry: &Arc<R>) {
    let ids = || {
        let all = registry.events(&EventQuery { limit: 100, ..EventQuery::default() }).unwrap();
        all.iter().map(|event| event.id).collect::<Vec<_>>()
    };
    let prune = |before, most| registry.prune(UnixTime(before), most, event("-", 0)).unwrap();
    assert_eq!(prune(100, 10), 0);
    // The clock went back once: what is behind a younger event waits until that one is old too.
    [1, 2, 3, 9, 4, 10].into_iter().for_each(|at| registry.record(event("alice", at)).unwrap());
    assert_eq!(prune(3, 1), 1);
    assert_eq!(prune(5, 10), 2);
    assert_eq!(prune(5, 10), 0);
    assert_eq!(ids(), [4, 5, 6]);
    assert_eq!(prune(1000, 10), 2);
    registry.record(event("alice", 11)).unwrap();
    assert_eq!(ids(), [6, 7]);
}

fn accounts_are_listed_by_name<R: Registry>(registry: &Arc<R>) {
    for (uid, name) in [(3, "carol"), (1, "alice"), (2, "bob")] {
        bind(&**registry, &who(uid, name), "phone");
    }
    let fail = |account: &mut Account, _: &mut _| {
        (0..100).for_each(|_| account.lane_mut(Lane::Local).fail(NOW));
    };
    registry.change(&who(2, "bob"), fail).unwrap();
    let page = registry.accounts(None, 2).unwrap();
    let names: Vec<&str> = page.iter().map(|summary| summary.identity.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!((page[0].locked, page[1].locked, page[0].active_devices), (false, true, 1));
    let rest = registry.accounts(Some(&page[1].identity.name), 2).unwrap();
    assert_eq!(rest[0].identity, who(3, "carol"));
}

fn retired_devices_stay_on_record<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    bind(&**registry, &alice, "old");
    bind(&**registry, &alice, "new");
    let retire = |account: &mut Account, _: &mut _| {
        account.device_mut(DeviceId(1)).unwrap().retire(NOW, "alice");
        account.id
    };
    let id = registry.change(&alice, retire).unwrap().unwrap();
    assert_eq!(registry.find(&alice).unwrap().unwrap().devices.len(), 1);
    let all = registry.devices(id, None, 10).unwrap();
    assert_eq!(all.iter().map(|device| device.id.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(all[0].key, SealedKey(vec![]));
    assert_eq!(registry.devices(id, Some(DeviceId(1)), 10).unwrap().len(), 1);
}

fn readings_are_of_active_devices_used_since<R: Registry>(registry: &Arc<R>) {
    for (uid, drift, used) in [(1000, 2, Some(30)), (1001, -1, Some(20)), (1002, 0, Some(9)), (1003, 0, None)]
    {
        let who = who(uid, &format!("user{uid}"));
        let id = bind(&**registry, &who, "phone");
        let change = move |account: &mut Account, _: &mut Journal| {
            let device = account.device_mut(id).unwrap();
            (device.drift, device.leaning) = (drift, -1);
            device.last_use = used.map(|at| Use { at: UnixTime(at), service: "sshd".into(), address: None });
        };
        registry.change(&who, change).unwrap();
    }
    // One that counts has no clock.
    let token = who(1004, "user1004");
    let id = bind(&**registry, &token, "token");
    let change = move |account: &mut Account, _: &mut Journal| {
        let device = account.device_mut(id).unwrap();
        device.parameters = Parameters::counting(Algorithm::Sha1, 6).unwrap();
        device.last_use = Some(Use { at: UnixTime(50), service: "sshd".into(), address: None });
    };
    registry.change(&token, change).unwrap();
    let seen = |since, most| -> Vec<(u32, i64)> {
        let readings = registry.readings(UnixTime(since), most).unwrap();
        readings.iter().map(|reading| (reading.who.uid.as_u32(), reading.offset)).collect()
    };
    assert_eq!(seen(10, 9), [(1000, 60), (1001, -120)]);
    assert_eq!(seen(9, 9), [(1000, 60), (1001, -120), (1002, -60)]);
    assert_eq!(seen(9, 1), [(1000, 60)]);
    let reading = registry.readings(UnixTime(9), 1).unwrap().remove(0);
    assert_eq!((reading.name.as_str(), reading.device), ("phone", DeviceId(1)));
    registry.change(&who(1000, "user1000"), |account, _| account.retire_all(NOW, "root")).unwrap();
    assert_eq!(seen(10, 9), [(1001, -120)]);
}

fn what_is_recorded_soon_is_recorded<R: Registry>(registry: &Arc<R>) {
    assert!(registry.record_soon(event("alice", 1)));
    // The queue is worked off in order, so what is recorded after it is read after it.
    registry.record(event("alice", 2)).unwrap();
    let events = registry.events(&EventQuery { limit: 10, ..EventQuery::default() }).unwrap();
    assert_eq!(events.iter().map(|event| event.at.0).collect::<Vec<_>>(), [1, 2]);
}

/// An entry for a user of this number, `u1` and so on.
fn staged(number: u32, user: u32) -> Staged {
    Staged {
        number,
        who: who(1000 + user, &format!("u{user}")),
        key: SealedKey(vec![7; 3]),
        parameters: Parameters::new(Algorithm::Sha256, 8, 60).unwrap(),
        drift: -2,
        last_step: Some(Step(u64::from(u32::MAX) + 7)),
        name: (number == 1).then(|| DeviceName::new("téléphone").unwrap()),
    }
}

/// Binds what was staged.
fn add(by: &str, staged: &Staged, account: Option<&mut Account>, journal: &mut Journal) -> bool {
    journal.record(event(staged.who.name.as_str(), staged.number.into()));
    let Some(account) = account else { return false };
    let name = DeviceName::new(&format!("d{}", staged.number)).unwrap();
    let (key, parameters) = (staged.key.clone(), staged.parameters);
    let new = NewDevice {
        name,
        key,
        parameters,
        counter: None,
        replaces: None,
        by: by.into(),
        from: "import".into(),
    };
    account.add_proven(new, staged.drift, staged.last_step, NOW).is_ok()
}

fn what_is_staged_counts_for_nothing_until_it_is_decided<R: Registry>(registry: &Arc<R>) {
    let import = registry.begin_import("root").unwrap();
    let entries: Vec<Staged> = vec![staged(1, 1), staged(2, 2), staged(3, 1)];
    assert!(registry.stage(import, entries.clone()).unwrap());
    assert!(registry.stage(import, vec![staged(4, 1)]).unwrap());
    let of_one = registry.staged(import, &who(1001, "u1")).unwrap();
    assert_eq!(of_one, [entries[0].clone(), entries[2].clone(), staged(4, 1)]);
    assert_eq!(registry.staged(import, &who(1009, "u9")).unwrap(), []);
    assert!(registry.accounts(None, 10).unwrap().is_empty());
    assert_eq!(registry.apply_import(import, 100, add).unwrap(), None);
    assert_eq!(registry.unfinished_import().unwrap(), None);
    assert!(registry.drop_import(import).unwrap());
    assert!(!registry.drop_import(import).unwrap() && !registry.stage(import, vec![staged(5, 1)]).unwrap());
    assert!(!registry.decide_import(import, event("root", 1)).unwrap());
    assert_eq!(registry.sweep_imports(3).unwrap(), 3);
    assert_eq!((registry.sweep_imports(3).unwrap(), registry.sweep_imports(3).unwrap()), (1, 0));
    assert!(registry.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap().is_empty());
}

fn a_decided_import_is_applied_a_few_at_a_time<R: Registry>(registry: &Arc<R>) {
    let import = registry.begin_import("somebody").unwrap();
    registry.stage(import, (1..=5).map(|number| staged(number, number % 2)).collect()).unwrap();
    assert!(registry.decide_import(import, event("root", 1)).unwrap());
    assert!(!registry.decide_import(import, event("root", 1)).unwrap());
    assert!(!registry.drop_import(import).unwrap(), "what is decided is not dropped");
    assert!(!registry.stage(import, vec![staged(6, 1)]).unwrap(), "nor added to");
    registry.drop_open_imports().unwrap();
    let progress = |left| Progress { left, skipped: 0 };
    assert_eq!(registry.unfinished_import().unwrap(), Some((import, progress(5))));
    assert_eq!(registry.apply_import(import, 2, add).unwrap(), Some(progress(3)));
    assert_eq!(registry.unfinished_import().unwrap(), Some((import, progress(3))));
    assert_eq!(registry.apply_import(import, 2, add).unwrap(), Some(progress(1)));
    assert_eq!(registry.apply_import(import, 2, add).unwrap(), Some(progress(0)));
    assert_eq!(
        registry.apply_import(import, 2, add).unwrap(),
        Some(progress(0)),
        "asked once more, it is the same"
    );
    assert_eq!(registry.unfinished_import().unwrap(), None);
    let account = registry.find(&who(1001, "u1")).unwrap().unwrap();
    assert_eq!(account.active().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["d1", "d3", "d5"]);
    let device = &account.devices[0];
    assert_eq!((device.drift, device.last_step), (-2, Some(Step(u64::from(u32::MAX) + 7))));
    assert_eq!((device.created_by.as_str(), device.parameters), ("somebody", staged(1, 1).parameters));
    let events = registry.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap();
    assert_eq!(events.iter().map(|event| event.at.0).collect::<Vec<_>>(), [1, 1, 2, 3, 4, 5]);
}

fn an_entry_that_is_passed_over_is_counted<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1001, "renamed"), "phone");
    let import = registry.begin_import("root").unwrap();
    registry.stage(import, vec![staged(1, 1), staged(2, 2), staged(3, 1)]).unwrap();
    registry.decide_import(import, event("root", 1)).unwrap();
    assert_eq!(registry.apply_import(import, 1, add).unwrap(), Some(Progress { left: 2, skipped: 1 }));
    assert_eq!(registry.apply_import(import, 9, add).unwrap(), Some(Progress { left: 0, skipped: 2 }));
    assert!(registry.find(&who(1002, "u2")).unwrap().unwrap().is_protected());
    assert_eq!(registry.find(&who(1001, "renamed")).unwrap().unwrap().devices.len(), 1);
}

fn of_imports_that_are_open_the_newest_stays_so<R: Registry>(registry: &Arc<R>) {
    let first = registry.begin_import("root").unwrap();
    registry.stage(first, vec![staged(1, 1)]).unwrap();
    let second = registry.begin_import("root").unwrap();
    assert!(second > first);
    assert!(!registry.stage(first, vec![staged(2, 1)]).unwrap());
    assert_eq!(registry.staged(second, &who(1001, "u1")).unwrap(), []);
    assert!(registry.stage(second, vec![staged(1, 1)]).unwrap());
    registry.drop_open_imports().unwrap();
    assert!(!registry.decide_import(second, event("root", 1)).unwrap());
    assert_eq!(registry.sweep_imports(100).unwrap(), 2);
    assert!(registry.begin_import("root").unwrap() > second);
}

mod sqlite_alone {
    use super::*;

    #[test]
    fn a_decided_import_outlives_the_process_between_any_two_steps() {
        let directory = tempfile::tempdir().unwrap();
        let import = {
            let registry = open(directory.path());
            let import = registry.begin_import("root").unwrap();
            registry.stage(import, (1..=9).map(|number| staged(number, number)).collect()).unwrap();
            import
        };
        assert!(open(directory.path()).decide_import(import, event("root", 1)).unwrap());
        for left in (0..9).rev() {
            let registry = open(directory.path());
            assert_eq!(registry.unfinished_import().unwrap().unwrap().0, import);
            let progress = registry.apply_import(import, 1, add).unwrap();
            assert_eq!(progress, Some(Progress { left, skipped: 0 }));
        }
        let registry = open(directory.path());
        assert_eq!(registry.unfinished_import().unwrap(), None);
        let accounts = registry.accounts(None, 100).unwrap();
        assert!(accounts.len() == 9 && accounts.iter().all(|account| account.active_devices == 1));
    }

    #[test]
    fn a_panic_in_one_change_harms_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let registry = open(directory.path());
        let alice = who(1000, "alice");
        bind(&registry, &alice, "phone");
        let failed = registry.change(&alice, |account, _| {
            account.announce = Some("never".into());
            panic!("in the closure");
        });
        assert!(matches!(failed, Err::<Option<()>, _>(RegistryError::Unavailable(_))), "{failed:?}");
        assert_eq!(registry.find(&alice).unwrap().unwrap().announce, None);
        registry.change(&alice, |account, _| account.announce = Some("then".into())).unwrap();
        assert_eq!(registry.find(&alice).unwrap().unwrap().announce.as_deref(), Some("then"));
    }

    #[test]
    fn what_was_answered_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let alice = who(1000, "alice");
        bind(&open(directory.path()), &alice, "phone");
        assert!(open(directory.path()).find(&alice).unwrap().unwrap().is_protected());
    }

    #[test]
    fn a_damaged_registry_is_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let alice = who(1000, "alice");
        bind(&open(directory.path()), &alice, "phone");
        let path = directory.path().join("registry.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let length = bytes.len();
        bytes[100..length].iter_mut().for_each(|byte| *byte ^= 0x5a);
        std::fs::write(&path, bytes).unwrap();
        assert!(Sqlite::open(&path).is_err());
    }

    #[test]
    fn every_event_reaches_the_sink_after_its_commit() {
        let directory = tempfile::tempdir().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let sink = Box::new(move |written: Written<'_>| {
            if let Written::Event(event) = written {
                tell.send(event.at.0).unwrap();
            }
        });
        let registry = open_with(directory.path(), sink);
        registry.record(event("alice", 7)).unwrap();
        assert_eq!(told.recv().unwrap(), 7);
    }
}
