//! What the page refuses, and what it says when others are away.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use otpd_tests::PASSWORD;

use crate::site::Site;

#[test]
fn a_post_from_elsewhere_is_refused_whatever_it_brings() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.go("/sign-in");
    let token = browser.token();
    let fields = [("form", token.as_str()), ("user", "alice"), ("password", PASSWORD)];
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Cookie", "__Host-otpd-form=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let mut evil = browser.clone();
        evil.headers.push((name.to_owned(), value.to_owned()));
        assert_eq!(evil.post("/sign-in", &fields).status, 403, "{name}: {value}");
    }
    for wrong in
        [&fields[1..], &[("form", "x"), fields[1], fields[2]], &[fields[0], fields[0], fields[1], fields[2]]]
    {
        assert_eq!(browser.clone().post("/sign-in", wrong).status, 403);
    }
    assert_eq!(browser.post("/sign-in", &fields).status, 303);
}

#[test]
fn a_name_that_is_not_of_this_box_is_not_answered() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.headers.push(("Host".into(), "evil.example".into()));
    browser.go("/sign-in").says("evil.example").says("web.toml");
    assert_eq!(browser.page.status, 421);
    let mut browser = site.browser();
    browser.headers.push(("Host".into(), format!("localhost:{}", site.port)));
    assert_eq!(browser.go("/sign-in").status, 200);
}

#[test]
fn nobody_gets_in_with_a_wrong_password_and_nothing_tells_who_exists() {
    let mut site = Site::new();
    site.bed.user("alice");
    site.bed.bind("alice", "phone");
    let mut browser = site.browser();
    let known = browser.sign_in("alice", "wrong", None).text();
    assert_eq!(browser.page.status, 401);
    let unknown = browser.sign_in("nobody-here", "wrong", None).text();
    assert_eq!(known, unknown);
    assert!(!browser.cookies.contains_key("__Host-otpd"));
}

#[test]
fn a_login_that_is_left_is_over() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None).says("Enter your code");
    let before = browser.clone();
    browser.submit("/sign-in/leave", &[]);
    let mut again = before;
    again.submit("/sign-in/code", &[("answer", &token.code(0))]);
    assert_eq!(again.page.path, "/sign-in?why=signed_out");
}

#[test]
fn pages_say_it_when_otpd_is_away() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None);
    assert_eq!(browser.clone().go("/healthz").body, "ok\n");
    site.bed.take_daemon().stop();
    browser.go("/account").says("otpd").says("otpctl doctor");
    assert_eq!(browser.page.status, 503);
    assert_eq!(browser.go("/healthz").status, 503);
    site.bed.start();
    browser.go("/account").says("Account security");
}

#[test]
fn what_is_too_long_is_refused_and_what_is_not_there_is_not_found() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.go("/sign-in");
    let token = browser.token();
    let (fits, long) = ("x".repeat(16 * 1024 - 100), "x".repeat(16 * 1024));
    let post = |text: &str| {
        browser.clone().post("/sign-in", &[("form", &token), ("user", "a"), ("password", text)]).status
    };
    assert_eq!(post(&long), 413);
    assert_ne!(post(&fits), 413);
    assert_eq!(browser.clone().go("/admin.php").status, 404);
    assert_eq!(browser.clone().go("/account/rename-devices").status, 404);
}

#[test]
fn whoever_sends_slowly_is_cut_off_and_keeps_nobody_out() {
    let site = Site::with("", "limits = { connections = 8, connections_per_address = 8 }");
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..6)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
            stream.write_all(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n").unwrap();
            stream
        })
        .collect();
    assert_eq!(site.browser().go("/sign-in").status, 200, "there is room yet");
    for stream in &mut slow {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = Vec::new();
        // It may be told so, or find the connection gone.
        let _ = stream.read_to_end(&mut rest);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(site.browser().go("/sign-in").status, 200);
}

#[test]
fn both_languages_are_there_and_a_choice_stays() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.headers.push(("Accept-Language".into(), "zh-CN,zh;q=0.9,en;q=0.8".into()));
    browser.go("/sign-in").says("用户名");
    assert!(browser.page.body.contains("<html lang=\"zh-Hans\">"));
    browser.go("/language/en?back=%2Fsign-in").says("User name");
    assert_eq!(browser.page.path, "/sign-in");
    browser.go("/sign-in").says("User name");
    assert_eq!(browser.go("/language/en?back=%2F%2Fevil.example").path, "/sign-in");
}
