//! Help, manual and completions, compared with `tests/golden/`. After a wanted change: `OTPCTL_BLESS=1 cargo test`.

use std::path::PathBuf;
use std::process::Command;

use crate::support::otpctl;

const COMMANDS: [&str; 44] = [
    "bind",
    "confirm",
    "status",
    "devices",
    "rename",
    "resync",
    "unbind",
    "off",
    "unlock",
    "codes left",
    "codes new",
    "email add",
    "email confirm",
    "email list",
    "email remove",
    "sign-ins",
    "sign-out",
    "reset",
    "enrol-code",
    "adopt",
    "prune",
    "clock-reset",
    "accounts",
    "policy report",
    "policy require",
    "policy release",
    "audit",
    "mail test",
    "mail status",
    "import oath",
    "import google-authenticator",
    "export oath",
    "backup",
    "restore",
    "key rotate",
    "pam enable",
    "pam disable",
    "pam status",
    "pam confirm",
    "pam settle",
    "test",
    "doctor",
    "completions",
    "man",
];

fn output(words: &[&str]) -> String {
    let output = otpctl(words).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

#[track_caller]
fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("OTPCTL_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name} differs; expected:\n{expected}\nfound:\n{found}");
}

#[test]
fn help_is_as_it_was() {
    compare("otpctl.txt", &output(&["--help"]));
    for command in COMMANDS {
        let file = format!("{}.txt", command.replace(' ', "_"));
        compare(&file, &output(&[words(command).as_slice(), &["--help"]].concat()));
    }
}

#[test]
fn every_command_has_examples_in_short_help_too() {
    for command in COMMANDS {
        let text = output(&[words(command).as_slice(), &["-h"]].concat());
        assert!(text.contains("\nExamples:\n  "), "{text}");
    }
}

#[test]
fn no_line_of_help_is_wider_than_100_columns() {
    for command in COMMANDS {
        let text = output(&[words(command).as_slice(), &["--help"]].concat());
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}

#[test]
fn the_manual_has_every_command_option_and_exit_code() {
    let page = output(&["man"]).replace("\\-", "-");
    assert!(page.contains(".TH OTPCTL 1"), "{page}");
    for command in COMMANDS {
        assert!(page.contains(&format!(".SS \"otpctl {command}")), "{command}");
    }
    for option in ["--replace", "--since", "--follow", "--yes", "--runtime-dir", "--all"] {
        assert!(page.contains(option), "{option}");
    }
    assert!(page.contains(".SH \"EXIT STATUS\"") && page.contains(".SH ENVIRONMENT"), "{page}");
}

#[test]
fn the_completions_are_scripts() {
    for (shell, word) in [("bash", "_otpctl()"), ("zsh", "#compdef otpctl"), ("fish", "complete -c otpctl")] {
        assert!(output(&["completions", shell]).contains(word), "{shell}");
    }
    let script = output(&["completions", "bash"]);
    let status = Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(status.success());
}

#[test]
fn nonsense_is_a_usage_error() {
    for words in [&["nonsense"][..], &[], &["status", "--colour"], &["reset"]] {
        assert_eq!(otpctl(words).output().unwrap().status.code(), Some(2), "{words:?}");
    }
}
