//! Who does not come through, whatever they bring.

use crate::browser::Browser;
use crate::front::Front;
use crate::front::Proxy;

const VISIT: &str = "__Host-otpd-visit";
const TICKET: &str = "__Host-otpd";

fn a_ticket_is_good_at_its_own_host_alone(proxy: Proxy) {
    let front = Front::new(proxy);
    let person = front.visitor();
    let visit = &person.wiki.cookies[VISIT];
    let mut photos = front.browser_at("photos.localhost");
    photos.cookies.insert(VISIT.into(), visit.clone());
    photos.request("GET", "/", "");
    assert_eq!(photos.page.status, 302, "a visit of another host");
    for (ticket, what) in [(&person.page.cookies[TICKET], "of the page"), (&"A".repeat(43), "of nobody")] {
        let mut wiki = front.browser_at("wiki.localhost");
        wiki.cookies.insert(VISIT.into(), ticket.clone());
        wiki.cookies.insert(TICKET.into(), ticket.clone());
        wiki.request("GET", "/", "");
        assert_eq!(wiki.page.status, 302, "a ticket {what}");
    }
    // And a visit's is no good at the page.
    let mut page = Browser::new(front.port);
    page.cookies.insert(TICKET.into(), visit.clone());
    page.go("/account");
    assert_eq!(page.page.path, "/sign-in?why=signed_out");
}

fn a_word_is_good_once_and_in_one_browser(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.person();
    let way = person.turned_away("/page");
    let arrival = person.sent_back(&way);
    // Somebody else's browser, with a way of its own or none, does not become alice's.
    let mut other = front.person();
    other.wiki.request("GET", &arrival, "");
    assert_eq!((other.wiki.page.status, other.wiki.cookies.contains_key(VISIT)), (403, false));
    other.turned_away("/page");
    other.wiki.request("GET", &arrival, "");
    assert_eq!((other.wiki.page.status, other.wiki.cookies.contains_key(VISIT)), (403, false));
    // Nor does alice's go where she did not ask to.
    person.wiki.request("GET", &arrival.replace("%2Fpage", "%2Fother"), "");
    assert_eq!(person.wiki.page.status, 403);
    person.wiki.request("GET", &arrival, "");
    assert_eq!((person.wiki.page.status, person.wiki.cookies.contains_key(VISIT)), (302, true));
    person.wiki.request("GET", &arrival, "");
    assert_eq!(person.wiki.page.status, 403);
    // And no log knows it.
    let word = arrival.split_once("word=").unwrap().1.split('&').next().unwrap();
    let access = std::fs::read_to_string(front.site.bed.path("proxy/access.log")).unwrap_or_default();
    for log in [access, front.proxy.log(), front.site.web.log(), front.site.bed.daemon().log()] {
        assert!(!log.contains(word), "{log}");
    }
}

fn nobody_is_led_elsewhere(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut person = front.person();
    for path in ["//evil.example/", "/\\evil.example/", "/@evil.example", "/%5C%5Cevil.example"] {
        let way = person.turned_away(path);
        let to = way.split_once("&to=%2F").expect("a path of the site").1;
        assert!(!to.starts_with("%2F") && !to.starts_with("%5C"), "{way}");
    }
    for host in [
        "evil.example",
        "wiki.localhost",
        "wiki.localhost:1",
        "x@wiki.localhost",
        "wiki.localhost.evil.example",
    ] {
        person.page.go(&format!("/visit?host={host}&to=%2F&mark=x"));
        assert_eq!(person.page.page.status, 404, "{host}");
    }
}

fn what_no_person_looks_at_is_refused_and_led_nowhere(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut wiki = front.browser_at("wiki.localhost");
    wiki.request("POST", "/form", "a=b");
    assert_eq!(wiki.page.status, 401);
    wiki.headers.push(("Sec-Fetch-Mode".into(), "cors".into()));
    wiki.request("GET", "/data.json", "");
    assert_eq!(wiki.page.status, 401);
}

fn the_host_that_the_proxy_serves_is_the_one_that_is_checked(proxy: Proxy) {
    let front = Front::new(proxy);
    let mut wiki = front.visitor().wiki;
    let to = |host: &str| format!("http://{host}:{}/", front.port);
    wiki.request("GET", &to("wiki.localhost"), "");
    assert_eq!(wiki.page.status, 200);
    // The request line chooses, and the Host header says that it is the wiki.
    wiki.request("GET", &to("photos.localhost"), "");
    // Led to sign in there; or, without the port that the Host header alone could say, to no host that is known.
    assert!(matches!(wiki.page.status, 302 | 403), "{}", wiki.page.head);
}

#[test]
fn nginx_serves_no_host_that_it_does_not_know() {
    let front = Front::new(Proxy::Nginx);
    let mut other = front.browser_at("other.localhost");
    other.request("GET", "/", "");
    assert_eq!(other.page.status, 421);
}

#[test]
fn only_a_proxy_is_believed_which_host_it_asks_for() {
    let front = Front::new(Proxy::Nginx);
    let person = front.visitor();
    let mut direct = Browser::new(front.site.port);
    direct.cookies.insert(VISIT.into(), person.wiki.cookies[VISIT].clone());
    direct.headers.push(("X-Forwarded-Host".into(), format!("wiki.localhost:{}", front.port)));
    for path in ["/auth", "/auth/redirect", "/.otpd/visit"] {
        direct.request("GET", path, "");
        assert_eq!(direct.page.status, 403, "{path}");
        assert_eq!(direct.page.header("remote-user"), None);
    }
}

#[test]
fn without_otpd_nobody_comes_through() {
    for proxy in [Proxy::Nginx, Proxy::Caddy] {
        let mut front = Front::new(proxy);
        let mut person = front.visitor();
        front.site.bed.take_daemon().stop();
        person.wiki.request("GET", "/", "");
        assert!(matches!(person.wiki.page.status, 500 | 503), "{}", person.wiki.page.head);
        // And once it is back, whoever was in is in: the connections of before are no obstacle.
        front.site.bed.start();
        person.wiki.request("GET", "/", "");
        assert_eq!(person.wiki.page.status, 200);
    }
}

macro_rules! each {
    ($($test:ident),*) => {
        mod nginx { $(#[test] fn $test() { super::$test(super::Proxy::Nginx) })* }
        mod caddy { $(#[test] fn $test() { super::$test(super::Proxy::Caddy) })* }
    };
}

each!(
    a_ticket_is_good_at_its_own_host_alone,
    a_word_is_good_once_and_in_one_browser,
    nobody_is_led_elsewhere,
    the_host_that_the_proxy_serves_is_the_one_that_is_checked,
    what_no_person_looks_at_is_refused_and_led_nowhere
);
