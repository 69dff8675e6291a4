//! Checks of the audit log: for whom, from where, and what is said.

use otpd_proto::admin::Hole;
use otpd_proto::admin::VerifiedAudit;
use otpd_proto::admin::VerifyAuditParameters;
use otpd_proto::admin::Walk;

use super::*;

fn root() -> Peer {
    Peer { is_root: true, ..Peer::new(Door::Account, 0) }
}

fn check(service: &Service<Memory>, known: Option<&str>) -> Result<VerifiedAudit, Failure> {
    let known = known.map(str::to_owned);
    service.verify_audit(root(), &VerifyAuditParameters { walk: None, known }, NOW)
}

#[test]
fn a_log_that_is_longer_than_a_page_is_checked_to_its_end() {
    let service = plain();
    (0..4500).for_each(|_| service.record_daemon(NOW, Reason::Ok, "again"));
    let (mut walk, mut pages) = (None, 0);
    loop {
        let call = VerifyAuditParameters { walk, known: Some(service.head().to_string()) };
        let checked = service.verify_audit(root(), &call, NOW).unwrap();
        assert_eq!((checked.flaws.len(), checked.first), (0, Some(1)));
        pages += 1;
        walk = Some(checked.walk);
        if !checked.more {
            break;
        }
    }
    assert_eq!((pages, walk.unwrap().last), (3, 4500));
}

#[test]
fn a_head_that_was_removed_as_old_is_refused_and_the_newest_of_those_is_not() {
    let service = plain();
    let heads: Vec<String> = (0..5)
        .map(|day| {
            service.record_daemon(at(day * 86_400), Reason::Ok, "again");
            service.head().to_string()
        })
        .collect();
    // Thirty days are kept.
    assert_eq!(service.prune(at(33 * 86_400), Some(true), 100).unwrap(), 3);
    for old in &heads[..2] {
        assert_eq!(reason(check(&service, Some(old))), Reason::BadHead, "{old}");
    }
    for head in &heads[2..] {
        let checked = check(&service, Some(head)).unwrap();
        assert_eq!((checked.flaws, checked.first, checked.more), (vec![], Some(4), false), "{head}");
    }
}

#[test]
fn an_old_alarm_in_the_log_is_named() {
    let service = plain();
    service.record_daemon(NOW, Reason::LogAltered, "its end was cut off");
    service.record_daemon(NOW, Reason::Ok, "again");
    let flaws = check(&service, None).unwrap().flaws;
    assert_eq!((flaws[0].defect.as_str(), flaws[0].number, flaws.len()), ("alarm", 1, 1));
    assert_eq!(flaws[0].say, "Event 1 says that otpd found the log altered; read what.");
}

#[test]
fn a_walk_or_a_head_that_is_none_is_refused_and_odd_numbers_do_no_harm() {
    let service = plain();
    service.record_daemon(NOW, Reason::Ok, "again");
    for known in ["", "1", "1:", "-1:00112233445566778899aabbccddeeff", "x:00112233445566778899aabbccddeeff"]
    {
        assert_eq!(reason(check(&service, Some(known))), Reason::BadHead, "{known}");
    }
    let mac = "00112233445566778899aabbccddeeff".to_owned();
    let hole = Hole { number: i64::MIN, before: mac.clone(), there: mac.clone() };
    for (last, shift) in [(i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (i64::MIN, i64::MIN), (0, i64::MAX)] {
        let walk = Walk { last, mac: Some(mac.clone()), shift, holes: vec![hole.clone(); 20] };
        let call = VerifyAuditParameters { walk: Some(walk), known: Some(format!("{}:{mac}", i64::MAX)) };
        assert!(!service.verify_audit(root(), &call, NOW).unwrap().more);
    }
    let wrong = Walk { last: 0, mac: Some("zz".into()), shift: 0, holes: vec![] };
    let call = VerifyAuditParameters { walk: Some(wrong), known: None };
    assert_eq!(reason(service.verify_audit(root(), &call, NOW)), Reason::BadHead);
}

#[test]
fn nobody_but_root_checks_the_log() {
    let settings = Settings { admin_group: Some(1), ..settings(Policy::default()) };
    let service = service(settings);
    for user in [USER, ADMIN] {
        let refused = service.verify_audit(own(user), &VerifyAuditParameters::default(), NOW);
        assert_eq!(reason(refused), Reason::NotPermitted, "{user}");
    }
}
