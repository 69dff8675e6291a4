//! The service on a registry in memory and a clock of the test's own: what depends on time, place and policy.

use std::time::Duration;

use otpd_core::key::Key;
use otpd_core::policy::Policy;
use otpd_core::totp::Generator;
use otpd_core::totp::Parameters;
use otpd_proto::Secret;
use otpd_proto::account::BeginParameters;
use otpd_proto::account::ConfirmParameters;
use otpd_proto::account::ProofParameters;
use otpd_proto::account::StatusParameters;
use otpd_proto::account::UnbindParameters;
use otpd_proto::admin::ResetParameters;
use otpd_proto::login::Given;
use otpd_proto::login::Login;
use otpd_proto::login::Next;

mod clocks;
mod enrol;
mod first_pass;
mod heads;
mod import;
mod lists;
mod mail;
mod recover;
mod requirements;
mod resync;
mod verify;
mod vigil;
mod web;

use super::*;
use crate::keys::MasterKey;
use crate::names::Groups;
use crate::peer::Door;
use crate::registry::memory::Memory;

/// Right on a step's first second.
const NOW: UnixTime = UnixTime(1_800_000_000);

/// Users that every system has; tests run as neither.
const USER: &str = "bin";
const ADMIN: &str = "daemon";

const ROOT: Peer = Peer { door: Door::Login, raw_uid: 0, uid: None, is_root: true, signed_in: None };

fn service(settings: Settings) -> Service<Memory> {
    let directory = tempfile::tempdir().unwrap();
    let (_, keys) = MasterKey::create(&directory.path().join("key")).unwrap().new_data_key().unwrap();
    Service::new(Memory::default(), keys, Names::start().unwrap(), Names::start().unwrap(), settings)
        .unwrap()
        .with_calls_per_minute(60_000)
}

/// The same registry, after a new start.
fn restarted(service: Service<Memory>) -> Service<Memory> {
    let settings = Settings::clone(&service.settings());
    let settings = Settings { policy: Policy { requirements: vec![], ..settings.policy }, ..settings };
    let directory = tempfile::tempdir().unwrap();
    let (_, keys) = MasterKey::create(&directory.path().join("key")).unwrap().new_data_key().unwrap();
    Service::new(service.registry, keys, service.names, service.own_names, settings).unwrap()
}

fn settings(policy: Policy) -> Settings {
    let keep_events = Duration::from_secs(30 * 86_400);
    Settings { policy, issuer: "nas".into(), say_why: true, keep_events, ..Settings::default() }
}

fn plain() -> Service<Memory> {
    service(settings(Policy::default()))
}

impl Service<Memory> {
    /// Gives what was typed at the prompt.
    fn answer(&self, peer: Peer, login: &Login, answer: &Secret, now: UnixTime) -> Result<Next, Failure> {
        self.answer_given(peer, login, answer, Given::Typed, now)
    }
}

/// The user's own process.
fn own(user: &str) -> Peer {
    let uid = nix::unistd::User::from_name(user).unwrap().unwrap().uid.as_raw();
    Peer { is_root: false, ..Peer::new(Door::Account, uid) }
}

fn login(rhost: Option<&str>) -> Login {
    Login { user: USER.into(), service: "sshd".into(), rhost: rhost.map(Into::into), ..Login::default() }
}

fn at(seconds: i64) -> UnixTime {
    UnixTime(NOW.0 + seconds)
}

/// A phone, with a code for every moment.
struct Phone(Key);

impl Phone {
    fn bind(service: &Service<Memory>, user: &str, now: UnixTime) -> Self {
        let call = BeginParameters { name: Some("phone".into()), ..BeginParameters::default() };
        let begun = service.begin(own(user), &call, now).unwrap();
        let phone = Self(Key::from_base32(begun.key.expose_secret()).unwrap());
        let code = phone.code(UnixTime(now.0 - 30));
        service
            .confirm(own(user), &ConfirmParameters { user: None, device: "phone".into(), code }, now)
            .unwrap();
        phone
    }

    fn code(&self, at: UnixTime) -> Secret {
        Secret::new(Generator::new(&self.0, Parameters::default()).unwrap().code_at(at.step(30)))
    }
}

fn wrong() -> Secret {
    Secret::new("99999999".into())
}

fn reason<T>(result: Result<T, Failure>) -> Reason {
    match result.err() {
        Some(Failure::Refused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn prompt(service: &Service<Memory>, login: &Login, now: UnixTime) -> String {
    match service.start(ROOT, login, now).unwrap() {
        Next::Ask { prompt, echo: false, .. } => prompt,
        other => panic!("{other:?}"),
    }
}

fn plain_prompt() -> String {
    format!("One-time code for {USER}: ")
}

#[test]
fn the_grace_begins_at_the_first_login_and_ends_on_its_second() {
    let week = Duration::from_secs(7 * 86_400);
    let service = service(settings(Policy { require_everyone: true, grace: week, ..Policy::default() }));
    let start = |now| service.start(ROOT, &login(None), now).unwrap();
    for now in [NOW, at(86_400), at(7 * 86_400 - 1)] {
        let Next::NotRequired { why, notice: Some(notice) } = start(now) else { panic!("{now}") };
        assert_eq!(why, "grace");
        assert!(notice.contains(&prompt::date(at(7 * 86_400))) && notice.contains("otpctl bind"), "{notice}");
    }
    let over = at(7 * 86_400);
    let told = prompt(&service, &login(None), over);
    assert!(told.starts_with("A device is required and none is bound") && told.len() <= 200, "{told}");
    let answer = service.answer(ROOT, &login(None), &wrong(), over).unwrap();
    assert!(matches!(answer, Next::Refuse { .. }), "{answer:?}");
    assert!(matches!(service.account_phase(ROOT, &login(None), over).unwrap(), Next::Refuse { .. }));
    Phone::bind(&service, USER, over);
    assert_eq!(reason(service.off(own(USER), &ProofParameters::default(), over)), Reason::CodeNeeded);
}

#[test]
fn a_reset_begins_the_grace_anew() {
    let day = Duration::from_secs(86_400);
    let service = service(settings(Policy { require_everyone: true, grace: day, ..Policy::default() }));
    let _ = service.start(ROOT, &login(None), NOW).unwrap();
    Phone::bind(&service, USER, NOW);
    let much_later = at(30 * 86_400);
    let root = Peer { door: Door::Account, ..Peer::new(Door::Account, 0) };
    if !root.is_root {
        return;
    }
    service.reset(root, &ResetParameters { user: USER.into(), code: None }, much_later).unwrap();
    assert!(matches!(service.start(ROOT, &login(None), much_later).unwrap(), Next::NotRequired { .. }));
}

#[test]
fn prompts_say_what_a_person_needs_and_no_longer_than_it_matters() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let local = login(None);
    forget_announcement(&service);
    assert_eq!(prompt(&service, &local, NOW), plain_prompt());
    let _ = service.answer(ROOT, &local, &wrong(), at(1)).unwrap();
    assert_eq!(
        prompt(&service, &local, at(2)),
        format!("Wrong code (it is {} here). {}", prompt::clock(at(2)), plain_prompt())
    );
    assert_eq!(prompt(&service, &local, at(1 + 121)), plain_prompt());
    let code = phone.code(at(5));
    assert!(matches!(service.answer(ROOT, &local, &code, at(5)).unwrap(), Next::Accept { .. }));
    let used = format!("The present code is used; the next one comes in 20 s. {}", plain_prompt());
    assert_eq!(prompt(&service, &local, at(10)), used);
    assert_eq!(prompt(&service, &local, at(30)), plain_prompt());
    let _ = service.answer(ROOT, &local, &code, at(12)).unwrap();
    let used = format!("That code was used already; the next one comes in 18 s. {}", plain_prompt());
    assert_eq!(prompt(&service, &local, at(12)), used);
    for _ in 0..4 {
        let _ = service.answer(ROOT, &local, &wrong(), at(40)).unwrap();
    }
    let locked = format!(
        "Locked until {} after 4 wrong codes. A recovery code still works. {}",
        prompt::clock(at(70)),
        plain_prompt()
    );
    assert_eq!(prompt(&service, &local, at(41)), locked);
    assert!(locked.is_ascii() && locked.len() <= 200);
}

#[test]
fn events_go_when_they_are_old_by_a_clock_that_is_right() {
    let service = plain();
    let _ = service.answer(ROOT, &login(None), &wrong(), NOW).unwrap();
    let _ = service.answer(ROOT, &login(None), &wrong(), at(1)).unwrap();
    let (early, late) = (at(30 * 86_400), at(30 * 86_400 + 1));
    assert_eq!(service.prune(early, Some(true), 10).unwrap(), 0);
    assert_eq!(service.prune(late, Some(false), 10).unwrap(), 0);
    assert_eq!(service.prune(late, None, 10).unwrap(), 0);
    assert_eq!(service.prune(late, Some(true), 10).unwrap(), 1);
}

fn forget_announcement(service: &Service<Memory>) {
    let who = service.names.by_name(USER, Groups::default()).unwrap().unwrap().identity;
    service.registry.change(&who, |account, _| account.announce = None).unwrap();
}

#[test]
fn a_first_device_is_announced_in_the_prompt_until_a_login_has_said_it() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let local = login(None);
    let announced = prompt(&service, &local, NOW);
    assert!(announced.starts_with("Login protection was turned on"), "{announced}");
    assert!(
        announced.ends_with(&plain_prompt()) && announced.len() <= 200 && announced.is_ascii(),
        "{announced}"
    );
    // A process of the user's own cannot take it away unseen.
    let quiet = service.answer(own(USER), &local, &phone.code(NOW), NOW).unwrap();
    assert!(matches!(quiet, Next::Accept { notice: None, .. }), "{quiet:?}");
    assert_eq!(prompt(&service, &local, NOW), announced);
    let told = service.answer(ROOT, &local, &phone.code(at(30)), at(30)).unwrap();
    assert!(matches!(told, Next::Accept { notice: None, .. }), "{told:?}");
    assert_eq!(prompt(&service, &local, at(60)), plain_prompt());
}

#[test]
fn where_prompts_say_nothing_the_first_device_is_announced_after_the_login() {
    let service = service(Settings { say_why: false, ..settings(Policy::default()) });
    let phone = Phone::bind(&service, USER, NOW);
    assert_eq!(prompt(&service, &login(None), NOW), plain_prompt());
    let told = service.answer(ROOT, &login(None), &phone.code(NOW), NOW).unwrap();
    assert!(matches!(told, Next::Accept { notice: Some(_), .. }), "{told:?}");
}

#[test]
fn one_key_begun_twice_is_bound_once() {
    let service = plain();
    Phone::bind(&service, USER, NOW);
    let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let phone = Phone(Key::from_base32(key).unwrap());
    let root = Peer::new(Door::Account, 0);
    for name in ["a", "b"] {
        let (user, name, key) = (Some(USER.into()), Some(name.into()), Some(Secret::new(key.into())));
        service.begin(root, &BeginParameters { user, name, key, ..BeginParameters::default() }, NOW).unwrap();
    }
    let confirm = |name: &str, now| {
        let call = ConfirmParameters { user: Some(USER.into()), device: name.into(), code: phone.code(now) };
        service.confirm(root, &call, now)
    };
    confirm("a", NOW).unwrap();
    assert_eq!(reason(confirm("b", at(30))), Reason::KeyInUse);
}

#[test]
fn a_process_of_the_user_cannot_claim_to_be_somebody_or_somewhere_else() {
    let service = plain();
    Phone::bind(&service, USER, NOW);
    let claimed = Login {
        ruser: Some("root".into()),
        ssh_auth_info: Some("publickey ssh-ed25519".into()),
        rhost: Some("192.0.2.1".into()),
        ..login(None)
    };
    let _ = service.answer(own(USER), &claimed, &wrong(), NOW).unwrap();
    let query = otpd_core::registry::EventQuery { limit: 1, tail: true, ..Default::default() };
    let event = service.registry.events(&query).unwrap().remove(0);
    let facts = (event.actor.as_str(), event.lane.as_deref(), event.address, event.detail);
    assert_eq!(facts, (USER, Some("own"), None, None));
}

#[test]
fn a_grace_does_not_begin_before_the_clock_is_set() {
    let week = Duration::from_secs(7 * 86_400);
    let service = service(settings(Policy { require_everyone: true, grace: week, ..Policy::default() }));
    let unset = UnixTime(1000);
    assert!(matches!(service.start(ROOT, &login(None), unset).unwrap(), Next::NotRequired { .. }));
    assert!(matches!(service.start(ROOT, &login(None), NOW).unwrap(), Next::NotRequired { .. }));
}

#[test]
fn without_say_why_every_refusal_is_the_same() {
    let service = service(Settings { say_why: false, ..settings(Policy::default()) });
    let phone = Phone::bind(&service, USER, NOW);
    let code = phone.code(NOW);
    let give = |login: &Login, code: &Secret| service.answer(ROOT, login, code, NOW).unwrap();
    assert!(matches!(give(&login(None), &code), Next::Accept { .. }));
    let used = give(&login(None), &code);
    let malformed = Secret::new("hello".into());
    let mut refusals: Vec<Next> = (0..6).map(|_| give(&login(None), &wrong())).collect();
    let ghost = Login { user: "no-such-user-here".into(), ..login(None) };
    refusals.extend([give(&ghost, &code), give(&ghost, &malformed), give(&login(None), &malformed)]);
    assert!(refusals.iter().all(|refusal| *refusal == used), "{refusals:?} {used:?}");
    assert_eq!(prompt(&service, &login(None), NOW), plain_prompt());
}

#[test]
fn who_does_not_exist_is_asked_and_refused_like_anybody() {
    let service = plain();
    let ghost = Login { user: "no-such-user-here".into(), ..login(None) };
    assert_eq!(prompt(&service, &ghost, NOW), "One-time code for no-such-user-here: ");
    let refused = service.answer(ROOT, &ghost, &wrong(), NOW).unwrap();
    Phone::bind(&service, USER, NOW);
    assert_eq!(service.answer(ROOT, &login(None), &wrong(), NOW).unwrap(), refused);
    assert_eq!(service.registry.accounts(None, 10).unwrap().len(), 1, "no row for a name that nobody has");
}

#[test]
fn a_clock_that_was_never_set_binds_nothing() {
    let begun = plain().begin(own(USER), &BeginParameters::default(), UnixTime(1_000_000));
    assert_eq!(reason(begun), Reason::ClockUnset);
}

#[test]
fn a_pending_device_outlives_a_clock_that_is_not_set_yet() {
    let service = plain();
    let call = BeginParameters { name: Some("phone".into()), ..BeginParameters::default() };
    let begun = service.begin(own(USER), &call, NOW).unwrap();
    let phone = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    let confirm = |code, now| {
        service.confirm(own(USER), &ConfirmParameters { user: None, device: "phone".into(), code }, now)
    };
    for _ in 0..20 {
        assert_eq!(reason(confirm(phone.code(NOW), UnixTime(1_000_000))), Reason::ClockUnset);
    }
    assert!(confirm(phone.code(NOW), NOW).unwrap().first);
}

#[test]
fn a_clock_that_went_back_is_named() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let later = at(7200);
    assert!(matches!(
        service.answer(ROOT, &login(None), &phone.code(later), later).unwrap(),
        Next::Accept { .. }
    ));
    let Next::Refuse { say } = service.answer(ROOT, &login(None), &phone.code(NOW), NOW).unwrap() else {
        panic!()
    };
    assert!(say.contains("clock went back"), "{say}");
    let status = service.status(own(USER), &StatusParameters::default(), NOW).unwrap();
    assert_eq!(status.lanes, []);
}

#[test]
fn places_have_lanes_of_their_own_and_names_are_not_believed() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let lanes = |now| -> Vec<String> {
        let status = service.status(own(USER), &StatusParameters::default(), now).unwrap();
        status.lanes.into_iter().map(|lane| lane.lane).collect()
    };
    let fail = |login: &Login, now| drop(service.answer(ROOT, login, &wrong(), now).unwrap());
    fail(&login(Some("192.0.2.1")), NOW);
    assert_eq!(lanes(NOW), ["unknown"]);
    assert!(matches!(
        service.answer(ROOT, &login(Some("192.0.2.1")), &phone.code(NOW), NOW).unwrap(),
        Next::Accept { .. }
    ));
    fail(&login(Some("192.0.2.1")), at(30));
    assert_eq!(lanes(at(30)), ["known"]);
    fail(&login(Some("")), at(30));
    assert_eq!(lanes(at(30)), ["local", "known"]);
    // A name is unknown, unless sshd's own SSH_CONNECTION has the number.
    fail(&login(Some("192.0.2.1.evil.example")), at(30));
    assert_eq!(lanes(at(30)), ["local", "known", "unknown"]);
    let named =
        Login { ssh_connection: Some("192.0.2.1 5000 192.0.2.9 22".into()), ..login(Some("home.example")) };
    let before = service.status(own(USER), &StatusParameters::default(), at(30)).unwrap().lanes[1].failures;
    fail(&named, at(30));
    let after = service.status(own(USER), &StatusParameters::default(), at(30)).unwrap().lanes[1].failures;
    assert_eq!((before, after), (1, 2));
    // Thirty-one days on, the address is a stranger's again.
    let later = at(31 * 86_400);
    fail(&login(Some("192.0.2.1")), later);
    assert_eq!(lanes(later).last().map(String::as_str), Some("unknown"));
}

#[test]
fn an_administrators_code_lasts_ten_minutes() {
    let gid = nix::unistd::User::from_name(ADMIN).unwrap().unwrap().gid.as_raw();
    let service = service(Settings { admin_group: Some(gid), ..settings(Policy::default()) });
    Phone::bind(&service, USER, NOW);
    let admins = Phone::bind(&service, ADMIN, NOW);
    let unlock = |code: Option<Secret>, now| {
        service.unlock(own(ADMIN), &ProofParameters { user: Some(USER.into()), code }, now)
    };
    assert_eq!(reason(unlock(None, NOW)), Reason::CodeNeeded);
    unlock(Some(admins.code(NOW)), NOW).unwrap();
    unlock(None, at(599)).unwrap();
    assert_eq!(reason(unlock(None, at(600))), Reason::CodeNeeded);
    assert_eq!(reason(unlock(None, at(-1))), Reason::CodeNeeded, "a clock that went back proves nothing");
}

#[test]
fn a_pending_device_dies_of_time_and_of_wrong_codes() {
    let service = plain();
    let begin = |now| {
        service
            .begin(
                own(USER),
                &BeginParameters { name: Some("phone".into()), ..BeginParameters::default() },
                now,
            )
            .unwrap()
    };
    let confirm = |code: Secret, now| {
        service.confirm(own(USER), &ConfirmParameters { user: None, device: "phone".into(), code }, now)
    };
    let begun = begin(NOW);
    let phone = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    assert_eq!(begun.expires, at(600).0);
    assert_eq!(reason(confirm(phone.code(at(600)), at(600))), Reason::PendingExpired);
    begin(at(600));
    for _ in 0..9 {
        assert_eq!(reason(confirm(wrong(), at(600))), Reason::CodeWrong);
    }
    assert_eq!(reason(confirm(wrong(), at(600))), Reason::PendingExpired);
    assert_eq!(reason(confirm(wrong(), at(600))), Reason::PendingExpired);
}

#[test]
fn a_replaced_device_works_until_the_new_one_is_proven() {
    let service = plain();
    let old = Phone::bind(&service, USER, NOW);
    let call = BeginParameters {
        name: Some("phone".into()),
        replaces: Some("phone".into()),
        code: Some(old.code(NOW)),
        ..BeginParameters::default()
    };
    let begun = service.begin(own(USER), &call, NOW).unwrap();
    assert!(matches!(
        service.answer(ROOT, &login(None), &old.code(at(30)), at(30)).unwrap(),
        Next::Accept { .. }
    ));
    let new = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    let confirm = ConfirmParameters { user: None, device: begun.device.to_string(), code: new.code(at(60)) };
    let confirmed = service.confirm(own(USER), &confirm, at(60)).unwrap();
    assert_eq!((confirmed.retired.as_deref(), confirmed.first), (Some("phone"), false));
    assert!(matches!(
        service.answer(ROOT, &login(None), &old.code(at(60)), at(60)).unwrap(),
        Next::Refuse { .. }
    ));
    assert!(matches!(
        service.answer(ROOT, &login(None), &new.code(at(90)), at(90)).unwrap(),
        Next::Accept { .. }
    ));
}

#[test]
fn removing_the_last_device_by_choice_turns_protection_off() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let call = UnbindParameters { user: None, device: "phone".into(), code: Some(phone.code(NOW)) };
    assert_eq!(service.unbind(own(USER), &call, NOW).unwrap().remaining, 0);
    assert!(matches!(service.start(ROOT, &login(None), NOW).unwrap(), Next::NotRequired { .. }));
}

#[test]
fn every_decision_is_one_event_and_none_holds_a_code() {
    let service = plain();
    let phone = Phone::bind(&service, USER, NOW);
    let code = phone.code(NOW);
    for typed in [&code, &code, &wrong(), &Secret::new("hunter2".into())] {
        let _ = service.answer(ROOT, &login(Some("192.0.2.1")), typed, NOW).unwrap();
    }
    let query = otpd_core::registry::EventQuery { limit: 100, ..Default::default() };
    let events = service.registry.events(&query).unwrap();
    let reasons: Vec<&str> = events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(reasons, ["ok", "ok", "ok", "code_used", "code_wrong", "code_malformed"]);
    let all = format!("{events:?}");
    for secret in [code.expose_secret(), wrong().expose_secret(), "hunter2", &phone.0.expose_base32()] {
        assert!(!all.contains(secret), "{secret} is in the audit log");
    }
}
