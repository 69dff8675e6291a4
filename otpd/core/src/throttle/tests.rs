//! The state machine, and the odds it leaves a guesser.

use super::*;

const NOW: UnixTime = UnixTime(1_800_000_000);

fn failed(times: u32, at: UnixTime) -> Throttle {
    let mut throttle = Throttle::default();
    (0..times).for_each(|_| throttle.fail(at));
    throttle
}

#[test]
fn three_failures_are_free_and_the_fourth_is_not() {
    assert_eq!(failed(0, NOW).look(NOW), Gate::Open);
    assert_eq!(failed(3, NOW).look(NOW), Gate::Open);
    assert_eq!(failed(4, NOW).look(NOW), Gate::Wait(NOW.plus(Duration::from_secs(30))));
}

#[test]
fn waits_double_up_to_an_hour() {
    let seconds: Vec<u64> = (4..=13).map(|failures| wait_after(failures).as_secs()).collect();
    assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    assert_eq!(wait_after(u32::MAX).as_secs(), 3600);
}

#[test]
fn a_wait_ends_on_its_second() {
    let throttle = failed(4, NOW);
    assert_eq!(throttle.look(UnixTime(NOW.0 + 29)), Gate::Wait(UnixTime(NOW.0 + 30)));
    assert_eq!(throttle.look(UnixTime(NOW.0 + 30)), Gate::Open);
}

#[test]
fn the_hundredth_failure_closes_and_time_does_not_open() {
    let later = NOW.plus(Duration::from_secs(365 * 86_400));
    assert_eq!(failed(99, NOW).look(later), Gate::Open);
    assert_eq!(failed(100, NOW).look(later), Gate::Closed);
    assert_eq!(failed(1000, NOW).failures, 100);
}

#[test]
fn a_clock_that_went_back_makes_nobody_wait_longer_than_the_wait() {
    let mut throttle = failed(4, NOW);
    let earlier = UnixTime(NOW.0 - 1_000_000);
    assert_eq!(throttle.gate(earlier), Gate::Wait(UnixTime(earlier.0 + 30)));
    assert_eq!(throttle.gate(UnixTime(earlier.0 + 30)), Gate::Open);
}

#[test]
fn success_forgets_the_failures() {
    let mut throttle = failed(99, NOW);
    throttle.clear();
    assert_eq!(throttle, Throttle::default());
}

/// Tries of a guesser in `days` days who never misses a moment, in one lane, while the owner's accepted code clears
/// it every `owner` (or never).
fn tries(days: u64, owner: Option<Duration>) -> u32 {
    let end = NOW.plus(Duration::from_secs(days * 86_400));
    let (mut throttle, mut now, mut count) = (Throttle::default(), NOW, 0_u32);
    let mut next_owner = owner.map(|every| NOW.plus(every));
    while now < end {
        if let Some(due) = next_owner.filter(|due| *due <= now) {
            throttle.clear();
            next_owner = owner.map(|every| due.plus(every));
        }
        match throttle.gate(now) {
            Gate::Open => {
                count += 1;
                throttle.fail(now);
            }
            Gate::Wait(until) => now = next_owner.map_or(until, |due| until.min(due)),
            Gate::Closed => match next_owner {
                Some(due) => now = due,
                None => break,
            },
        }
    }
    count
}

/// Probability of one hit in `tries`, each against three codes of six digits for each device.
fn odds(tries: u32, devices: u32) -> f64 {
    let one = 1.0 - (1.0 - 1e-6_f64).powi(i32::try_from(3 * devices).unwrap());
    1.0 - (1.0 - one).powi(i32::try_from(tries).unwrap())
}

#[test]
fn a_guesser_gets_a_hundred_tries_a_lane_and_about_a_thousand_beside_a_daily_owner() {
    assert_eq!(tries(30, None), 100);
    let beside_owner = tries(30, Some(Duration::from_secs(86_400)));
    assert_eq!(beside_owner, BESIDE_DAILY_OWNER);
}

/// The table in pam_otp(8) is this one: devices, odds in 30 days in one lane, in all four, and in a lane that the
/// owner's daily login clears.
#[test]
fn the_manual_prints_these_odds() {
    let manual = include_str!("../../../../packaging/man/pam_otp.8");
    for devices in 1..=10 {
        let row = format!(
            "{devices}\t{:.4} %\t{:.4} %\t{:.4} %",
            odds(100, devices) * 100.0,
            odds(400, devices) * 100.0,
            odds(BESIDE_DAILY_OWNER, devices) * 100.0,
        );
        assert!(manual.contains(&row), "not in packaging/man/pam_otp.8: {row}");
    }
}

const BESIDE_DAILY_OWNER: u32 = 990;
