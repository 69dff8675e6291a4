//! Clocks: this box's or a phone's that is off, one that went back, and what root can do afterwards.

use otpd_core::registry::EventQuery;
use otpd_core::registry::StoredEvent;
use otpd_core::time::Step;
use otpd_proto::admin::ClockResetParameters;
use otpd_proto::admin::ClockWasReset;

use super::*;

const OTHER: &str = "sys";

fn root() -> Peer {
    Peer { is_root: true, ..Peer::new(Door::Account, 0) }
}

/// Binds a phone whose clock comes to be so many steps off, the way it is learned: two codes of a step further out.
fn drifting(service: &Service<Memory>, user: &str, steps: i64, now: UnixTime) -> (Phone, UnixTime) {
    let phone = Phone::bind(service, user, now);
    let (mut now, mut off) = (at(3600.max(now.0 - NOW.0 + 3600)), 0);
    accept(service, user, &phone, off, now);
    while off != steps {
        off += steps.signum();
        for _ in 0..2 {
            now = UnixTime(now.0 + 120);
            accept(service, user, &phone, off, now);
        }
    }
    (phone, now)
}

fn answered(service: &Service<Memory>, user: &str, phone: &Phone, off: i64, now: UnixTime) -> Next {
    let login = Login { user: user.into(), ..login(None) };
    service.answer(ROOT, &login, &phone.code(UnixTime(now.0 + off * 30)), now).unwrap()
}

#[track_caller]
fn accept(service: &Service<Memory>, user: &str, phone: &Phone, off: i64, now: UnixTime) {
    let next = answered(service, user, phone, off, now);
    assert!(matches!(next, Next::Accept { .. }), "{user} {off} {next:?}");
}

fn check_of(service: &Service<Memory>, what: &str, now: UnixTime) -> (String, String) {
    let checks = service.doctor(root(), now).unwrap().checks;
    let check = checks.into_iter().find(|check| check.check == what).unwrap();
    (check.verdict, check.say)
}

fn clock_events(service: &Service<Memory>) -> Vec<StoredEvent> {
    let query = EventQuery { limit: 1000, ..EventQuery::default() };
    service.registry.events(&query).unwrap().into_iter().filter(|event| event.kind == "clock").collect()
}

fn warnings(service: &Service<Memory>, user: &str, now: UnixTime) -> Vec<String> {
    service.status(own(user), &StatusParameters::default(), now).unwrap().warnings
}

fn reset(service: &Service<Memory>, user: Option<&str>, now: UnixTime) -> Result<ClockWasReset, Failure> {
    let call = ClockResetParameters { user: user.map(Into::into), ..ClockResetParameters::default() };
    service.clock_reset(root(), &call, now)
}

#[test]
fn phones_that_are_all_off_by_the_same_mean_this_box() {
    let service = plain();
    let mut now = NOW;
    for user in [USER, ADMIN, OTHER] {
        (_, now) = drifting(&service, user, 3, NOW);
    }
    service.compare_clocks(now, Some(false)).unwrap();
    let (verdict, say) = check_of(&service, "clock", now);
    assert!(verdict == "fail" && say.contains("about 90 s slow") && say.contains("clock-reset"), "{say}");
    assert_eq!(check_of(&service, "devices' clocks", now).0, "ok");
    let told = warnings(&service, USER, now);
    assert!(told.len() == 1 && told[0].contains("3 devices") && told[0].contains("90 s slow"), "{told:?}");
    service.compare_clocks(now, Some(false)).unwrap();
    let events = clock_events(&service);
    assert_eq!(events.len(), 1, "told once: {events:?}");
    assert_eq!((events[0].user.as_str(), events[0].reason.as_str()), ("-", "clock_off"));
    reset(&service, None, now).unwrap();
    service.compare_clocks(now, Some(false)).unwrap();
    let events = clock_events(&service);
    assert_eq!((events.len(), events[1].reason.as_str()), (2, "ok"), "and when it is over: {events:?}");
    assert_eq!(warnings(&service, USER, now), [""; 0]);
}

#[test]
fn a_phone_that_is_off_alone_is_that_phone_and_its_owner_is_told() {
    let service = plain();
    drifting(&service, USER, 0, NOW);
    drifting(&service, ADMIN, 0, NOW);
    let (_, now) = drifting(&service, OTHER, -3, NOW);
    service.compare_clocks(now, Some(false)).unwrap();
    let (verdict, say) = check_of(&service, "devices' clocks", now);
    assert!(verdict == "warn" && say.contains(OTHER) && say.contains("about 90 s slow"), "{verdict} {say}");
    assert_ne!(check_of(&service, "clock", now).0, "fail");
    assert_eq!(warnings(&service, USER, now), [""; 0]);
    let told = warnings(&service, OTHER, now);
    assert!(told.len() == 1 && told[0].contains("\"phone\"") && told[0].contains("90 s slow"), "{told:?}");
    let events = clock_events(&service);
    let of_device: Vec<_> = events.iter().filter(|event| event.reason == "clock_off").collect();
    assert_eq!((of_device.len(), of_device[0].user.as_str()), (1, OTHER));
    assert_eq!(of_device[0].device.as_deref(), Some("phone"));
}

#[test]
fn codes_of_long_ago_say_nothing() {
    let service = plain();
    for user in [USER, ADMIN] {
        drifting(&service, user, 3, NOW);
    }
    let later = at(9 * 86_400);
    service.compare_clocks(later, Some(false)).unwrap();
    assert_eq!(clock_events(&service).len(), 0);
    assert!(check_of(&service, "devices' clocks", later).1.starts_with("0 used in the last 7 days"));
}

#[test]
fn after_a_clock_that_was_ahead_root_sets_devices_back_and_no_code_of_now_counts_twice() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let year = at(365 * 86_400);
    accept(&service, USER, &phone, 0, year);
    let Next::Refuse { say } = answered(&service, USER, &phone, 0, NOW) else { panic!() };
    assert!(say.contains("clock went back") && say.contains(&format!("otpctl clock-reset {USER}")), "{say}");
    let look = ClockResetParameters { dry_run: Some(true), ..ClockResetParameters::default() };
    let look = service.clock_reset(root(), &look, NOW).unwrap();
    assert_eq!((&look.accounts[..], look.devices), (&[USER.to_owned()][..], 1));
    assert!(matches!(answered(&service, USER, &phone, 0, NOW), Next::Refuse { .. }), "it was only looked at");
    assert_eq!(reset(&service, None, NOW).unwrap().devices, 1);
    let who = service.own_names.by_name(USER, Groups::default()).unwrap().unwrap().identity;
    let device = service.registry.find(&who).unwrap().unwrap().devices.remove(0);
    assert_eq!(device.last_step, Some(Step(NOW.step(30).0 + 1)));
    // Whatever of the present window was used before stays used.
    for off in [-1, 0, 1] {
        assert!(matches!(answered(&service, USER, &phone, off, NOW), Next::Refuse { .. }), "{off}");
    }
    accept(&service, USER, &phone, 0, at(60));
    assert_eq!(reset(&service, None, at(60)).unwrap().accounts, [""; 0]);
    let events = service.registry.events(&EventQuery { limit: 1000, ..EventQuery::default() }).unwrap();
    let resets: Vec<_> = events.iter().filter(|event| event.kind == "clock_reset").collect();
    assert_eq!(
        (resets.len(), resets[0].user.as_str(), resets[0].device.as_deref()),
        (1, USER, Some("phone"))
    );
}

#[test]
fn after_a_slow_clock_was_set_right_right_phones_get_in_again() {
    let service = plain();
    let (phone, now) = drifting(&service, USER, 4, NOW);
    // The box was 120 s slow; now it is set right, so the phone is right.
    let right = UnixTime(now.0 + 600);
    assert!(matches!(answered(&service, USER, &phone, 0, right), Next::Refuse { .. }));
    assert_eq!(reset(&service, Some(USER), right).unwrap().devices, 1);
    accept(&service, USER, &phone, 0, right);
}

#[test]
fn a_drift_of_one_step_is_no_reason_to_forget() {
    let service = plain();
    let (phone, now) = drifting(&service, USER, 1, NOW);
    let later = UnixTime(now.0 + 600);
    assert_eq!(reset(&service, None, later).unwrap().devices, 0);
    accept(&service, USER, &phone, 0, later);
}

#[test]
fn while_the_clock_was_never_set_nothing_is_set_back() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let unset = UnixTime(1_000_000);
    let Next::Refuse { say } = answered(&service, USER, &phone, 0, unset) else { panic!() };
    assert!(say.contains("never set") && !say.contains("clock-reset"), "{say}");
    assert_eq!(reason(reset(&service, None, unset)), Reason::ClockUnset);
    accept(&service, USER, &phone, 0, at(60));
}

#[test]
fn only_root_sets_clocks_back() {
    let service = plain();
    Phone::bind(&service, USER, NOW);
    let call = ClockResetParameters::default();
    assert_eq!(reason(service.clock_reset(own(USER), &call, NOW)), Reason::NotPermitted);
    assert_eq!(reason(reset(&service, Some("no-such-user-here"), NOW)), Reason::NoSuchUser);
}
