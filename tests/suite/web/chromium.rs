//! The page in Chromium; what is done and looked at stands in `tests/tools/chromium`.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use otpd_tests::PASSWORD;
use otpd_tests::SmtpServer;
use otpd_tests::mailed_code;
use serde_json::Value;
use serde_json::json;

use crate::site::Site;

#[test]
fn a_person_with_a_browser_turns_protection_on_and_off_and_every_page_can_be_used_by_everybody() {
    account(true);
}

#[test]
fn protection_is_turned_on_and_off_in_a_browser_that_runs_no_script() {
    account(false);
}

fn account(script: bool) {
    let mut site = Site::new();
    site.bed.user("alice");
    flow(&site, "account", &json!({"user": "alice", "script": script}), None);
}

#[test]
fn a_lost_phone_a_secure_email_and_wrong_codes_are_lived_through_with_a_browser() {
    ways_back(true);
}

#[test]
fn a_lost_phone_a_secure_email_and_wrong_codes_are_lived_through_without_script() {
    ways_back(false);
}

fn ways_back(script: bool) {
    let (site, server, mut browser) = Site::with_mail();
    browser.submit("/sign-out", &[]);
    flow(&site, "ways_back", &json!({"user": "alice", "script": script}), Some(&server));
}

#[test]
fn an_administrator_with_a_browser_sees_everybody_and_helps() {
    administration(true);
}

#[test]
fn an_administrator_needs_no_script() {
    administration(false);
}

fn administration(script: bool) {
    let mut site = Site::with("[policy]\nrequire_groups = [\"users\"]\n", "");
    for user in ["alice", "bob", "carol", "dave"] {
        site.bed.user(user);
    }
    site.bed.join("otpadmin", "carol");
    for user in ["alice", "bob", "dave"] {
        site.bed.join("users", user);
    }
    site.bed.etc("group", "staff:x:50:alice,bob,erin,somebody.with-a-very-long-name.42");
    for number in 10..112 {
        let user = format!("member{number}");
        site.bed.user(&user);
        site.bed.bind(&user, "phone");
    }
    for user in ["erin", "somebody.with-a-very-long-name.42"] {
        site.bed.user(user);
    }
    site.bed.bind("alice", "A phone with a very long name 12");
    site.bed.bind("alice", "tablet");
    site.bed.bind("bob", "phone");
    for _ in 0..4 {
        site.browser().sign_in("bob", PASSWORD, Some("000000"));
    }
    let token = site.bed.bind("carol", "carols phone");
    let made = site.bed.daemon().account("org.otpd.Account.NewCodes", &json!({"user": "carol"})).unwrap();
    let given =
        json!({"user": "carol", "script": script, "key": token.key(), "recoveryCode": made["codes"][0]});
    flow(&site, "admin", &given, None);
}

/// Runs one of the flows. `mail: TEXT` on its output asks for the code out of the next mail with that text.
#[track_caller]
fn flow(site: &Site, name: &str, given: &Value, server: Option<&SmtpServer>) {
    let packages =
        std::env::var_os("OTPD_TESTS_NODE").expect("OTPD_TESTS_NODE names the folder that npm installed to");
    let mut given = given.clone();
    given["origin"] = format!("http://127.0.0.1:{}", site.port).into();
    given["password"] = PASSWORD.into();
    given["pictures"] =
        std::env::var_os("OTPD_TESTS_PICTURES").map(|path| path.into_string().unwrap()).into();
    let mut browser = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tools/chromium/{name}.cjs")))
        .arg(given.to_string())
        .env("NODE_PATH", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut answers = browser.stdin.take().unwrap();
    let mut faults = Vec::new();
    for line in BufReader::new(browser.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let Some(text) = line.strip_prefix("mail: ") else {
            faults.push(line);
            continue;
        };
        let server = server.expect("a flow with a mail server");
        let mail = std::iter::repeat_with(|| server.mail())
            .find(|mail| mail["content"].as_str().unwrap().contains(text))
            .unwrap();
        writeln!(answers, "{}", mailed_code(&mail)).unwrap();
    }
    let ended = browser.wait().unwrap();
    assert!(ended.success() && faults.is_empty(), "{}\n{}", faults.join("\n"), site.web.log());
}
