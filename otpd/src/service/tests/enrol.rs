//! Enrol codes: for whom, how often, how long.

use otpd_proto::admin::EnrolCode;

use super::*;

/// Root, calling on account.sock: looked up by its uid like anybody there.
fn root() -> Peer {
    Peer { door: Door::Account, uid: otpd_core::name::Uid::new(0), ..ROOT }
}

fn demanding() -> Service<Memory> {
    service(settings(Policy { require_everyone: true, grace: Duration::ZERO, ..Policy::default() }))
}

fn make(service: &Service<Memory>, user: &str, now: UnixTime) -> Result<EnrolCode, Failure> {
    service.enrol_code(root(), &ResetParameters { user: user.into(), code: None }, now)
}

fn answer(service: &Service<Memory>, code: &str, now: UnixTime) -> Next {
    service.answer(ROOT, &login(Some("192.0.2.1")), &Secret::new(code.into()), now).unwrap()
}

fn is_in(next: &Next) -> bool {
    matches!(next, Next::Accept { device, .. } if device == "enrol code")
}

#[test]
fn it_lets_in_once_within_ten_minutes_and_then_a_device_can_be_bound() {
    let service = demanding();
    let told = prompt(&service, &login(None), NOW);
    assert!(told.contains("otpctl enrol-code") && told.len() <= 200, "{told}");
    let made = make(&service, USER, NOW).unwrap();
    assert_eq!(made.expires, NOW.0 + 600);
    let code = made.enrol_code.expose_secret();
    assert!(!is_in(&answer(&service, code, at(600))), "too late");
    let made = make(&service, USER, NOW).unwrap();
    let code = made.enrol_code.expose_secret();
    assert!(is_in(&answer(&service, &code.to_lowercase().replace('-', ""), at(599))));
    assert!(!is_in(&answer(&service, code, at(599))), "twice");
    let phone = Phone::bind(&service, USER, at(599));
    assert!(matches!(answer(&service, phone.code(at(599)).expose_secret(), at(599)), Next::Accept { .. }));
}

#[test]
fn the_eleventh_guess_finds_nothing_to_guess() {
    let service = demanding();
    for (wrong, lets_in) in [(9, true), (10, false)] {
        let made = make(&service, USER, NOW).unwrap();
        for _ in 0..wrong {
            assert!(matches!(answer(&service, "ZZZZ-ZZZZ", NOW), Next::Refuse { .. }));
        }
        assert_eq!(is_in(&answer(&service, made.enrol_code.expose_secret(), NOW)), lets_in, "after {wrong}");
    }
}

#[test]
fn a_newer_one_voids_it_and_so_does_a_device() {
    let service = demanding();
    let older = make(&service, USER, NOW).unwrap().enrol_code;
    let newer = make(&service, USER, NOW).unwrap().enrol_code;
    assert!(!is_in(&answer(&service, older.expose_secret(), NOW)));
    Phone::bind(&service, USER, NOW);
    assert!(!is_in(&answer(&service, newer.expose_secret(), NOW)));
}

#[test]
fn another_users_is_none() {
    let service = demanding();
    let theirs = make(&service, ADMIN, NOW).unwrap().enrol_code;
    assert!(!is_in(&answer(&service, theirs.expose_secret(), NOW)));
    make(&service, USER, NOW).unwrap();
    assert!(!is_in(&answer(&service, theirs.expose_secret(), NOW)));
}

#[test]
fn who_needs_none_gets_none() {
    assert_eq!(reason(make(&plain(), USER, NOW)), Reason::Optional);
    let service = demanding();
    Phone::bind(&service, USER, NOW);
    assert_eq!(reason(make(&service, USER, NOW)), Reason::HasDevice);
    let nobody = make(&service, "no-such-user-here", NOW);
    assert_eq!(reason(nobody), Reason::NoSuchUser);
}

#[test]
fn nobody_makes_one_for_themselves_and_lockers_take_none() {
    let service = demanding();
    let call = ResetParameters { user: USER.into(), code: None };
    assert_eq!(reason(service.enrol_code(own(USER), &call, NOW)), Reason::NotPermitted);
    assert_eq!(reason(service.enrol_code(own(ADMIN), &call, NOW)), Reason::NotPermitted);
    let made = make(&service, USER, NOW).unwrap().enrol_code;
    let locker = Login { user: USER.into(), service: "vlock".into(), ..Login::default() };
    assert!(matches!(service.answer(own(USER), &locker, &made, NOW).unwrap(), Next::Refuse { .. }));
    assert!(is_in(&answer(&service, made.expose_secret(), NOW)));
}
