//! The JSON API, as a NAS maker's own interface would use it.

use otpd_tests::BoxClock;
use otpd_tests::PASSWORD;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

use crate::browser::Browser;
use crate::site::Site;

/// Software in somebody's browser.
pub(crate) struct Api {
    /// Where it runs.
    pub(crate) browser: Browser,
    /// What it sends along with changes.
    pub(crate) token: String,
}

impl Api {
    /// That has asked who is signed in.
    #[track_caller]
    pub(crate) fn new(site: &Site) -> Self {
        let mut api = Self { browser: site.browser(), token: String::new() };
        api.token = api.ask(200, "GET", "/session", &Value::Null)["token"].as_str().unwrap().to_owned();
        api
    }

    /// Asks for something, and sees that it ends with this status.
    #[track_caller]
    pub(crate) fn ask(&mut self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let said = self.ask_any(method, path, body);
        assert_eq!(self.browser.page.status, status, "{method} {path}: {said}");
        said
    }

    /// The same whatever it ends with.
    #[track_caller]
    pub(crate) fn ask_any(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let usual = self.browser.headers.clone();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        for (name, value) in [("Content-Type", "application/json"), ("X-OTPD-Token", self.token.as_str())] {
            if !usual.iter().any(|(known, _)| known == name) {
                self.browser.headers.push((name.into(), value.into()));
            }
        }
        self.browser.request(method, &format!("/api/v1{path}"), &body);
        self.browser.headers = usual;
        let page = &self.browser.page;
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("access-control-allow-origin"), None);
        let kind = if page.status == 200 { "application/json" } else { "application/problem+json" };
        assert_eq!(page.header("content-type"), Some(kind));
        let said: Value = serde_json::from_str(&page.body).unwrap();
        if page.status != 200 {
            assert_eq!((&said["type"], &said["status"]), (&"about:blank".into(), &page.status.into()));
        }
        said
    }

    /// Reads something that there is.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.ask(200, "GET", path, &Value::Null)
    }

    /// Asks for something that is refused, and says why.
    #[track_caller]
    pub(crate) fn refused(&mut self, status: u16, method: &str, path: &str, body: &Value) -> String {
        let said = self.ask(status, method, path, body);
        assert!(said["detail"].as_str().is_some_and(|say| say.len() > 10), "{method} {path}: {said}");
        said["reason"].as_str().unwrap().to_owned()
    }

    /// Signs in with a password, and a code if there is one.
    #[track_caller]
    pub(crate) fn sign_in(&mut self, user: &str, code: Option<&str>) {
        let mut step = self.ask(200, "POST", "/session", &json!({ "user": user, "password": PASSWORD }));
        if let Some(code) = code {
            assert_eq!(step["next"], "ask");
            assert!(step["prompt"].as_str().unwrap().contains("One-time code"), "{step}");
            step = self.ask(200, "POST", "/session/answer", &json!({ "answer": code }));
        }
        assert_eq!(step["next"], "done", "{step}");
        self.token = step["token"].as_str().unwrap().to_owned();
    }
}

#[test]
fn protection_is_turned_on_used_and_turned_off() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut api = Api::new(&site);
    api.sign_in("alice", None);
    assert_eq!(api.ask(200, "GET", "/session", &Value::Null)["who"]["user"], "alice");
    assert_eq!(api.ask(200, "GET", "/account", &Value::Null)["protected"], false);
    let begun = api.ask(200, "POST", "/devices", &json!({ "name": "phone" }));
    let token = Token::new(begun["key"].as_str().unwrap());
    let wrong = api.ask(403, "POST", "/devices/1/confirm", &json!({ "code": "000000" }));
    assert_eq!(wrong["reason"], "code_wrong");
    let confirmed = api.ask(200, "POST", "/devices/1/confirm", &json!({ "code": token.code(-1) }));
    assert_eq!(confirmed["first"], true);
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 10);
    api.ask(200, "DELETE", "/session", &Value::Null);
    assert_eq!(api.ask(401, "GET", "/account", &Value::Null)["reason"], "signed_out");

    let mut api = Api::new(&site);
    let ask = api.ask(200, "POST", "/session", &json!({ "user": "alice", "password": PASSWORD }));
    assert_eq!((&ask["next"], &ask["echo"]), (&"ask".into(), &false.into()));
    api.sign_in("alice", Some(&token.code(0)));
    let needed = api.ask(403, "PATCH", "/devices/1", &json!({ "name": "tablet" }));
    assert_eq!(needed["reason"], "code_needed");
    let used = api.ask(403, "PATCH", "/devices/1", &json!({ "name": "tablet", "code": token.same_code() }));
    assert_eq!(used["reason"], "code_used");
    let renamed = api.ask(200, "PATCH", "/devices/1", &json!({ "name": "tablet", "code": token.code(1) }));
    assert_eq!(renamed["device"]["name"], "tablet");
    assert_eq!(api.ask(200, "GET", "/devices?retired=true", &Value::Null)["devices"][0]["name"], "tablet");
    assert_eq!(api.ask(200, "GET", "/sign-ins", &Value::Null)["sign_ins"][0]["current"], true);
    let none = api.ask(409, "POST", "/devices/7/confirm", &json!({ "code": "123456" }));
    assert_eq!(none["reason"], "pending_expired");
}

#[test]
fn a_recovery_code_of_the_new_ones_turns_protection_off() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut api = Api::new(&site);
    api.sign_in("alice", Some(&token.code(0)));
    let made = api.ask(200, "POST", "/recovery-codes", &json!({ "code": token.code(1) }));
    let code = made["codes"][0].as_str().unwrap().to_owned();
    let mut other = Api::new(&site);
    other.sign_in("alice", Some(&code));
    assert_eq!(
        other.ask(200, "GET", "/account", &Value::Null)["recovery_codes"].as_array().unwrap().len(),
        9
    );
    assert_eq!(other.ask(200, "POST", "/off", &Value::Null), json!({ "retired": 1 }));
    assert_eq!(other.ask(200, "GET", "/account", &Value::Null)["protected"], false);
    assert_eq!(api.ask(401, "GET", "/account", &Value::Null)["reason"], "signed_out");
}

#[test]
fn what_no_page_of_this_origin_sends_is_refused() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut api = Api::new(&site);
    let sign_in = json!({ "user": "alice", "password": PASSWORD });
    for (name, value, status, reason) in [
        ("X-OTPD-Token", "", 403, "foreign"),
        ("X-OTPD-Token", "AAAA", 403, "foreign"),
        ("Origin", "https://evil.example", 403, "foreign"),
        ("Sec-Fetch-Site", "cross-site", 403, "foreign"),
        ("Host", "evil.example", 421, "unknown_host"),
        ("Content-Type", "text/plain", 415, "not_json"),
        ("Content-Type", "application/x-www-form-urlencoded", 415, "not_json"),
    ] {
        api.browser.headers = vec![(name.into(), value.into())];
        assert_eq!(api.ask(status, "POST", "/session", &sign_in)["reason"], reason, "{name}: {value}");
    }
    api.browser.headers.clear();
    for body in
        [json!([]), json!({ "user": "alice" }), json!({ "user": "alice", "password": "x", "renew": "x" })]
    {
        assert_eq!(api.ask(400, "POST", "/session", &body)["reason"], "bad_request");
    }
    let long = json!({ "user": "x".repeat(16 * 1024) });
    assert_eq!(api.ask(413, "POST", "/session", &long)["reason"], "too_much");
    assert_eq!(
        api.refused(413, "GET", &format!("/devices?after={}", "1".repeat(9000)), &Value::Null),
        "too_much"
    );
    assert_eq!(api.refused(404, "GET", "/nothing", &Value::Null), "not_found");
    assert_eq!(api.ask(405, "DELETE", "/account", &Value::Null)["reason"], "no_such_method");
    assert!(api.browser.page.header("allow").unwrap().contains("GET"));
    assert_eq!(api.ask(401, "POST", "/off", &Value::Null)["reason"], "signed_out");

    let wrong = json!({ "user": "alice", "password": "wrong" });
    assert_eq!(api.ask(401, "POST", "/session", &wrong)["reason"], "failed");
    api.sign_in("alice", None);
    for body in [json!({ "user": "root" }), json!({ "user": null }), json!({ "all": true })] {
        assert_eq!(api.ask(400, "POST", "/unlock", &body)["reason"], "bad_request", "{body}");
    }
    assert_eq!(api.ask(400, "GET", "/account?user=root", &Value::Null)["reason"], "bad_request");
    assert_eq!(
        api.refused(400, "PATCH", "/devices/1", &json!({ "device": "2", "name": "x" })),
        "bad_request"
    );
    assert_eq!(api.refused(400, "PATCH", "/devices/%FF", &json!({ "name": "x" })), "bad_request");
}

#[test]
fn a_change_wants_the_password_anew_after_ten_minutes() {
    let mut site = Site::new();
    site.bed.user("alice");
    site.bed.take_daemon().stop();
    let clock = BoxClock::start(&mut site.bed, 0);
    let mut api = Api::new(&site);
    api.sign_in("alice", None);
    clock.set(660);
    assert_eq!(api.ask(403, "POST", "/devices", &Value::Null)["reason"], "password_needed");
    let wrong = api.ask(403, "POST", "/session/password", &json!({ "password": "wrong" }));
    assert_eq!(wrong["reason"], "failed");
    let done = api.ask(200, "POST", "/session/password", &json!({ "password": PASSWORD }));
    assert_eq!(done["token"], api.token.as_str());
    assert_eq!(api.ask(200, "POST", "/devices", &Value::Null)["device"], 1);
}

#[test]
fn wrong_codes_lock_and_say_until_when() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut api = Api::new(&site);
    api.sign_in("alice", Some(&token.code(0)));
    let rename = json!({ "name": "tablet", "code": "000000" });
    let locked = loop {
        let said = api.ask_any("PATCH", "/devices/1", &rename);
        if said["reason"] != "code_wrong" {
            break said;
        }
    };
    assert_eq!((&locked["reason"], &locked["status"]), (&"locked".into(), &423.into()), "{locked}");
    assert!(locked["until"].is_i64(), "{locked}");
}

#[test]
fn the_document_is_there_for_everybody() {
    let site = Site::new();
    let mut api = Api::new(&site);
    let document = api.ask(200, "GET", "/openapi.json", &Value::Null);
    assert_eq!(document["openapi"], "3.1.0");
}
