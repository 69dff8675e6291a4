//! The password: asked again before a change, and changed where it has expired.

use std::fs;

use otpd_tests::BoxClock;
use otpd_tests::PASSWORD;

use crate::site::Site;

const NEW: &str = "neues Paßwort 密码 42";

#[test]
fn a_change_wants_the_password_again_after_ten_minutes() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    site.bed.take_daemon().stop();
    let clock = BoxClock::start(&mut site.bed, 0);
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, Some(&token.code(0))).says("You signed in with phone");
    clock.set(660);
    let code = || token.code(22);
    browser.go("/account/rename-device?id=1");
    assert!(browser.page.asks("/account/rename-device", "password"));
    browser.submit("/account/rename-device", &[("value", "tablet"), ("code", &code())]);
    browser.page.says("Give your password again");
    assert!(browser.page.asks("/account/rename-device", "password"));
    let before = browser.cookies["__Host-otpd"].clone();
    browser
        .submit("/account/rename-device", &[("value", "tablet"), ("password", "wrong"), ("code", &code())]);
    browser.page.says("That is not your password");
    assert_eq!(browser.cookies["__Host-otpd"], before);
    browser
        .submit("/account/rename-device", &[("value", "tablet"), ("password", PASSWORD), ("code", &code())]);
    browser.page.says("new name").says("tablet");
    assert_ne!(browser.cookies["__Host-otpd"], before, "a new ticket takes the place of the old one");
    let mut old = browser.clone();
    old.cookies.insert("__Host-otpd".into(), before);
    old.go("/account").says("You are signed out");
}

#[test]
fn a_change_that_fails_after_the_password_leaves_nobody_signed_out() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, Some(&token.code(0)));
    let before = browser.cookies["__Host-otpd"].clone();
    browser.go("/account/rename-device?id=1");
    let form = browser.token();
    let fields = [("form", &*form), ("id", "999"), ("value", "tablet"), ("password", PASSWORD)];
    let path = "/account?done=not_there";
    assert_eq!(browser.post("/account/rename-device", &fields).header("location"), Some(path));
    assert_ne!(browser.cookies["__Host-otpd"], before);
    assert_eq!(browser.go("/account").path, "/account");
}

#[test]
fn an_expired_password_is_changed_on_the_way_in() {
    let mut site = Site::new();
    site.bed.user("alice");
    let shadow = site.bed.path("etc/shadow");
    let text = fs::read_to_string(&shadow).unwrap();
    let expired = text.lines().map(|line| match line.strip_prefix("alice:") {
        Some(rest) => format!("alice:{}\n", rest.replacen(":20000:", ":0:", 1)),
        None => format!("{line}\n"),
    });
    fs::write(&shadow, expired.collect::<String>()).unwrap();
    // passwd exchanges the file, which cannot be done to one that is mounted.
    site.bed.run("sh", &["-c", "cp -a /etc /run/etc && mount --bind /run/etc /etc"]).ok();
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, None).says("One more thing").says("change your password");
    browser.page.says("Current password");
    assert!(browser.page.body.contains("type=\"password\""), "nobody looks over the shoulder");
    browser.submit("/sign-in/code", &[("answer", PASSWORD)]).says("New password");
    browser.submit("/sign-in/code", &[("answer", NEW)]).says("Retype");
    browser.submit("/sign-in/code", &[("answer", NEW)]).says("Account security");
    assert_eq!(site.browser().sign_in("alice", PASSWORD, None).status, 401);
    site.browser().sign_in("alice", NEW, None).says("Account security");
}

#[test]
fn wrong_codes_lock_and_say_until_when() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD, Some(&token.code(0)));
    browser.go("/account/rename-device?id=1");
    for _ in 0..5 {
        browser.submit("/account/rename-device", &[("value", "tablet"), ("code", "000000")]);
        assert_eq!(browser.page.status, 422);
    }
    browser.page.says("Too many wrong codes: none is looked at until");
    browser.go("/account").says("Codes are not taken everywhere");
    browser.headers.push(("Accept-Language".into(), "zh".into()));
    browser.go("/account").says("部分登录方式暂不接受验证码");
}
