//! Paths in odd spellings: each page has one spelling, and no other leads to it or past a guard.

use otpd_tests::PASSWORD;
use serde_json::json;

use crate::front::Front;
use crate::front::Proxy;
use crate::raw::exchange;
use crate::site::Site;

/// Others for the path of a page.
fn spellings(path: &str) -> Vec<String> {
    let rest = &path[1..];
    let (first, others) = rest.split_at(1);
    let coded = format!("/%{:02X}{others}", first.as_bytes()[0]);
    let (before, last) = path.rsplit_once('/').unwrap();
    [
        format!("/{path}"),
        format!("//{path}"),
        format!("/.{path}"),
        format!("/..{path}"),
        format!("/x/..{path}"),
        format!("/sign-in/..{path}"),
        format!("/%2e%2e{path}"),
        format!("/%2e{path}"),
        format!("/sign-in/%2e%2e{path}"),
        format!("/sign-in/..%2f{rest}"),
        format!("/sign-in%2f..{path}"),
        format!("/sign-in/..;{path}"),
        format!("/sign-in/%252e%252e{path}"),
        format!("/%2f{rest}"),
        coded,
        format!("{before}%2f{last}"),
        format!("{before}/%2e/{last}"),
        format!("{before}//{last}"),
        format!("{path}/"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}%2f"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path};a=b"),
        format!("{path}\\"),
        format!("/\\{rest}"),
        format!("/sign-in\\..\\{rest}"),
        format!("{path}\0"),
        format!("{path}\t"),
        format!("{path}\u{e4}"),
        path.to_uppercase(),
    ]
    .into_iter()
    // Some are the same again, as of a path with one part.
    .filter(|spelled| spelled != path)
    .collect()
}

#[test]
fn every_page_has_one_spelling() {
    let mut site = Site::new();
    for user in ["alice", "carol"] {
        site.bed.user(user);
    }
    site.bed.join("otpadmin", "carol");
    let phone = site.bed.bind("carol", "phone");
    let mut carol = site.browser();
    carol.sign_in("carol", PASSWORD, Some(&phone.code(0))).says("Account security");
    let cookies: Vec<String> = carol.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let ask = |target: &str| {
        let host = format!("127.0.0.1:{}", site.port);
        let cookies = cookies.join("; ");
        let head = format!("HTTP/1.1\r\nHost: {host}\r\nCookie: {cookies}\r\nConnection: close\r\n\r\n");
        let replies = exchange(site.port, format!("GET {target} {head}").as_bytes());
        assert_eq!(replies.len(), 1, "{target:?}");
        replies.into_iter().next().unwrap()
    };
    for page in [
        "/account",
        "/account/add-device",
        "/admin",
        "/admin/account?user=alice",
        "/admin/do/reset?user=alice",
        "/admin/policy/require?group=users",
        "/api/v1/account",
        "/healthz",
    ] {
        assert_eq!(ask(page).status, 200, "{page}");
        for spelled in spellings(page.split('?').next().unwrap()) {
            let reply = ask(&format!("{spelled}{}", page.find('?').map_or("", |at| &page[at..])));
            assert!(matches!(reply.status, 400 | 404), "{spelled:?}: {}", reply.status);
            assert!(!reply.body.contains("carol"), "{spelled:?}: {}", reply.body);
        }
    }
    // Of those that only proxies may ask, none is to be had either.
    for page in ["/auth", "/auth/redirect", "/.otpd/visit"] {
        for spelled in spellings(page) {
            let status = ask(&spelled).status;
            assert!(matches!(status, 400 | 403 | 404), "{spelled:?}: {status}");
        }
    }
}

#[test]
fn a_target_with_a_host_is_of_that_host() {
    let site = Site::new();
    let own = format!("127.0.0.1:{}", site.port);
    let ask = |line: &str, host: &str| {
        let request = format!("{line} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        let replies = exchange(site.port, request.as_bytes());
        assert_eq!(replies.len(), 1, "{line:?} {host:?}");
        replies[0].status
    };
    let host = format!("Host: {own}\r\n");
    let evil = "Host: evil.example\r\n";
    for (line, host, status) in [
        (format!("GET http://{own}/sign-in"), host.as_str(), 200),
        (format!("GET http://{own}/sign-in"), evil, 200),
        (format!("GET https://{own}/sign-in"), &host, 200),
        ("GET http://evil.example/sign-in".into(), &host, 421),
        (format!("GET http://{own}@evil.example/sign-in"), &host, 421),
        (format!("GET http://evil.example@{own}/sign-in"), &host, 421),
        (format!("GET //{own}/sign-in"), &host, 404),
        ("GET /sign-in".into(), evil, 421),
        ("GET /sign-in".into(), "", 421),
        ("GET /sign-in".into(), &format!("{host}{evil}"), 421),
        ("GET /sign-in".into(), &format!("{evil}{host}"), 421),
        (format!("OPTIONS http://{own}/sign-in"), &host, 403),
        ("OPTIONS *".into(), &host, 403),
        (format!("CONNECT {own}"), &host, 403),
        (format!("GET {own}"), &host, 404),
        // Without a slash it is a host (RFC 9112, section 3.2.3).
        ("GET sign-in".into(), &host, 421),
        ("GET  /sign-in".into(), &host, 400),
        ("GET /sign in".into(), &host, 400),
        ("TRACE /sign-in".into(), &host, 403),
        ("G\u{0}ET /sign-in".into(), &host, 400),
    ] {
        assert_eq!(ask(&line, host), status, "{line:?} {host:?}");
    }
    let long = |length: usize| ask(&format!("GET /{}", "a".repeat(length)), &host);
    // With its slash.
    assert_eq!(long(8 * 1024 - 1), 404);
    assert_eq!(long(8 * 1024), 413);
    assert_eq!(long(15_000), 413);
    assert!(matches!(long(17_000), 414 | 431));
    assert!(matches!(long(100_000), 414 | 431));
}

#[test]
fn no_spelling_leads_past_the_sign_in_to_an_application() {
    let front = Front::new(Proxy::Nginx);
    let hosts = [
        ("127.0.0.1", vec!["/notes/", "/notes/page", "/.otpd/auth"]),
        ("wiki.localhost", vec!["/page", "/.otpd/auth", "/.otpd/visit"]),
    ];
    let mut asked = 0;
    for (name, pages) in hosts {
        let host = format!("{name}:{}", front.port);
        let others = pages.iter().flat_map(|page| spellings(page));
        let whole = pages.iter().map(|page| format!("http://{host}{page}"));
        let crossed = [format!("http://photos.localhost:{}/", front.port), "http://other.localhost/".into()];
        for target in pages.iter().map(ToString::to_string).chain(others).chain(whole).chain(crossed) {
            for forged in [
                "",
                "X-Original-URI: /sign-in\r\nX-Forwarded-Uri: /sign-in\r\nX-Rewrite-URL: /sign-in\r\nRemote-User: alice\r\n",
            ] {
                let head =
                    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{forged}Connection: close\r\n\r\n");
                for reply in exchange(front.port, head.as_bytes()) {
                    // The application repeats what it was asked.
                    assert!(!reply.body.contains("HTTP/1."), "{target:?}: {}", reply.body);
                    assert!(!reply.head.to_lowercase().contains("remote-user"), "{target:?}: {}", reply.head);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 300, "{asked}");
    // It does answer who is signed in.
    let mut person = front.visitor();
    person.wiki.request("GET", "/x/..//page", "");
    assert!(person.wiki.page.body.starts_with("GET /x/..//page HTTP/1."), "{}", person.wiki.page.body);
    let status =
        front.site.bed.daemon().account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap();
    assert_eq!(status["sign_ins"], 1);
}
