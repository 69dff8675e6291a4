//! Logins that stop at the code.

use otpd_core::registry::EventQuery;

use super::*;
use crate::clock::monotonic;
use crate::service::vigil::PATIENCE;

fn told(service: &Service<Memory>) -> usize {
    let events = service.registry.events(&EventQuery { limit: 100, ..EventQuery::default() }).unwrap();
    events.iter().filter(|event| event.kind == "no_code").count()
}

#[test]
fn a_password_without_a_code_is_told_after_three_minutes_and_once_a_day() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let later = monotonic() + PATIENCE + Duration::from_secs(9);
    prompt(&service, &login(Some("192.0.2.1")), NOW);
    service.tell_of_missing_codes(at(60), monotonic());
    assert_eq!(told(&service), 0, "there is time");
    service.tell_of_missing_codes(at(180), later);
    assert_eq!(told(&service), 1);
    assert!(
        prompt(&service, &login(None), at(180)).contains("Your password was given, and no code after it")
    );
    let accepted = service.answer(ROOT, &login(None), &phone.code(at(180)), at(180)).unwrap();
    assert!(matches!(accepted, Next::Accept { .. }));
    prompt(&service, &login(Some("192.0.2.1")), at(181));
    service.tell_of_missing_codes(at(400), later);
    assert_eq!(told(&service), 1, "once a day");
    prompt(&service, &login(Some("192.0.2.1")), at(86_580));
    service.tell_of_missing_codes(at(86_760), later);
    assert_eq!(told(&service), 2);
}

#[test]
fn a_code_ends_the_vigil_over_its_own_login_and_over_no_other() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let later = monotonic() + PATIENCE + Duration::from_secs(9);
    prompt(&service, &login(Some("192.0.2.1")), NOW);
    let _ = service.answer(ROOT, &login(Some("192.0.2.1")), &phone.code(NOW), NOW).unwrap();
    service.tell_of_missing_codes(at(180), later);
    assert_eq!(told(&service), 0);
    prompt(&service, &login(Some("192.0.2.1")), at(60));
    prompt(&service, &login(Some("203.0.113.9")), at(60));
    let _ = service.answer(ROOT, &login(Some("192.0.2.1")), &phone.code(at(60)), at(60)).unwrap();
    service.tell_of_missing_codes(at(240), later);
    assert_eq!(told(&service), 1);
}
