//! Administration by the JSON API: what an administrator does with it, and that nobody else does.

use otpd_tests::BoxClock;
use otpd_tests::PASSWORD;
use otpd_tests::SmtpServer;
use serde_json::Value;
use serde_json::json;

use crate::admin::site;
use crate::api::Api;

/// Every method and path of the administration that the document names, for alice.
fn routes(api: &mut Api) -> Vec<(String, String)> {
    let document = api.get("/openapi.json");
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/admin"));
    let routes: Vec<_> = paths
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.replace("{id}", "alice")))
        })
        .collect();
    assert!(routes.len() >= 15, "{routes:?}");
    routes
}

/// What is done to the account of a user, by method and path.
fn acts(user: &str) -> Vec<(&'static str, String)> {
    let below = |way| format!("/admin/accounts/{user}/{way}");
    let posted = ["unlock", "enrol-code", "reset", "off"].map(|way| ("POST", below(way)));
    posted.into_iter().chain([("DELETE", below("sign-ins"))]).collect()
}

fn names(found: &Value) -> Vec<&str> {
    found["accounts"].as_array().unwrap().iter().map(|it| it["user"].as_str().unwrap()).collect()
}

#[test]
fn nobody_else_gets_by_any_route_of_the_administration() {
    let (site, token) = site("");
    site.bed.bind("bob", "phone");
    let mut alice = Api::new(&site);
    let mut nobody = Api::new(&site);
    alice.sign_in("alice", None);
    let mut carol = Api::new(&site);
    carol.sign_in("carol", Some(&token.code(0)));
    for (method, path) in routes(&mut nobody) {
        for path in [path.clone(), path.replace("alice", "bob"), path.replace("alice", "no-such-user")] {
            let body = if method == "GET" { Value::Null } else { json!({ "code": "123456" }) };
            assert_eq!(nobody.refused(401, &method, &path, &body), "signed_out", "{method} {path}");
            let refused = alice.ask(403, &method, &path, &body);
            assert_eq!(refused["reason"], "not_permitted", "{method} {path}");
            assert!(
                !refused.to_string().contains("carol") && !refused.to_string().contains("bob"),
                "{refused}"
            );
        }
        if method != "GET" {
            for (name, value) in [("X-OTPD-Token", "AAAA"), ("Origin", "https://evil.example")] {
                carol.browser.headers = vec![(name.into(), value.into())];
                assert_eq!(carol.refused(403, &method, &path, &Value::Null), "foreign", "{method} {path}");
            }
            carol.browser.headers.clear();
        }
    }
    assert_eq!(carol.get("/admin/accounts/bob")["protected"], true, "nothing was done");
}

#[test]
fn an_administrator_finds_unlocks_resets_and_lets_in() {
    let (site, token) = site("[policy]\nrequire_groups = [\"users\"]\n");
    let alices = site.bed.bind("alice", "phone");
    let mut carol = Api::new(&site);
    carol.sign_in("carol", Some(&token.code(0)));
    let all = carol.get("/admin/accounts");
    assert_eq!((names(&all), &all["more"]), (vec!["alice", "carol"], &false.into()));
    assert_eq!(all["accounts"][0]["weakest"], "recovery_code");
    for (query, found) in [
        ("prefix=al", vec!["alice"]),
        ("prefix=bo", vec![]),
        ("only=unprotected", vec![]),
        ("only=protected&after=alice", vec!["carol"]),
        ("before=carol", vec!["alice"]),
    ] {
        assert_eq!(names(&carol.get(&format!("/admin/accounts?{query}"))), found, "{query}");
    }
    assert_eq!(carol.refused(422, "GET", "/admin/accounts?only=broken", &Value::Null), "bad_parameters");
    assert_eq!(carol.refused(400, "GET", "/admin/accounts?all=1", &Value::Null), "bad_request");
    assert_eq!(carol.refused(404, "GET", "/admin/accounts/nobody-here", &Value::Null), "no_such_user");
    let status = carol.get("/admin/accounts/alice");
    assert_eq!((&status["user"], &status["requirement"]["state"]), (&"alice".into(), &"required".into()));
    let devices = carol.get("/admin/accounts/alice/devices");
    assert_eq!((&devices["devices"][0]["name"], &devices["more"]), (&"phone".into(), &false.into()));

    let mut thief = Api::new(&site);
    thief.ask(200, "POST", "/session", &json!({ "user": "alice", "password": PASSWORD }));
    thief.ask_any("POST", "/session/answer", &json!({ "answer": "000000" }));
    let unlock = "/admin/accounts/alice/unlock";
    assert_eq!(carol.refused(403, "POST", unlock, &Value::Null), "code_needed");
    assert_eq!(carol.refused(403, "POST", unlock, &json!({ "code": "000000" })), "code_wrong");
    assert_eq!(carol.refused(403, "POST", unlock, &json!({ "code": token.same_code() })), "code_used");
    let twice = json!({ "user": "bob", "code": token.code(1) });
    assert_eq!(carol.refused(400, "POST", unlock, &twice), "bad_request");
    carol.ask(200, "POST", unlock, &json!({ "code": token.code(1) }));
    let lanes = carol.get("/admin/accounts/alice")["lanes"].clone();
    assert!(lanes.as_array().unwrap().iter().all(|lane| lane["failures"] == 0), "{lanes}");

    let enrol = "/admin/accounts/alice/enrol-code";
    assert_eq!(carol.refused(409, "POST", enrol, &Value::Null), "has_device");
    assert_eq!(carol.ask(200, "POST", "/admin/accounts/alice/reset", &Value::Null), json!({ "retired": 1 }));
    let reset = site.bed.last_event("alice");
    assert_eq!(
        (&reset["event"], &reset["actor"], &reset["service"]),
        (&json!("reset"), &json!("carol"), &json!("otpd-web"))
    );
    assert_eq!(carol.get("/admin/accounts?only=unprotected")["accounts"][0]["weakest"], "none");
    let policy = carol.get("/admin/policy");
    assert_eq!(policy["require_groups"], json!(["users"]));
    assert_eq!(policy["concerned"][0]["user"], "alice");
    assert_eq!(carol.refused(404, "GET", "/admin/policy?group=no-such-group", &Value::Null), "no_such_group");
    let would = carol.get("/admin/policy?grace_days=7");
    assert_eq!(would["concerned"][0]["standing"], "grace", "{would}");
    let would = carol.get("/admin/policy?group=users&grace_days=7");
    assert_eq!(would["concerned"][0]["standing"], "locked_out", "the configuration demands it now: {would}");

    let code = carol.ask(200, "POST", enrol, &Value::Null)["enrol_code"].as_str().unwrap().to_owned();
    assert_eq!(carol.get("/admin/policy")["concerned"][0]["enrol_code"], true);
    let mut alice = Api::new(&site);
    let asked = alice.ask(200, "POST", "/session", &json!({ "user": "alice", "password": PASSWORD }));
    assert_eq!(asked["next"], "ask", "{asked}");
    let refused = alice.ask_any("POST", "/session/answer", &json!({ "answer": alices.code(1) }));
    assert_ne!(refused["next"], "done", "the device is gone");
    alice.ask(200, "POST", "/session", &json!({ "user": "alice", "password": PASSWORD }));
    let done = alice.ask(200, "POST", "/session/answer", &json!({ "answer": code }));
    assert_eq!(done["next"], "done", "{done}");
    let sign_ins = "/admin/accounts/alice/sign-ins";
    assert_eq!(carol.get(sign_ins)["sign_ins"].as_array().unwrap().len(), 1);
    assert_eq!(carol.ask(200, "DELETE", sign_ins, &Value::Null), json!({ "ended": 1 }));
    assert_eq!(alice.refused(401, "GET", "/account", &Value::Null), "signed_out");
}

#[test]
fn a_code_of_ones_own_is_good_for_ten_minutes() {
    let (mut site, token) = site("");
    site.bed.bind("bob", "phone");
    site.bed.take_daemon().stop();
    let clock = BoxClock::start(&mut site.bed, 0);
    let mut carol = Api::new(&site);
    carol.sign_in("carol", Some(&token.code(0)));
    let log = "/admin/audit?user=bob&event=confirm&verdict=accept";
    assert_eq!(carol.refused(403, "GET", log, &Value::Null), "code_needed");
    let in_the_address = format!("{log}&code={}", token.code(1));
    assert_eq!(carol.refused(400, "GET", &in_the_address, &Value::Null), "bad_request");
    assert_eq!(carol.refused(400, "POST", "/admin/code", &Value::Null), "bad_request");
    assert_eq!(carol.refused(422, "POST", "/admin/code", &json!({ "code": "x" })), "code_malformed");
    let proven = carol.ask(200, "POST", "/admin/code", &json!({ "code": token.code(1) }));
    assert!(proven["code_until"].is_i64(), "{proven}");
    let found = carol.get(log);
    assert_eq!((found["events"].as_array().unwrap().len(), &found["events"][0]["user"]), (1, &"bob".into()));

    let newest = carol.get("/admin/audit?tail=1");
    let (id, older) = (newest["events"][0]["id"].as_i64().unwrap(), newest["older"].as_i64().unwrap());
    let next = carol.get(&format!("/admin/audit?tail=1&before={older}"));
    assert_eq!(next["events"][0]["id"], id - 1);
    let onward = carol.get(&format!("/admin/audit?after={}", id - 1));
    assert_eq!((&onward["events"][0]["id"], &onward["more"]), (&id.into(), &false.into()));

    clock.set(660);
    assert_eq!(carol.refused(403, "GET", log, &Value::Null), "code_needed");
    for (method, path) in acts("bob") {
        // The password comes first where it is wanted.
        let reason = carol.refused(403, method, &path, &Value::Null);
        assert_eq!(reason, if method == "DELETE" { "code_needed" } else { "password_needed" }, "{path}");
    }
    let required = "/admin/requirements/users";
    let grace = json!({ "grace_days": 7 });
    assert_eq!(carol.refused(403, "POST", required, &grace), "password_needed");
    assert_eq!(carol.refused(403, "DELETE", required, &Value::Null), "password_needed");
    carol.ask(200, "POST", "/session/password", &json!({ "password": PASSWORD }));
    assert_eq!(carol.refused(403, "POST", required, &grace), "code_needed");
    assert_eq!(carol.refused(403, "DELETE", required, &Value::Null), "code_needed");
    let off = "/admin/accounts/bob/off";
    assert_eq!(carol.refused(403, "POST", off, &Value::Null), "code_needed");
    assert_eq!(carol.ask(200, "POST", off, &json!({ "code": token.code(22) })), json!({ "retired": 1 }));
    assert_eq!(carol.get("/admin/accounts/bob")["protected"], false);
}

#[test]
fn nobody_acts_on_themselves_or_on_root() {
    let (site, token) = site("");
    let mut carol = Api::new(&site);
    carol.sign_in("carol", Some(&token.code(0)));
    for (user, reason) in [("carol", "not_on_yourself"), ("root", "not_on_root")] {
        assert_eq!(carol.get(&format!("/admin/accounts/{user}"))["user"], user);
        for (method, path) in acts(user) {
            let body = json!({ "code": token.code(1) });
            assert_eq!(carol.refused(403, method, &path, &body), reason, "{method} {path}");
        }
    }
    assert_eq!(carol.get("/account")["protected"], true);
    let proven = carol.ask(200, "POST", "/admin/code", &json!({ "code": token.code(1) }));
    assert!(proven["code_until"].is_i64(), "the code was not looked at, so it is still good");
}

#[test]
fn a_group_is_required_and_released() {
    let (site, token) = site("");
    let mut carol = Api::new(&site);
    carol.sign_in("carol", Some(&token.code(0)));
    let (users, now) = ("/admin/requirements/users", json!({ "grace_days": 0 }));
    assert_eq!(carol.refused(403, "POST", users, &now), "code_needed");
    assert_eq!(carol.refused(403, "DELETE", users, &Value::Null), "code_needed");
    carol.ask(200, "POST", "/admin/code", &json!({ "code": token.code(1) }));
    assert_eq!(carol.refused(409, "POST", users, &now), "locks_out");
    assert_eq!(carol.refused(400, "POST", users, &Value::Null), "bad_request");
    assert_eq!(carol.refused(422, "POST", users, &json!({ "grace_days": 3651 })), "bad_parameters");
    assert_eq!(carol.refused(404, "POST", "/admin/requirements/no-such-group", &now), "no_such_group");
    assert_eq!(carol.get("/admin/policy?group=users&grace_days=0")["locks_out"], 1);
    let done = carol.ask(200, "POST", users, &json!({ "grace_days": 0, "locks_out": 1 }));
    assert_eq!((&done["group"], &done["locks_out"]), (&"users".into(), &1.into()));
    let policy = carol.get("/admin/policy");
    assert_eq!(
        (&policy["required"][0]["by"], &policy["required"][0]["gid"]),
        (&"carol".into(), &done["gid"])
    );
    assert_eq!(policy["concerned"][0]["standing"], "locked_out", "{policy}");
    assert_eq!(carol.ask(200, "DELETE", users, &Value::Null)["configured"], false);
    assert_eq!(carol.refused(409, "DELETE", users, &Value::Null), "group_not_required");
    assert_eq!(carol.get("/admin/policy")["required"], json!([]));
}

#[test]
fn mail_clock_and_health_are_looked_at() {
    let (mut site, token) = site("[limits]\ncalls_per_minute = 60000");
    let mut carol = Api::new(&site);
    carol.sign_in("carol", Some(&token.code(0)));
    assert_eq!(carol.get("/admin/mail")["transport"], Value::Null);
    let server = SmtpServer::start("plain");
    site.bed.start_mail(server.port(), "");
    while carol.get("/admin/mail")["transport"].is_null() {
        std::thread::yield_now();
    }
    let checks = carol.get("/admin/health")["checks"].as_array().unwrap().clone();
    let looked_at: Vec<&str> = checks.iter().map(|it| it["check"].as_str().unwrap()).collect();
    for check in ["registry", "disk", "configuration", "mail", "backup", "clock"] {
        assert!(looked_at.contains(&check), "{check}: {looked_at:?}");
    }
    assert_eq!(carol.refused(400, "GET", "/admin/health?deep=true", &Value::Null), "bad_request");
    let test = |code: Option<String>| json!({ "address": "admin@example.org", "code": code });
    assert_eq!(carol.refused(403, "POST", "/admin/mail/test", &test(None)), "code_needed");
    let sent = carol.ask(200, "POST", "/admin/mail/test", &test(Some(token.code(1))));
    let of_it = format!("/admin/mail?id={}", sent["id"].as_str().unwrap());
    let tried = loop {
        let tried = carol.get(&of_it)["test"].clone();
        if !tried.is_null() {
            break tried;
        }
        std::thread::yield_now();
    };
    assert_eq!(tried["outcome"], "delivered", "{tried}");
    assert!(server.mail()["to"].to_string().contains("admin@example.org"));
}
