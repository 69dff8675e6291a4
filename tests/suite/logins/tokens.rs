//! Hardware tokens that count their codes, through the built module, with the codes of `oathtool`.

use std::process::Command;

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::json;

use crate::ssh::STACK;
use crate::ssh::Sshd;

const HEX: &str = "3132333435363738393031323334353637383930";

/// The code that a token with that key shows at the press with this number.
fn press(counter: u64) -> String {
    let output = Command::new("oathtool").args(["--hotp", "-c", &counter.to_string(), HEX]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn ctl(bed: &Testbed, arguments: &[&str]) -> Output {
    bed.run_as("alice", "otpctl", &[&["--json"], arguments].concat())
}

#[test]
fn a_token_is_bound_used_lost_count_of_and_set_right() {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.stack("sshd", STACK);
    ctl(&bed, &["bind", "--begin", "--name", "token", "--hotp", "--hex", "--key", HEX]).ok();
    assert_eq!(press(0), "755224", "RFC 4226, appendix D");
    ctl(&bed, &["confirm", "token", &press(0)]).ok();
    let sshd = Sshd::start(&bed, "");
    let is_in = |counter| sshd.login("alice", &[PASSWORD, &press(counter)]).code == 0;
    assert!(is_in(4), "the next one after three idle presses: {}", sshd.log());
    assert!(!is_in(4) && !is_in(3), "spent, and skipped");
    assert!(!is_in(15), "eleven ahead");
    let refused = ctl(&bed, &["resync", "token", "--codes", &press(40), &press(42)]);
    assert_eq!(refused.code, 4, "{refused:?}");
    let done = ctl(&bed, &["resync", "token", "--codes", &press(40), &press(41)]).ok().json();
    assert_eq!((done["moved"].as_i64(), &done["device"]["kind"]), (Some(36), &json!("hotp")));
    assert!(!is_in(41) && is_in(42), "{}", sshd.log());
    bed.run("otpctl", &["unlock", "alice"]).ok();
    assert_eq!(bed.last_event("alice")["event"], "unlock");
}

#[test]
fn what_pam_oath_counted_goes_on_here_and_comes_back() {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.stack("sshd", STACK);
    let users = bed.path("users.oath");
    let path = users.to_str().unwrap();
    // As pam_oath leaves it after the code with the counter 7.
    let line = format!("HOTP/E/6\talice\t-\t{HEX}\t7\t{}\t2026-11-21T21:36:02L\n", press(7));
    std::fs::write(&users, line).unwrap();
    bed.run("otpctl", &["import", "oath", path]).ok();
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("alice", &[PASSWORD, &press(7)]).code, 0);
    assert_eq!(sshd.login("alice", &[PASSWORD, &press(8)]).stdout, "in as alice\n", "{}", sshd.log());
    let back = bed.run("otpctl", &["export", "oath"]).ok().stdout;
    assert!(back.starts_with(&format!("HOTP/E/6\talice\t-\t{HEX}\t8\t{}\t20", press(8))), "{back}");
}
