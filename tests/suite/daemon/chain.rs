//! The audit log's chain, on the real programs: what SQL on the file does to it, what syslog is told, and what a kill
//! leaves.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use otpd_tests::Output;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::answer;
use crate::eventually;

/// Runs SQL on the registry with a program of somebody else's, otpd running or not.
fn sql(bed: &Testbed, statements: &str) {
    let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as c: c.executescript(sys.argv[2])";
    let path = bed.path("state/registry.db").display().to_string();
    bed.run("python3", &["-c", script, &path, statements]).ok();
}

fn verify(bed: &Testbed, arguments: &[&str]) -> Output {
    bed.run("otpctl", &[&["audit", "--verify"], arguments].concat())
}

/// What is said to be wrong.
fn flaws(bed: &Testbed) -> Vec<(String, i64)> {
    let output = verify(bed, &["--json"]);
    let said: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(said["whole"] == json!(true), output.code == 0, "{output:?}");
    let flaws = said["flaws"].as_array().unwrap().iter();
    flaws
        .map(|flaw| (flaw["defect"].as_str().unwrap().to_owned(), flaw["number"].as_i64().unwrap()))
        .collect()
}

/// A system with some events.
fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.bind("alice", "phone");
    for _ in 0..10 {
        answer(bed.daemon(), "alice", "00000000");
    }
    bed
}

#[test]
fn what_sql_does_to_the_log_is_named_with_number_and_time() {
    let bed = bed();
    let output = verify(&bed, &[]);
    assert!(
        output.code == 0 && output.stdout.starts_with("The audit log is whole: events 1 to "),
        "{output:?}"
    );
    sql(&bed, "UPDATE audit SET detail = 'nothing happened' WHERE id = 5; DELETE FROM audit WHERE id = 9");
    assert_eq!(flaws(&bed), [("changed".to_owned(), 5), ("removed".to_owned(), 9)]);
    let output = verify(&bed, &[]);
    assert_eq!(output.code, 1);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(
        lines[0].starts_with("20") && lines[0].ends_with("Event 5 is not what was written there."),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("before 20")
            && lines[1].ends_with("Event 9 was removed. Event 10, behind it, cannot be checked."),
        "{lines:?}"
    );
}

#[test]
fn only_root_may_check_the_log() {
    let bed = bed();
    let output = bed.run_as("alice", "otpctl", &["audit", "--verify"]);
    assert_eq!(output.code, 5, "{output:?}");
}

#[test]
fn a_cut_is_found_while_otpd_runs_and_after_it_was_stopped_and_the_start_says_so() {
    let mut bed = bed();
    sql(&bed, "DELETE FROM audit WHERE id >= 8");
    assert_eq!(flaws(&bed), [("cut".to_owned(), 8)]);
    bed.take_daemon().stop();
    sql(&bed, "DELETE FROM audit WHERE id >= 7");
    bed.start();
    let said = bed.daemon().log();
    assert!(said.contains("the audit log was altered: its end was cut off: events 7 to "), "{said}");
    let alarms = || {
        let events = bed.daemon().account("org.otpd.Admin.Audit", &json!({"user": "-", "tail": 5})).unwrap();
        let events = events["events"].as_array().unwrap().iter();
        events.filter(|event| event["reason"] == "log_altered").count()
    };
    eventually("otpd records what it noticed", || alarms() == 1);
    assert_eq!(flaws(&bed)[0], ("removed".to_owned(), 7));
    assert_eq!(answer(bed.daemon(), "alice", "00000000")["next"], "locked", "logins go on");
}

/// The head of the last line that has one.
fn head_in(log: &UnixDatagram) -> Option<String> {
    let mut head = None;
    let mut buffer = [0; 4096];
    while let Ok(length) = log.recv(&mut buffer) {
        let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if let Some((_, found)) = line.split_once("audit head=") {
            assert!(line.starts_with("<86>"), "{line}");
            head = Some(found.to_owned());
        }
    }
    head
}

#[test]
fn syslog_has_the_head_and_a_log_that_was_rolled_back_lacks_it() {
    let mut bed = Testbed::without_daemon();
    let log = UnixDatagram::bind(bed.path("log")).unwrap();
    std::fs::set_permissions(bed.path("log"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    bed.configure("");
    bed.start();
    bed.user("alice");
    bed.bind("alice", "phone");
    bed.take_daemon().stop();
    let early = head_in(&log).expect("a head at the stop");
    let copy = std::fs::read(bed.path("state/registry.db")).unwrap();
    bed.start();
    (0..5).for_each(|_| drop(answer(bed.daemon(), "alice", "00000000")));
    bed.take_daemon().stop();
    let late = head_in(&log).expect("a head at the stop");
    let count = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT max(id) FROM audit').fetchone()[0])";
    let last = bed.run("python3", &["-c", count, &bed.path("state/registry.db").display().to_string()]).ok();
    assert_eq!(late.split(':').next(), Some(last.stdout.trim()), "the stop itself is in it");
    bed.start();
    for head in [&early, &late] {
        let output = verify(&bed, &["--head", head]);
        assert!(output.code == 0 && output.stdout.contains(" is in it."), "{output:?}");
    }
    // The whole file, as it was before: only what went to syslog knows.
    bed.take_daemon().stop();
    std::fs::write(bed.path("state/registry.db"), copy).unwrap();
    bed.start();
    assert_eq!(verify(&bed, &[]).code, 0);
    assert_eq!(verify(&bed, &["--head", &early]).code, 0);
    let output = verify(&bed, &["--head", &late]);
    assert!(output.code == 1 && output.stdout.contains("cut off the end"), "{output:?}");
    (0..9).for_each(|_| drop(answer(bed.daemon(), "alice", "00000000")));
    let output = verify(&bed, &["--head", &late]);
    assert!(output.code == 1 && output.stdout.contains("the log was exchanged"), "{output:?}");
}
