//! Sign-ins on the web, over the real sockets: root plays otpd-login at login.sock, and otpd-web at web.sock. A ticket is
//! good for its holder alone, for as long as it is said, and for nothing after the protection of the account changed.

use std::time::Duration;

use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_tests::BoxClock;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

const ADDRESS: &str = "192.0.2.7";

/// A system with alice and bob.
fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.user("bob");
    bed
}

fn login_of(user: &str, service: &str) -> Value {
    json!({"user": user, "service": service, "rhost": ADDRESS})
}

fn answer(bed: &Testbed, user: &str, service: &str, code: &str) -> Value {
    let call = json!({"login": login_of(user, service), "answer": code});
    bed.daemon().login("org.otpd.Login.Answer", &call).unwrap()["step"].take()
}

fn issue(bed: &Testbed, user: &str) -> Result<Value, ClientError> {
    let call = json!({"login": login_of(user, "otpd-web"), "agent": "Mozilla/5.0 (test)"});
    bed.daemon().login("org.otpd.Login.IssueTicket", &call)
}

fn renew(bed: &Testbed, user: &str, ticket: &str) -> Result<Value, ClientError> {
    let call = json!({"login": login_of(user, "otpd-web-password"), "ticket": ticket});
    bed.daemon().login("org.otpd.Login.RenewTicket", &call)
}

/// The ticket of somebody who needs no code.
fn sign_in(bed: &Testbed, user: &str) -> String {
    issue(bed, user).unwrap()["ticket"].as_str().unwrap().to_owned()
}

/// The ticket of somebody who gave a code.
fn sign_in_with(bed: &Testbed, user: &str, code: &str) -> String {
    let step = answer(bed, user, "otpd-web", code);
    assert_eq!(step["next"], "accept", "{step}");
    sign_in(bed, user)
}

fn web(bed: &Testbed, method: &str, parameters: &Value) -> Result<Value, ClientError> {
    let client = Client::connect(&bed.runtime().join("web.sock"), Duration::from_secs(30))?;
    { client }.call(&format!("org.otpd.Web.{method}"), parameters)
}

fn who(bed: &Testbed, ticket: &str) -> Result<Value, ClientError> {
    web(bed, "Who", &json!({"ticket": ticket, "address": ADDRESS}))
}

/// Calls a method as the holder of a ticket.
fn run_as(bed: &Testbed, ticket: &str, method: &str, parameters: Value) -> Result<Value, ClientError> {
    let method = format!("org.otpd.{method}");
    let call = json!({"ticket": ticket, "address": ADDRESS, "method": method, "parameters": parameters});
    Ok(web(bed, "As", &call)?["parameters"].take())
}

/// The reason of a refusal.
#[track_caller]
fn reason(result: Result<Value, ClientError>) -> String {
    match result {
        Err(ClientError::Refused { parameters, .. }) => {
            let refused: Value = serde_json::from_str(&parameters).unwrap();
            refused["reason"].as_str().unwrap_or_default().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ticket_is_had_for_an_accepted_code_and_once() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    assert_eq!(reason(issue(&bed, "alice")), "code_needed");
    // Of another service, it is none.
    assert_eq!(answer(&bed, "alice", "sshd", &phone.code(0))["next"], "accept");
    assert_eq!(reason(issue(&bed, "alice")), "code_needed");
    let ticket = sign_in_with(&bed, "alice", &phone.code(1));
    assert_eq!(ticket.len(), 43);
    assert_eq!(reason(issue(&bed, "alice")), "code_needed");
    let holder = who(&bed, &ticket).unwrap();
    assert_eq!((&holder["user"], &holder["device"]), (&json!("alice"), &json!("phone")));
    assert_eq!((&holder["protected"], &holder["admin"]), (&json!(true), &json!(false)));
    assert_eq!(reason(who(&bed, &"A".repeat(43))), "signed_out");
}

#[test]
fn protection_is_turned_on_used_and_off_through_the_web() {
    let bed = bed();
    let (mine, other) = (sign_in(&bed, "alice"), sign_in(&bed, "alice"));
    let call = |method: &str, parameters: Value| run_as(&bed, &mine, method, parameters);
    assert_eq!(call("Account.Status", json!({})).unwrap()["sign_ins"], 2);
    let begun = call("Account.Begin", json!({"name": "phone"})).unwrap();
    let phone = Token::new(begun["key"].as_str().unwrap());
    let confirmed = call("Account.Confirm", json!({"device": "phone", "code": phone.code(0)})).unwrap();
    assert_eq!((&confirmed["first"], &confirmed["device"]["created_from"]), (&json!(true), &json!(ADDRESS)));
    assert_eq!(
        reason(who(&bed, &other)),
        "signed_out",
        "whoever was signed in without a code is not any more"
    );
    let listed = call("Account.SignIns", json!({})).unwrap();
    assert_eq!(
        (&listed["sign_ins"][0]["current"], listed["sign_ins"].as_array().unwrap().len()),
        (&json!(true), 1)
    );
    assert_eq!(reason(call("Account.Off", json!({}))), "code_needed");
    assert_eq!(reason(call("Account.Off", json!({"code": "999999"}))), "code_wrong");
    assert_eq!(call("Account.Off", json!({"code": phone.code(1)})).unwrap()["retired"], 1);
    assert_eq!(who(&bed, &mine).unwrap()["protected"], false);
    let off = bed.last_event("alice");
    assert_eq!(
        (&off["event"], &off["address"], &off["service"]),
        (&json!("off"), &json!(ADDRESS), &json!("otpd-web"))
    );
    web(&bed, "SignOut", &json!({"ticket": mine})).unwrap();
    assert_eq!(reason(call("Account.Status", json!({}))), "signed_out");
}

#[test]
fn what_is_roots_is_out_of_reach_and_a_ticket_is_its_holders_alone() {
    let bed = bed();
    let (alices, bobs) = (sign_in(&bed, "alice"), sign_in(&bed, "bob"));
    assert_eq!(reason(issue(&bed, "root")), "not_protected");
    let phone = bed.bind("root", "phone");
    let roots = sign_in_with(&bed, "root", &phone.code(0));
    for method in [
        "Admin.Backup",
        "Admin.Export",
        "Admin.ImportBegin",
        "Admin.RotateKey",
        "Admin.Adopt",
        "Admin.Prune",
        "Admin.Gone",
        "Admin.ClockReset",
        "Admin.VerifyAudit",
        "Web.Who",
        "Login.Start",
        "Mail.Claim",
        "Account.None",
    ] {
        match run_as(&bed, &roots, method, json!({})) {
            Err(ClientError::Refused { error, .. }) => {
                assert!(error.ends_with(".MethodNotFound"), "{method}: {error}")
            }
            other => panic!("{method}: {other:?}"),
        }
    }
    // Neither of the two may look at the other; root may look, and without a code of its own do nothing.
    assert_eq!(reason(run_as(&bed, &alices, "Account.Status", json!({"user": "bob"}))), "not_permitted");
    assert_eq!(run_as(&bed, &roots, "Account.Status", json!({"user": "bob"})).unwrap()["user"], "bob");
    assert_eq!(reason(run_as(&bed, &roots, "Admin.Reset", json!({"user": "bob"}))), "code_needed");
    assert_eq!(reason(run_as(&bed, &roots, "Account.Begin", json!({"user": "bob"}))), "not_permitted");
    assert_eq!(reason(renew(&bed, "bob", &alices)), "signed_out");
    let id = run_as(&bed, &alices, "Account.SignIns", json!({})).unwrap()["sign_ins"][0]["id"].clone();
    assert_eq!(reason(run_as(&bed, &bobs, "Account.EndSignIns", json!({"id": id}))), "no_such_sign_in");
    assert_eq!(who(&bed, &alices).unwrap()["user"], "alice");
    // The ticket alone is nothing: only otpd-web and root bring it.
    let call = |user: &str| {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/call.py");
        let parameters = json!({"ticket": alices}).to_string();
        bed.run_as(user, "python3", &[tool, "/run/otpd/web.sock", "org.otpd.Web.Who", &parameters])
    };
    assert!(call("otpd-web").ok().stdout.contains("alice"));
    for stranger in ["alice", "otpd-mail"] {
        let said = call(stranger);
        assert!(said.code != 0 && said.stderr.contains("PermissionError"), "{said:?}");
    }
}

#[test]
fn a_password_is_fresh_for_ten_minutes_and_a_sign_in_over_after_an_hour_without_use() {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    bed.user("alice");
    let clock = BoxClock::start(&mut bed, 0);
    let ticket = sign_in(&bed, "alice");
    clock.set(601);
    assert_eq!(reason(run_as(&bed, &ticket, "Account.Begin", json!({}))), "password_needed");
    let renewed = renew(&bed, "alice", &ticket).unwrap()["ticket"].as_str().unwrap().to_owned();
    assert_eq!(reason(who(&bed, &ticket)), "signed_out");
    run_as(&bed, &renewed, "Account.Begin", json!({})).unwrap();
    clock.set(601 + 3500);
    who(&bed, &renewed).unwrap();
    clock.set(601 + 7000);
    who(&bed, &renewed).unwrap();
    clock.set(-60);
    assert_eq!(reason(who(&bed, &renewed)), "signed_out", "from the future");
    clock.set(601 + 7000 + 3601);
    assert_eq!(reason(who(&bed, &renewed)), "signed_out");
}

#[test]
fn a_visit_is_good_at_one_host_and_ends_with_its_sign_in() {
    let bed = bed();
    let ticket = sign_in(&bed, "alice");
    let visit = |host: &str, at: &str| {
        let word = web(&bed, "HandOff", &json!({"ticket": ticket, "host": host}))?["word"].take();
        web(&bed, "Visit", &json!({"word": word, "host": at, "address": ADDRESS, "agent": "curl"}))
    };
    let away = visit("Files.example.org", "files.example.org").unwrap()["ticket"].clone();
    let check = |host: &str| web(&bed, "Check", &json!({"ticket": away, "host": host, "address": ADDRESS}));
    assert_eq!(check("files.example.org").unwrap(), json!({"user": "alice", "groups": ["alice"]}));
    assert_eq!(reason(check("other.example.org")), "signed_out");
    assert_eq!(reason(who(&bed, away.as_str().unwrap())), "signed_out");
    assert_eq!(reason(run_as(&bed, away.as_str().unwrap(), "Account.Status", json!({}))), "signed_out");
    assert_eq!(reason(visit("files.example.org", "evil.example.org")), "signed_out");
    assert_eq!(reason(visit("not a host", "nas")), "bad_host");
    let said = bed.run_as("alice", "otpctl", &["sign-ins"]).ok().stdout;
    assert!(said.contains("files.example.org") && said.contains("account page"), "{said}");
    bed.run_as("alice", "otpctl", &["sign-out", "--all"]).ok();
    assert_eq!(reason(check("files.example.org")), "signed_out");
}

#[test]
fn whenever_otpd_is_killed_a_ticket_is_as_good_as_it_was_said_to_be() {
    let mut bed = bed();
    let phone = bed.bind("alice", "phone");
    // After the code, before the ticket: the login goes on, and the code is spent.
    let step = answer(&bed, "alice", "otpd-web", &phone.code(0));
    assert_eq!(step["next"], "accept", "{step}");
    bed.take_daemon().kill();
    bed.start();
    let ticket = sign_in(&bed, "alice");
    bed.take_daemon().kill();
    bed.start();
    assert_eq!(who(&bed, &ticket).unwrap()["user"], "alice");
    assert_eq!(reason(issue(&bed, "alice")), "code_needed");
    // What ended stays so.
    run_as(&bed, &ticket, "Account.Unbind", json!({"device": "phone", "code": phone.code(1)})).unwrap();
    let other = sign_in(&bed, "alice");
    web(&bed, "SignOut", &json!({"ticket": ticket})).unwrap();
    bed.take_daemon().kill();
    bed.start();
    assert_eq!(reason(who(&bed, &ticket)), "signed_out");
    who(&bed, &other).unwrap();
}

#[test]
fn the_registry_has_no_ticket_and_no_word_of_one() {
    let bed = bed();
    let ticket = sign_in(&bed, "alice");
    let found = bed.run("grep", &["-c", "-a", &ticket, "-r", bed.path("state").to_str().unwrap()]);
    assert!(found.stdout.lines().all(|line| line.ends_with(":0")), "{found:?}");
}

#[test]
fn without_its_user_there_is_no_socket_of_the_web_and_otpd_runs_all_the_same() {
    let mut bed = Testbed::without_daemon();
    bed.configure("[web]\nuser = \"no-such-user\"");
    bed.start();
    assert!(!bed.runtime().join("web.sock").exists());
    bed.user("alice");
    bed.bind("alice", "phone");
}
