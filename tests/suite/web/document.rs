//! The document of the JSON API, taken at its word by schemathesis: thousands of requests that it allows and forbids, as
//! an administrator and as somebody without a device. Nothing ends in a failure of the server, and every answer has a
//! status, a type and a form that the document names.

use std::fs;
use std::path::Path;
use std::process::Command;

use otpd_tests::PASSWORD;
use otpd_tests::SmtpServer;
use otpd_tests::Token;
use otpd_tests::python;
use serde_json::Value;
use serde_json::json;

use crate::admin::site;
use crate::api::Api;
use crate::site::Site;

/// A box that can do what is asked of it: it sends mail, and takes so many calls. The limits have tests of their own.
fn patient() -> (Site, Token, SmtpServer) {
    let (mut site, token) = site("[limits]\ncalls_per_minute = 60000");
    site.bed.bind("alice", "phone");
    let server = SmtpServer::start("plain");
    site.bed.start_mail(server.port(), "");
    // A wrong password costs its two seconds elsewhere.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pam");
    for stack in ["otpd-web", "otpd-web-password"] {
        let lines = fs::read_to_string(shipped.join(stack)).unwrap();
        let lines = lines.replace("pam_unix.so", "pam_unix.so nodelay").replace("pam_otp.so", "@otp");
        site.bed.stack(stack, &lines);
    }
    (site, token, server)
}

/// An administrator whose code is good for ten minutes.
fn carol(site: &Site, token: &Token) -> Api {
    let mut carol = Api::new(site);
    carol.sign_in("carol", Some(&token.code(0)));
    carol.ask(200, "POST", "/admin/code", &json!({ "code": token.code(1) }));
    while carol.get("/emails")["mail_problem"].is_string() {
        std::thread::yield_now();
    }
    carol
}

/// schemathesis against the page, by the document that is there; the same requests every time.
fn schemathesis(site: &Site, document: &str) -> Command {
    let page = format!("http://127.0.0.1:{}", site.port);
    let mut command = Command::new(Path::new(&python()).with_file_name("schemathesis"));
    command.current_dir(site.bed.path("")).args(["run", document, "--url", &format!("{page}/api/v1")]);
    command.args(["--generation-deterministic", "--max-examples", "5", "--phases", "coverage,fuzzing"]);
    command.args(["--no-color", "--continue-on-failure", "--checks", "all"]);
    // Every request is of somebody who is signed in; what others get has tests of its own.
    command.args(["--generation-with-security-parameters", "false"]);
    // What a code is, and whether it is right, no document says.
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    command.args(["-H", &format!("Origin: {page}")]);
    command
}

/// With the sign-in of a browser.
fn with<'a>(command: &'a mut Command, api: &Api) -> &'a mut Command {
    let cookies: Vec<String> =
        api.browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    command.args(["-H", &format!("Cookie: {}", cookies.join("; "))]);
    command.args(["-H", &format!("X-OTPD-Token: {}", api.token)])
}

/// What it found, and how many requests it made.
fn found(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("schemathesis is installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_nothing_found(command: &mut Command, least: u32) {
    let (is_well, said) = found(command);
    assert!(is_well, "{said}");
    let made = said.split("Test cases:").nth(1).and_then(|rest| rest.split_whitespace().next());
    assert!(made.is_some_and(|made| made.parse::<u32>().unwrap() >= least), "{said}");
}

fn document_of(site: &Site) -> String {
    format!("http://127.0.0.1:{}/api/v1/openapi.json", site.port)
}

#[test]
fn whatever_an_administrator_sends_is_answered_as_the_document_says() {
    let (site, token, _server) = patient();
    let mut carol = carol(&site, &token);
    let mut command = schemathesis(&site, &document_of(&site));
    // What ends its own sign-in is for the other.
    with(&mut command, &carol).args(["--exclude-path-regex", "^/(session|sign-ins)"]);
    assert_nothing_found(&mut command, 500);
    let who = carol.get("/session")["who"].clone();
    assert_eq!((&who["user"], who["code_until"].is_i64()), (&"carol".into(), true), "{who}");
    assert_eq!(carol.get("/admin/accounts/alice")["protected"], false, "it was reset on the way");
}

#[test]
fn whatever_somebody_without_a_device_sends_is_answered_as_the_document_says() {
    let (site, _token, _server) = patient();
    let mut command = schemathesis(&site, &document_of(&site));
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/schemathesis_hooks.py");
    command.env("SCHEMATHESIS_HOOKS", hooks).env("OTPD_WEB", format!("127.0.0.1:{}", site.port));
    command.env("OTPD_USER", "bob").env("OTPD_PASSWORD", PASSWORD);
    // It would be signed in again where nobody is to be.
    command.args(["--exclude-checks", "ignored_auth,positive_data_acceptance"]);
    command.args(["--exclude-path-regex", "^/admin/"]);
    assert_nothing_found(&mut command, 300);
    let events =
        site.bed.daemon().account("org.otpd.Admin.Audit", &json!({ "user": "bob", "event": "bind" }));
    assert!(!events.unwrap()["events"].as_array().unwrap().is_empty(), "devices were begun");
}

#[test]
fn a_status_that_the_document_does_not_name_is_found() {
    let (site, token, _server) = patient();
    let mut carol = carol(&site, &token);
    let mut document: Value = carol.get("/openapi.json");
    let responses = &mut document["paths"]["/admin/accounts/{id}"]["get"]["responses"];
    assert!(responses.as_object_mut().unwrap().remove("404").is_some());
    let path = site.bed.path("openapi.json");
    fs::write(&path, document.to_string()).unwrap();
    let mut command = schemathesis(&site, path.to_str().unwrap());
    with(&mut command, &carol).args(["--include-path", "/admin/accounts/{id}"]);
    let (is_well, said) = found(&mut command);
    assert!(!is_well && said.contains("Undocumented status code: 1"), "{said}");
}
