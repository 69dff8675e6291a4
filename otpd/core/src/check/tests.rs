//! What is accepted, once, and what is not.

mod counting;

use super::*;
use crate::account::AccountId;
use crate::account::NewDevice;
use crate::device::SealedKey;
use crate::name::AccountName;
use crate::name::DeviceName;
use crate::name::Identity;
use crate::name::Uid;
use crate::totp::Parameters;
use zeroize::Zeroizing;

/// Right on a step's first second.
const NOW: UnixTime = UnixTime(1_800_000_000);

/// Stands in for the sealing: what is stored is the key itself.
struct Plain;

impl Opener for Plain {
    type Error = std::convert::Infallible;

    fn open(&self, _account: &Account, device: &Device) -> Result<Key, Self::Error> {
        Ok(Key::new(Zeroizing::new(device.key.0.clone())).unwrap())
    }
}

fn account(keys: &[u8]) -> Account {
    let identity = Identity { uid: Uid::new(1000).unwrap(), name: AccountName::new("alice").unwrap() };
    let mut account = Account::new(AccountId(1), identity);
    for (index, seed) in keys.iter().enumerate() {
        let new = NewDevice {
            name: DeviceName::new(&format!("device {index}")).unwrap(),
            key: SealedKey(vec![*seed; 20]),
            parameters: Parameters::default(),
            counter: None,
            replaces: None,
            by: "alice".into(),
            from: "account.sock".into(),
        };
        let id = account.begin(new, NOW).unwrap();
        account.activate(id, NOW, "alice");
    }
    account
}

fn code(seed: u8, at: UnixTime, offset: i64) -> Code {
    let key = Key::new(Zeroizing::new(vec![seed; 20])).unwrap();
    let step = at.step(30).at(offset).unwrap();
    Code::parse(&Generator::new(&key, Parameters::default()).unwrap().code_at(step)).unwrap()
}

fn give(account: &mut Account, code: &Code, now: UnixTime) -> Verdict {
    let Ok(verdict) = check(account, code, Lane::Local, now, &Plain);
    verdict
}

fn at(seconds: i64) -> UnixTime {
    UnixTime(NOW.0 + seconds)
}

#[test]
fn the_codes_of_now_before_and_next_are_right_and_no_other() {
    for (offset, right) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let mut account = account(&[1]);
        let verdict = give(&mut account, &code(1, NOW, offset), NOW);
        let expected = if right {
            Verdict::Accepted { device: DeviceId(1), offset: offset * 30 }
        } else {
            Verdict::Wrong { near: Some((DeviceId(1), offset)) }
        };
        assert_eq!(verdict, expected, "{offset}");
    }
}

/// GHSA-jm35-h8q2-73mp: replay at both edges of the window.
#[test]
fn a_code_works_once_at_every_place_of_the_window() {
    for offset in [-1, 0, 1] {
        let mut account = account(&[1]);
        let code = code(1, NOW, offset);
        assert!(matches!(give(&mut account, &code, NOW), Verdict::Accepted { .. }));
        for later in [0, 1, 29, 30, 59] {
            let again = give(&mut account, &code, at(later));
            assert!(!matches!(again, Verdict::Accepted { .. }), "{offset} {later}: {again:?}");
        }
    }
}

/// GA#130: an older step after a newer one.
#[test]
fn an_older_code_after_a_newer_one_is_refused() {
    let mut account = account(&[1]);
    assert!(matches!(give(&mut account, &code(1, NOW, 1), NOW), Verdict::Accepted { .. }));
    for offset in [0, -1] {
        assert!(matches!(give(&mut account, &code(1, NOW, offset), NOW), Verdict::Used { .. }));
    }
}

#[test]
fn a_used_code_says_when_the_next_is_due_and_is_not_counted() {
    let mut account = account(&[1]);
    let code = code(1, NOW, 0);
    assert!(matches!(give(&mut account, &code, at(5)), Verdict::Accepted { .. }));
    assert_eq!(give(&mut account, &code, at(12)), Verdict::Used { device: DeviceId(1), next: at(30) });
    assert_eq!(account.lane(Lane::Local).failures, 0);
    assert!(account.refusal(Lane::Local).unwrap().spent);
}

#[test]
fn every_device_has_its_own_codes() {
    let mut account = account(&[1, 2, 3]);
    for (seed, device) in [(3, 3), (1, 1), (2, 2)] {
        let verdict = give(&mut account, &code(seed, NOW, 0), NOW);
        assert_eq!(verdict, Verdict::Accepted { device: DeviceId(device), offset: 0 });
    }
}

#[test]
fn an_accepted_code_is_spent_on_every_device_that_has_it() {
    let mut account = account(&[1, 1]);
    assert!(matches!(give(&mut account, &code(1, NOW, 0), NOW), Verdict::Accepted { .. }));
    assert!(matches!(give(&mut account, &code(1, NOW, 0), NOW), Verdict::Used { .. }));
}

#[test]
fn wrong_codes_close_the_gate_of_their_lane_only() {
    let mut account = account(&[1]);
    let wrong = Code::parse("00000000").unwrap();
    for _ in 0..4 {
        assert_eq!(give(&mut account, &wrong, NOW), Verdict::Wrong { near: None });
    }
    assert_eq!(give(&mut account, &code(1, NOW, 0), NOW), Verdict::Wait(at(30)));
    let Ok(elsewhere) = check(&mut account, &code(1, NOW, 0), Lane::Unknown, NOW, &Plain);
    assert!(matches!(elsewhere, Verdict::Accepted { .. }));
    assert_eq!(account.lane(Lane::Local).failures, 4);
}

#[test]
fn a_right_code_while_waiting_is_not_looked_at_and_stays_good() {
    let mut account = account(&[1]);
    (0..4).for_each(|_| account.lane_mut(Lane::Local).fail(NOW));
    let code = code(1, NOW, 1);
    assert!(matches!(give(&mut account, &code, NOW), Verdict::Wait(_)));
    assert!(matches!(give(&mut account, &code, at(30)), Verdict::Accepted { .. }));
    assert_eq!(account.lane(Lane::Local).failures, 0);
}

#[test]
fn a_closed_lane_looks_at_nothing() {
    let mut account = account(&[1]);
    (0..100).for_each(|_| account.lane_mut(Lane::Local).fail(NOW));
    assert_eq!(give(&mut account, &code(1, at(1_000_000), 0), at(1_000_000)), Verdict::Closed);
}

#[test]
fn one_late_code_moves_nothing_and_two_move_the_drift() {
    let mut account = account(&[1]);
    for (minutes, drift) in [(0, 0), (1, -1)] {
        let now = at(minutes * 60);
        assert!(matches!(give(&mut account, &code(1, now, -1), now), Verdict::Accepted { .. }));
        assert_eq!(account.devices[0].drift, drift);
    }
    let now = at(180);
    assert!(matches!(give(&mut account, &code(1, now, -2), now), Verdict::Accepted { offset: -60, .. }));
    let mut early = at(240);
    assert!(matches!(give(&mut account, &code(1, early, 1), early), Verdict::Wrong { .. }));
    early = at(300);
    assert!(matches!(give(&mut account, &code(1, early, 0), early), Verdict::Accepted { .. }));
}

#[test]
fn drift_is_capped() {
    let mut account = account(&[1]);
    for minute in 0..60 {
        let now = at(minute * 60);
        let ahead = i64::from(account.devices[0].drift) + 1;
        let _ = give(&mut account, &code(1, now, ahead), now);
    }
    assert_eq!(account.devices[0].drift, Device::MAX_DRIFT);
}

#[test]
fn a_clock_that_went_back_has_its_own_reason_and_is_not_counted() {
    let mut account = account(&[1]);
    assert!(matches!(give(&mut account, &code(1, at(3600), 0), at(3600)), Verdict::Accepted { .. }));
    // Whether the phone shares this box's wrong time or has the right one.
    for phone in [NOW, at(3660)] {
        assert_eq!(
            give(&mut account, &code(1, phone, 0), NOW),
            Verdict::ClockWentBack { device: DeviceId(1) }
        );
    }
    assert_eq!(account.lane(Lane::Local).failures, 0);
}

#[test]
fn a_code_that_proves_a_device_is_spent_there_and_wherever_it_fits() {
    let mut account = account(&[1]);
    let new = NewDevice {
        name: DeviceName::new("new").unwrap(),
        key: SealedKey(vec![2; 20]),
        parameters: Parameters::default(),
        counter: None,
        replaces: None,
        by: "alice".into(),
        from: "account.sock".into(),
    };
    let id = account.begin(new, NOW).unwrap();
    let Ok(offset) = prove(&mut account, id, &code(2, NOW, -1), NOW, &Plain);
    assert_eq!(offset, Some(-30));
    account.activate(id, NOW, "alice");
    assert!(matches!(give(&mut account, &code(2, NOW, -1), NOW), Verdict::Used { .. }));
    let Ok(wrong) = prove(&mut account, id, &code(9, NOW, 0), NOW, &Plain);
    assert_eq!(wrong, None);
}

#[test]
fn a_pending_device_logs_nobody_in() {
    let mut account = account(&[]);
    let new = NewDevice {
        name: DeviceName::new("new").unwrap(),
        key: SealedKey(vec![2; 20]),
        parameters: Parameters::default(),
        counter: None,
        replaces: None,
        by: "alice".into(),
        from: "account.sock".into(),
    };
    account.begin(new, NOW).unwrap();
    assert_eq!(give(&mut account, &code(2, NOW, 0), NOW), Verdict::Wrong { near: None });
}
