//! `import`: what is read from files, what the daemon is asked for, and what is said of it.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::Ended;
use crate::support::error;
use crate::support::reply;

const HEX: &str = "3132333435363738393031323334353637383930";
const USED: &str =
    "Codes up to this moment's count as used; of tokens that count, those up to the last one used.";
const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// A daemon that takes every entry but those of `mallory`, and applies two at a time.
fn daemon() -> Daemon {
    let (mut staged, mut left) = (0, 0);
    Daemon::new(move |method, parameters| match method {
        "Admin.ImportBegin" => reply(&json!({"import": 7})),
        "Admin.ImportAdd" => {
            let entries = parameters["entries"].as_array().unwrap();
            let bad = |(index, entry): (usize, &Value)| {
                (entry["user"] == "mallory").then(|| json!({"index": index, "say": "Not her."}))
            };
            let problems: Vec<Value> = entries.iter().enumerate().filter_map(bad).collect();
            staged += entries.len() - problems.len();
            reply(&json!({"problems": problems}))
        }
        "Admin.ImportCommit" => {
            left = staged;
            reply(&json!({"devices": staged, "accounts": staged}))
        }
        "Admin.ImportStep" => {
            left = left.saturating_sub(2);
            reply(&json!({"left": left, "skipped": 0}))
        }
        "Admin.ImportDrop" => reply(&json!({"devices": staged, "accounts": staged})),
        other => panic!("{other}"),
    })
}

/// A file with this text, in a directory that must live as long.
fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn oath(daemon: &Daemon, path: &Path, more: &[&str]) -> Ended {
    daemon.run(&[&["import", "oath", path.to_str().unwrap()], more].concat())
}

fn methods(daemon: &Daemon) -> Vec<String> {
    daemon.calls().into_iter().map(|(method, _)| method).collect()
}

#[test]
fn a_users_file_is_staged_decided_and_seen_through() {
    let (_directory, path) = file(format!(
        "# the NAS\nHOTP/T30\talice\t-\t{HEX}\n\nHOTP/T60/8 bob + {HEX} 0\nHOTP/T30 carol - {HEX}"
    ));
    let daemon = daemon();
    let ended = oath(&daemon, &path, &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "no bar without a terminal");
    assert_eq!(ended.out, format!("3 devices of 3 accounts taken over.\n{USED}\n"));
    let calls = ["Begin", "Add", "Commit", "Step", "Step"].map(|name| format!("Admin.Import{name}"));
    assert_eq!(methods(&daemon), calls);
    let entry = |user: &str, digits: u8, period: u16| {
        json!({"user": user, "key": BASE32, "algorithm": "SHA1", "digits": digits, "period": period,
            "drift": 0, "last_step": null, "name": null})
    };
    let entries = [entry("alice", 6, 30), entry("bob", 8, 60), entry("carol", 6, 30)];
    assert_eq!(daemon.calls()[1].1, json!({"import": 7, "entries": entries}));
}

#[test]
fn a_dry_run_checks_everything_and_drops_it() {
    let (_directory, path) = file(format!("HOTP/T30 alice - {HEX}\n"));
    let daemon = daemon();
    let ended = oath(&daemon, &path, &["--dry-run"]);
    assert_eq!(ended.out, "1 device of 1 account can be taken over. Nothing was changed.\n");
    assert_eq!(methods(&daemon), ["Admin.ImportBegin", "Admin.ImportAdd", "Admin.ImportDrop"]);
}

#[test]
fn every_problem_is_named_by_file_and_line_and_nothing_is_taken() {
    let (_directory, path) = file(format!(
        "HOTP/T30 alice - {HEX}\nHOTP/X alice - {HEX}\nHOTP/T30 mallory - {HEX}\nHOTP/T30 bob 1234 {HEX}\n"
    ));
    let daemon = daemon();
    let ended = oath(&daemon, &path, &[]);
    let at = path.display();
    let expected = format!(
        "{at}:2: \"HOTP/X\" is no type of token; HOTP/T30/6 is one.\n\
         {at}:4: A PIN cannot be carried over; put - in its place if codes alone will do.\n\
         {at}:3: Not her.\n\
         otpctl: 3 problems; nothing was changed\n"
    );
    assert_eq!((ended.code, ended.out.as_str(), ended.err), (1, "", expected));
    assert_eq!(methods(&daemon).last().unwrap(), "Admin.ImportDrop");
    let ended = oath(&daemon, &path, &["--json"]);
    let failure: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!(failure["error"]["reason"], "import_has_problems");
    assert_eq!(failure["error"]["problems"][2], json!({"file": path, "line": 3, "say": "Not her."}));
}

#[test]
fn twenty_problems_are_shown_and_the_rest_is_counted() {
    for (bad, expected) in [
        (20, "otpctl: 20 problems; nothing was changed"),
        (21, "otpctl: 21 problems, of which the first 20 are shown; nothing was changed"),
    ] {
        let (_directory, path) = file("nonsense\n".repeat(bad));
        let ended = oath(&daemon(), &path, &[]);
        let lines: Vec<&str> = ended.err.lines().collect();
        assert_eq!((lines.len(), *lines.last().unwrap()), (21, expected));
    }
}

#[test]
fn a_long_file_goes_in_batches_of_a_hundred() {
    let lines: String = (0..250).map(|number| format!("HOTP/T30 u{number} - {HEX}\n")).collect();
    let (_directory, path) = file(lines);
    let daemon = daemon();
    assert_eq!(oath(&daemon, &path, &["--dry-run"]).code, 0);
    let calls = daemon.calls();
    let batches: Vec<usize> =
        calls[1..4].iter().map(|(_, call)| call["entries"].as_array().unwrap().len()).collect();
    assert_eq!(batches, [100, 100, 50]);
    assert_eq!(calls.len(), 5);
}

#[test]
fn long_names_make_shorter_batches() {
    let name = "\"".repeat(250);
    let lines: String = (0..250).map(|_| format!("HOTP/T30 {name} - {}\n", "61".repeat(64))).collect();
    let (_directory, path) = file(lines);
    assert_eq!(oath(&daemon(), &path, &["--dry-run"]).code, 0, "every message fits");
}

#[test]
fn a_file_that_is_none_is_refused_with_its_line() {
    let said = |text: Vec<u8>| {
        let (_directory, path) = file(text);
        oath(&daemon(), &path, &[]).err.replace(&*path.display().to_string(), "F")
    };
    assert!(said(b"a\0b\n".to_vec()).starts_with("F:1: The line has a NUL byte"));
    assert!(said(b"#\n\xff\xfe\n".to_vec()).starts_with("F:2: The line is not UTF-8"));
    let long = said(vec![b'x'; 1 << 20]);
    assert!(
        long.starts_with("F:1: The line has more than 4096 bytes") && long.contains("1 problem;"),
        "{long}"
    );
    let daemon = daemon();
    let ended = oath(&daemon, Path::new("/nonexistent/file"), &["--json"]);
    let failure: Value = serde_json::from_str(&ended.err).unwrap();
    assert_eq!((ended.code, failure["error"]["reason"].as_str()), (1, Some("file")));
    assert_eq!(failure["error"]["message"], "cannot read /nonexistent/file: No such file or directory");
    assert_eq!(methods(&daemon), ["Admin.ImportBegin", "Admin.ImportDrop"]);
    assert_eq!(oath(&daemon, Path::new("/"), &[]).code, 1);
}

#[test]
fn an_empty_file_is_nothing_to_take_over() {
    let (_directory, path) = file("# nobody\n");
    let daemon = Daemon::new(|method, _| match method {
        "Admin.ImportBegin" => reply(&json!({"import": 1})),
        _ => reply(&json!({"devices": 0, "accounts": 0})),
    });
    let ended = oath(&daemon, &path, &[]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "There is nothing to take over.\n"));
    assert_eq!(methods(&daemon), ["Admin.ImportBegin", "Admin.ImportDrop"]);
}

#[test]
fn a_google_authenticator_file_is_its_owners_unless_somebody_is_named() {
    let text = format!("{BASE32}\n\" TIME_SKEW -1\n\" DISALLOW_REUSE 59\n\" TOTP_AUTH\n12345678\n87654321\n");
    let (_directory, path) = file(text);
    let daemon = daemon();
    let words = ["import", "google-authenticator", path.to_str().unwrap()];
    let ended = daemon.run(&[&words[..], &["--user", "alice"]].concat());
    assert_eq!(
        ended.out,
        format!(
            "1 device of 1 account taken over.\n{USED}\n2 scratch codes were left behind; they do not work here.\n"
        )
    );
    let entry = daemon.calls()[1].1["entries"][0].clone();
    assert_eq!(
        (&entry["user"], &entry["drift"], &entry["last_step"]),
        (&json!("alice"), &json!(-1), &json!(59))
    );
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    daemon.run(&words);
    let calls = daemon.calls();
    let added = calls.iter().rfind(|(method, _)| method == "Admin.ImportAdd").unwrap();
    assert_eq!(added.1["entries"][0]["user"], me);
}

#[test]
fn json_has_its_documented_shape() {
    let (_directory, path) = file(format!("{BASE32}\n\" TOTP_AUTH\n12345678\n"));
    let words = ["import", "google-authenticator", path.to_str().unwrap(), "--user", "a", "--json"];
    let expected = json!({"devices": 1, "accounts": 1, "skipped": 0, "scratch_codes": 1, "dry_run": false});
    assert_eq!(daemon().run(&words).object(), expected);
}

#[test]
fn what_became_impossible_is_said_and_is_a_failure_to_scripts() {
    let (_directory, path) = file(format!("HOTP/T30 alice - {HEX}\nHOTP/T30 bob - {HEX}\n"));
    let daemon = Daemon::new(|method, _| match method {
        "Admin.ImportBegin" => reply(&json!({"import": 1})),
        "Admin.ImportAdd" => reply(&json!({"problems": []})),
        "Admin.ImportCommit" => reply(&json!({"devices": 2, "accounts": 2})),
        _ => reply(&json!({"left": 0, "skipped": 1})),
    });
    let ended = oath(&daemon, &path, &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.starts_with("1 device of 2 accounts taken over."), "{ended:?}");
    assert!(ended.out.contains("1 device not, at the last moment: otpctl audit"), "{ended:?}");
}

#[test]
fn once_decided_a_failure_says_that_it_is_completed_anyway() {
    let (_directory, path) = file(format!("HOTP/T30 alice - {HEX}\n"));
    let daemon = Daemon::new(|method, _| match method {
        "Admin.ImportBegin" => reply(&json!({"import": 1})),
        "Admin.ImportAdd" => reply(&json!({"problems": []})),
        "Admin.ImportCommit" => reply(&json!({"devices": 1, "accounts": 1})),
        _ => error("org.otpd.Admin.Unavailable", &json!({"say": "The disk is gone."})),
    });
    let ended = oath(&daemon, &path, &[]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("The disk is gone. The import is decided"), "{ended:?}");
    assert!(!methods(&daemon).contains(&"Admin.ImportDrop".to_owned()));
}

#[test]
fn the_bar_stands_on_a_terminal_and_is_gone_at_the_end() {
    let lines: String = (0..30).map(|number| format!("HOTP/T30 u{number} - {HEX}\n")).collect();
    let (_directory, path) = file(lines);
    let daemon = daemon();
    let (code, shown) =
        AtTerminal::start(daemon.otpctl(&["import", "oath", path.to_str().unwrap()])).finish();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("\rChecking [#########################] 100 %"), "{shown:?}");
    assert!(shown.contains("\rBinding  [#############............]  53 %"), "{shown:?}");
    let text = shown.replace("\r\n", "\n");
    let last = text.trim_end().rsplit('\r').next().unwrap();
    assert_eq!(last, format!("30 devices of 30 accounts taken over.\n{USED}"));
}
