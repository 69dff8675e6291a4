//! Forms that come late, twice, or from a window that shows what was: nothing is done twice, nothing is lost that was
//! typed, and no page is a riddle.

use otpd_tests::BoxClock;
use otpd_tests::PASSWORD;
use otpd_tests::Token;
use otpd_tests::mailed_code;

use crate::browser::Browser;
use crate::site::Site;

/// alice with a phone, signed in by its code of this step.
fn signed_in() -> (Site, Token, Browser) {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, Some(&token.code(0))).says("You signed in with phone");
    (site, token, browser)
}

/// The key that is shown.
fn key(browser: &Browser) -> Token {
    Token::new(&browser.page.between("id=\"key\" translate=\"no\">", "<").replace(' ', ""))
}

#[test]
fn a_device_whose_clock_is_off_is_set_right_by_two_codes() {
    let (site, token, mut browser) = signed_in();
    browser.go("/account/resync-device?id=1").says("If codes of phone are refused");
    browser.submit("/account/resync-device", &[("value", "135246"), ("second", "246135")]);
    browser.page.says("Those are not two codes of this device");
    assert_eq!(browser.page.status, 422);
    for typed in ["135246", "246135"] {
        assert!(!browser.page.body.contains(typed), "no code is shown again");
    }
    browser.submit("/account/resync-device", &[("value", &token.code(6)), ("second", &token.code(7))]);
    browser.page.says("The device is synchronised");
    let mut there = site.browser();
    there.sign_in("alice", PASSWORD, Some(&token.code(8))).says("You signed in with phone");
}

#[test]
fn whoever_is_signed_in_takes_codes_again_that_wrong_ones_had_stopped() {
    let (site, token, mut browser) = signed_in();
    let mut stranger = site.browser();
    for _ in 0..4 {
        stranger.sign_in("alice", PASSWORD, Some("000000"));
    }
    stranger.sign_in("alice", PASSWORD, None).says("none from an app is looked at until");
    browser.go("/account").says("Codes are not taken everywhere");
    browser.go("/account/unlock");
    browser.submit("/account/unlock", &[("code", "000000")]).says("did not match");
    browser.submit("/account/unlock", &[("code", &token.code(1))]).says("Wrong codes are forgotten");
    browser.page.hides("Codes are not taken everywhere");
    stranger.sign_in("alice", PASSWORD, None).says("Enter your code").hides("is looked at");
}

#[test]
fn a_secure_email_is_removed_with_a_code_and_told_of_it() {
    let (site, server, mut browser) = Site::with_mail();
    browser.submit("/account/turn-on", &[]);
    browser.submit("/account/add-email", &[("value", "alice@example.org")]);
    browser.submit("/account/confirm-email", &[("value", "AAAA-AAAA")]).says("wrong, used or too old");
    assert!(!browser.page.body.contains("AAAA-AAAA"), "no code is shown again");
    browser.submit("/account/confirm-email", &[("value", &mailed_code(&server.mail()))]);
    let token = site.bed.bind("alice", "phone");
    browser.sign_in("alice", PASSWORD, Some(&token.code(0))).says("alice@example.org");
    browser.go("/account/remove-email?id=1").says("No more codes are mailed to alice@example.org");
    browser.submit("/account/remove-email", &[("code", "000000")]).says("did not match");
    browser.submit("/account/remove-email", &[("code", &token.code(1))]).says("The address is removed");
    browser.page.hides("alice@example.org");
    while !server.mail()["content"].as_str().unwrap().contains("removed") {}
    browser.go("/account/remove-email?id=1").says("That is not there any more");
}

#[test]
fn one_sign_in_is_ended_and_the_others_stay() {
    let mut site = Site::new();
    site.bed.user("alice");
    let (mut here, mut there, mut third) = (site.browser(), site.browser(), site.browser());
    for browser in [&mut third, &mut there, &mut here] {
        browser.sign_in("alice", PASSWORD, None);
    }
    there.go("/account");
    let ends: Vec<String> = here.page.body.split("/account/end-sign-in?id=").skip(1).map(number).collect();
    assert_eq!(ends.len(), 2, "not this one: {}", here.page.text());
    here.go(&format!("/account/end-sign-in?id={}", ends[0])).says("127.0.0.1");
    here.submit("/account/end-sign-in", &[]).says("Signed out there");
    let signed_in = [&mut there, &mut third].map(|browser| browser.go("/account").path == "/account");
    assert_eq!(signed_in.iter().filter(|is| **is).count(), 1, "{signed_in:?}");
    here.go(&format!("/account/end-sign-in?id={}", ends[0])).says("That is not there any more");
}

fn number(text: &str) -> String {
    text.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn a_form_of_another_window_finds_out_what_changed_meanwhile() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    site.bed.bind("alice", "tablet");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, Some(&token.code(0)));
    let mut window = browser.clone();
    window.go("/account/rename-device?id=2").says("A new name for tablet");
    browser.go("/account/remove-device?id=2");
    browser.submit("/account/remove-device", &[("code", &token.code(1))]).says("The device is removed");
    window.submit("/account/rename-device", &[("value", "slate"), ("code", "000000")]);
    window.page.says("That is not there any more").says("phone");
    assert!(!window.page.body.contains("Rename tablet"), "it shows what is there now");
    assert!(!window.page.body.contains("note good"), "nothing was done");
    window.go("/account/replace-device?id=2").says("That is not there any more");
    assert_eq!(window.clone().go("/account/no-such-thing?id=2").status, 404);
}

#[test]
fn of_two_windows_that_bind_the_one_that_is_behind_is_shown_the_key_that_counts() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut first = site.browser();
    first.sign_in("alice", PASSWORD, None);
    first.go("/account/add-device");
    first.submit("/account/add-device", &[("value", "phone")]);
    let mut second = first.clone();
    second.go("/account/add-device");
    second.submit("/account/add-device", &[("value", "other phone")]);
    first.submit("/account/scan", &[("code", &key(&first).code(0))]).says("Another window began anew");
    assert_eq!(key(&first).key(), key(&second).key());
    first.page.says("other phone");
    first.submit("/account/scan", &[("code", &key(&first).code(-1))]).says("Save your recovery codes");
    second.submit("/account/scan", &[("code", "000000")]).says("nothing to show any more");
}

#[test]
fn a_form_that_is_sent_twice_is_done_once() {
    let (_site, token, mut browser) = signed_in();
    browser.go("/account/rename-device?id=1");
    let mut twice = browser.clone();
    let code = token.code(1);
    let fields = [("value", "tablet"), ("code", &*code)];
    browser.submit("/account/rename-device", &fields).says("new name").says("tablet");
    twice.submit("/account/rename-device", &fields).says("used already");
    assert!(twice.page.body.contains("value=\"tablet\""), "what was typed is there yet");
    assert!(!twice.page.body.contains(&code), "the code is not");
}

#[test]
fn a_code_that_is_sent_twice_signs_in_once() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None).says("Enter your code");
    let mut twice = browser.clone();
    let code = token.code(0);
    browser.submit("/sign-in/code", &[("answer", &code)]).says("You signed in with phone");
    twice.submit("/sign-in/code", &[("answer", &code)]).says("Sign in to go on");
    assert!(!twice.cookies.contains_key("__Host-otpd"), "{:?}", twice.cookies);
}

#[test]
fn after_signing_out_the_way_back_shows_nothing() {
    let (_site, _token, mut browser) = signed_in();
    for path in ["/account", "/account/turn-off", "/account/rename-device?id=1", "/account/end-others"] {
        assert_eq!(browser.go(path).header("cache-control"), Some("no-store"), "{path}");
    }
    let before = browser.clone();
    browser.go("/account");
    browser.submit("/sign-out", &[]).says("You have signed out");
    assert!(browser.cookies.keys().all(|name| name == "__Host-otpd-form"), "{:?}", browser.cookies);
    let mut old = before;
    old.submit("/account/end-others", &[]).says("You are signed out");
    assert_eq!(old.go("/account").path, "/sign-in");
}

#[test]
fn a_form_that_came_after_the_sign_in_had_ended_is_found_again_without_its_codes() {
    let (mut site, token, mut browser) = signed_in();
    site.bed.user("bob");
    browser.go("/account/rename-device?id=1");
    let mut elsewhere = browser.clone();
    elsewhere.go("/account");
    elsewhere.submit("/sign-out", &[]);
    browser.submit("/account/rename-device", &[("value", "工作 & tablet"), ("code", "135246")]);
    browser.page.says("You are signed out. Sign in to go on");
    assert!(!browser.cookies.values().any(|value| value.contains("135246")), "{:?}", browser.cookies);

    let mut somebody = browser.clone();
    somebody.submit("/sign-in", &[("user", "bob"), ("password", PASSWORD)]).says("Login protection is off");
    assert_eq!(somebody.page.path, "/account", "it is not theirs");
    browser.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)]);
    browser.submit("/sign-in/code", &[("answer", &token.code(1))]).says("A new name for phone");
    assert!(browser.page.body.contains("value=\"工作 &#38; tablet\""), "{}", browser.page.body);
    assert!(!browser.cookies.contains_key("__Host-otpd-unsent"), "once");
    browser.go("/account/rename-device?id=1");
    assert!(browser.page.body.contains("value=\"phone\""), "{}", browser.page.body);
}

#[test]
fn a_form_that_was_left_open_for_too_long_is_found_again() {
    let (mut site, token, mut browser) = signed_in();
    site.bed.take_daemon().stop();
    let clock = BoxClock::start(&mut site.bed, 0);
    browser.go("/account/rename-device?id=1").says("A new name for phone");
    // Longer than the hour that a sign-in may be idle.
    clock.set(3900);
    browser.submit("/account/rename-device", &[("value", "tablet"), ("code", &token.code(130))]);
    browser.page.says("You are signed out. Sign in to go on");
    browser.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)]);
    browser.submit("/sign-in/code", &[("answer", &token.code(130))]).says("A new name for phone");
    assert!(browser.page.body.contains("value=\"tablet\""), "{}", browser.page.body);
    browser
        .submit("/account/rename-device", &[("value", "tablet"), ("code", &token.code(131))])
        .says("new name");
}
