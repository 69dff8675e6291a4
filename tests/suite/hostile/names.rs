//! Whoever has no password learns nothing of who has an account here.

use std::collections::BTreeSet;
use std::fs;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;
use std::time::Instant;

use otpd_tests::PASSWORD;
use serde_json::json;

use crate::site::Site;

/// Of one length, so that nothing of an answer may differ.
const USERS: [(&str, &str); 6] = [
    ("nobody-at-all", "wrong"),
    ("known-bare-one", "wrong"),
    ("known-with-one", "wrong"),
    ("known-lane-one", "wrong"),
    ("known-lock-one", "wrong"),
    ("known-lock-one", PASSWORD),
];

/// Without a device, with one, with one that waits after wrong codes, and one whose password is locked.
fn site() -> Site {
    let mut site = Site::new();
    for user in ["known-bare-one", "known-with-one", "known-lane-one", "known-lock-one"] {
        site.bed.user(user);
        if user != "known-bare-one" {
            site.bed.bind(user, "phone");
        }
    }
    let mut waits = false;
    while !waits {
        let login = json!({"user": "known-lane-one", "service": "otpd-web", "rhost": "127.0.0.1"});
        let call = json!({"login": login, "answer": "000000"});
        let step = site.bed.daemon().login("org.otpd.Login.Answer", &call).unwrap();
        waits = step["step"]["next"] == "locked";
    }
    let shadow = site.bed.path("etc/shadow");
    let text = fs::read_to_string(&shadow).unwrap();
    fs::write(shadow, text.replace("known-lock-one:$6$", "known-lock-one:!$6$")).unwrap();
    site
}

#[test]
fn what_is_said_to_a_wrong_password_is_the_same_to_the_byte() {
    let site = site();
    let mut said = BTreeSet::new();
    for (user, password) in USERS {
        let mut browser = site.browser();
        browser.go("/sign-in");
        let token = browser.token();
        // As long as the others.
        let typed = format!("{user:x<14}");
        let typed = if user == "nobody-at-all" { typed.as_str() } else { user };
        browser.post("/sign-in", &[("form", &token), ("user", typed), ("password", password)]);
        assert_eq!(browser.page.status, 401, "{user}");
        assert!(!browser.cookies.contains_key("__Host-otpd-login"));
        let dateless = browser.page.head.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
        let head = dateless.collect::<Vec<_>>().join("\n");
        said.insert((head, browser.page.body.replace(&token, "TOKEN").replace(typed, "NAME")));
        // By the API as well.
        browser.request("GET", "/api/v1/session", "");
        let token =
            browser.page.body.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        browser.headers =
            vec![("X-OTPD-Token".into(), token), ("Content-Type".into(), "application/json".into())];
        browser.request("POST", "/api/v1/session", &json!({"user": typed, "password": password}).to_string());
        assert_eq!(browser.page.status, 401, "{user}: {}", browser.page.body);
        said.insert(("API".into(), browser.page.body.clone()));
    }
    assert_eq!(said.len(), 2, "{said:#?}");
}

#[expect(clippy::disallowed_methods, reason = "a refusal does not come before its time")]
fn now() -> Instant {
    Instant::now()
}

/// Nobody's account has a part in how long a refusal takes.
#[test]
fn a_wrong_password_is_refused_before_otpd_is_asked() {
    let site = site();
    let socket = site.bed.runtime().join("login.sock");
    fs::rename(&socket, site.bed.runtime().join("otpds.sock")).unwrap();
    let asked = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    asked.set_nonblocking(true).unwrap();
    for (user, password) in USERS {
        let mut browser = site.browser();
        browser.go("/sign-in");
        let begun = now();
        browser.submit("/sign-in", &[("user", user), ("password", password)]);
        // The least that it takes, which is longer than libpam ever waits by itself: no machine is too slow for that.
        assert!(begun.elapsed() >= Duration::from_secs(3), "{user}");
        assert_eq!(browser.page.status, 401, "{user}");
        assert_eq!(asked.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "{user}");
    }
    asked.set_nonblocking(false).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| drop(asked.accept().unwrap()));
        let mut browser = site.browser();
        browser.sign_in("known-with-one", PASSWORD, None);
        browser.page.says("One-time codes cannot be checked now");
    });
}
