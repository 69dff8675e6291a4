//! What administrators require beside the configuration.

use otpd_core::name::Uid;
use otpd_core::policy::Requirement;
use otpd_core::registry::EventQuery;
use otpd_proto::admin::GroupReleased;
use otpd_proto::admin::GroupRequired;
use otpd_proto::admin::PolicyReportParameters;
use otpd_proto::admin::ReleaseGroupParameters;
use otpd_proto::admin::RequireGroupParameters;

use super::lists::gid;
use super::lists::identity;
use super::*;

fn root() -> Peer {
    Peer { door: Door::Account, uid: Uid::new(0), ..ROOT }
}

fn asked(group: &str, grace_days: u32, locks_out: Option<u32>) -> RequireGroupParameters {
    RequireGroupParameters { group: group.into(), grace_days, locks_out, code: None }
}

fn require(service: &Service<Memory>, group: &str, days: u32) -> Result<GroupRequired, Failure> {
    service.require_group(root(), &asked(group, days, None), NOW)
}

fn release(service: &Service<Memory>, group: &str) -> Result<GroupReleased, Failure> {
    service.release_group(root(), &ReleaseGroupParameters { group: group.into(), code: None }, NOW)
}

fn last_event(service: &Service<Memory>) -> otpd_core::registry::StoredEvent {
    let query = EventQuery { tail: true, limit: 1, ..EventQuery::default() };
    service.registry.events(&query).unwrap().pop().unwrap()
}

fn says(failure: Result<impl Sized, Failure>) -> String {
    match failure.err() {
        Some(Failure::Refused { say, .. }) => say,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_are_let_in_until_the_grace_is_over_and_asked_from_then_on() {
    let service = plain();
    let done = require(&service, USER, 2).unwrap();
    assert_eq!((done.group.as_str(), done.from, done.locks_out), (USER, at(2 * 86_400).0, 0));
    let start = |now| service.start(ROOT, &login(None), now).unwrap();
    for now in [NOW, at(2 * 86_400 - 1)] {
        let Next::NotRequired { why, notice: Some(notice) } = start(now) else { panic!("{now}") };
        assert!(why == "grace" && notice.contains(&prompt::date(at(2 * 86_400))), "{notice}");
    }
    assert!(matches!(start(at(2 * 86_400)), Next::Ask { .. }));
    let account = service.account_phase(ROOT, &login(None), at(2 * 86_400)).unwrap();
    assert!(matches!(account, Next::Refuse { .. }));
    assert_eq!(
        service.registry.find(&identity(USER)).unwrap(),
        None,
        "no row is made for a grace that is no one's own"
    );
    release(&service, USER).unwrap();
    assert!(matches!(start(at(2 * 86_400)), Next::NotRequired { notice: None, .. }));
}

#[test]
fn whom_it_locks_out_must_be_known() {
    let service = plain();
    service.registry.change_or_create(&identity(USER), |_, _| ()).unwrap();
    assert_eq!(reason(require(&service, USER, 0)), Reason::LocksOut);
    let event = last_event(&service);
    assert_eq!((event.kind.as_str(), event.reason.as_str()), ("require_group", "locks_out"));
    for wrong in [Some(0), Some(2)] {
        assert_eq!(reason(service.require_group(root(), &asked(USER, 0, wrong), NOW)), Reason::LocksOut);
    }
    let call = PolicyReportParameters { group: Some(USER.into()), grace_days: Some(0), after: None };
    assert_eq!(service.policy_report(root(), &call, NOW).unwrap().locks_out, 1);
    let done = service.require_group(root(), &asked(USER, 0, Some(1)), NOW).unwrap();
    assert_eq!(done.locks_out, 1);
    let event = last_event(&service);
    assert_eq!((event.kind.as_str(), event.decision.as_str()), ("require_group", "accept"));
    assert!(event.detail.unwrap().starts_with(&format!("of group {USER} (")));
    assert_eq!(service.policy_report(root(), &call, NOW).unwrap().locks_out, 0, "it is locked out already");
    assert!(require(&service, USER, 0).is_ok());
    let report = service.policy_report(root(), &PolicyReportParameters::default(), NOW).unwrap();
    assert_eq!((report.required[0].group.as_str(), report.required[0].by.as_str()), (USER, "root"));
    assert_eq!(report.concerned[0].standing, "locked_out");
}

#[test]
fn nobody_locks_themselves_out() {
    let service = plain();
    assert_eq!(reason(service.require_group(root(), &asked("root", 0, Some(1)), NOW)), Reason::LocksOut);
    assert!(require(&service, "root", 1).is_ok());
}

#[test]
fn what_makes_no_sense_is_refused_and_says_why() {
    let policy = Policy { require_groups: vec![gid(ADMIN)], ..Policy::default() };
    let service = service(settings(policy));
    assert_eq!(reason(require(&service, "no-such-group-here", 1)), Reason::NoSuchGroup);
    assert_eq!(reason(require(&service, USER, Requirement::LONGEST_GRACE + 1)), Reason::BadParameters);
    assert!(require(&service, USER, Requirement::LONGEST_GRACE).is_ok());
    assert_eq!(reason(release(&service, "no-such-group-here")), Reason::NoSuchGroup);
    assert_eq!(reason(release(&service, "root")), Reason::GroupNotRequired);
    assert!(says(release(&service, ADMIN)).contains("otpd.toml"));
    let early = service.require_group(root(), &asked(USER, 1, None), UnixTime(0));
    assert_eq!(reason(early), Reason::ClockUnset);
    assert!(require(&service, ADMIN, 1).is_ok());
    assert!(release(&service, ADMIN).unwrap().configured);
    assert!(!release(&service, USER).unwrap().configured);
}

#[test]
fn there_is_room_for_so_many_groups() {
    let service = plain();
    let most = u32::try_from(Requirement::MOST).unwrap();
    for gid in 1..=most {
        let gid = gid + 3_000_000_000;
        let one = Requirement { gid, group: "x".into(), from: at(86_400), by: "root".into(), at: NOW };
        let event = Event::of_daemon(NOW, Decision::Accept, Reason::Ok, None);
        assert!(service.registry.require_group(None, &one, event).unwrap());
    }
    assert_eq!(reason(require(&service, USER, 1)), Reason::TooManyGroups);
    assert_eq!(last_event(&service).reason, "too_many_groups");
}

#[test]
fn a_group_that_is_gone_meets_nobody_and_can_be_released() {
    let service = plain();
    let gone =
        Requirement { gid: 4_000_000_000, group: "gone".into(), from: NOW, by: "root".into(), at: NOW };
    service
        .registry
        .require_group(None, &gone, Event::of_daemon(NOW, Decision::Accept, Reason::Ok, None))
        .unwrap();
    let service = restarted(service);
    assert!(matches!(service.start(ROOT, &login(None), NOW).unwrap(), Next::NotRequired { .. }));
    let told = service.doctor(root(), NOW).unwrap().checks;
    assert!(
        told.iter().any(|check| check.verdict == "warn" && check.say.contains("gone (4000000000)")),
        "{told:?}"
    );
    release(&service, "gone").unwrap();
    assert!(service.doctor(root(), NOW).unwrap().checks.iter().all(|check| check.check != "policy"));
}

#[test]
fn a_restart_and_a_reload_keep_what_is_required() {
    let service = plain();
    require(&service, USER, 1).unwrap();
    service.set_settings(settings(Policy::default()));
    assert!(matches!(service.start(ROOT, &login(None), at(86_400)).unwrap(), Next::Ask { .. }));
    let service = restarted(service);
    assert!(matches!(service.start(ROOT, &login(None), at(86_400)).unwrap(), Next::Ask { .. }));
}

#[test]
fn an_administrator_gives_a_code_and_nobody_else_may() {
    let service = service(Settings { admin_group: Some(gid(ADMIN)), ..settings(Policy::default()) });
    let call = |code| RequireGroupParameters { code, ..asked(USER, 1, None) };
    let release = |code| ReleaseGroupParameters { group: USER.into(), code };
    assert_eq!(reason(service.require_group(own(USER), &call(None), NOW)), Reason::NotPermitted);
    assert_eq!(reason(service.release_group(own(USER), &release(None), NOW)), Reason::NotPermitted);
    assert_eq!(last_event(&service).kind, "release_group");
    let phone = Phone::bind(&service, ADMIN, NOW);
    assert_eq!(reason(service.require_group(own(ADMIN), &call(None), NOW)), Reason::CodeNeeded);
    assert_eq!(reason(service.release_group(own(ADMIN), &release(None), NOW)), Reason::CodeNeeded);
    service.require_group(own(ADMIN), &call(Some(phone.code(NOW))), NOW).unwrap();
    let of_root = RequireGroupParameters { group: "root".into(), ..call(None) };
    assert_eq!(reason(service.require_group(own(ADMIN), &of_root, NOW)), Reason::NotOnRoot);
    let report = service.policy_report(own(ADMIN), &PolicyReportParameters::default(), NOW).unwrap();
    assert_eq!(report.required[0].by, ADMIN);
    service.release_group(own(ADMIN), &release(None), at(60)).unwrap();
}
