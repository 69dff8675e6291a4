//! Codes that were not typed at our prompt: before another module's, or behind a password.

use otpd_core::name::AccountName;
use otpd_core::registry::EventQuery;
use otpd_core::throttle::Lane;
use otpd_core::totp::Algorithm;

use super::*;

/// Binds a device of this many digits; its phone.
fn bind(service: &Service<Memory>, name: &str, key: &str, digits: u8) -> (Key, Parameters) {
    let parameters = Parameters::new(Algorithm::Sha1, digits, 30).unwrap();
    let (user, device) = (Some(USER.to_owned()), name.to_owned());
    let call = BeginParameters {
        user: user.clone(),
        name: Some(device.clone()),
        key: Some(Secret::new(key.into())),
        digits: Some(digits),
        ..BeginParameters::default()
    };
    let root = Peer::new(Door::Account, 0);
    service.begin(root, &call, NOW).unwrap();
    let phone = (Key::from_base32(key).unwrap(), parameters);
    let code = Secret::new(code(&phone, -1));
    service.confirm(root, &ConfirmParameters { user, device, code }, NOW).unwrap();
    phone
}

fn code((key, parameters): &(Key, Parameters), offset: i64) -> String {
    Generator::new(key, *parameters).unwrap().code_at(NOW.step(30).at(offset).unwrap())
}

fn digits_asked_for(service: &Service<Memory>, login: &Login) -> Option<u8> {
    match service.start(ROOT, login, NOW).unwrap() {
        Next::Ask { digits, .. } => digits,
        other => panic!("{other:?}"),
    }
}

fn tail(service: &Service<Memory>, digits: &str) -> Next {
    service.answer_given(ROOT, &login(None), &Secret::new(digits.into()), Given::Tail, NOW).unwrap()
}

fn failures(service: &Service<Memory>) -> u32 {
    let account = service.registry.find_by_name(&AccountName::new(USER).unwrap()).unwrap().unwrap();
    account.lane(Lane::Local).failures
}

const SHORT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const LONG: &str = "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK";

#[test]
fn who_is_asked_learns_how_long_a_code_of_the_account_can_be() {
    let service = plain();
    bind(&service, "phone", SHORT, 6);
    assert_eq!(digits_asked_for(&service, &login(None)), Some(6));
    bind(&service, "token", LONG, 8);
    assert_eq!(digits_asked_for(&service, &login(None)), Some(8));
    let ghost = Login { user: "no-such-user-here".into(), ..login(None) };
    assert_eq!(digits_asked_for(&service, &ghost), Some(6));
}

#[test]
fn each_device_is_asked_about_its_own_length_in_one_try() {
    let service = plain();
    let phone = bind(&service, "phone", SHORT, 6);
    let token = bind(&service, "token", LONG, 8);
    // A password that ends in 12, and the code of the shorter device.
    let accepted = tail(&service, &format!("12{}", code(&phone, 0)));
    assert_eq!(accepted, Next::Accept { device: "phone".into(), notice: None, digits: Some(6) });
    let accepted = tail(&service, &code(&token, 0));
    assert_eq!(accepted, Next::Accept { device: "token".into(), notice: None, digits: Some(8) });
    assert_eq!(failures(&service), 0);
    // Wrong for both is one failure, and not two.
    assert!(matches!(tail(&service, "99999999"), Next::Refuse { .. }));
    assert_eq!(failures(&service), 1);
    // Too short for the token, right for the phone.
    let accepted = tail(&service, &code(&phone, 1));
    assert!(matches!(accepted, Next::Accept { digits: Some(6), .. }), "{accepted:?}");
}

#[test]
fn a_tail_works_once_whatever_stands_before_it() {
    let service = plain();
    let phone = bind(&service, "phone", SHORT, 6);
    let code = code(&phone, 0);
    assert!(matches!(tail(&service, &format!("77{code}")), Next::Accept { .. }));
    for again in [format!("78{code}"), code.clone()] {
        assert!(matches!(tail(&service, &again), Next::Refuse { say } if say.contains("used already")));
    }
    let typed = service.answer(ROOT, &login(None), &Secret::new(code), NOW).unwrap();
    assert!(matches!(typed, Next::Refuse { say } if say.contains("used already")));
    assert_eq!(failures(&service), 0);
}

#[test]
fn what_is_no_tail_is_refused_and_not_counted() {
    let service = plain();
    let phone = bind(&service, "phone", SHORT, 6);
    let code = code(&phone, 0);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    for typed in ["", "12345", &format!("hunter2{code}"), &format!("777{code}"), &spaced] {
        assert!(matches!(tail(&service, typed), Next::Refuse { .. }), "{typed}");
    }
    assert_eq!(failures(&service), 0);
    assert!(matches!(tail(&service, &code), Next::Accept { .. }));
}

#[test]
fn digits_typed_at_the_prompt_are_no_tail() {
    let service = plain();
    let phone = bind(&service, "phone", SHORT, 6);
    bind(&service, "token", LONG, 8);
    for given in [Given::Typed, Given::FirstPass] {
        let answer = Secret::new(format!("12{}", code(&phone, 0)));
        let refused = service.answer_given(ROOT, &login(None), &answer, given, NOW).unwrap();
        assert!(matches!(refused, Next::Refuse { .. }), "{given:?}");
    }
    let answer = Secret::new(code(&phone, 0));
    let accepted = service.answer_given(ROOT, &login(None), &answer, Given::FirstPass, NOW).unwrap();
    assert!(matches!(accepted, Next::Accept { digits: None, .. }), "{accepted:?}");
}

#[test]
fn a_login_that_showed_no_prompt_takes_no_announcement_away() {
    for given in [Given::FirstPass, Given::Tail] {
        let service = plain();
        let phone = Phone::bind(&service, USER, NOW);
        let announced = prompt(&service, &login(None), NOW);
        assert!(announced.starts_with("Login protection was turned on"), "{announced}");
        let unseen = service.answer_given(ROOT, &login(None), &phone.code(NOW), given, NOW).unwrap();
        assert!(matches!(unseen, Next::Accept { notice: None, .. }), "{unseen:?}");
        assert_eq!(prompt(&service, &login(None), NOW), announced);
    }
}

#[test]
fn the_audit_log_says_that_the_password_was_not_checked_yet() {
    let service = plain();
    let phone = bind(&service, "phone", SHORT, 6);
    let detail = || {
        let query = EventQuery { limit: 1, tail: true, ..EventQuery::default() };
        service.registry.events(&query).unwrap().remove(0).detail
    };
    let _ = tail(&service, &code(&phone, 0));
    assert_eq!(detail().as_deref(), Some("before the password was checked"));
    let _ = tail(&service, &code(&phone, 1));
    assert_eq!(detail().as_deref(), Some("before the password was checked; code off by 30 s"));
}

#[test]
fn a_recovery_code_is_taken_at_the_prompt_only() {
    let service = plain();
    let (_, codes) = recover::bind_first(&service);
    for given in [Given::FirstPass, Given::Tail] {
        let refused = service.answer_given(ROOT, &login(None), &codes[0], given, NOW).unwrap();
        assert!(matches!(&refused, Next::Refuse { say } if say.contains("not taken here")), "{refused:?}");
    }
    assert_eq!(failures(&service), 0);
    assert!(matches!(
        service.answer(ROOT, &login(None), &codes[0], NOW).unwrap(),
        Next::Accept { digits: None, .. }
    ));
}
