//! The administration pages, used by an administrator who signed in, and refused to everybody else.

use otpd_tests::PASSWORD;
use otpd_tests::Token;
use serde_json::json;

use crate::browser::Browser;
use crate::site::Site;

const PAGES: [&str; 12] = [
    "/admin",
    "/admin/account?user=alice",
    "/admin/do/unlock?user=alice",
    "/admin/do/reset?user=alice",
    "/admin/do/enrol-code?user=alice",
    "/admin/enrol-code",
    "/admin/policy?group=users&days=0",
    "/admin/policy/require?group=users&days=0",
    "/admin/policy/release?group=users",
    "/admin/audit",
    "/admin/audit.csv",
    "/admin/health",
];

/// carol administers, alice and bob do not; alice is in the group users.
pub(crate) fn site(settings: &str) -> (Site, Token) {
    let mut site = Site::with(settings, "");
    for user in ["alice", "bob", "carol"] {
        site.bed.user(user);
    }
    site.bed.join("otpadmin", "carol");
    site.bed.join("users", "alice");
    let token = site.bed.bind("carol", "carols phone");
    (site, token)
}

/// Signed in with a recovery code: no code of a device was given yet.
fn signed_in_without_a_device(site: &Site) -> Browser {
    let made = site.bed.daemon().account("org.otpd.Account.NewCodes", &json!({"user": "carol"})).unwrap();
    let mut browser = site.browser();
    browser.sign_in("carol", PASSWORD, made["codes"][0].as_str());
    assert_eq!(browser.page.path, "/account", "{}", browser.page.text());
    browser
}

#[test]
fn nobody_else_gets_by_any_address_of_the_administration() {
    let (site, _) = site("");
    let mut alice = site.browser();
    alice.sign_in("alice", PASSWORD, None);
    assert!(!alice.page.body.contains("/admin"), "she is not led there");
    let token = alice.token();
    for path in PAGES {
        alice.go(path);
        assert_eq!((alice.page.status, alice.page.path.as_str()), (403, path));
        alice.page.says("for administrators").hides("carol");
    }
    for path in [
        "/admin/do/reset",
        "/admin/do/unlock",
        "/admin/enrol-code",
        "/admin/policy/require",
        "/admin/policy/release",
        "/admin/audit",
        "/admin/mail-test",
    ] {
        let posted = alice.post(path, &[("form", &token), ("user", "bob"), ("address", "a@example.org")]);
        assert_eq!(posted.status, 403, "{path}");
    }
    let mut nobody = site.browser();
    for path in PAGES {
        assert_eq!(nobody.go(path).path, "/sign-in", "{path}");
    }
}

#[test]
fn an_administrator_finds_unlocks_resets_and_lets_in() {
    let (site, token) = site("[policy]\nrequire_groups = [\"users\"]\n");
    site.bed.bind("alice", "phone");
    let mut carol = site.browser();
    carol.sign_in("carol", PASSWORD, Some(&token.code(0)));
    assert!(carol.page.body.contains("href=\"/admin\""), "she is led there");
    carol.go("/admin").says("alice").says("carol").says("Weakest way in").hides("bob");
    carol.go("/admin?search=al").says("alice").says("Recovery code").hides("carols");
    carol.go("/admin?search=bo").says("No account is like that").says("Look bo up");
    carol.go("/admin?only=unprotected").says("No account is like that");

    carol.go("/admin/account?user=alice").says("Login protection is on").says("phone").says("required");
    carol.go("/admin/do/unlock?user=alice").says("All wrong codes of alice");
    assert!(!carol.page.asks("/admin/do/unlock", "password"), "it was given a moment ago");
    carol
        .submit("/admin/do/unlock", &[("code", &token.code(1))])
        .says("Wrong codes of this account are forgotten");

    carol.go("/admin/do/enrol-code?user=alice");
    assert!(!carol.page.asks("/admin/do/enrol-code", "code"), "it was given a moment ago");
    carol.submit("/admin/do/enrol-code", &[]).says("This user has a device");
    assert_eq!(carol.page.status, 422);

    carol.go("/admin/do/reset?user=alice").says("secure emails of alice are removed");
    carol.submit("/admin/do/reset", &[]).says("The account is reset").says("Login protection is off");
    let reset = site.bed.last_event("alice");
    assert_eq!(
        (&reset["event"], &reset["actor"], &reset["service"]),
        (&json!("reset"), &json!("carol"), &json!("otpd-web"))
    );
    carol.go("/admin?only=unprotected").says("alice").says("Password alone");
    carol.go("/admin/policy").says("users").says("1 looked at").says("alice").says("Locked out");

    carol.go("/admin/do/enrol-code?user=alice").says("Make sure that it is really them");
    carol.submit("/admin/do/enrol-code", &[]).says("Read this code out to alice");
    let code = carol.page.between("<p class=\"big\"><code>", "<");
    carol.go("/admin/enrol-code").says(&code);
    carol.submit("/admin/enrol-code", &[]).says("alice");
    carol.go("/admin/enrol-code");
    assert_eq!(carol.page.path, "/admin", "it is not shown again");
    carol.go("/admin/policy").says("An enrol code waits");
    let mut alice = site.browser();
    alice.sign_in("alice", PASSWORD, Some(&code)).says("Login protection is off");

    carol.go("/admin/account?user=alice").says("in one place");
    carol.go("/admin/do/end-sign-ins?user=alice");
    carol.submit("/admin/do/end-sign-ins", &[]).says("nowhere");
    alice.go("/account");
    assert_eq!(alice.page.path, "/sign-in?why=signed_out");
}

#[test]
fn a_form_without_the_administrators_code_comes_back_with_a_field_for_it() {
    let (site, token) = site("");
    site.bed.bind("alice", "phone");
    let mut carol = signed_in_without_a_device(&site);
    carol.go("/admin/audit").says("Give a code of your own first");
    carol.go("/admin/do/unlock?user=alice");
    assert!(carol.page.asks("/admin/do/unlock", "code"));
    let form = carol.token();
    carol.post("/admin/do/unlock", &[("form", &form), ("user", "alice")]);
    assert_eq!(carol.page.status, 422);
    carol.page.says("A code from one of your devices is needed");
    carol.submit("/admin/do/unlock", &[("code", "000000")]).says("did not match");
    assert!(carol.page.asks("/admin/do/unlock", "code"));
    carol.submit("/admin/do/unlock", &[("code", &token.code(0))]).says("are forgotten");
    carol.go("/admin/audit?event=unlock").says("Unlock").says("alice").hides("Give a code");
}

#[test]
fn nobody_acts_on_themselves_or_on_root() {
    let (site, token) = site("");
    let mut carol = site.browser();
    carol.sign_in("carol", PASSWORD, Some(&token.code(0)));
    for (user, why) in [("carol", "Nobody administers their own account"), ("root", "root's alone")] {
        carol.go(&format!("/admin/account?user={user}")).says(why);
        assert!(!carol.page.body.contains("/admin/do/"), "{user}");
        let form = carol.token();
        let posted = carol.post("/admin/do/reset", &[("form", &form), ("user", user)]);
        assert_eq!(posted.status, 422, "otpd decides");
    }
    assert!(
        site.bed.daemon().account("org.otpd.Account.Devices", &json!({"user": "carol"})).unwrap()["devices"]
            [0]["state"]
            == "active"
    );
}

#[test]
fn the_log_the_policy_and_the_health_are_read() {
    let (site, token) = site("");
    let mut carol = site.browser();
    carol.sign_in("carol", PASSWORD, Some(&token.code(0)));
    carol.go("/admin/audit?user=carol&event=confirm&verdict=accept").says("Give a code of your own");
    carol.submit("/admin/audit", &[("code", &token.code(1))]).says("Device proven");
    carol.go("/admin/audit?user=carol&event=confirm&verdict=accept").says("Device proven").hides("otpd-web");
    carol.go("/admin/audit?since=2099-01-01").says("nothing like that in the log");
    carol.go("/admin/audit?since=tomorrow").says("That is no date");
    let csv = carol.go("/admin/audit.csv?user=carol");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(
        csv.body.starts_with("number,time,user") && csv.body.contains("\"carol\",\"carol\",\"read\""),
        "{}",
        csv.body
    );
    carol.go("/admin/policy").says("everybody's own choice");
    carol
        .go("/admin/policy?group=users&days=0")
        .says("1 locked out")
        .says("alice")
        .says("Require protection of users");
    carol.go("/admin/policy?group=users&days=7").says("1 within the grace");
    carol.go("/admin/policy?group=no-such-group&days=7").says("There is no group");
    carol.go("/admin/health").says("It is").says("Registry").says("Intact.").says("otpd-mail is not there");
    carol.submit("/admin/mail-test", &[("address", "x@example.org")]).says("Waiting1").says("on its way");
}

#[test]
fn a_group_is_required_after_a_look_at_who_is_locked_out_and_released() {
    let (site, token) = site("");
    let mut carol = signed_in_without_a_device(&site);
    let (require, release) = ("/admin/policy/require", "/admin/policy/release");
    carol.go("/admin/policy?group=users&days=7").says("1 within the grace");
    carol
        .go("/admin/policy/require?group=users&days=7")
        .says("need a device from")
        .hides("Locked out at once");
    assert!(carol.page.asks(require, "code"));
    let form = carol.token();
    let unproven = [("form", &*form), ("group", "users"), ("days", "7")];
    assert_eq!(carol.post(require, &unproven).status, 422);
    carol.page.says("A code from one of your devices is needed");
    carol.submit(require, &[("code", &token.code(0))]).says("Protection is required of the group");
    carol.page.says("Required by administrators").says("users").says("carol");
    let event = site.bed.last_event("carol");
    assert_eq!(
        (&event["event"], &event["actor"], &event["service"]),
        (&json!("require_group"), &json!("carol"), &json!("otpd-web"))
    );
    let status = |user: &str| {
        let asked = json!({ "user": user });
        site.bed.daemon().account("org.otpd.Account.Status", &asked).unwrap()["requirement"]["state"].take()
    };
    assert_eq!((status("alice"), status("bob")), (json!("required"), json!("optional")));

    carol.go("/admin/policy/require?group=users&days=0").says("Locked out at once").says("from now on");
    assert!(!carol.page.asks(require, "code"), "it was given a moment ago");
    carol.submit(require, &[("locks_out", "2")]).says("Nothing was done");
    assert_eq!(carol.page.status, 422);
    carol
        .submit(require, &[("locks_out", "1")])
        .says("Protection is required of the group")
        .says("Locked out");

    let gid = carol.page.between("/admin/policy/release?group=", "\"");
    carol.go(&format!("{release}?group={gid}")).says("Release users");
    carol.submit(release, &[]).says("The group is released").says("everybody's own choice");
    assert_eq!(
        (status("alice"), site.bed.last_event("carol")["event"].take()),
        (json!("optional"), json!("release_group"))
    );
    let form = carol.token();
    let again = carol.post(release, &[("form", &form), ("group", &gid)]);
    assert_eq!(again.status, 422);
    carol.page.says("No administrator requires protection of that group");
    carol.go("/admin/policy/require?group=root&days=7");
    carol.submit(require, &[]).says("root's alone");
    let foreign = carol.post(require, &[("form", "AAAA"), ("group", "users"), ("days", "7")]);
    assert_eq!(foreign.status, 403);
    assert_eq!(carol.go("/admin/policy/else?group=users").status, 404);
}
