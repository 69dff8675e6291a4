//! Cookies that somebody else has put into a browser: none of them is ever what gets signed in.

use otpd_tests::PASSWORD;

use crate::browser::Browser;
use crate::site::Site;

const TICKET: &str = "__Host-otpd";
const LOGIN: &str = "__Host-otpd-login";
const FORM: &str = "__Host-otpd-form";

/// A site with alice, who has a phone, and mallory, who has another and is signed in.
fn site() -> (Site, otpd_tests::Token, Browser) {
    let mut site = Site::new();
    site.bed.user("alice");
    site.bed.user("mallory");
    let phone = site.bed.bind("alice", "phone");
    let other = site.bed.bind("mallory", "other");
    let mut mallory = site.browser();
    mallory.sign_in("mallory", PASSWORD, Some(&other.code(0))).says("Account security");
    (site, phone, mallory)
}

#[test]
fn a_cookie_that_was_planted_is_not_what_gets_signed_in() {
    let (site, phone, mallory) = site();
    // As far as a login of mallory's own goes without a code: it waits on otpd-web's shelf.
    let mut half = site.browser();
    half.sign_in("mallory", PASSWORD, None).says("Enter your code");
    let mut alice = site.browser();
    alice.cookies = mallory.cookies.clone();
    alice.cookies.insert(LOGIN.into(), half.cookies[LOGIN].clone());
    let planted = alice.cookies.clone();
    alice.go("/sign-in?why=left");
    alice.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)]);
    assert_eq!(alice.page.path, "/sign-in/code");
    assert_ne!(alice.cookies[LOGIN], planted[LOGIN]);
    // Whoever planted them has no part in the login that goes on.
    let mut other = site.browser();
    other.cookies = planted.clone();
    other.go("/sign-in/code").hides("alice");
    alice.submit("/sign-in/code", &[("answer", &phone.code(0))]);
    alice.says_who("alice");
    for name in [TICKET, FORM] {
        assert_ne!(alice.cookies[name], planted[name], "{name}");
    }
    assert!(!alice.cookies.contains_key(LOGIN));
    // Neither the ticket nor the form's token that were planted are alice's now.
    let mut still = mallory.clone();
    still.go("/account").hides("alice");
    let token = mallory.token();
    alice.post("/account/rename-device", &[("form", &token), ("id", "1"), ("value", "x")]);
    assert_eq!(alice.page.status, 403);
}

#[test]
fn a_half_login_that_was_planted_is_finished_for_nobody() {
    let (site, phone, _) = site();
    let mut half = site.browser();
    half.sign_in("mallory", PASSWORD, None).says("Enter your code");
    let mut alice = site.browser();
    alice.cookies.insert(LOGIN.into(), half.cookies[LOGIN].clone());
    // She types her own code into what she takes for her login: it is mallory's, and her code is wrong there.
    alice.go("/sign-in/code");
    alice.submit("/sign-in/code", &[("answer", &phone.code(0))]);
    assert_eq!((alice.page.status, alice.cookies.contains_key(TICKET)), (401, false));
    half.submit("/sign-in/code", &[("answer", &phone.code(0))]);
    assert_eq!(half.page.path, "/sign-in?why=signed_out", "it is over for whoever planted it too");
}

#[test]
fn a_cookie_of_which_there_are_two_is_none() {
    let (site, _, mallory) = site();
    let mut alice = site.browser();
    alice.sign_in("alice", PASSWORD, None).says("Enter your code");
    let (ours, theirs) = (&mallory.cookies[TICKET], "A".repeat(43));
    let line = |browser: &Browser, name: &str, values: &[&str]| {
        let others = browser.cookies.iter().filter(|(known, _)| *known != name);
        let others = others.map(|(name, value)| format!("{name}={value}"));
        let twice = values.iter().map(|value| format!("{name}={value}"));
        others.chain(twice).collect::<Vec<_>>().join("; ")
    };
    for values in [[ours.as_str(), &theirs], [&theirs, ours.as_str()], [ours, ours]] {
        let mut tossed = mallory.clone();
        tossed.headers = vec![("Cookie".into(), line(&mallory, TICKET, &values))];
        tossed.go("/account");
        assert!(tossed.page.path.starts_with("/sign-in"), "{values:?}: {}", tossed.page.path);
    }
    // In two headers as well.
    let mut tossed = mallory.clone();
    tossed.headers =
        vec![("Cookie".into(), format!("{TICKET}={theirs}")), ("Cookie".into(), format!("{TICKET}={ours}"))];
    tossed.go("/account");
    assert!(tossed.page.path.starts_with("/sign-in"), "{}", tossed.page.path);
    // A name that only looks like it is not it.
    for name in ["__host-otpd", "__Host-otpd ", "\u{2000}__Host-otpd", "__Host-otpd%00", "otpd"] {
        let mut odd = site.browser();
        odd.headers = vec![("Cookie".into(), format!("x=y; {name}={ours}"))];
        let found = odd.go("/account").path.clone();
        assert!(found.starts_with("/sign-in") || name == "__Host-otpd ", "{name:?}: {found}");
    }
    let login = alice.cookies[LOGIN].clone();
    alice.headers = vec![("Cookie".into(), line(&alice, LOGIN, &[&login, &theirs]))];
    alice.go("/sign-in/code");
    assert_eq!(alice.page.path, "/sign-in");
    // With two cookies of forms, no token of either is good.
    let (mut form, token) = (mallory.clone(), mallory.token());
    form.headers = vec![("Cookie".into(), line(&mallory, FORM, &[&mallory.cookies[FORM], &theirs]))];
    form.post("/sign-out", &[("form", &token)]);
    assert_eq!(form.page.status, 403);
    let mut mallory = mallory;
    mallory.post("/sign-out", &[("form", &token)]);
    assert_eq!(mallory.page.status, 303);
}

trait Says {
    /// Asserts whose account is shown.
    fn says_who(&self, user: &str);
}

impl Says for Browser {
    #[track_caller]
    fn says_who(&self, user: &str) {
        assert_eq!(self.page.path, "/account", "{}", self.page.text());
        assert!(self.page.body.contains(user), "{}", self.page.body);
    }
}
