//! The configuration: the shipped file, and every rule from both sides.

use super::*;

#[track_caller]
fn refused(text: &str, with: &str) {
    let error = Config::parse(text).unwrap_err().to_string();
    assert!(error.contains(with), "{text}: {error}");
}

#[test]
fn the_shipped_file_says_what_is_the_default_and_names_every_key() {
    let shipped = include_str!("../../../../packaging/web.toml");
    assert_eq!(Config::parse(shipped).unwrap(), Config::default());
    for key in [
        "user",
        "listen",
        "hosts",
        "proxies",
        "socket",
        "session_socket",
        "state",
        "login",
        "certificate",
        "key",
        "loopback",
        "connections",
        "connections_per_address",
        "logins",
        "logins_per_address",
    ] {
        let named = |line: &str| line.starts_with(&format!("{key} = "));
        assert!(shipped.lines().any(named), "{key} is not in the file");
    }
}

#[test]
fn a_typo_is_an_error_with_line_and_column() {
    refused("[tls]\ncertifcate = \"x\"\n", "line 2, column 1");
    refused("port = 8480\n", "line 1");
}

#[test]
fn places_to_listen_hosts_and_proxies_are_looked_at() {
    assert!(Config::parse("listen = [\"[::]:8480\", \"/run/otpd-web/http.sock\"]").is_ok());
    refused("listen = []", "listen");
    refused("listen = [\"nas:8480\"]", "listen");
    assert!(Config::parse("hosts = [\"nas.example.org\"]").is_ok());
    for host in ["https://nas.example.org", "nas:8480", "", "a b"] {
        refused(&format!("hosts = [{host:?}]"), "hosts");
    }
    assert!(Config::parse("proxies = [\"10.0.0.0/8\", \"::1\"]").is_ok());
    refused("proxies = [\"nginx\"]", "proxies");
    refused("user = \"\"", "user");
}

#[test]
fn hosts_of_other_software_are_encrypted_and_have_a_place_to_sign_in() {
    let login = "[forward_auth]\nlogin = \"https://nas.example.org\"";
    assert!(Config::parse(&format!("{login}\nhosts = [\"wiki.example.org\"]")).is_ok());
    assert!(Config::parse(login).is_ok());
    // The reason is the cause.
    let refused = |text: &str| format!("{:#}", Config::parse(text).unwrap_err());
    assert!(refused("[forward_auth]\nhosts = [\"wiki.example.org\"]").contains("forward_auth: login"));
    assert!(refused(&format!("{login}\nhosts = [\"http://wiki.example.org\"]")).contains("https"));
}

#[test]
fn certificate_and_key_belong_together() {
    assert!(Config::parse("[tls]\ncertificate = \"/c\"\nkey = \"/k\"").is_ok());
    refused("[tls]\ncertificate = \"/c\"", "tls");
    refused("[tls]\nkey = \"/k\"", "tls");
    refused("[tls]\ncertificate = \"c\"\nkey = \"/k\"", "tls.certificate");
    refused("socket = \"web.sock\"", "socket");
}

#[test]
fn limits_are_limited_on_both_sides() {
    for (key, least, most) in [
        ("connections", 8, 4096),
        ("connections_per_address", 4, 4096),
        ("logins", 1, 512),
        ("logins_per_address", 1, 512),
    ] {
        for (value, taken) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
            assert_eq!(Config::parse(&format!("[limits]\n{key} = {value}")).is_ok(), taken, "{key} {value}");
        }
    }
}
