//! Where a browser is, and whom that is believed of.

use super::*;
use axum::http::Request;

fn browser(peer: Peer, proxies: &[&str], headers: &[(&str, &str)]) -> Browser {
    let mut request = Request::builder().uri("/account?x=1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let proxies = Proxies::parse(&proxies.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    Browser::of(&request.body(()).unwrap().into_parts().0, peer, &proxies).unwrap()
}

fn at(address: &str) -> Peer {
    Peer { address: Some(address.parse().unwrap()), tls: false }
}

const FORWARDED: &[(&str, &str)] = &[
    ("host", "127.0.0.1:8480"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "NAS.example.org"),
];

#[test]
fn a_stranger_is_not_believed_where_it_is() {
    let stranger = browser(at("192.0.2.9"), &["10.0.0.0/8"], FORWARDED);
    assert_eq!(stranger.address, Some("192.0.2.9".parse().unwrap()));
    assert_eq!((stranger.secure, stranger.origin().as_str()), (false, "http://127.0.0.1:8480"));
    let nobody = browser(at("127.0.0.1"), &[], FORWARDED);
    assert_eq!(nobody.address, Some("127.0.0.1".parse().unwrap()));
}

#[test]
fn a_proxy_is_believed_where_the_browser_is() {
    for peer in [at("10.0.0.1"), Peer { address: None, tls: false }] {
        let browser = browser(peer, &["10.0.0.0/8"], FORWARDED);
        assert_eq!(browser.address, Some("203.0.113.7".parse().unwrap()));
        assert_eq!(browser.origin(), "https://nas.example.org");
    }
    let unnamed = browser(at("10.0.0.1"), &["10.0.0.0/8"], &[("x-forwarded-for", "unknown")]);
    assert_eq!(unnamed.address, None);
}

#[test]
fn two_headers_of_a_proxy_are_one_list() {
    let headers = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7, 10.0.0.2")];
    let browser = browser(at("10.0.0.1"), &["10.0.0.0/8"], &headers);
    assert_eq!(browser.address, Some("203.0.113.7".parse().unwrap()));
}

#[test]
fn the_language_is_the_chosen_one_or_the_accepted_one() {
    let language = |headers: &[(&str, &str)]| browser(at("127.0.0.1"), &[], headers).language;
    assert_eq!(language(&[]), Language::English);
    assert_eq!(language(&[("accept-language", "de, zh-CN;q=0.8, en;q=0.5")]), Language::Chinese);
    assert_eq!(language(&[("accept-language", "de, zh;q=0.1, en;q=0.5")]), Language::English);
    let both = [("accept-language", "en"), ("cookie", "__Host-otpd-language=zh")];
    assert_eq!(language(&both), Language::Chinese);
    assert_eq!(language(&[("cookie", "__Host-otpd-language=tlh")]), Language::English);
}

#[test]
fn only_what_can_be_a_ticket_is_one() {
    let ticket =
        |value: &str| browser(at("127.0.0.1"), &[], &[("cookie", &format!("__Host-otpd={value}"))]).ticket;
    assert!(ticket(&"a".repeat(43)).is_some());
    assert!(ticket("a").is_none() && ticket(&"a".repeat(44)).is_none() && ticket("").is_none());
}

#[test]
fn a_browser_without_a_form_cookie_gets_a_new_one() {
    let first = browser(at("127.0.0.1"), &[], &[]);
    assert!(first.form_is_new && token::is_one(first.form.expose_secret()));
    let cookie = format!("__Host-otpd-form={}", first.form.expose_secret());
    let second = browser(at("127.0.0.1"), &[], &[("cookie", &cookie)]);
    assert!(!second.form_is_new && second.form.expose_secret() == first.form.expose_secret());
}

#[test]
fn what_a_browser_says_of_itself_is_cut() {
    let agent = browser(at("127.0.0.1"), &[], &[("user-agent", &"x".repeat(500))]).agent;
    assert_eq!(agent.unwrap().len(), LONGEST_AGENT);
}
