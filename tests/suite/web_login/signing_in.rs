//! Who is let in, by what, and what they get.

use std::fs;
use std::time::Duration;

use otpd_proto::client::Client;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::python;
use serde_json::Value;
use serde_json::json;

use crate::page::Page;
use crate::page::asks_for_a_code;
use crate::page::refused;
use crate::page::shadow;

/// Whose ticket it is.
fn holder(bed: &Testbed, ticket: &str) -> Option<String> {
    let who = json!({"ticket": ticket, "address": "192.0.2.7"});
    let socket = bed.runtime().join(otpd_proto::WEB_SOCKET);
    let holder: Value =
        Client::connect(&socket, Duration::from_secs(30)).unwrap().call("org.otpd.Web.Who", &who).ok()?;
    Some(holder["user"].as_str().unwrap().to_owned())
}

/// The ticket of somebody who is let in.
#[track_caller]
fn ticket(step: &Value) -> &str {
    assert_eq!(step["next"], "done", "{step}");
    step["ticket"].as_str().unwrap()
}

#[test]
fn the_right_password_and_a_code_give_a_ticket() {
    let mut page = Page::new();
    page.bed.user("alice");
    let phone = page.bed.bind("alice", "phone");
    let (mut visit, step) = page.enter("alice");
    asks_for_a_code(&step);
    let step = visit.answer(&phone.code(0));
    assert_eq!(step["user"], "alice");
    assert_eq!(holder(&page.bed, ticket(&step)).as_deref(), Some("alice"));
    let event = page.bed.last_event("alice");
    assert_eq!((&event["event"], &event["service"]), (&json!("sign_in"), &json!("otpd-web")), "{event}");
}

#[test]
fn another_varlink_client_reads_the_interface_and_logs_in() {
    let mut page = Page::new();
    page.bed.user("alice");
    let phone = page.bed.bind("alice", "phone");
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/introspect_session.py");
    let socket = format!("unix:{}/{}", otpd_proto::RUNTIME_DIR, otpd_proto::SESSION_SOCKET);
    let said = page.bed.run(&python(), &[tool, &socket, "alice", PASSWORD, &phone.code(0)]).ok().json();
    let name = otpd_proto::session::INTERFACE;
    let file = otpd_proto::service::DESCRIPTIONS.iter().find(|(interface, _)| *interface == name).unwrap().1;
    assert_eq!(said["described"], file);
    assert_eq!(holder(&page.bed, ticket(&said["done"])).as_deref(), Some("alice"));
}

#[test]
fn without_protection_the_password_is_enough() {
    let mut page = Page::new();
    page.bed.user("bob");
    let (_, step) = page.enter("bob");
    assert_eq!(holder(&page.bed, ticket(&step)).as_deref(), Some("bob"));
    assert_eq!(step["texts"], json!([]));
}

#[test]
fn a_code_is_asked_for_once_where_common_auth_asks_too() {
    let mut page = Page::new();
    page.bed.user("alice");
    let phone = page.bed.bind("alice", "phone");
    let common = fs::read_to_string(page.bed.path("etc/pam.d/common-auth")).unwrap();
    page.bed.stack("common-auth", &format!("{common}\nauth required @otp"));
    let (mut visit, step) = page.enter("alice");
    asks_for_a_code(&step);
    ticket(&visit.answer(&phone.code(0)));
}

#[test]
fn a_ticket_is_renewed_by_the_password_alone() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.user("bob");
    let phone = page.bed.bind("alice", "phone");
    let (mut visit, _) = page.enter("alice");
    let done = visit.answer(&phone.code(0));
    let renew = |user: &str, password: &str, ticket: &str| {
        let open = json!({"user": user, "password": password, "address": "192.0.2.7", "agent": null, "renew": ticket});
        page.connect().call("org.otpd.Session.Open", &open).unwrap()["step"].take()
    };
    assert_eq!(renew("alice", "wrong", ticket(&done)), refused("failed"));
    let of_another = renew("bob", PASSWORD, ticket(&done));
    assert_eq!(of_another["reason"], "failed", "{of_another}");
    assert_eq!(holder(&page.bed, ticket(&done)).as_deref(), Some("alice"));
    let renewed = renew("alice", PASSWORD, ticket(&done));
    assert_eq!(holder(&page.bed, ticket(&renewed)).as_deref(), Some("alice"));
    assert_eq!(holder(&page.bed, ticket(&done)), None);
}

#[test]
fn an_expired_password_is_changed_on_the_way() {
    let mut page = Page::new();
    page.bed.user("alice");
    let phone = page.bed.bind("alice", "phone");
    shadow(&page.bed, "alice", ":20000:", ":0:");
    // passwd exchanges the file, which cannot be done to one that is mounted.
    page.bed.run("sh", &["-c", "cp -a /etc /run/etc && mount --bind /run/etc /etc"]).ok();
    let (mut visit, step) = page.enter("alice");
    asks_for_a_code(&step);
    let step = visit.answer(&phone.code(0));
    assert_eq!(step["next"], "ask", "{step}");
    assert!(step["texts"][0]["text"].as_str().unwrap().contains("change your password"), "{step}");
    let step = visit.answer(PASSWORD);
    assert!(step["prompt"].as_str().unwrap().contains("New password"), "{step}");
    let step = visit.answer("neues Paßwort 密码 42");
    assert!(step["prompt"].as_str().unwrap().contains("etype"), "{step}");
    ticket(&visit.answer("neues Paßwort 密码 42"));
    assert_eq!(page.enter("alice").1, refused("failed"));
    asks_for_a_code(&page.post("alice", "neues Paßwort 密码 42").1);
}

#[test]
fn texts_are_shown_in_any_language_and_in_order() {
    let mut page = Page::new();
    page.bed.user("alice");
    let phone = page.bed.bind("alice", "phone");
    fs::write(page.bed.path("hello"), "Willkommen, %u – 欢迎\nund \u{1b}[31mGrüße\n").unwrap();
    let echo = format!("auth optional pam_echo.so file={}", page.bed.path("hello").display());
    let after = "account optional pam_echo.so До свидания";
    page.bed.stack(
        "otpd-web",
        &format!("{echo}\nauth requisite pam_unix.so\nauth optional pam_echo.so Zweitens\nauth required @otp\naccount required pam_unix.so\n{after}"),
    );
    let (mut visit, step) = page.enter("alice");
    let hello = json!({"style": "info", "text": "Willkommen, alice – 欢迎\nund [31mGrüße"});
    assert_eq!(step["texts"], json!([hello, {"style": "info", "text": "Zweitens"}]), "{step}");
    let step = visit.answer(&phone.code(0));
    ticket(&step);
    assert_eq!(step["texts"], json!([{"style": "info", "text": "До свидания"}]));
}
