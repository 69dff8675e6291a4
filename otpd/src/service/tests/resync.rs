//! Tokens that count, and devices that are set right, through the service.

use otpd_core::code::Code;
use otpd_core::time::Step;
use otpd_proto::account::ResyncParameters;
use otpd_proto::account::Resynced;

use super::*;

/// A token, with the code of every counter.
struct Token(Key);

impl Token {
    fn bind(service: &Service<Memory>, counter: u64) -> Self {
        let call = BeginParameters { counter: Some(counter), digits: Some(8), ..BeginParameters::default() };
        let begun = service.begin(own(USER), &call, NOW).unwrap();
        assert!(begun.uri.expose_secret().starts_with("otpauth://hotp/"));
        assert!(begun.uri.expose_secret().ends_with(&format!("&digits=8&counter={counter}")));
        let token = Self(Key::from_base32(begun.key.expose_secret()).unwrap());
        let call = ConfirmParameters { user: None, device: "token".into(), code: token.press(counter) };
        let confirmed = service.confirm(own(USER), &call, NOW).unwrap();
        assert_eq!(
            (confirmed.device.kind.as_str(), confirmed.device.period, confirmed.offset),
            ("hotp", 0, 0)
        );
        token
    }

    fn press(&self, counter: u64) -> Secret {
        let parameters = Parameters::counting(otpd_core::totp::Algorithm::Sha1, 8).unwrap();
        Secret::new(Generator::new(&self.0, parameters).unwrap().code_at(Step(counter)))
    }
}

fn answer(service: &Service<Memory>, code: &Secret) -> Next {
    service.answer(ROOT, &login(None), code, NOW).unwrap()
}

fn resync(
    service: &Service<Memory>,
    peer: Peer,
    codes: [Secret; 2],
    now: UnixTime,
) -> Result<Resynced, Failure> {
    let [first, second] = codes;
    let named = if peer.raw_uid == own(USER).raw_uid { None } else { Some(USER.into()) };
    service.resync(peer, &ResyncParameters { user: named, device: "1".into(), first, second }, now)
}

#[test]
fn a_token_logs_in_with_its_next_codes_and_each_works_once() {
    let service = plain();
    let token = Token::bind(&service, 100);
    assert!(matches!(answer(&service, &token.press(100)), Next::Refuse { .. }), "it proved the token");
    assert!(matches!(answer(&service, &token.press(104)), Next::Accept { .. }));
    let Next::Refuse { say } = answer(&service, &token.press(104)) else { panic!() };
    assert_eq!(say, "That code was used already; take the next one.");
    assert!(matches!(answer(&service, &token.press(103)), Next::Refuse { .. }), "it was skipped");
    forget_announcement(&service);
    let told = prompt(&service, &login(None), NOW);
    assert!(told.starts_with("Wrong code") && told.ends_with(&plain_prompt()), "{told}");
}

#[test]
fn two_codes_in_a_row_set_it_right_without_another_code() {
    let service = plain();
    let token = Token::bind(&service, 0);
    assert!(matches!(answer(&service, &token.press(60)), Next::Refuse { .. }));
    let done = resync(&service, own(USER), [token.press(61), token.press(62)], NOW).unwrap();
    assert_eq!((done.moved, done.device.name.as_str()), (61, "token"));
    assert!(matches!(answer(&service, &token.press(63)), Next::Accept { .. }));
}

#[test]
fn a_guesser_of_pairs_is_slowed_down_like_one_of_codes() {
    let service = plain();
    let token = Token::bind(&service, 0);
    let pair = || [token.press(50), token.press(52)];
    for _ in 0..4 {
        assert_eq!(reason(resync(&service, own(USER), pair(), NOW)), Reason::CodeWrong);
    }
    assert_eq!(reason(resync(&service, own(USER), pair(), NOW)), Reason::Locked);
    assert_eq!(reason(resync(&service, own(USER), [token.press(50), token.press(51)], NOW)), Reason::Locked);
    assert!(resync(&service, own(USER), [token.press(50), token.press(51)], at(30)).is_ok());
    let malformed = [Secret::new("no code".into()), token.press(60)];
    assert_eq!(reason(resync(&service, own(USER), malformed, at(30))), Reason::CodeMalformed);
}

#[test]
fn nobody_else_sets_it_right() {
    let service = plain();
    let token = Token::bind(&service, 0);
    let pair = || [token.press(20), token.press(21)];
    assert_eq!(reason(resync(&service, own(ADMIN), pair(), NOW)), Reason::NotPermitted);
    assert!(resync(&service, own(USER), pair(), NOW).is_ok());
}

#[test]
fn a_phone_whose_clock_is_four_minutes_fast_logs_in_after_it() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let fast = |seconds: i64| phone.code(at(240 + seconds));
    assert!(matches!(answer(&service, &fast(0)), Next::Refuse { .. }));
    assert_eq!(resync(&service, own(USER), [fast(0), fast(30)], at(30)).unwrap().moved, 8);
    let login_at = |now: i64| service.answer(ROOT, &login(None), &fast(now), at(now)).unwrap();
    assert!(matches!(login_at(60), Next::Accept { .. }));
    assert!(Code::parse(fast(60).expose_secret()).is_ok());
}

#[test]
fn time_and_counter_at_once_and_counters_out_of_range_are_refused() {
    let service = plain();
    let begin = |counter, period| {
        let call = BeginParameters { counter: Some(counter), period, ..BeginParameters::default() };
        service.begin(own(USER), &call, NOW)
    };
    assert_eq!(reason(begin(0, Some(30))), Reason::BadParameters);
    assert_eq!(reason(begin((1 << 53) + 1, None)), Reason::BadParameters);
    assert!(begin(1 << 53, None).is_ok());
}
