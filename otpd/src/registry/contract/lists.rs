//! Lists that are searched: accounts and events.

use otpd_core::emails::Stage;
use otpd_core::registry::AccountQuery;
use otpd_core::registry::Only;

use super::*;

pub(super) fn accounts_are_found_by_name_and_state_and_paged_both_ways<R: Registry>(registry: &Arc<R>) {
    let named = |name: &str| Some(AccountName::new(name).unwrap());
    for (uid, name) in [(1, "ann"), (2, "anna"), (3, "bea"), (4, "zoë")] {
        bind(&**registry, &who(uid, name), "phone");
    }
    registry.change_or_create(&who(5, "anne"), |_, _| ()).unwrap();
    let fail = |account: &mut Account, _: &mut _| {
        (0..100).for_each(|_| account.lane_mut(Lane::Local).fail(NOW));
    };
    registry.change(&who(3, "bea"), fail).unwrap();
    let found = |query: AccountQuery| -> Vec<String> {
        let limit = if query.limit == 0 { 10 } else { query.limit };
        let page = registry.find_accounts(&AccountQuery { limit, ..query }).unwrap();
        page.into_iter().map(|summary| summary.identity.name.to_string()).collect()
    };
    let all = AccountQuery::default;
    assert_eq!(found(AccountQuery { prefix: "ann".into(), ..all() }), ["ann", "anna", "anne"]);
    assert_eq!(found(AccountQuery { prefix: "zo".into(), ..all() }), ["zoë"]);
    assert_eq!(found(AccountQuery { prefix: "%".into(), ..all() }), [] as [&str; 0]);
    assert_eq!(found(AccountQuery { prefix: "ann".into(), after: named("ann"), ..all() }), ["anna", "anne"]);
    assert_eq!(found(AccountQuery { prefix: "b".into(), after: named("ann"), ..all() }), ["bea"]);
    assert_eq!(found(AccountQuery { before: named("bea"), limit: 2, ..all() }), ["anna", "anne"]);
    assert_eq!(found(AccountQuery { before: named("bea"), prefix: "anne".into(), ..all() }), ["anne"]);
    assert_eq!(found(AccountQuery { only: Some(Only::Unprotected), ..all() }), ["anne"]);
    assert_eq!(found(AccountQuery { only: Some(Only::Locked), ..all() }), ["bea"]);
    let protected = || AccountQuery { only: Some(Only::Protected), ..all() };
    assert_eq!(found(protected()), ["ann", "anna", "bea", "zoë"]);
    assert_eq!(found(AccountQuery { before: named("bea"), limit: 1, ..protected() }), ["anna"]);
}

pub(super) fn a_summary_says_what_opens_the_account<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1, "ann"), "phone");
    let summary = || registry.accounts(None, 1).unwrap().remove(0);
    let bare = summary();
    assert_eq!((bare.recovery_codes, bare.emails, bare.recovers, bare.enrolment), (0, 0, None, None));
    let fill = |account: &mut Account, _: &mut _| {
        account.recovery = Sheet::new([Mark([1; 16]), Mark([2; 16])]);
        let _ = account.recovery.spend(Mark([2; 16]), NOW);
        account.enrolment = Some(Waiting::begin(Mark([3; 16]), NOW));
        account.grace_since = Some(UnixTime(5));
        account.announce = Some("hello".into());
        mail::fill(account);
    };
    registry.change(&who(1, "ann"), fill).unwrap();
    let account = registry.find(&who(1, "ann")).unwrap().unwrap();
    let recovers = account.emails.0.iter().filter_map(|email| match email.stage {
        Stage::Confirmed { recovers } => Some(recovers),
        _ => None,
    });
    let full = summary();
    assert_eq!((full.recovery_codes, full.grace_since), (1, Some(UnixTime(5))));
    assert_eq!(full.emails as usize, account.emails.confirmed().count());
    assert_eq!((full.emails > 0, full.recovers), (true, recovers.min()));
    assert_eq!(full.enrolment, Some(NOW.plus(Waiting::FOR)));
}

pub(super) fn events_are_found_by_kind_and_decision<R: Registry>(registry: &Arc<R>) {
    for (kind, decision) in [
        (Kind::Login, Decision::Accept),
        (Kind::Reset, Decision::Refuse),
        (Kind::Login, Decision::Refuse),
        (Kind::Login, Decision::Accept),
    ] {
        registry.record(Event { kind, decision, ..event("alice", 1) }).unwrap();
    }
    let found = |query: EventQuery| -> Vec<i64> {
        let page = registry.events(&EventQuery { limit: 9, ..query }).unwrap();
        page.into_iter().map(|event| event.id).collect()
    };
    let logins = || EventQuery { kind: Some("login".into()), ..EventQuery::default() };
    assert_eq!(found(logins()), [1, 3, 4]);
    assert_eq!(found(EventQuery { decision: Some("accept".into()), ..logins() }), [1, 4]);
    assert_eq!(found(EventQuery { before: Some(4), tail: true, ..logins() }), [1, 3]);
    assert_eq!(found(EventQuery { decision: Some("refuse".into()), ..EventQuery::default() }), [2, 3]);
}
