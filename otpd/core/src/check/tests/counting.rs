//! Devices that count their codes (RFC 4226), and setting a device right by two codes in a row.

use super::*;
use crate::totp::Algorithm;

/// An account with one token, whose next code has this counter.
fn token(next: u64) -> Account {
    let mut account = account(&[]);
    let new = NewDevice {
        name: DeviceName::new("token").unwrap(),
        key: SealedKey(vec![9; 20]),
        parameters: counting(),
        counter: Some(next),
        replaces: None,
        by: "alice".into(),
        from: "account.sock".into(),
    };
    let id = account.begin(new, NOW).unwrap();
    account.activate(id, NOW, "alice");
    account
}

fn counting() -> Parameters {
    Parameters::counting(Algorithm::Sha1, 6).unwrap()
}

fn press(counter: u64) -> Code {
    let key = Key::new(Zeroizing::new(vec![9; 20])).unwrap();
    Code::parse(&Generator::new(&key, counting()).unwrap().code_at(Step(counter))).unwrap()
}

fn is_in(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accepted { offset: 0, .. })
}

fn twice(account: &mut Account, codes: [&Code; 2], now: UnixTime) -> Resync {
    let id = account.devices[0].id;
    let Ok(done) = resync(account, id, codes, Lane::Own, now, &Plain);
    done
}

#[test]
fn ten_codes_from_the_next_one_on_are_right_and_no_other() {
    for counter in 0..120 {
        let mut account = token(7);
        let verdict = give(&mut account, &press(counter), NOW);
        match counter {
            7..=16 => assert!(is_in(&verdict), "{counter}: {verdict:?}"),
            6 => assert!(matches!(verdict, Verdict::Used { next, .. } if next == NOW), "{verdict:?}"),
            17..=106 => {
                let near = Some((DeviceId(1), i64::try_from(counter).unwrap() - 7));
                assert_eq!(verdict, Verdict::Wrong { near });
            }
            _ => assert_eq!(verdict, Verdict::Wrong { near: None }, "{counter}"),
        }
    }
}

#[test]
fn a_code_and_all_that_were_skipped_are_spent_by_it() {
    let mut account = token(0);
    assert!(is_in(&give(&mut account, &press(6), NOW)));
    for counter in 0..=6 {
        assert!(
            !is_in(&give(&mut account, &press(counter), at(60 * i64::try_from(counter).unwrap()))),
            "{counter}"
        );
        account.lane_mut(Lane::Local).clear();
    }
    assert!(is_in(&give(&mut account, &press(7), NOW)));
}

#[test]
fn whatever_is_pressed_and_typed_no_counter_is_accepted_twice() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..20 {
        let mut account = token(random(5));
        let mut accepted = std::collections::BTreeSet::new();
        for _ in 0..60 {
            let counter = random(80);
            if random(4) == 0 {
                let done = twice(&mut account, [&press(counter), &press(counter + 1)], NOW);
                if matches!(done, Resync::Done { .. }) {
                    assert!(accepted.range(counter..).next().is_none(), "{counter} of {accepted:?}");
                    accepted.extend([counter, counter + 1]);
                }
            } else if is_in(&give(&mut account, &press(counter), NOW)) {
                assert!(accepted.range(counter..).next().is_none(), "{counter} of {accepted:?}");
                accepted.insert(counter);
            }
            let _ = account.open_lanes();
        }
        assert!(accepted.len() > 1);
    }
}

#[test]
fn time_is_nothing_to_a_device_that_counts() {
    let mut account = token(0);
    for (counter, now) in [(0, NOW), (1, UnixTime(0)), (2, UnixTime(i64::MAX)), (3, NOW)] {
        assert!(is_in(&give(&mut account, &press(counter), now)), "{counter}");
        account.expire_pending(NOW);
    }
    assert_eq!((account.devices[0].drift, account.devices[0].leaning), (0, 0));
}

#[test]
fn two_codes_in_a_row_bring_a_token_back_from_a_hundred_presses() {
    for (first, right) in [(7, true), (50, true), (105, true), (106, false), (6, false), (5, false)] {
        let mut account = token(7);
        let done = twice(&mut account, [&press(first), &press(first + 1)], NOW);
        if right {
            let moved = i64::try_from(first).unwrap() + 1 - 7;
            assert_eq!(done, Resync::Done { moved });
            assert!(!is_in(&give(&mut account, &press(first + 1), NOW)), "both are spent");
            account.lane_mut(Lane::Local).clear();
            assert!(is_in(&give(&mut account, &press(first + 2), NOW)));
        } else {
            assert_eq!(done, Resync::Wrong, "{first}");
            assert_eq!(account.lane(Lane::Own).failures, 1);
        }
    }
}

#[test]
fn two_codes_that_are_not_in_a_row_do_nothing_but_count() {
    for pair in [[20, 22], [21, 20], [20, 20]] {
        let mut account = token(7);
        assert_eq!(twice(&mut account, [&press(pair[0]), &press(pair[1])], NOW), Resync::Wrong);
        assert_eq!(account.devices[0].last_step, Some(Step(6)));
    }
    let mut account = token(7);
    for _ in 0..4 {
        let _ = twice(&mut account, [&press(20), &press(22)], NOW);
    }
    let waits = twice(&mut account, [&press(20), &press(21)], NOW);
    assert_eq!(waits, Resync::Wait(at(30)), "a right pair is not looked at while the lane waits");
}

#[test]
fn a_restored_token_lets_nobody_in_until_two_codes_in_a_row() {
    let mut account = token(7);
    account.devices[0].needs_resync = true;
    assert!(!is_in(&give(&mut account, &press(7), NOW)));
    assert_eq!(twice(&mut account, [&press(30), &press(31)], NOW), Resync::Done { moved: 24 });
    assert!(is_in(&give(&mut account, &press(32), NOW)));
}

#[test]
fn a_phone_up_to_ten_steps_off_is_set_right_and_logs_in_then() {
    for drift in -12..=12_i64 {
        let mut account = account(&[1]);
        let theirs = at(drift * 30);
        let done = twice(&mut account, [&code(1, theirs, -1), &code(1, theirs, 0)], NOW);
        if drift.abs() <= 10 {
            assert_eq!(done, Resync::Done { moved: drift });
            assert_eq!(i64::from(account.devices[0].drift), drift);
            let used = give(&mut account, &code(1, theirs, 0), NOW);
            assert!(matches!(used, Verdict::Used { .. }), "{used:?}");
            let next = give(&mut account, &code(1, theirs, 1), at(30));
            assert!(matches!(next, Verdict::Accepted { .. }), "{drift}: {next:?}");
        } else {
            assert_eq!(done, Resync::Wrong, "{drift}");
        }
    }
}

#[test]
fn steps_that_were_spent_before_set_nothing_right() {
    let mut account = account(&[1]);
    let accepted = give(&mut account, &code(1, NOW, 0), NOW);
    assert!(matches!(accepted, Verdict::Accepted { .. }));
    assert_eq!(twice(&mut account, [&code(1, NOW, -1), &code(1, NOW, 0)], NOW), Resync::Wrong);
    assert_eq!(twice(&mut account, [&code(1, NOW, 0), &code(1, NOW, 1)], NOW), Resync::Wrong);
    assert_eq!(twice(&mut account, [&code(1, NOW, 1), &code(1, NOW, 2)], NOW), Resync::Done { moved: 2 });
}

#[test]
fn what_proves_one_device_is_spent_on_its_twin() {
    let mut account = account(&[1, 1]);
    let done = twice(&mut account, [&code(1, NOW, 0), &code(1, NOW, 1)], NOW);
    assert_eq!(done, Resync::Done { moved: 1 });
    assert_eq!(account.devices[1].last_step, account.devices[0].last_step);
}

#[test]
fn a_pending_token_is_proven_by_one_of_its_next_codes() {
    let mut account = token(3);
    let new = NewDevice {
        counter: Some(40),
        name: DeviceName::new("second").unwrap(),
        key: SealedKey(vec![9; 20]),
        ..second()
    };
    let id = account.begin(new, NOW).unwrap();
    let Ok(wrong) = prove(&mut account, id, &press(39), NOW, &Plain);
    assert_eq!(wrong, None);
    let Ok(right) = prove(&mut account, id, &press(42), NOW, &Plain);
    assert_eq!(right, Some(0));
    assert_eq!(account.device_mut(id).unwrap().last_step, Some(Step(42)));
}

fn second() -> NewDevice {
    NewDevice {
        name: DeviceName::new("x").unwrap(),
        key: SealedKey(vec![1; 20]),
        parameters: counting(),
        counter: None,
        replaces: None,
        by: "alice".into(),
        from: "account.sock".into(),
    }
}

/// What the manual says: 21 pairs in 10^12 for a phone, 99 for a token.
#[test]
fn few_pairs_are_right_for_a_guesser() {
    let is_right = |mut account: Account, codes: [&Code; 2]| {
        matches!(twice(&mut account, codes, NOW), Resync::Done { .. })
    };
    let phone = |step: &i64| is_right(account(&[1]), [&code(1, NOW, *step), &code(1, NOW, step + 1)]);
    let of_token = |counter: &u64| is_right(token(7), [&press(*counter), &press(counter + 1)]);
    assert_eq!(((-40..40).filter(phone).count(), (0..300).filter(of_token).count()), (21, 99));
}

#[test]
fn the_last_counters_of_all_overflow_nowhere() {
    for next in [u64::MAX, u64::MAX - 1, 1 << 53, i64::MAX.cast_unsigned()] {
        let mut account = token(next);
        let _ = give(&mut account, &press(next), NOW);
        let _ = twice(&mut account, [&press(next), &press(next)], NOW);
    }
}
