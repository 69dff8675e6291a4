//! Protection turned on, lived with and turned off again, by the forms of the page and nothing else.

use otpd_tests::PASSWORD;
use otpd_tests::Token;
use otpd_tests::mailed_code;

use crate::browser::Browser;
use crate::site::Site;

/// Turns protection on: the phone, and the recovery codes.
fn turn_on(browser: &mut Browser) -> (Token, Vec<String>) {
    browser.go("/account/turn-on").says("Turn on login protection").says("Clock");
    browser.submit("/account/turn-on", &[]);
    assert_eq!(browser.page.path, "/account/add-device", "{}", browser.page.text());
    browser.submit("/account/add-device", &[("value", "phone")]);
    assert_eq!(browser.page.path, "/account/scan", "{}", browser.page.text());
    prove(browser)
}

/// Proves the device whose key is shown.
fn prove(browser: &mut Browser) -> (Token, Vec<String>) {
    let token = Token::new(&browser.page.between("id=\"key\" translate=\"no\">", "<").replace(' ', ""));
    // The step before: the present one stays good for what follows.
    browser.submit("/account/scan", &[("code", &token.code(-1))]);
    assert_eq!(browser.page.path, "/account/codes", "{}", browser.page.text());
    let codes: Vec<String> = browser
        .page
        .body
        .split("<li><code>")
        .skip(1)
        .map(|it| it.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    let asked: usize = browser.page.between("last four characters of code ", "<").parse().unwrap();
    browser.submit("/account/codes", &[("saved", "1"), ("group", &codes[asked - 1][15..])]);
    browser.page.says("Login protection is on").says("What is not covered");
    assert_eq!(browser.page.path, "/account/protected");
    (token, codes)
}

#[test]
fn protection_is_turned_on_asks_for_a_code_and_is_turned_off() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None).says("Login protection is off");
    let (token, codes) = turn_on(&mut browser);
    browser.go("/account").says("Login protection is on").says("phone").says("10 of 10 left");
    browser.submit("/sign-out", &[]).says("You have signed out");
    browser.go("/account");
    assert_eq!(browser.page.path, "/sign-in");

    browser.sign_in("alice", PASSWORD, Some(&token.code(0))).says("You signed in with phone");
    browser.go("/account/turn-off").says("Whoever knows your password");
    assert!(browser.page.asks("/account/turn-off", "code"));
    assert!(!browser.page.asks("/account/turn-off", "password"), "it was given a moment ago");
    browser.submit("/account/turn-off", &[("code", &token.same_code())]).says("used already");
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/turn-off", &[("code", &token.code(1))]).says("Login protection is off");
    assert!(!codes.is_empty());
}

#[test]
fn a_secure_email_comes_before_the_device_and_brings_a_code_back_in() {
    let (site, server, mut browser) = Site::with_mail();
    browser.submit("/account/turn-on", &[]).says("Secure email");
    browser.submit("/account/add-email", &[("value", "alice@example.org")]).says("alice@example.org");
    assert_eq!(browser.page.path, "/account/confirm-email?on=1");
    browser.submit("/account/confirm-email", &[("value", "AAAA-AAAA")]);
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/confirm-email", &[("value", &mailed_code(&server.mail()))]);
    assert_eq!(browser.page.path, "/account/add-device", "{}", browser.page.text());
    browser.submit("/account/add-device", &[("value", "")]);
    prove(&mut browser);
    browser.go("/account").says("alice@example.org").says("Codes can be mailed here");

    // The notices of what was done come first.
    let mut other = site.browser();
    other.sign_in("alice", PASSWORD, None).says("No phone at hand?");
    other.submit("/sign-in/code", &[("answer", "mail")]).says("a***@e***.org");
    let code = loop {
        let mail = server.mail();
        if mail["content"].as_str().unwrap().contains("login code") {
            break mailed_code(&mail);
        }
    };
    other.submit("/sign-in/code", &[("answer", &code)]).says("Bind a new device");
    assert_eq!(other.page.path, "/account");
    other.go("/account/add-device");
    assert!(!other.page.asks("/account/add-device", "code"), "after a recovery none is needed");
}

#[test]
fn a_recovery_code_lets_in_to_bind_another_device_without_a_code() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None);
    let (_, codes) = turn_on(&mut browser);
    let mut other = site.browser();
    other.sign_in("alice", PASSWORD, None);
    other.go("/sign-in/code?with=letters").says("Recovery code, or code from a mail");
    other.submit("/sign-in/code", &[("answer", &codes[0])]).says("Bind a new device").says("9 of 10 left");
    other.go("/account/add-device");
    other.submit("/account/add-device", &[("value", "new phone")]);
    let token = Token::new(&other.page.between("id=\"key\" translate=\"no\">", "<").replace(' ', ""));
    other.submit("/account/scan", &[("code", "000000")]).says("did not match");
    assert!(other.page.body.contains("id=\"key\""), "the key is still there");
    other.submit("/account/scan", &[("code", &token.code(0))]).says("The device is bound").says("new phone");
}

#[test]
fn devices_are_renamed_replaced_and_removed_with_a_code() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None);
    let (token, _) = turn_on(&mut browser);
    browser.go("/account/rename-device?id=1").says("A new name for phone");
    browser.submit("/account/rename-device", &[("value", "<b>\"&'"), ("code", &token.code(0))]);
    browser.page.says("new name").says("<b>\"&'");
    assert!(!browser.page.body.contains("<b>"), "what people type is text and no markup");
    browser.go("/account/replace-device?id=1");
    browser.submit("/account/replace-device", &[("value", "tablet"), ("code", &token.code(1))]);
    let tablet = Token::new(&browser.page.between("id=\"key\" translate=\"no\">", "<").replace(' ', ""));
    browser.page.says("The old device works until this is done");
    browser.submit("/account/scan", &[("code", &tablet.code(0))]).says("taken over").says("tablet");
    browser.page.hides("<b>");
    browser.go("/account/remove-device?id=2").says("It is your only device");
    browser.submit("/account/remove-device", &[("id", "2"), ("code", &tablet.code(1))]);
    browser.page.says("Login protection is off");
}

#[test]
fn new_recovery_codes_replace_the_old_ones() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None);
    let (token, old) = turn_on(&mut browser);
    browser.go("/account/new-codes").says("stop working at once");
    browser.submit("/account/new-codes", &[("code", &token.code(0))]);
    assert_eq!(browser.page.path, "/account/codes");
    let sheet = browser.clone().go("/account/codes.txt").clone();
    assert_eq!(sheet.header("content-disposition"), Some("attachment; filename=\"recovery-codes.txt\""));
    assert!(sheet.body.contains("alice") && !sheet.body.contains(&old[0]), "{}", sheet.body);
    browser.submit("/account/codes", &[("group", "")]).says("tick the box");
    browser.submit("/account/codes", &[("saved", "1"), ("group", "0000")]).says("not how this code ends");
    let mut other = site.browser();
    other.sign_in("alice", PASSWORD, Some(&old[0]));
    assert_eq!(other.page.status, 401, "{}", other.page.text());
}

#[test]
fn other_browsers_are_seen_and_signed_out() {
    let mut site = Site::new();
    site.bed.user("alice");
    let (mut here, mut there) = (site.browser(), site.browser());
    there
        .headers
        .push(("User-Agent".into(), "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0".into()));
    there.sign_in("alice", PASSWORD, None);
    here.sign_in("alice", PASSWORD, None).says("Firefox, Linux").says("this browser").says("127.0.0.1");
    here.go("/account/end-others");
    here.submit("/account/end-others", &[]).says("Signed out there").hides("Firefox, Linux");
    there.go("/account").says("You are signed out");
}

#[test]
fn a_session_survives_a_restart_of_the_page() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None);
    site.restart();
    let mut after = site.browser();
    after.cookies = browser.cookies.clone();
    after.page = browser.page.clone();
    after.submit("/sign-out", &[]).says("You have signed out");
    assert!(site.logins.log().contains("signed in"));
}
