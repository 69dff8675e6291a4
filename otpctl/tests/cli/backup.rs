//! `backup`: the passphrase that nobody sees, and the file that stays only if it is whole.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::support::Answer;
use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::error;
use crate::support::reply;

fn daemon() -> Daemon {
    Daemon::new(|_, _| reply(&json!({"taken": 1_700_000_000, "accounts": 1, "devices": 2})))
}

/// Types these at a terminal, and returns the exit code and all that was shown.
fn typed(daemon: &Daemon, path: &Path, lines: [&str; 2]) -> (i32, String) {
    let mut terminal = AtTerminal::start(daemon.otpctl(&["backup", path.to_str().unwrap()]));
    for (question, line) in ["Passphrase for the backup:", "Once more:"].into_iter().zip(lines) {
        terminal.wait_for(question);
        terminal.enter(line);
    }
    terminal.finish()
}

#[test]
fn the_passphrase_is_asked_for_twice_and_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let different = daemon();
    let (code, shown) = typed(&different, &path, ["correct horse", "correct house"]);
    assert!(code == 2 && shown.contains("two different ones") && !shown.contains("correct"), "{shown}");
    assert!(different.calls().is_empty() && !path.exists());
    let daemon = daemon();
    let (code, shown) = typed(&daemon, &path, [" correct horse", " correct horse"]);
    assert!(code == 0 && shown.contains("2 devices of 1 account") && !shown.contains("correct"), "{shown}");
    assert_eq!(daemon.calls(), [("Admin.Backup".to_owned(), json!({"passphrase": " correct horse"}))]);
    assert!(path.exists());
}

#[test]
fn a_script_passes_a_file_or_leaves_the_key_out_and_is_told_what_that_means() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("words"), "one two three\nmore\n").unwrap();
    let daemon = daemon();
    let ended = daemon.run(&["backup", &path("a"), "--json", "--passphrase-file", &path("words")]);
    let expected = json!({"taken": 1_700_000_000, "accounts": 1, "devices": 2, "has_key": true});
    assert_eq!(ended.object(), expected);
    assert_eq!(daemon.run_with(&["backup", &path("b"), "--passphrase-file", "-"], "from a pipe\r\n").code, 0);
    let without = daemon.run(&["backup", &path("c"), "--without-key"]);
    assert!(without.code == 0 && without.err.contains("all devices have to be bound anew"), "{without:?}");
    let given: Vec<Value> = daemon.calls().iter().map(|(_, sent)| sent["passphrase"].clone()).collect();
    assert_eq!(given, [json!("one two three"), json!("from a pipe"), json!(null)]);
    assert_eq!(daemon.run(&["backup", &path("d")]).code, 2, "nobody to ask");
    std::fs::write(path("odd"), [0xff, 0xfe]).unwrap();
    assert_eq!(daemon.run(&["backup", &path("e"), "--passphrase-file", &path("odd")]).code, 2);
    assert!(["d", "e"].iter().all(|name| !Path::new(&path(name)).exists()));
}

#[test]
fn a_backup_that_failed_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    let refuse = |_: &str, _: &Value| -> Answer {
        error("org.otpd.Admin.Refused", &json!({"reason": "no_room", "say": "The disk is full."}))
    };
    let ended = Daemon::new(refuse).run(&["backup", path.to_str().unwrap(), "--without-key"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, "otpctl: The disk is full.\n"));
    assert!(!path.exists());
}
