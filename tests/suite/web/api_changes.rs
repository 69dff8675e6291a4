//! Changes to one's own account by the JSON API, each with its proof and without.

use otpd_tests::PASSWORD;
use otpd_tests::SmtpServer;
use otpd_tests::mailed_code;
use serde_json::Value;
use serde_json::json;

use crate::api::Api;
use crate::site::Site;

#[test]
fn a_secure_email_is_added_confirmed_and_removed() {
    let mut site = Site::with("[limits]\ncalls_per_minute = 60000", "");
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut api = Api::new(&site);
    api.sign_in("alice", Some(&token.code(0)));
    let next = token.code(1);
    let address = json!({ "address": "alice@example.org", "code": next });
    assert_eq!(api.refused(503, "POST", "/emails", &address), "no_mail");
    let server = SmtpServer::start("plain");
    site.bed.start_mail(server.port(), "");
    while api.get("/emails")["mail_problem"].is_string() {
        std::thread::yield_now();
    }
    for (status, reason, body) in [
        (422, "bad_address", json!({ "address": "nobody at all", "code": next })),
        (403, "code_needed", json!({ "address": "alice@example.org" })),
        (403, "code_used", json!({ "address": "alice@example.org", "code": token.same_code() })),
        (400, "bad_request", json!({ "adress": "alice@example.org" })),
    ] {
        assert_eq!(api.refused(status, "POST", "/emails", &body), reason, "{body}");
    }
    assert_eq!(api.get("/emails")["emails"], json!([]));
    let added = api.ask(200, "POST", "/emails", &address);
    assert_eq!((&added["email"]["state"], &added["email"]["id"]), (&"pending".into(), &1.into()));
    let wrong = api.refused(403, "POST", "/emails/confirm", &json!({ "code": "AAAA-AAAA" }));
    assert_eq!(wrong, "code_wrong");
    // The notice of the device comes first.
    let code = loop {
        let mail = server.mail();
        if mail["to"].to_string().contains("alice@example.org") {
            break mailed_code(&mail);
        }
    };
    let confirmed = api.ask(200, "POST", "/emails/confirm", &json!({ "code": code }));
    assert_eq!(confirmed["email"]["state"], "confirmed");
    assert_eq!(api.get("/account")["emails"][0]["address"], "alice@example.org");

    assert_eq!(api.refused(403, "DELETE", "/emails/1", &Value::Null), "code_needed");
    let used = api.refused(403, "DELETE", "/emails/1", &json!({ "code": next }));
    assert_eq!(used, "code_used");
    // Which follows from a recovery, the code of the next step not being there yet.
    let codes = site.bed.daemon().account("org.otpd.Account.NewCodes", &json!({ "user": "alice" })).unwrap();
    let mut other = Api::new(&site);
    other.sign_in("alice", codes["codes"][0].as_str());
    assert_eq!(other.refused(404, "DELETE", "/emails/7", &Value::Null), "no_such_email");
    assert_eq!(other.ask(200, "DELETE", "/emails/1", &Value::Null)["remaining"], 0);
    assert_eq!(other.get("/emails")["emails"][0]["state"], "removed");
}

#[test]
fn devices_are_renamed_and_removed_with_a_code() {
    let mut site = Site::new();
    site.bed.user("alice");
    let (first, second) = (site.bed.bind("alice", "phone"), site.bed.bind("alice", "tablet"));
    let mut api = Api::new(&site);
    api.sign_in("alice", Some(&first.code(0)));
    assert_eq!(api.refused(403, "DELETE", "/devices/tablet", &Value::Null), "code_needed");
    let none = api.refused(404, "DELETE", "/devices/7", &json!({ "code": first.code(1) }));
    assert_eq!(none, "no_such_device");
    let taken = json!({ "name": "tablet", "code": second.code(0) });
    assert_eq!(api.refused(409, "PATCH", "/devices/phone", &taken), "name_taken");
    let renamed = json!({ "name": "old phone", "code": second.code(1) });
    assert_eq!(api.ask(200, "PATCH", "/devices/1", &renamed)["device"]["name"], "old phone");
    let codes = site.bed.daemon().account("org.otpd.Account.NewCodes", &json!({ "user": "alice" })).unwrap();
    let mut other = Api::new(&site);
    other.sign_in("alice", codes["codes"][0].as_str());
    let removed = other.ask(200, "DELETE", "/devices/old%20phone", &Value::Null);
    assert_eq!((&removed["device"]["state"], &removed["remaining"]), (&"retired".into(), &1.into()));
    let left = other.get("/devices");
    assert_eq!(
        (&left["devices"][0]["name"], left["devices"].as_array().unwrap().len()),
        (&"tablet".into(), 1)
    );
    let removed = other.ask(200, "DELETE", "/devices/2", &Value::Null);
    assert_eq!(removed["remaining"], 0);
    assert_eq!(other.get("/account")["protected"], false);
}

#[test]
fn a_device_is_set_right_by_two_codes_in_a_row() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut api = Api::new(&site);
    api.sign_in("alice", Some(&token.code(0)));
    let resync =
        |first: i64, second: i64| json!({ "first": token.code(first), "second": token.code(second) });
    assert_eq!(api.refused(403, "POST", "/devices/1/resync", &resync(5, 7)), "code_wrong");
    let half = json!({ "first": token.code(5) });
    assert_eq!(api.refused(400, "POST", "/devices/1/resync", &half), "bad_request");
    assert_eq!(api.refused(404, "POST", "/devices/7/resync", &resync(5, 6)), "no_such_device");
    let done = api.ask(200, "POST", "/devices/1/resync", &resync(5, 6));
    assert!((4..=6).contains(&done["moved"].as_i64().unwrap()), "{done}");
    assert_eq!(api.refused(403, "POST", "/devices/1/resync", &resync(5, 6)), "code_wrong");
}

#[test]
fn wrong_codes_of_somebody_else_are_forgotten_with_a_code() {
    let mut site = Site::new();
    site.bed.user("alice");
    let token = site.bed.bind("alice", "phone");
    let mut api = Api::new(&site);
    api.sign_in("alice", Some(&token.code(0)));
    let mut thief = Api::new(&site);
    for _ in 0..5 {
        thief.ask(200, "POST", "/session", &json!({ "user": "alice", "password": PASSWORD }));
        thief.ask_any("POST", "/session/answer", &json!({ "answer": "000000" }));
        assert_ne!(thief.browser.page.status, 403);
    }
    let failures = |api: &mut Api| {
        let lanes = api.get("/account")["lanes"].as_array().unwrap().clone();
        lanes.iter().map(|lane| lane["failures"].as_i64().unwrap()).sum::<i64>()
    };
    assert!(failures(&mut api) > 0);
    assert_eq!(api.refused(403, "POST", "/unlock", &Value::Null), "code_needed");
    let opened = api.ask(200, "POST", "/unlock", &json!({ "code": token.code(1) }));
    assert!(opened["opened"].is_array(), "{opened}");
    assert_eq!(failures(&mut api), 0);
}

#[test]
fn one_sign_in_is_ended_and_then_all_others() {
    let mut site = Site::new();
    site.bed.user("alice");
    let mut all = [(); 4].map(|()| Api::new(&site));
    all.iter_mut().for_each(|api| api.sign_in("alice", None));
    let [mut mine, mut one, mut two, mut three] = all;
    let ids = |api: &mut Api, current: bool| {
        let all = api.get("/sign-ins")["sign_ins"].as_array().unwrap().clone();
        let ids = all.iter().filter(|it| it["current"] == current).map(|it| it["id"].as_i64().unwrap());
        ids.collect::<Vec<_>>()
    };
    let [own] = ids(&mut one, true)[..] else { panic!("one is current") };
    assert_eq!(ids(&mut mine, false).len(), 3);
    assert_eq!(mine.ask(200, "DELETE", &format!("/sign-ins/{own}"), &Value::Null), json!({ "ended": 1 }));
    assert_eq!(one.refused(401, "GET", "/account", &Value::Null), "signed_out");
    assert_eq!(two.get("/account")["sign_ins"], 3);
    let over = mine.refused(404, "DELETE", &format!("/sign-ins/{own}"), &Value::Null);
    assert_eq!(over, "no_such_sign_in");
    assert_eq!(mine.refused(404, "DELETE", "/sign-ins/mine", &Value::Null), "not_found");
    assert_eq!(mine.ask(200, "DELETE", "/sign-ins", &Value::Null), json!({ "ended": 2 }));
    assert_eq!(mine.ask(200, "DELETE", "/sign-ins", &Value::Null), json!({ "ended": 0 }));
    for gone in [&mut two, &mut three] {
        assert_eq!(gone.refused(401, "GET", "/account", &Value::Null), "signed_out");
    }
    assert_eq!(mine.get("/account")["sign_ins"], 1);
}

#[test]
fn whoever_asks_too_often_is_told_to_wait() {
    let mut site = Site::with("[limits]\ncalls_per_minute = 2", "");
    site.bed.user("alice");
    let mut api = Api::new(&site);
    api.sign_in("alice", None);
    let refused = (0..9).find_map(|_| {
        let said = api.ask_any("GET", "/account", &Value::Null);
        (api.browser.page.status != 200).then_some(said)
    });
    let refused = refused.expect("nine calls are more than two a minute");
    assert_eq!((&refused["status"], &refused["reason"]), (&429.into(), &"too_many_calls".into()));
    assert!(refused["detail"].as_str().unwrap().contains("Wait a minute"), "{refused}");
    let page = api.browser.go("/account");
    assert_eq!(page.status, 429, "the pages say the same");
    page.says("Wait a minute");
}
