//! Recovery codes: a login by one, what follows from it, and new ones.

use otpd_proto::account::Confirmed;
use otpd_proto::account::RenameParameters;

use super::*;
use crate::permit::Permit;

/// Binds a first device and returns it with the recovery codes that came with it.
pub(super) fn bind_first(service: &Service<Memory>) -> (Phone, Vec<Secret>) {
    let call = BeginParameters { name: Some("phone".into()), ..BeginParameters::default() };
    let begun = service.begin(own(USER), &call, NOW).unwrap();
    let phone = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    let codes = confirm(service, "phone", phone.code(at(-30)), NOW).recovery_codes;
    (phone, codes.expect("the first device brings recovery codes"))
}

fn confirm(service: &Service<Memory>, device: &str, code: Secret, now: UnixTime) -> Confirmed {
    service.confirm(own(USER), &ConfirmParameters { user: None, device: device.into(), code }, now).unwrap()
}

fn answer(service: &Service<Memory>, rhost: Option<&str>, code: &Secret, now: UnixTime) -> Next {
    service.answer(ROOT, &login(rhost), code, now).unwrap()
}

/// The notice of an accepted login.
#[track_caller]
fn accepted(next: &Next) -> &str {
    match next {
        Next::Accept { notice, .. } => notice.as_deref().unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(next: &Next) -> &str {
    match next {
        Next::Refuse { say } => say,
        other => panic!("{other:?}"),
    }
}

fn status(service: &Service<Memory>, now: UnixTime) -> otpd_proto::account::Status {
    service.status(own(USER), &StatusParameters::default(), now).unwrap()
}

fn rename(service: &Service<Memory>, name: &str, now: UnixTime) -> Result<(), Failure> {
    let call = RenameParameters { user: None, device: "1".into(), name: name.into(), code: None };
    service.rename(own(USER), &call, now).map(drop)
}

#[test]
fn each_recovery_code_lets_in_once_from_anywhere() {
    let service = plain();
    let (_, codes) = bind_first(&service);
    assert_eq!(codes.len(), 10);
    let said = accepted(&answer(&service, Some("192.0.2.1"), &codes[2], NOW)).to_owned();
    assert!(said.contains("9 recovery codes are left") && said.contains("bind --replace 1"), "{said}");
    let again = answer(&service, None, &codes[2], at(5));
    assert_eq!(
        refusal(&again),
        format!("Recovery code 3 was used on {}; take another one.", prompt::date(NOW))
    );
    let typed = Secret::new(codes[3].expose_secret().to_lowercase().replace('-', " "));
    accepted(&answer(&service, None, &typed, at(6)));
    assert_eq!(status(&service, at(7)).recovery_codes, [1, 2, 5, 6, 7, 8, 9, 10]);
    let prompt = prompt(&service, &login(None), at(8));
    assert!(prompt.starts_with("A recovery code was used") && prompt.ends_with(&plain_prompt()), "{prompt}");
}

#[test]
fn nobody_elses_code_and_no_invented_one_lets_in() {
    let service = plain();
    let (_, codes) = bind_first(&service);
    Phone::bind(&service, ADMIN, NOW);
    let admins = Login { user: ADMIN.into(), ..login(None) };
    let theirs = service.answer(ROOT, &admins, &codes[0], NOW).unwrap();
    assert_eq!(refusal(&theirs), format!("Wrong code (it is {} here).", prompt::clock(NOW)));
    let invented = Secret::new("0000-0000-0000-0000".into());
    for second in 0..200 {
        let wrong = answer(&service, Some("192.0.2.1"), &invented, at(second));
        assert!(refusal(&wrong).starts_with("Wrong code"), "{wrong:?}");
    }
    assert_eq!(status(&service, NOW).lanes, [], "what cannot be guessed need not be counted");
    let nobody = Login { user: "no-such-user-here".into(), ..login(None) };
    let refused = service.answer(ROOT, &nobody, &codes[0], NOW).unwrap();
    assert_eq!(refusal(&refused), refusal(&theirs));
    assert_eq!(status(&service, NOW).recovery_codes.len(), 10);
}

#[test]
fn a_closed_lane_says_that_a_recovery_code_still_works_and_it_does() {
    let service = plain();
    let (_, codes) = bind_first(&service);
    let mut now = NOW;
    while status(&service, now).lanes.iter().all(|lane| !lane.closed) {
        let _ = answer(&service, Some("192.0.2.1"), &wrong(), now);
        now = UnixTime(now.0 + 3600);
    }
    let told = prompt(&service, &login(Some("192.0.2.1")), now);
    assert!(
        told.starts_with("Closed after 100 wrong codes;") && told.contains("A recovery code still works."),
        "{told}"
    );
    accepted(&answer(&service, Some("192.0.2.1"), &codes[9], now));
    assert_eq!(status(&service, now).lanes, [], "a success opens its own lane");
}

#[test]
fn after_a_recovery_changes_need_no_code_for_thirty_minutes() {
    let service = plain();
    let (phone, codes) = bind_first(&service);
    assert_eq!(reason(rename(&service, "lost", NOW)), Reason::CodeNeeded);
    accepted(&answer(&service, None, &codes[0], NOW));
    assert_eq!(status(&service, NOW).rebind_until, Some(NOW.0 + 1800));
    rename(&service, "lost", at(1799)).unwrap();
    assert_eq!(reason(rename(&service, "gone", at(1800))), Reason::CodeNeeded);
    accepted(&answer(&service, None, &codes[1], at(1800)));
    let call = BeginParameters { replaces: Some("lost".into()), ..BeginParameters::default() };
    let begun = service.begin(own(USER), &call, at(1801)).unwrap();
    let new = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    let confirmed = confirm(&service, "lost", new.code(at(1801)), at(1801));
    assert_eq!((confirmed.first, confirmed.recovery_codes.is_none()), (false, true));
    assert_eq!(status(&service, at(1802)).rebind_until, None);
    assert_eq!(reason(rename(&service, "mine", at(1802))), Reason::CodeNeeded);
    assert!(refusal(&answer(&service, None, &phone.code(at(1802)), at(1802))).starts_with("Wrong code"));
    assert_eq!(status(&service, at(1802)).recovery_codes.len(), 8);
}

#[test]
fn a_recovery_lets_nobody_else_change_anything() {
    let service = plain();
    let (_, codes) = bind_first(&service);
    accepted(&answer(&service, None, &codes[0], NOW));
    let call = RenameParameters { user: Some(USER.into()), device: "1".into(), name: "x".into(), code: None };
    assert_eq!(reason(service.rename(own(ADMIN), &call, NOW)), Reason::NotPermitted);
    for role in [Role::Admin, Role::AdminOnRoot, Role::Other] {
        for request in [Request::Begin, Request::Unbind, Request::Codes] {
            assert_eq!(permit(role, request, State::Recovered), Permit::Never, "{role:?} {request:?}");
        }
    }
}

#[test]
fn account_sock_takes_no_recovery_code_and_leaves_it_unspent() {
    let service = plain();
    let (_, codes) = bind_first(&service);
    let locker = Login { user: USER.into(), service: "xlock".into(), ..Login::default() };
    let refused = service.answer(own(USER), &locker, &codes[0], NOW).unwrap();
    assert!(refusal(&refused).contains("not taken here"), "{refused:?}");
    let call = ProofParameters { user: None, code: Some(Secret::new(codes[0].expose_secret().into())) };
    let Err(Failure::Refused { reason: Reason::CodeMalformed, say, .. }) = service.off(own(USER), &call, NOW)
    else {
        panic!()
    };
    assert!(say.contains("log in with it"), "{say}");
    assert_eq!(status(&service, NOW).recovery_codes.len(), 10);
}

#[test]
fn new_codes_need_a_code_and_void_the_old_ones() {
    let service = plain();
    assert_eq!(reason(service.new_codes(own(USER), &ProofParameters::default(), NOW)), Reason::NotProtected);
    let (phone, old) = bind_first(&service);
    assert_eq!(reason(service.new_codes(own(USER), &ProofParameters::default(), NOW)), Reason::CodeNeeded);
    let call = ProofParameters { user: None, code: Some(phone.code(NOW)) };
    let new = service.new_codes(own(USER), &call, NOW).unwrap().codes;
    assert!(refusal(&answer(&service, None, &old[0], at(1))).starts_with("Wrong code"));
    accepted(&answer(&service, None, &new[0], at(2)));
}

#[test]
fn the_last_three_codes_ask_for_new_ones() {
    let service = plain();
    let (_, codes) = bind_first(&service);
    for (used, code) in codes.iter().enumerate() {
        let said = accepted(&answer(&service, None, code, at(i64::try_from(used).unwrap()))).to_owned();
        let left = 9 - used;
        assert_eq!(said.contains("otpctl codes new"), left <= 3, "{left} left: {said}");
        assert!(said.is_ascii() && said.len() <= 400, "{said}");
    }
    assert_eq!(status(&service, NOW).recovery_codes.len(), 0);
}

#[test]
fn turned_off_or_reset_protection_leaves_no_recovery_codes() {
    let service = plain();
    let (phone, codes) = bind_first(&service);
    let call = ProofParameters { user: None, code: Some(phone.code(NOW)) };
    service.off(own(USER), &call, NOW).unwrap();
    assert_eq!(status(&service, NOW).recovery_codes.len(), 0);
    Phone::bind(&service, USER, at(60));
    assert!(refusal(&answer(&service, None, &codes[0], at(61))).starts_with("Wrong code"));
}
