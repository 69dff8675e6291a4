//! The file: strict, trusted, and as shipped.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_shipped_file_says_what_is_the_default_and_names_every_key() {
    let shipped = include_str!("../../../packaging/otpd.toml");
    assert_eq!(Config::parse(shipped).unwrap(), Config::default());
    for key in [
        "user",
        "issuer",
        "state",
        "runtime",
        "key",
        "syslog",
        "require_everyone",
        "require_groups",
        "exempt_users",
        "exempt_groups",
        "grace_until",
        "grace_days",
        "say_why",
        "grants",
        "services",
        "require_email",
        "hold_hours",
        "idle_minutes",
        "absolute_hours",
        "group",
        "keep_days",
        "login_workers",
        "account_workers",
        "connections",
        "connections_per_user",
        "calls_per_minute",
    ] {
        assert!(
            shipped.lines().any(|line| line.starts_with(&format!("{key} = "))),
            "{key} is not in the file"
        );
    }
}

#[test]
fn a_typo_is_an_error_with_line_and_column() {
    let error =
        Config::parse("user = \"otpd\"\n[policy]\nrequire_group = [\"nas\"]\n").unwrap_err().to_string();
    assert!(error.contains("line 3, column 1") && error.contains("require_group"), "{error}");
    let error = Config::parse("[service.sudo]\nask = \"sometimes\"\n").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("sometimes"), "{error}");
}

#[test]
fn zero_never_means_unlimited() {
    for key in ["login_workers", "account_workers", "connections", "connections_per_user", "calls_per_minute"]
    {
        let error = Config::parse(&format!("[limits]\n{key} = 0\n")).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
    let error = Config::parse("[audit]\nkeep_days = 0\n").unwrap_err().to_string();
    assert!(error.contains("audit.keep_days"), "{error}");
}

#[test]
fn recovery_has_its_values_and_its_limits() {
    let config = Config::parse("[recovery]\ngrants = \"rebind\"\nrequire_email = \"always\"").unwrap();
    assert_eq!(config.recovery.grants, GrantsKey::Rebind);
    assert_eq!(config.recovery.require_email, RequireEmailKey::Always);
    assert!(Config::parse("[recovery]\nhold_hours = 720").is_ok());
    assert!(Config::parse("[recovery]\nhold_hours = 721").is_err());
    assert!(Config::parse("[recovery]\ngrants = \"all\"").is_err());
    assert!(Config::parse("[mail]\nuser = \"otpd\"").is_err());
}

#[test]
fn relative_paths_and_hostile_issuers_are_refused() {
    for text in [
        "[paths]\nstate = \"x\"",
        "[paths]\nkey = \"x\"",
        "issuer = \"a:b\"",
        "issuer = \"a\\u001bb\"",
        "user = \"\"",
    ] {
        assert!(Config::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("otpd.toml");
    std::fs::write(&path, "").unwrap();
    assert_eq!(Config::read(&path, true).unwrap(), Config::default());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
    assert!(Config::read(&path, true).unwrap_err().to_string().contains("chmod go-w"));
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(Config::read(&link, true).is_err());
    assert!(Config::read(&directory.path().join("missing"), true).is_err());
    assert!(Config::read(directory.path(), true).is_err());
}
