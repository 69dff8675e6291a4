//! The configuration: the shipped file, and every rule from both sides.

use super::*;

/// What each text lacks to be a whole configuration with a server.
const SERVER: &str =
    "transport = \"smtp\"\nfrom = \"nas@example.org\"\n[smtp]\nhost = \"mail.example.org\"\n";

#[track_caller]
fn refused(text: &str, with: &str) {
    let error = Config::parse(text).unwrap_err().to_string();
    assert!(error.contains(with), "{text}: {error}");
}

#[test]
fn the_shipped_file_says_what_is_the_default_and_names_every_key() {
    let shipped = include_str!("../../../../packaging/mail.toml");
    assert_eq!(Config::parse(shipped).unwrap(), Config::default());
    for key in [
        "user",
        "socket",
        "transport",
        "from",
        "from_name",
        "deadline_seconds",
        "host",
        "port",
        "tls",
        "password_file",
        "ca_file",
        "ehlo",
        "program",
    ] {
        let named = |line: &str| line.starts_with(&format!("{key} = "));
        assert!(shipped.lines().any(named), "{key} is not in the file");
    }
    assert_eq!(shipped.lines().filter(|line| line.starts_with("user = ")).count(), 2);
}

#[test]
fn a_typo_is_an_error_with_line_and_column() {
    refused("[smtp]\nhots = \"x\"\n", "line 2, column 1");
    refused("transport = \"pigeon\"\n", "line 1");
    refused("[sendmail]\narguments = []\n", "arguments");
}

#[test]
fn the_usual_port_follows_from_tls() {
    for (tls, port) in [("required", 465), ("starttls", 587), ("none", 25)] {
        let config = Config::parse(&format!("[smtp]\nhost = \"localhost\"\ntls = \"{tls}\"")).unwrap();
        assert_eq!(config.smtp.port(), port);
    }
    assert_eq!(Config::parse("[smtp]\nport = 2525").unwrap().smtp.port(), 2525);
}

#[test]
fn a_connection_without_tls_leads_to_this_box_only() {
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1"] {
        assert!(Config::parse(&format!("[smtp]\ntls = \"none\"\nhost = \"{host}\"")).is_ok(), "{host}");
    }
    for host in ["mail.example.org", "192.168.1.2", "localhost.example.org", "fe80::1"] {
        refused(&format!("[smtp]\ntls = \"none\"\nhost = \"{host}\""), "smtp.tls");
    }
}

#[test]
fn the_deadline_is_limited_on_both_sides() {
    for (seconds, taken) in [(4, false), (5, true), (300, true), (301, false), (0, false)] {
        assert_eq!(Config::parse(&format!("deadline_seconds = {seconds}")).is_ok(), taken, "{seconds}");
    }
}

#[test]
fn a_transport_needs_a_sender_and_a_server() {
    assert!(Config::parse(SERVER).is_ok());
    refused("transport = \"sendmail\"", "from:");
    refused("transport = \"smtp\"\nfrom = \"nas@example.org\"", "smtp.host");
    refused("from = \"-nas@example.org\"", "from:");
    refused("from = \"nas@example.org\\r\\nBcc: x@example.org\"", "from:");
}

#[test]
fn what_would_reach_the_server_or_a_program_crooked_is_refused() {
    refused("user = \"\"", "user");
    refused("socket = \"mail.sock\"", "socket");
    refused("from_name = \"a\\nb\"", "from_name");
    refused(&format!("from_name = \"{}\"", "n".repeat(65)), "from_name");
    assert!(Config::parse(&format!("from_name = \"{}\"", "ü".repeat(64))).is_ok());
    refused("[smtp]\nhost = \"mail.example.org:587\"", "smtp.host");
    refused("[smtp]\nhost = \"mail example\"", "smtp.host");
    refused("[smtp]\nehlo = \"x\\r\\nMAIL FROM:<>\"", "smtp.ehlo");
    refused("[smtp]\nuser = \"a\\u0000b\"", "smtp.user");
    refused("[smtp]\npassword_file = \"/etc/otpd/smtp\"", "smtp.user");
    refused("[smtp]\nuser = \"a\"\npassword_file = \"smtp\"", "smtp.password_file");
    refused("[smtp]\nca_file = \"ca.pem\"", "smtp.ca_file");
    refused("[sendmail]\nprogram = \"sendmail\"", "sendmail.program");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Config::read(&directory.path().join("mail.toml")).is_err());
}
