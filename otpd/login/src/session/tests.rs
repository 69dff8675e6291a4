use otpd_proto::session::Style;
use serde_json::Value;

use super::*;
use crate::channel::script::Script;
use crate::channel::script::call;

fn open() -> Value {
    json!({"user": "alice", "password": "päss\"word", "address": "192.0.2.7", "agent": null, "renew": null})
}

/// What comes of this as the first message, and what the peer is told.
fn first(message: Vec<u8>) -> (Result<OpenParameters, Ended>, Vec<Value>) {
    let script = Script::of([message]);
    let opened = Session::new(script.clone()).opened();
    (opened, script.told())
}

fn error_of(message: Vec<u8>) -> String {
    let (opened, told) = first(message);
    assert_eq!(opened.unwrap_err(), Ended::Misused);
    assert_eq!(told.len(), 1, "{told:?}");
    told[0]["error"].as_str().unwrap().rsplit('.').next().unwrap().to_owned()
}

#[test]
fn open_says_who_logs_in() {
    let (opened, told) = first(call(session::OPEN, &open()));
    let opened = opened.unwrap();
    assert_eq!((opened.user.as_str(), opened.password.expose_secret()), ("alice", "päss\"word"));
    assert_eq!(opened.address.as_deref(), Some("192.0.2.7"));
    assert!(opened.renew.is_none() && told.is_empty());
}

#[test]
fn each_question_takes_one_answer() {
    let script = Script::answering(&["", "ключ"], Ended::Late);
    let mut session = Session::new(script.clone());
    let text = Text { style: Style::Info, text: "Grüße".into() };
    assert_eq!(session.ask(vec![text], "Code: ".into(), false).unwrap().expose_secret(), "");
    assert_eq!(session.ask(vec![], "More: ".into(), true).unwrap().expose_secret(), "ключ");
    assert_eq!(session.ask(vec![], "More: ".into(), true).unwrap_err(), Ended::Late);
    let told = script.told();
    let said = json!([{"style": "info", "text": "Grüße"}]);
    assert_eq!(told[0], json!({"step": {"next": "ask", "texts": said, "prompt": "Code: ", "echo": false}}));
    assert_eq!(told[1]["step"]["echo"], true);
}

#[test]
fn what_is_no_call_is_not_answered() {
    let calls: [&[u8]; 6] =
        [b"", b"[]", b"{", b"{\"method\":1}", b"[\"org.otpd.Session.Open\",{}]", b"{\"method\":\"\xff\"}"];
    for message in calls {
        let (opened, told) = first(message.to_vec());
        assert_eq!(opened.unwrap_err(), Ended::Misused);
        assert!(told.is_empty());
    }
}

#[test]
fn calls_that_have_no_place_here_end_it_and_are_told() {
    assert_eq!(error_of(call(session::ANSWER, &json!({"answer": "x"}))), "PermissionDenied");
    assert_eq!(error_of(call("org.otpd.Session.Other", &json!({}))), "MethodNotFound");
    assert_eq!(error_of(call("org.varlink.service.Other", &json!({}))), "MethodNotFound");
    assert_eq!(error_of(call("org.otpd.Login.IssueTicket", &json!({}))), "InterfaceNotFound");
    assert_eq!(error_of(call("Open", &json!({}))), "InterfaceNotFound");
    let mut upgrade = json!({"method": session::OPEN, "parameters": open()});
    upgrade["upgrade"] = true.into();
    assert_eq!(error_of(upgrade.to_string().into_bytes()), "MethodNotImplemented");
    let script = Script::of([call(session::OPEN, &open())]);
    let asked = Session::new(script.clone()).ask(vec![], "Code: ".into(), false);
    assert_eq!(asked.unwrap_err(), Ended::Misused);
    assert_eq!(script.told()[1]["error"], service::PERMISSION_DENIED);
}

#[test]
fn nobody_waits_for_the_reply_of_a_oneway_call_so_it_is_not_served() {
    let mut oneway = json!({"method": session::OPEN, "parameters": open()});
    oneway["oneway"] = true.into();
    let (opened, told) = first(oneway.to_string().into_bytes());
    assert_eq!(opened.unwrap_err(), Ended::Misused);
    assert!(told.is_empty());
}

#[test]
fn wrong_parameters_are_refused_and_never_repeated() {
    for (field, value) in
        [("user", json!(1)), ("password", json!(["hunter2"])), ("hunter2", json!("hunter2"))]
    {
        let mut wrong = open();
        wrong[field] = value;
        let (opened, told) = first(call(session::OPEN, &wrong));
        assert_eq!(opened.unwrap_err(), Ended::Misused);
        assert_eq!(told[0]["error"], service::INVALID_PARAMETER);
        assert!(!told[0].to_string().contains("hunter2"), "{told:?}");
    }
    assert_eq!(error_of(call(session::OPEN, &json!({}))), "InvalidParameter");
    assert_eq!(error_of(call(session::OPEN, &json!(["alice", "x", null, null, null]))), "InvalidParameter");
}

#[test]
fn it_says_what_it_is_as_every_varlink_service_does() {
    let describe = |name| call("org.varlink.service.GetInterfaceDescription", &json!({"interface": name}));
    let info = call("org.varlink.service.GetInfo", &json!({}));
    let script = Script::of([
        info,
        describe(session::INTERFACE),
        describe(service::INTERFACE),
        describe("org.otpd.Admin"),
    ]);
    assert_eq!(Session::new(script.clone()).opened().unwrap_err(), Ended::Misused);
    let told = script.told();
    assert_eq!(told[0]["interfaces"], json!([service::INTERFACE, session::INTERFACE]));
    assert!(told[1]["description"].as_str().unwrap().contains("method Open("));
    assert!(told[2]["description"].as_str().unwrap().contains("method GetInfo("));
    assert_eq!(told[3]["error"], service::INTERFACE_NOT_FOUND);
}
