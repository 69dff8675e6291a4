//! Every address of otpd-web, as its own source has them: no page is shown in a frame of another, none loads anything from
//! elsewhere, and none is kept.

use otpd_tests::PASSWORD;
use serde_json::Value;

use crate::browser::Browser;
use crate::site::Site;

/// All paths, with words in them that exist.
fn paths(site: &Site) -> Vec<String> {
    let sources =
        [include_str!("../../../otpd/web/src/app.rs"), include_str!("../../../otpd/web/src/pages/admin.rs")];
    let mut paths: Vec<String> = Vec::new();
    for route in sources.iter().flat_map(|source| source.split(".route(").skip(1)) {
        let first = route.split(',').next().unwrap();
        paths.push(match first.trim().trim_matches('"') {
            "forward_auth::ARRIVAL" => "/.otpd/visit".into(),
            "/account/{act}" => "/account/rename-device".into(),
            "/admin/do/{act}" => "/admin/do/reset?user=alice".into(),
            "/admin/policy/{act}" => "/admin/policy/require?group=users".into(),
            "/language/{word}" => "/language/en".into(),
            "/assets/{name}" => "/assets/".into(),
            path => path.to_owned(),
        });
    }
    let mut browser = site.browser();
    browser.go("/sign-in");
    let asset = browser.page.body.split("/assets/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    browser.request("GET", "/api/v1/openapi.json", "");
    let document: Value = serde_json::from_str(&browser.page.body).unwrap();
    let prefix = document["servers"][0]["url"].as_str().unwrap_or_default().to_owned();
    let of_the_api = document["paths"].as_object().unwrap().keys();
    paths.extend(of_the_api.map(|path| format!("{prefix}{}", path.replace("{id}", "1"))));
    paths.iter_mut().filter(|path| *path == "/assets/").for_each(|path| path.push_str(&asset));
    // What is nowhere, and what is asked for in a way that there is not.
    paths.extend(["/nothing".into(), "/api/v1/nothing".into(), "/account/nothing".into()]);
    paths
}

#[track_caller]
fn is_shut_in(browser: &Browser, what: &str) {
    let page = &browser.page;
    let header = |name: &str| page.header(name).unwrap_or_default();
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}: {}", page.head);
    assert_eq!(header("x-frame-options"), "DENY", "{what}: {}", page.head);
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{what}: {}", page.head);
    assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{what}: {}", page.head);
    let policy = header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{what}: {policy}");
    assert!(matches!(header("referrer-policy"), "same-origin" | "no-referrer"), "{what}: {}", page.head);
    let kept = what.contains("/assets/") && page.status == 200;
    assert_eq!(header("cache-control") == "no-store", !kept, "{what}: {}", page.head);
    assert_eq!(page.head.to_lowercase().matches("x-frame-options").count(), 1);
}

#[test]
fn every_page_is_shut_in() {
    let mut site = Site::new();
    for user in ["alice", "carol"] {
        site.bed.user(user);
    }
    site.bed.join("otpadmin", "carol");
    let paths = paths(&site);
    assert!(paths.len() > 40, "{paths:?}");
    let mut people = vec![site.browser()];
    let phone = site.bed.bind("carol", "phone");
    for (user, code) in [("alice", None), ("carol", Some(phone.code(0)))] {
        let mut browser = site.browser();
        browser.sign_in(user, PASSWORD, code.as_deref()).says("Account security");
        people.push(browser);
    }
    let mut shown = 0;
    for path in &paths {
        // These are for proxies and for whatever watches: a line of text each, and nothing to click on.
        let of_pages = !matches!(path.as_str(), "/auth" | "/auth/redirect" | "/.otpd/visit" | "/healthz");
        for person in &people {
            for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "X"] {
                let mut browser = person.clone();
                browser.request(method, path, "");
                shown += usize::from(method == "GET" && browser.page.status == 200);
                if of_pages {
                    is_shut_in(&browser, &format!("{method} {path}"));
                } else {
                    let kind = browser.page.header("content-type").unwrap_or("text/plain");
                    assert!(kind.starts_with("text/plain"), "{path}: {kind}");
                    assert!(!browser.page.body.contains('<'), "{path}: {}", browser.page.body);
                }
            }
        }
    }
    assert!(shown > 30, "{shown}");
    let mut other = site.browser();
    other.headers = vec![("Host".into(), "evil.example".into())];
    other.request("GET", "/account", "");
    assert_eq!(other.page.status, 421);
    is_shut_in(&other, "another host");
}
