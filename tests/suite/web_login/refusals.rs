//! Who is not let in, and what they are told.

use crate::page::Page;
use crate::page::asks_for_a_code;
use crate::page::refused;

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike_and_never_asked_for_a_code() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.bind("alice", "phone");
    assert_eq!(page.post("alice", "wrong").1, refused("failed"));
    assert_eq!(page.post("nobody-here", "wrong").1, refused("failed"));
    assert_eq!(page.post("alice", "").1, refused("failed"));
}

#[test]
fn a_wrong_code_is_refused_and_ends_it() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.bind("alice", "phone");
    let (mut visit, step) = page.enter("alice");
    asks_for_a_code(&step);
    let step = visit.answer("000000");
    assert_eq!((step["next"].as_str(), step["reason"].as_str()), (Some("refuse"), Some("failed")), "{step}");
    assert!(visit.call("org.otpd.Session.Answer", &serde_json::json!({"answer": "000000"})).is_err());
    println!("{step} {}", page.log());
}
