//! Passwords, certificates, and what a reload keeps.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn config(more: &str) -> Config {
    let text = format!(
        "transport = \"smtp\"\nfrom = \"nas@example.org\"\n[smtp]\nhost = \"mail.example.org\"\n{more}"
    );
    Config::parse(&text).unwrap()
}

fn resolve(config: &Config, credentials: Option<&Path>) -> anyhow::Result<Setup> {
    Setup::resolve(config, Path::new("/etc/otpd/mail.toml"), credentials, None)
}

fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn password(setup: &Setup) -> &str {
    setup.login().unwrap().password.expose_secret()
}

#[test]
fn without_a_transport_the_problem_names_file_and_key() {
    let setup = resolve(&Config::default(), None).unwrap();
    assert_eq!(
        setup.transport.problem(),
        Some("mail is not configured: set transport in /etc/otpd/mail.toml")
    );
}

#[test]
fn the_transport_is_told_in_words_without_the_password() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    write_secret(&path, "hunter2\n");
    let text = format!("tls = \"starttls\"\nuser = \"nas@example.org\"\npassword_file = {path:?}");
    let setup = resolve(&config(&text), None).unwrap();
    let words = setup.transport.in_words();
    assert_eq!(words, "SMTP to mail.example.org:587 with STARTTLS as nas@example.org");
    assert!(!format!("{setup:?}").contains("hunter2"));
    assert_eq!(
        resolve(&config(""), None).unwrap().transport.in_words(),
        "SMTP to mail.example.org:465 with TLS"
    );
}

#[test]
fn a_password_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    let config = config(&format!("user = \"a\"\npassword_file = {path:?}"));
    for (text, wanted) in [("p w", "p w"), ("pw\n", "pw"), ("pw\r\n", "pw"), (" pw ", " pw ")] {
        write_secret(&path, text);
        assert_eq!(password(&resolve(&config, None).unwrap()), wanted);
    }
    for text in ["", "\n", "a\nb\n", "a\0b", "pw\n\n"] {
        write_secret(&path, text);
        assert!(resolve(&config, None).is_err(), "{text:?}");
    }
    write_secret(&path, "pw");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(format!("{:#}", resolve(&config, None).unwrap_err()).contains("chmod 0600"));
    std::fs::remove_file(&path).unwrap();
    assert!(resolve(&config, None).is_err());
}

#[test]
fn a_credential_goes_before_the_file_and_a_user_needs_one_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    write_secret(&path, "of the file");
    let with_file = config(&format!("user = \"a\"\npassword_file = {path:?}"));
    assert_eq!(password(&resolve(&with_file, Some(directory.path())).unwrap()), "of the file");
    write_secret(&directory.path().join(CREDENTIAL), "of systemd");
    assert_eq!(password(&resolve(&with_file, Some(directory.path())).unwrap()), "of systemd");
    let without = config("user = \"a\"");
    assert_eq!(password(&resolve(&without, Some(directory.path())).unwrap()), "of systemd");
    assert!(format!("{:#}", resolve(&without, None).unwrap_err()).contains("smtp.password"));
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let config = config(&format!("ca_file = {path:?}"));
    assert!(resolve(&config, None).is_err());
    for text in ["", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "rubbish"] {
        std::fs::write(&path, text).unwrap();
        assert!(format!("{:#}", resolve(&config, None).unwrap_err()).contains("ca.pem"), "{text}");
    }
}
