//! Sign-ins on the web, over the real sockets: root plays otpd-login at login.sock, and otpd-web at web.sock. A ticket is
//! good for its holder alone, for as long as it is said, and for nothing after the protection of the account changed.

use std::time::Duration;

use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_tests::Testbed;
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
