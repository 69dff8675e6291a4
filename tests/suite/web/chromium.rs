//! The page in Chromium; what is done and looked at stands in `tests/tools/chromium.cjs`.

use std::process::Command;

use otpd_tests::PASSWORD;

use crate::site::Site;

#[test]
fn a_person_with_a_browser_turns_protection_on_and_off_and_every_page_can_be_used_by_everybody() {
    let mut site = Site::new();
    site.bed.user("alice");
    let packages =
        std::env::var_os("OTPD_TESTS_NODE").expect("OTPD_TESTS_NODE names the folder that npm installed to");
    let mut browser = Command::new("node");
    browser
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/chromium.cjs"))
        .arg(format!("http://127.0.0.1:{}", site.port))
        .args(["alice", PASSWORD])
        .args(std::env::var_os("OTPD_TESTS_PICTURES"))
        .env("NODE_PATH", packages);
    let done = browser.output().expect("node starts");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}\n{}", String::from_utf8_lossy(&done.stderr), site.web.log());
}
