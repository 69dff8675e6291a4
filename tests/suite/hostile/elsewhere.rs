//! Other sites: nobody is led to one, and no post comes from one.

use std::process::Command;

use otpd_tests::PASSWORD;
use serde_json::Value;
use serde_json::json;

use crate::browser::Browser;
use crate::front::next;
use crate::site::Site;

/// What somebody may have others return to.
fn tricks() -> Vec<String> {
    let mut all: Vec<String> = [
        "//evil.example",
        "///evil.example",
        "////evil.example/%2e%2e",
        "\\\\evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/\\/evil.example",
        "https://evil.example",
        "https:evil.example",
        "https:/evil.example",
        "http:\\\\evil.example",
        "//user:password@evil.example",
        "/@evil.example",
        "@evil.example",
        ":80@evil.example",
        ".evil.example",
        "evil.example",
        "//localhost@evil.example",
        "//wiki.localhost:1/",
        "//evil\u{3002}example",
        "/\u{ff0f}evil.example",
        "\u{2044}/evil.example",
        "//%65vil.example",
        "/%2fevil.example",
        "/%5cevil.example",
        "/..//evil.example",
        "/.//evil.example",
        "/%09/evil.example",
        "/%0d%0aLocation:%20https://evil.example",
        "/;url=https://evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt://localhost/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://evil.example/x",
        "//[::1]:1/",
        "//127.0.0.1:1/",
        "//2130706433:1/",
        "?//evil.example",
        "#//evil.example",
        "",
        " ",
        "\"><script>alert(1)</script>",
        "/'\"><meta http-equiv=refresh content=0;url=//evil.example>",
    ]
    .map(str::to_owned)
    .into();
    for control in ["\t", "\r", "\n", "\r\n", "\0", "\u{b}", "\u{c}", "\u{85}", "\u{a0}", "\u{7f}"] {
        all.push(format!("/{control}/evil.example"));
        all.push(format!("{control}//evil.example"));
        all.push(format!("/x{control}Location: https://evil.example"));
    }
    all
}

/// What browsers make of addresses: their origins, by an implementation of the URL standard that is not ours.
fn origins(addresses: &[(String, String)]) -> Vec<String> {
    let script = "const read = JSON.parse(require('fs').readFileSync(0, 'utf8')); \
                  console.log(JSON.stringify(read.map(([to, base]) => new URL(to, base).origin)))";
    let mut node = Command::new("node")
        .args(["-e", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("nodejs is installed");
    let text = serde_json::to_vec(addresses).unwrap();
    std::io::Write::write_all(&mut node.stdin.take().unwrap(), &text).unwrap();
    let output = node.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn nobody_is_led_to_another_site_after_choosing_a_language() {
    let site = Site::new();
    let base = format!("http://127.0.0.1:{}", site.port);
    let mut led = Vec::new();
    for trick in tricks() {
        let mut browser = site.browser();
        browser.request("GET", &format!("/language/en?back={}", percent(&trick)), "");
        assert_eq!(browser.page.status, 303, "{trick:?}");
        let lines = browser.page.head.to_lowercase();
        assert_eq!(lines.matches("\nlocation:").count(), 1, "{trick:?}: {lines}");
        led.push((browser.page.header("location").unwrap().to_owned(), base.clone()));
    }
    for ((to, _), origin) in led.iter().zip(origins(&led)) {
        assert_eq!(origin, base, "{to}");
    }
}

#[test]
fn nobody_is_led_to_another_site_by_a_visit() {
    let mut site = Site::prepared("[limits]\ncalls_per_minute = 10000", |bed| {
        format!(
            "listen = [\"127.0.0.1:0\", {:?}]\n[forward_auth]\nlogin = \"http://localhost:8080\"\n\
             hosts = [\"http://wiki.localhost:8080\"]",
            bed.join("web/http.sock")
        )
    });
    site.bed.user("alice");
    let at = |host: &str| {
        let mut browser = Browser::at_socket(site.bed.path("web/http.sock"));
        browser.headers.push(("X-Forwarded-Host".into(), host.into()));
        browser.headers.push(("Origin".into(), format!("http://{host}")));
        browser
    };
    let mut page = at("localhost:8080");
    page.sign_in("alice", PASSWORD, None).says("Account security");
    let wiki = "http://wiki.localhost:8080".to_owned();
    let mut led = Vec::new();
    // A proxy tells what it was asked for, byte by byte; what no header can have no proxy tells.
    let is_told = |trick: &String| !trick.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    for trick in tricks().into_iter().filter(is_told) {
        let mut browser = at("wiki.localhost:8080");
        browser.headers.push(("X-Forwarded-Uri".into(), trick.clone()));
        browser.request("GET", "/auth/redirect", "");
        if browser.page.status == 400 {
            continue; // No header has this.
        }
        assert_eq!(browser.page.status, 302, "{trick:?}: {}", browser.page.body);
        let way = browser.page.header("location").unwrap().to_owned();
        led.push((way.clone(), wiki.clone(), "http://localhost:8080"));
        page.go(way.strip_prefix("http://localhost:8080").unwrap());
        let arrival = next(&page);
        led.push((arrival.clone(), "http://localhost:8080/visit".into(), "http://wiki.localhost:8080"));
        browser.request("GET", arrival.strip_prefix(&wiki).unwrap(), "");
        assert_eq!(browser.page.status, 302, "{trick:?}: {}", browser.page.body);
        led.push((
            browser.page.header("location").unwrap().to_owned(),
            arrival,
            "http://wiki.localhost:8080",
        ));
        // And at the host of the page itself.
        let mut here = page.clone();
        here.headers.push(("X-Forwarded-Uri".into(), trick.clone()));
        here.request("GET", "/auth/redirect", "");
        let way = here.page.header("location").unwrap().to_owned();
        here.go(way.strip_prefix("http://localhost:8080").unwrap());
        led.push((next(&here), "http://localhost:8080/visit".into(), "http://localhost:8080"));
    }
    assert!(led.len() > 200, "{}", led.len());
    let addresses: Vec<(String, String)> =
        led.iter().map(|(to, base, _)| (to.clone(), base.clone())).collect();
    for ((to, _, expected), origin) in led.iter().zip(origins(&addresses)) {
        assert_eq!(origin, *expected, "{to}");
    }
    for host in [
        "evil.example",
        "wiki.localhost",
        "wiki.localhost:8081",
        "wiki.localhost:08080",
        "wiki.localhost:8080:8080",
        "wiki.localhost:8080.",
        "wiki.localhost.:8080",
        "wiki.localhost:8080@evil.example",
        "evil.example@wiki.localhost:8080",
        "evil.example#@wiki.localhost:8080",
        "evil.example/wiki.localhost:8080",
        "evil.example\\wiki.localhost:8080",
        "evil.example?wiki.localhost:8080",
        "wiki\u{3002}localhost:8080",
        "wiki\u{ff0e}localhost:8080",
        "w\u{131}ki.localhost:8080",
        "%77iki.localhost:8080",
        "wiki.localhost:8080\0",
        "wiki.localhost:8080\r\nX: y",
        "\twiki.localhost:8080",
        "wiki.localhost:8080 ",
        "http://wiki.localhost:8080",
        "//wiki.localhost:8080",
        "javascript:alert(1)",
        "",
    ] {
        page.request("GET", &format!("/visit?again=1&host={}&to=%2F&mark=x", percent(host)), "");
        assert_eq!(page.page.status, 404, "{host:?}");
        assert_eq!(page.page.header("location"), None, "{host:?}");
    }
    // The same of a cookie that says where to go after signing in.
    let mut planted = at("localhost:8080");
    planted.cookies.insert("__Host-otpd-after".into(), "host=evil.example&to=%2F&mark=x".into());
    planted.sign_in("alice", PASSWORD, None);
    assert_eq!((planted.page.status, planted.page.header("location")), (404, None));
}

#[test]
fn no_post_comes_from_elsewhere_whatever_it_says() {
    let mut site = Site::new();
    for user in ["alice", "mallory"] {
        site.bed.user(user);
    }
    let mut alice = site.browser();
    alice.sign_in("alice", PASSWORD, None).says("Account security");
    let mut mallory = site.browser();
    mallory.sign_in("mallory", PASSWORD, None).says("Account security");
    let (own, others) = (alice.token(), mallory.token());
    let ours = format!("http://127.0.0.1:{}", site.port);
    let none = String::new();
    for (origins, fetch) in [
        (vec![none.clone()], ""),
        (vec![none.clone()], "cross-site"),
        (vec![none.clone()], "same-site"),
        (vec![none.clone()], "none"),
        (vec![none.clone()], "SAME-ORIGIN"),
        (vec![none.clone()], "same-origin, cross-site"),
        (vec!["null".into()], ""),
        (vec!["null".into()], "same-origin"),
        (vec![ours.replace("http:", "https:")], "same-origin"),
        (vec![ours.replace("127.0.0.1", "localhost")], "same-origin"),
        (vec![ours.replace("127.0.0.1", "127.1")], "same-origin"),
        (vec![ours.rsplit_once(':').unwrap().0.to_owned()], "same-origin"),
        (vec![format!("{ours}1")], "same-origin"),
        (vec![format!("{ours}/")], "same-origin"),
        (vec![format!("{ours} https://evil.example")], "same-origin"),
        (vec![format!("{ours}.evil.example")], "same-origin"),
        (vec!["https://evil.example".into()], "same-origin"),
        (vec![ours.clone()], "cross-site"),
        (vec!["https://evil.example".into(), ours.clone()], "same-origin"),
    ] {
        let mut evil = alice.clone();
        evil.headers.extend(origins.iter().map(|origin| ("Origin".into(), origin.clone())));
        evil.headers.push(("Sec-Fetch-Site".into(), fetch.into()));
        evil.post("/sign-out", &[("form", &own)]);
        assert_eq!(evil.page.status, 403, "{origins:?} {fetch:?}");
    }
    // A token of another browser, and one in another place than the body.
    let routes = [
        "/sign-in",
        "/sign-in/code",
        "/sign-in/leave",
        "/sign-out",
        "/account/scan",
        "/account/codes",
        "/account/add-device",
        "/account/turn-off",
        "/account/end-others",
        "/admin/do/reset?user=alice",
        "/admin/enrol-code",
        "/admin/policy/require",
        "/admin/policy/release",
        "/admin/audit",
        "/admin/mail-test",
    ];
    for route in routes {
        let status = |fields: &[(&str, &str)]| alice.clone().post(route, fields).status;
        assert_eq!(status(&[("form", &others)]), 403, "{route}");
        assert_eq!(status(&[("form", &others), ("form", &own)]), 403, "{route}");
        assert_eq!(status(&[("Form", &own)]), 403, "{route}");
        assert_eq!(status(&[]), 403, "{route}");
        let separator = if route.contains('?') { '&' } else { '?' };
        assert_eq!(alice.clone().post(&format!("{route}{separator}form={own}"), &[]).status, 403, "{route}");
    }
    // None of which did anything.
    alice.go("/account").says("Account security");
    let events =
        site.bed.daemon().account("org.otpd.Admin.Audit", &json!({"user": "alice", "tail": 10})).unwrap();
    let kinds: Vec<&Value> =
        events["events"].as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(kinds, ["login", "account", "sign_in"], "{events}");
}
