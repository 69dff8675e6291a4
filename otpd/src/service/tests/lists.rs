//! What administrators look at: accounts, the audit log, and whom the policy meets.

use otpd_proto::admin::AccountsParameters;
use otpd_proto::admin::AuditParameters;
use otpd_proto::admin::PolicyReport;
use otpd_proto::admin::PolicyReportParameters;

use super::*;

fn root() -> Peer {
    Peer { is_root: true, ..Peer::new(Door::Account, 0) }
}

pub(super) fn gid(name: &str) -> u32 {
    nix::unistd::Group::from_name(name).unwrap().unwrap().gid.as_raw()
}

pub(super) fn identity(name: &str) -> Identity {
    let uid = nix::unistd::User::from_name(name).unwrap().unwrap().uid.as_raw();
    Identity {
        uid: otpd_core::name::Uid::new(uid).unwrap(),
        name: otpd_core::name::AccountName::new(name).unwrap(),
    }
}

#[test]
fn an_account_is_listed_with_the_weakest_way_in() {
    let service = plain();
    Phone::bind(&service, USER, NOW);
    service.registry.change_or_create(&identity(ADMIN), |_, _| ()).unwrap();
    let list = |only: Option<&str>, prefix: Option<&str>| {
        let call = AccountsParameters {
            only: only.map(Into::into),
            prefix: prefix.map(Into::into),
            ..AccountsParameters::default()
        };
        let listed = service.accounts(root(), &call, NOW)?;
        Ok(listed.accounts.into_iter().map(|account| (account.user, account.weakest)).collect::<Vec<_>>())
    };
    let (user, admin) = ((USER.into(), "recovery_code".into()), (ADMIN.into(), "none".into()));
    assert_eq!(list(None, None).unwrap(), [user, admin]);
    assert_eq!(list(Some("unprotected"), None).unwrap().len(), 1);
    assert_eq!(list(None, Some("b")).unwrap().len(), 1);
    assert_eq!(reason::<Vec<(String, String)>>(list(Some("odd"), None)), Reason::BadParameters);
}

#[test]
fn the_log_is_read_from_the_newest_back_and_by_what_was_decided() {
    let service = plain();
    Phone::bind(&service, USER, NOW);
    for _ in 0..3 {
        drop(service.unlock(own(USER), &ProofParameters { user: None, code: Some(wrong()) }, NOW));
    }
    let read = |call: AuditParameters| service.audit(root(), &call, NOW).unwrap();
    let newest = || AuditParameters { tail: Some(2), ..AuditParameters::default() };
    let first = read(newest());
    let ids: Vec<i64> = first.events.iter().map(|event| event.id).collect();
    assert_eq!(first.older, Some(ids[0]));
    let second = read(AuditParameters { before: first.older, ..newest() });
    assert_eq!(second.events.last().unwrap().id, ids[0] - 1);
    let refused =
        AuditParameters { verdict: Some("refuse".into()), event: Some("unlock".into()), ..newest() };
    assert_eq!(read(refused).events.len(), 2);
    let all = read(AuditParameters { tail: Some(200), ..AuditParameters::default() });
    assert_eq!(all.older, None, "there is nothing before the first");
}

fn report(service: &Service<Memory>, group: Option<&str>, days: Option<u32>) -> PolicyReport {
    let call = PolicyReportParameters { group: group.map(Into::into), grace_days: days, after: None };
    service.policy_report(root(), &call, NOW).unwrap()
}

#[test]
fn whom_a_group_would_meet_is_known_before_it_is_required() {
    let service = plain();
    service.registry.change_or_create(&identity(USER), |_, _| ()).unwrap();
    assert!(report(&service, None, None).concerned.is_empty(), "nothing is required of anybody");
    let now = report(&service, Some(USER), Some(0));
    let [met] = &now.concerned[..] else { panic!("{now:?}") };
    assert_eq!((met.user.as_str(), met.standing.as_str()), (USER, "locked_out"));
    let later = report(&service, Some(USER), Some(14));
    assert_eq!(later.concerned[0].standing, "grace");
    assert_eq!(later.concerned[0].from, Some(NOW.0 + 14 * 86_400));
    let other = report(&service, Some(ADMIN), Some(0)).concerned;
    assert_eq!(
        other.iter().map(|one| one.user.as_str()).collect::<Vec<_>>(),
        [ADMIN],
        "whose primary group it is"
    );
    Phone::bind(&service, USER, NOW);
    assert!(report(&service, Some(USER), Some(0)).concerned.is_empty(), "it has a device now");
    let call = PolicyReportParameters { group: Some("no-such-group-here".into()), ..Default::default() };
    assert_eq!(reason(service.policy_report(root(), &call, NOW)), Reason::NoSuchGroup);
}

#[test]
fn the_report_says_the_policy_as_it_is_and_who_is_exempt() {
    let policy = Policy {
        require_groups: vec![gid(USER)],
        exempt_users: vec![USER.into()],
        grace: Duration::from_secs(3 * 86_400),
        ..Policy::default()
    };
    let service = service(settings(policy));
    service.registry.change_or_create(&identity(USER), |_, _| ()).unwrap();
    let report = report(&service, None, None);
    assert_eq!((report.require_groups, report.grace_days), (vec![USER.to_owned()], 3));
    assert_eq!(report.exempt_users, [USER]);
    assert_eq!(report.concerned[0].standing, "exempt");
}

#[test]
fn the_report_is_for_root_and_administrators() {
    let service = service(Settings { admin_group: Some(gid(ADMIN)), ..settings(Policy::default()) });
    let call = PolicyReportParameters::default();
    assert!(service.policy_report(own(ADMIN), &call, NOW).is_ok());
    assert_eq!(reason(service.policy_report(own(USER), &call, NOW)), Reason::NotPermitted);
}
