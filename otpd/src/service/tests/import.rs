//! Imports and exports: what is refused, what is taken, and that a death between any two steps changes neither.

use otpd_core::account::NewDevice;
use otpd_core::device::Device;
use otpd_core::device::DeviceId;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Uid;
use otpd_proto::admin::ExportParameters;
use otpd_proto::admin::ImportAddParameters;
use otpd_proto::admin::ImportEntry;
use otpd_proto::admin::ImportParameters;
use otpd_proto::admin::ImportSize;
use zeroize::Zeroizing;

use super::*;
use crate::registry::Sqlite;
use crate::upkeep::look_after_imports;

fn root() -> Peer {
    Peer::new(Door::Account, 0)
}

/// A key made of one byte.
fn key(byte: u8) -> Key {
    Key::new(Zeroizing::new(vec![byte; 20])).unwrap()
}

fn entry(user: &str, byte: u8) -> ImportEntry {
    ImportEntry {
        user: user.into(),
        key: Secret::new(key(byte).expose_base32().to_string()),
        algorithm: "SHA1".into(),
        digits: 6,
        period: 30,
        drift: 0,
        last_step: None,
        name: None,
    }
}

fn begin<R: Registry>(service: &Service<R>) -> ImportParameters {
    ImportParameters { import: service.import_begin(root(), NOW).unwrap().import }
}

/// What is wrong with entries, by index.
fn add<R: Registry>(
    service: &Service<R>,
    import: &ImportParameters,
    entries: Vec<ImportEntry>,
) -> Vec<(u32, String)> {
    let call = ImportAddParameters { import: import.import, entries };
    let added = service.import_add(root(), &call, NOW).unwrap();
    added.problems.into_iter().map(|problem| (problem.index, problem.say)).collect()
}

/// Imports entries that nothing is wrong with, at a moment.
fn import<R: Registry>(service: &Service<R>, entries: Vec<ImportEntry>, now: UnixTime) -> ImportSize {
    let import = begin(service);
    assert_eq!(add(service, &import, entries), []);
    let size = service.import_commit(root(), &import, now).unwrap();
    while service.import_step(root(), &import, now).unwrap().left > 0 {}
    size
}

fn active(service: &Service<Memory>, user: &str) -> Vec<Device> {
    let who = service.names.by_name(user, Groups::default()).unwrap().unwrap().identity;
    let account = service.registry.find(&who).unwrap();
    account.map(|account| account.active().cloned().collect()).unwrap_or_default()
}

fn gives(service: &Service<Memory>, byte: u8, at: UnixTime) -> bool {
    let code = Phone(key(byte)).code(at);
    matches!(service.answer(ROOT, &login(None), &code, at).unwrap(), Next::Accept { .. })
}

#[test]
fn an_imported_key_works_from_the_next_step_on() {
    let service = plain();
    let size = import(&service, vec![entry(USER, 1), entry(ADMIN, 1), entry(USER, 2)], NOW);
    assert_eq!((size.devices, size.accounts), (3, 2));
    let devices = active(&service, USER);
    assert_eq!(devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>(), ["phone", "phone 2"]);
    assert!(devices.iter().all(|d| (d.created_by.as_str(), d.created_from.as_str()) == ("root", "import")));
    assert!(!gives(&service, 1, at(-30)) && !gives(&service, 1, NOW) && gives(&service, 1, at(30)));
    assert!(gives(&service, 2, at(60)));
    let query = otpd_core::registry::EventQuery { limit: 4, ..Default::default() };
    let events = service.registry.events(&query).unwrap();
    assert!(
        events.iter().all(|event| (event.kind.as_str(), event.decision.as_str()) == ("import", "accept"))
    );
    assert_eq!(events[0].detail.as_deref(), Some("3 devices for 2 accounts"));
    let told: Vec<_> = events[1..].iter().map(|e| (e.user.as_str(), e.device.as_deref().unwrap())).collect();
    assert_eq!(told, [(USER, "phone"), (ADMIN, "phone"), (USER, "phone 2")]);
}

#[test]
fn a_first_device_by_import_is_announced() {
    let service = plain();
    import(&service, vec![entry(USER, 1)], NOW);
    let announced = prompt(&service, &login(None), NOW);
    assert!(announced.starts_with("Login protection was turned on"), "{announced}");
}

#[test]
fn what_was_used_before_stays_used() {
    let service = plain();
    let ahead = ImportEntry { last_step: Some(NOW.step(30).0 + 2), ..entry(USER, 1) };
    let behind = ImportEntry { last_step: Some(NOW.step(30).0 - 9), ..entry(USER, 2) };
    let slow = ImportEntry { drift: -4, ..entry(USER, 3) };
    let fast = ImportEntry { drift: 4, ..entry(USER, 4) };
    import(&service, vec![ahead, behind, slow, fast], NOW);
    let last: Vec<i64> =
        active(&service, USER).iter().map(|d| d.last_step.unwrap().distance(NOW.step(30))).collect();
    assert_eq!(last, [2, 0, -4, 4]);
    let drifts: Vec<i8> = active(&service, USER).iter().map(|device| device.drift).collect();
    assert_eq!(drifts, [0, 0, -4, 4]);
}

#[test]
fn whatever_is_wrong_with_an_entry_is_said_and_nothing_is_taken() {
    let service = plain();
    Phone::bind(&service, ADMIN, NOW);
    let pending = BeginParameters {
        user: Some(USER.into()),
        key: Some(entry(USER, 9).key),
        name: Some("begun".into()),
        ..BeginParameters::default()
    };
    service.begin(root(), &pending, NOW).unwrap();
    let import = begin(&service);
    let last_step = |ahead: u64| Some(NOW.step(30).0 + ahead);
    let wrong = [
        (entry("no-such-user-here", 1), "There is no user"),
        (entry("nobody", 1), "There is no user"),
        (entry(USER, 9), "This key is bound already, as \"begun\""),
        (entry(USER, 1), "This key comes twice for bin"),
        (ImportEntry { key: Secret::new("A".into()), ..entry(USER, 2) }, "That key cannot be used"),
        (ImportEntry { algorithm: "MD5".into(), ..entry(USER, 2) }, "Not supported"),
        (ImportEntry { digits: 9, ..entry(USER, 2) }, "Not supported"),
        (ImportEntry { drift: 11, ..entry(USER, 2) }, "11 steps off"),
        (ImportEntry { drift: i8::MIN, ..entry(USER, 2) }, "-128 steps off"),
        (ImportEntry { last_step: last_step(61), ..entry(USER, 2) }, "61 steps from now"),
        (ImportEntry { last_step: Some(u64::MAX), ..entry(USER, 2) }, "was a clock wrong?"),
        (ImportEntry { name: Some("begun".into()), ..entry(USER, 2) }, "is there already"),
        (ImportEntry { name: Some("7".into()), ..entry(USER, 2) }, "cannot be used"),
    ];
    let right = [
        ImportEntry { last_step: last_step(60), ..entry(USER, 1) },
        ImportEntry { drift: -10, ..entry(USER, 3) },
    ];
    let said =
        add(&service, &import, right.into_iter().chain(wrong.iter().map(|(e, _)| e.clone())).collect());
    assert_eq!(said.len(), wrong.len(), "{said:?}");
    for ((index, say), (number, (_, expected))) in said.iter().zip((2..).zip(&wrong)) {
        assert!(*index == number && say.contains(expected), "{index}: {say}; {expected}");
    }
    assert_eq!(reason(service.import_commit(root(), &import, NOW)), Reason::ImportHasProblems);
    let size = service.import_drop(root(), &import, NOW).unwrap();
    assert_eq!((size.devices, size.accounts), (2, 1));
    assert_eq!(reason(service.import_commit(root(), &import, NOW)), Reason::NoSuchImport);
    assert_eq!(active(&service, USER), []);
}

#[test]
fn ten_devices_are_the_most_with_what_is_there() {
    let service = plain();
    Phone::bind(&service, USER, NOW);
    let nine: Vec<ImportEntry> = (1..=9).map(|byte| entry(USER, byte)).collect();
    let pending = begin(&service);
    assert_eq!(add(&service, &pending, nine.clone()), []);
    let said = add(&service, &pending, vec![entry(USER, 10)]);
    assert!(said[0].1.contains("more than 10 devices for bin"), "{said:?}");
    service.import_drop(root(), &pending, NOW).unwrap();
    assert_eq!(import(&service, nine, NOW).devices, 9);
    assert_eq!(active(&service, USER).len(), 10);
    let too_many = add(&service, &begin(&service), (11..=21).map(|byte| entry(ADMIN, byte)).collect());
    assert_eq!(too_many.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [10]);
}

#[test]
fn an_entry_that_became_impossible_is_passed_over_and_recorded() {
    let service = plain();
    let import = begin(&service);
    assert_eq!(add(&service, &import, vec![entry(USER, 1), entry(ADMIN, 2)]), []);
    service.import_commit(root(), &import, NOW).unwrap();
    // The user is quicker.
    let begin = BeginParameters { key: Some(entry(USER, 1).key), ..BeginParameters::default() };
    let begun = service.begin(own(USER), &begin, NOW).unwrap();
    let code = Phone(key(1)).code(NOW);
    let confirm = ConfirmParameters { user: None, device: begun.name, code };
    service.confirm(own(USER), &confirm, NOW).unwrap();
    let progress = service.import_step(root(), &import, NOW).unwrap();
    assert_eq!((progress.left, progress.skipped), (0, 1));
    assert_eq!((active(&service, USER).len(), active(&service, ADMIN).len()), (1, 1));
    let query = otpd_core::registry::EventQuery { limit: 2, tail: true, ..Default::default() };
    let event = service.registry.events(&query).unwrap().remove(0);
    let facts = (event.user.as_str(), event.kind.as_str(), event.decision.as_str(), event.reason.as_str());
    assert_eq!(facts, (USER, "import", "refuse", "key_in_use"));
}

#[test]
fn one_import_comes_in_at_a_time() {
    let service = plain();
    let first = begin(&service);
    let second = begin(&service);
    let call = |import: &ImportParameters| ImportAddParameters {
        import: import.import,
        entries: vec![entry(USER, 1)],
    };
    assert_eq!(reason(service.import_add(root(), &call(&first), NOW)), Reason::NoSuchImport);
    assert_eq!(reason(service.import_step(root(), &second, NOW)), Reason::NoSuchImport, "it is not decided");
    assert_eq!(add(&service, &second, vec![entry(USER, 1)]), []);
    service.import_commit(root(), &second, NOW).unwrap();
    assert_eq!(reason(service.import_begin(root(), NOW)), Reason::ImportUnfinished);
    assert_eq!(reason(service.import_drop(root(), &second, NOW)), Reason::NoSuchImport);
    service.import_step(root(), &second, NOW).unwrap();
    begin(&service);
}

#[test]
fn an_import_that_nobody_goes_on_with_is_dropped() {
    let service = plain();
    let import = begin(&service);
    assert_eq!(add(&service, &import, vec![entry(USER, 1)]), []);
    assert_eq!(service.sweep_imports(at(599)).unwrap(), 0);
    assert_eq!(service.sweep_imports(at(600)).unwrap(), 1);
    assert_eq!(reason(service.import_commit(root(), &import, at(600))), Reason::NoSuchImport);
}

#[test]
fn a_clock_that_was_never_set_takes_nothing_over() {
    assert_eq!(reason(plain().import_begin(root(), UnixTime(1_000_000))), Reason::ClockUnset);
}

#[test]
fn keys_come_in_and_go_out_for_root_alone() {
    let gid = nix::unistd::User::from_name(ADMIN).unwrap().unwrap().gid.as_raw();
    let service = service(Settings { admin_group: Some(gid), ..settings(Policy::default()) });
    let import = begin(&service);
    for user in [USER, ADMIN] {
        let peer = own(user);
        let call = ImportAddParameters { import: import.import, entries: vec![] };
        assert_eq!(reason(service.import_begin(peer, NOW)), Reason::NotPermitted);
        assert_eq!(reason(service.import_add(peer, &call, NOW)), Reason::NotPermitted);
        assert_eq!(reason(service.import_commit(peer, &import, NOW)), Reason::NotPermitted);
        assert_eq!(reason(service.import_step(peer, &import, NOW)), Reason::NotPermitted);
        assert_eq!(reason(service.import_drop(peer, &import, NOW)), Reason::NotPermitted);
        assert_eq!(reason(service.export(peer, &ExportParameters::default(), NOW)), Reason::NotPermitted);
    }
}

#[test]
fn what_goes_out_is_what_came_in_and_is_recorded_once() {
    let service = plain();
    import(&service, vec![entry(USER, 1), entry(ADMIN, 2), entry(USER, 3)], NOW);
    let unbound = UnbindParameters { user: Some(USER.into()), device: "phone".into(), code: None };
    service.unbind(root(), &unbound, NOW).unwrap();
    let out = service.export(root(), &ExportParameters::default(), NOW).unwrap();
    let entries: Vec<_> = out
        .entries
        .iter()
        .map(|entry| (entry.user.as_str(), entry.device.as_str(), entry.key.expose_secret().to_owned()))
        .collect();
    let base32 = |byte| key(byte).expose_base32().to_string();
    assert_eq!(entries, [(USER, "phone 2", base32(3)), (ADMIN, "phone", base32(2))]);
    assert_eq!((out.entries[0].last_step, out.next.as_deref()), (Some(NOW.step(30).0), Some(ADMIN)));
    let end = service.export(root(), &ExportParameters { after: out.next }, NOW).unwrap();
    assert!(end.entries.is_empty() && end.next.is_none());
    let rest = service.export(root(), &ExportParameters { after: Some(USER.into()) }, NOW).unwrap();
    assert_eq!(rest.entries.len(), 1);
    let query = otpd_core::registry::EventQuery { limit: 100, ..Default::default() };
    let events = service.registry.events(&query).unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "export").count(), 1);
}

#[test]
fn a_page_of_an_export_fits_into_a_message() {
    let service = plain();
    let full = Zeroizing::new(vec![7; 64]);
    for user in 0..100_u32 {
        let name = format!("{user:03}{}", "\"".repeat(253));
        let who = Identity { uid: Uid::new(70_000 + user).unwrap(), name: AccountName::new(&name).unwrap() };
        let (keys, full) = (Arc::clone(&service.keys), full.clone());
        let bound = service.registry.change_or_create(&who, move |account, _| {
            for number in 0..10_u32 {
                let key = Key::new(full.clone()).unwrap();
                let new = NewDevice {
                    name: DeviceName::new(&format!("{number}{}", "é".repeat(31))).unwrap(),
                    key: keys.seal(account.id, DeviceId(account.next_device), &key).unwrap(),
                    parameters: Parameters::default(),
                    counter: None,
                    replaces: None,
                    by: "root".into(),
                    from: "test".into(),
                };
                account.add_proven(new, 0, None, NOW).unwrap();
            }
        });
        bound.unwrap();
    }
    let (mut after, mut seen) = (None, 0);
    loop {
        let page = service.export(root(), &ExportParameters { after: after.clone() }, NOW).unwrap();
        seen += page.entries.len();
        otpd_proto::message::encode_reply(&page).unwrap();
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 1000);
}

/// A service on a file, as a new process finds it.
fn reopened(directory: &std::path::Path, wrapped: &[u8]) -> Service<Sqlite> {
    let master = MasterKey::read(&directory.join("key")).unwrap();
    let keys = master.open_data_key(wrapped).unwrap();
    let registry = Sqlite::open(&directory.join("registry.db")).unwrap();
    let registry = registry.start(keys.log(), Box::new(|_| {})).unwrap();
    let names = Names::start().unwrap();
    Service::new(registry, keys, names.clone(), names, settings(Policy::default())).unwrap()
}

#[test]
fn what_is_decided_is_completed_by_the_next_process_and_what_is_not_is_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let (wrapped, _) = MasterKey::create(&directory.path().join("key")).unwrap().new_data_key().unwrap();
    let users = ["root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "backup"];
    let entries: Vec<ImportEntry> =
        (0..110).map(|number| entry(users[usize::from(number) / 10], number)).collect();
    let stage = |service: &Service<Sqlite>| {
        let import = begin(service);
        assert_eq!(add(service, &import, entries[..100].to_vec()), []);
        assert_eq!(add(service, &import, entries[100..].to_vec()), []);
        import
    };
    let look = |service: &Service<Sqlite>| {
        let mut seen = service.unfinished_import().unwrap();
        look_after_imports(service, &Bell::default(), &mut seen);
    };
    stage(&reopened(directory.path(), &wrapped));
    let service = reopened(directory.path(), &wrapped);
    look(&service);
    assert!(service.registry.accounts(None, 10).unwrap().is_empty(), "it was not decided");
    let import = stage(&service);
    service.import_commit(root(), &import, NOW).unwrap();
    assert_eq!(service.import_step(root(), &import, NOW).unwrap().left, 10);
    drop(service);
    let service = reopened(directory.path(), &wrapped);
    look(&service);
    assert_eq!(service.unfinished_import().unwrap(), None);
    let out = service.export(root(), &ExportParameters::default(), NOW).unwrap();
    let mut found: Vec<(String, String)> =
        out.entries.iter().map(|entry| (entry.user.clone(), entry.key.expose_secret().to_owned())).collect();
    let mut expected: Vec<(String, String)> =
        entries.iter().map(|entry| (entry.user.clone(), entry.key.expose_secret().to_owned())).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "each of them, once");
}

#[test]
fn somebody_who_is_at_it_is_left_to_it() {
    let service = plain();
    let import = begin(&service);
    assert_eq!(add(&service, &import, vec![entry(USER, 1)]), []);
    service.import_commit(root(), &import, NOW).unwrap();
    let mut seen = None;
    look_after_imports(&service, &Bell::default(), &mut seen);
    assert_eq!(active(&service, USER), [], "it may be at its next step");
    look_after_imports(&service, &Bell::default(), &mut seen);
    assert_eq!(active(&service, USER).len(), 1, "it is not");
}
