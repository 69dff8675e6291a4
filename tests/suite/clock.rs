//! This box's clock and the phones': behind, ahead, gone back, never set; what people are told, and how root mends it.
//! Through the real otpctl.

use std::time::Duration;

use otpd_tests::BoxClock;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

/// A system with alice and bob and a clock that is so many seconds ahead.
fn bed(ahead: i64) -> (Testbed, BoxClock) {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    bed.user("alice");
    bed.user("bob");
    let clock = BoxClock::start(&mut bed, ahead);
    (bed, clock)
}

fn answer(bed: &Testbed, user: &str, code: &str) -> Value {
    let answer = json!({"login": {"user": user, "service": "sshd"}, "answer": code});
    bed.daemon().login("org.otpd.Login.Answer", &answer).unwrap()["step"].take()
}

/// A line of doctor: verdict and words.
fn doctor(bed: &Testbed, what: &str) -> (String, String) {
    let doctor: Value = bed.run("otpctl", &["--json", "doctor"]).json();
    let checks = doctor["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == what).unwrap();
    (check["verdict"].as_str().unwrap().into(), check["say"].as_str().unwrap().into())
}

/// Waits until something is there.
fn eventually(what: &str, there: impl Fn() -> Option<Value>) -> Value {
    for _ in 0..1200 {
        if let Some(found) = there() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("not within a minute: {what}");
}

/// Lets the box fall behind until it is so many steps slow, and people log in meanwhile. Moments pass by moving its
/// clock and the phone's alike. Returns how far ahead the box is in the end, and the phone.
fn fall_behind(bed: &Testbed, clock: &BoxClock, phones: &[(&str, &Token)], steps: i64) -> (i64, i64) {
    let mut passed = 0;
    for slow in 0..=steps {
        // Two alike in a row are learned from; a real step may end between a code and its answer.
        for _ in 0..4 {
            passed += 4;
            clock.set((passed - slow) * 30);
            for (user, phone) in phones {
                let step = answer(bed, user, &phone.code(passed));
                assert_eq!(step["next"], "accept", "{user}, {slow} steps: {step}");
            }
        }
    }
    ((passed - steps) * 30, passed)
}

#[test]
fn a_box_that_fell_behind_is_found_out_and_set_right() {
    let (mut bed, clock) = bed(0);
    let (alices, bobs) = (bed.bind("alice", "phone"), bed.bind("bob", "phone"));
    let (ahead, passed) = fall_behind(&bed, &clock, &[("alice", &alices), ("bob", &bobs)], 3);
    let (verdict, say) = doctor(&bed, "clock");
    assert!(verdict == "fail" && say.contains("2 devices") && say.contains("s slow"), "{verdict} {say}");
    // What status says and the audit log has is from the last look, which a start is.
    bed.take_daemon().stop();
    let clock = BoxClock::start(&mut bed, ahead);
    let event = eventually("the clock's event", || {
        Some(bed.last_event("-")).filter(|event| event["event"] == "clock")
    });
    assert_eq!(event["reason"], "clock_off", "{event}");
    let status = eventually("a warning", || {
        let status = bed.run_as("alice", "otpctl", &["--json", "status"]).ok().json();
        Some(status["warnings"].clone()).filter(|warnings| *warnings != json!([]))
    });
    assert!(status[0].as_str().unwrap().contains("An administrator must set it"), "{status}");
    // Set right, it no longer fits what was learned.
    let passed = passed + 10;
    clock.set(passed * 30);
    assert_eq!(answer(&bed, "alice", &alices.code(passed))["next"], "refuse");
    let said = bed.run("otpctl", &["clock-reset", "--yes"]).ok().stdout;
    assert_eq!(said, "2 devices of 2 accounts set back.\n");
    for (user, phone) in [("alice", &alices), ("bob", &bobs)] {
        assert_eq!(answer(&bed, user, &phone.code(passed))["next"], "accept", "{user}");
        assert_eq!(bed.last_event(user)["event"], "login");
    }
}

#[test]
fn a_phone_that_is_off_alone_is_named() {
    let (bed, clock) = bed(0);
    let (alices, bobs) = (bed.bind("alice", "phone"), bed.bind("bob", "phone"));
    let third = bed.bind("bob", "tablet");
    let (ahead, _) = fall_behind(&bed, &clock, &[("alice", &alices)], 3);
    // The others go by the box's time.
    for phone in [&bobs, &third] {
        assert_eq!(answer(&bed, "bob", &phone.code(ahead / 30))["next"], "accept");
    }
    let (verdict, say) = doctor(&bed, "devices' clocks");
    assert!(verdict == "warn" && say.contains("\"phone\" of alice is about 90 s fast"), "{verdict} {say}");
    assert_ne!(doctor(&bed, "clock").0, "fail");
}

#[test]
fn a_clock_that_went_back_is_told_with_both_remedies_and_no_code_counts_twice() {
    let (bed, clock) = bed(0);
    let phone = bed.bind("alice", "phone");
    let used = phone.code(0);
    assert_eq!(answer(&bed, "alice", &used)["next"], "accept");
    clock.set(-3600);
    let step = answer(&bed, "alice", &phone.code(1));
    let say = step["say"].as_str().unwrap();
    assert!(say.contains("must set it right") && say.contains("otpctl clock-reset alice"), "{step}");
    assert_eq!(bed.last_event("alice")["reason"], "clock_went_back");
    clock.set(0);
    assert_eq!(answer(&bed, "alice", &used)["next"], "refuse");
    assert_eq!(answer(&bed, "alice", &phone.code(1))["next"], "accept");
}

#[test]
fn devices_taken_over_while_the_clock_was_a_year_ahead_work_after_a_clock_reset() {
    let year = 365 * 86_400;
    let (bed, clock) = bed(year);
    let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let file = bed.path("users.oath");
    let hex = "3132333435363738393031323334353637383930";
    std::fs::write(&file, format!("HOTP/T30/6 alice - {hex}\n")).unwrap();
    bed.run("otpctl", &["import", "oath", &file.display().to_string()]).ok();
    let phone = Token::new(key);
    clock.set(0);
    let step = answer(&bed, "alice", &phone.code(0));
    assert!(step["say"].as_str().unwrap().contains("otpctl clock-reset alice"), "{step}");
    let asked = bed.run("otpctl", &["clock-reset", "alice"]);
    assert!(asked.code == 2 && asked.stderr.contains("--yes"), "{asked:?}");
    bed.run("otpctl", &["clock-reset", "alice", "--yes"]).ok();
    assert_eq!(bed.last_event("alice")["event"], "clock_reset");
    // What may have been used of the present is used; then all goes on.
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "refuse");
    clock.set(90);
    assert_eq!(answer(&bed, "alice", &phone.code(3))["next"], "accept");
    assert_eq!(answer(&bed, "alice", &phone.code(3))["next"], "refuse");
}

#[test]
fn a_clock_that_was_never_set_binds_nothing_resets_nothing_and_recovers() {
    let (bed, clock) = bed(0);
    let phone = bed.bind("alice", "phone");
    // To the year 1970.
    clock.set(-1_790_000_000);
    let begun = bed.run("otpctl", &["--json", "bind", "bob", "--begin"]);
    assert!(begun.code == 1 && begun.stderr.contains("clock_unset"), "{begun:?}");
    let reset = bed.run("otpctl", &["--json", "clock-reset", "--yes"]);
    assert!(reset.code == 1 && reset.stderr.contains("clock_unset"), "{reset:?}");
    let (verdict, say) = doctor(&bed, "clock");
    assert!(verdict == "fail" && say.contains("never set"), "{verdict} {say}");
    let code = phone.code(1);
    let step = answer(&bed, "alice", &code);
    assert!(step["next"] == "refuse" && step["say"].as_str().unwrap().contains("never set"), "{step}");
    assert_eq!(bed.last_event("alice")["reason"], "clock_unset");
    clock.set(0);
    assert_eq!(answer(&bed, "alice", &code)["next"], "accept");
    bed.bind("bob", "phone");
}
