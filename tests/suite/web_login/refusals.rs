//! Who is not let in, and what they are told.

use std::fs;

use otpd_tests::PASSWORD;
use serde_json::json;

use crate::page::Page;
use crate::page::asks_for_a_code;
use crate::page::refused;
use crate::page::shadow;

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike_and_never_asked_for_a_code() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.user("locked");
    page.bed.bind("alice", "phone");
    shadow(&page.bed, "locked", ":$6$", ":!$6$");
    let posts = [
        ("alice", "wrong"),
        ("nobody-here", "wrong"),
        ("locked", PASSWORD),
        ("alice", ""),
        ("nobody-here", ""),
    ];
    for (user, password) in posts {
        assert_eq!(page.post(user, password).1, refused("failed"), "{user}");
    }
    let devices = page.bed.daemon().account("org.otpd.Account.Status", &json!({"user": "alice"})).unwrap();
    assert_eq!(devices["lanes"], json!([]), "{devices}");
}

#[test]
fn an_account_without_a_password_is_not_let_in_by_none() {
    let mut page = Page::new();
    page.bed.user("alice");
    let text = fs::read_to_string(page.bed.path("etc/shadow")).unwrap();
    let hash = text.lines().find_map(|line| line.strip_prefix("alice:")?.split(':').next()).unwrap();
    shadow(&page.bed, "alice", hash, "");
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
    assert_eq!((&step["next"], &step["reason"]), (&json!("refuse"), &json!("failed")), "{step}");
    assert!(visit.call("org.otpd.Session.Answer", &json!({"answer": "000000"})).is_err());
}

#[test]
fn an_expired_account_is_told_to_who_has_shown_to_be_its_owner_and_to_nobody_else() {
    let mut page = Page::new();
    page.bed.user("alice");
    shadow(&page.bed, "alice", ":7:::", ":7::1:");
    assert_eq!(page.post("alice", "wrong").1, refused("failed"));
    let step = page.enter("alice").1;
    assert_eq!((&step["next"], &step["reason"]), (&json!("refuse"), &json!("expired")), "{step}");
    assert!(step["texts"][0]["text"].as_str().unwrap().contains("expired"), "{step}");
}

#[test]
fn while_the_box_is_going_down_people_are_told_what_nologin_says() {
    let mut page = Page::new();
    page.bed.user("alice");
    fs::write(page.bed.inside("run/nologin"), "Wartung bis 18 Uhr – 维护中\n").unwrap();
    let step = page.enter("alice").1;
    assert_eq!(step["texts"][0], json!({"style": "error", "text": "Wartung bis 18 Uhr – 维护中"}), "{step}");
    assert_eq!((&step["next"], &step["reason"]), (&json!("refuse"), &json!("failed")), "{step}");
}

#[test]
fn names_and_passwords_that_pam_cannot_take_are_wrong_ones() {
    let mut page = Page::new();
    page.bed.user("alice");
    let long = "x".repeat(60_000);
    for (user, password) in [(&*long, "x"), ("alice", &*long), ("", "x"), ("al\0ice", "x"), ("alice", "x\0")]
    {
        assert_eq!(page.post(user, password).1, refused("failed"));
    }
    let nul = format!("{PASSWORD}\0");
    assert_eq!(page.post("alice", &nul).1, refused("failed"));
}

#[test]
fn without_otpd_nobody_is_let_in_and_it_is_not_called_wrong() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.take_daemon().stop();
    let step = page.enter("alice").1;
    assert_eq!((&step["next"], &step["reason"]), (&json!("refuse"), &json!("unavailable")), "{step}");
}

#[test]
fn too_many_wrong_codes_are_told_and_the_prompt_says_until_when() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.bind("alice", "phone");
    let reason = |_| page.enter("alice").0.answer("000000")["reason"].as_str().unwrap().to_owned();
    let reasons: Vec<String> = (0..5).map(reason).collect();
    assert_eq!(reasons.first().unwrap(), "failed");
    assert_eq!(reasons.last().unwrap(), "many_tries");
    let (_, step) = page.enter("alice");
    assert!(step["prompt"].as_str().unwrap().contains("recovery code"), "{step}");
}
