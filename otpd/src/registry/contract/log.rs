//! The audit log's chain, as every registry keeps it. What is done to it behind its back is in `tampering.rs`.

use std::sync::Arc;

use otpd_core::account::Account;
use otpd_core::chain::Defect;
use otpd_core::chain::Flaw;
use otpd_core::chain::Link;
use otpd_core::chain::Mac;
use otpd_core::event::Event;
use otpd_core::name::Uid;
use otpd_core::registry::EventQuery;
use otpd_core::registry::Journal;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;

use super::event;
use super::who;

/// Walks along the whole log, a few events at a time. Returns what is wrong and how many pages it took.
fn walk<R: Registry>(registry: &R, known: Option<Link>) -> (Vec<Flaw>, u32) {
    let (mut walk, mut flaws, mut pages) = (None, Vec::new(), 0);
    loop {
        let walked = registry.walk(walk, known, 3).unwrap();
        flaws.extend(walked.passed.flaws);
        pages += 1;
        if !walked.passed.more {
            assert!(walked.passed.walk.last >= walked.head.number);
            return (flaws, pages);
        }
        walk = Some(walked.passed.walk);
    }
}

pub(super) fn the_log_is_whole_whatever_was_recorded_and_removed<R: Registry>(registry: &Arc<R>) {
    assert_eq!(walk(&**registry, None), (vec![], 1));
    let alice = who(1000, "alice");
    for at in 1..=20 {
        registry.record(event("alice", at)).unwrap();
        let note = move |_: &mut Account, journal: &mut Journal| {
            journal.record(event("ünïcode", at));
            journal.record(Event { uid: Uid::new(7), detail: Some("x".repeat(999)), ..event("", at) });
        };
        registry.change_or_create(&alice, note).unwrap();
        assert!(registry.record_soon(event("bob", at)));
        if at % 5 == 0 {
            registry.prune(UnixTime(at - 3), 7, event("never", at)).unwrap();
        }
        assert_eq!(registry.note_head().unwrap(), registry.head(), "what was recorded soon is in it");
        assert_eq!(walk(&**registry, None).0, []);
    }
    assert_eq!(registry.head().number, 80);
    assert_eq!(registry.walk(None, None, 1000).unwrap().anchor.unwrap().number, 25);
    assert!(
        registry
            .events(&EventQuery { user: Some("never".into()), limit: 1, ..EventQuery::default() })
            .unwrap()
            .is_empty()
    );
    // What is removed during a walk was passed, or is no longer missed.
    let begun = registry.walk(None, None, 3).unwrap().passed.walk;
    registry.prune(UnixTime(15), 30, event("never", 1)).unwrap();
    let rest = registry.walk(Some(begun), None, 1000).unwrap().passed;
    assert_eq!((rest.flaws, rest.more), (vec![], false));
}

pub(super) fn a_head_from_before_stays_on_the_way<R: Registry>(registry: &Arc<R>) {
    let mut heads = vec![registry.head()];
    for at in 1..=9 {
        registry.record(event("alice", at)).unwrap();
        heads.push(registry.head());
    }
    for head in &heads {
        assert_eq!(walk(&**registry, Some(*head)).0, []);
        let other = Link { mac: Mac([7; 16]), ..*head };
        let flaws = walk(&**registry, Some(other)).0;
        assert_eq!(
            flaws.iter().map(|flaw| (flaw.defect, flaw.number)).collect::<Vec<_>>(),
            [(Defect::Replaced, head.number)]
        );
    }
    let flaws = walk(&**registry, Some(Link { number: 12, mac: heads[0].mac })).0;
    assert_eq!((flaws[0].defect, flaws[0].number, flaws[0].last), (Defect::Cut, 10, 12));
    registry.prune(UnixTime(5), 100, event("-", 0)).unwrap();
    assert_eq!(walk(&**registry, Some(heads[4])).0, [], "the anchor");
    assert_eq!(walk(&**registry, Some(Link { mac: Mac([7; 16]), ..heads[4] })).0.len(), 1);
}
