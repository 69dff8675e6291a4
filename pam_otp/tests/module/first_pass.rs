//! Clients that ask once: the code in PAM_AUTHTOK, or behind the password that the next module shall get.

use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::libpam::AUTH_ERR;
use crate::libpam::AUTHINFO_UNAVAIL;
use crate::libpam::ECHO_OFF;
use crate::libpam::MAXTRIES;
use crate::libpam::PERM_DENIED;
use crate::libpam::Reply;
use crate::libpam::SUCCESS;
use crate::otpd::Otpd;
use crate::otpd::Turn;
use crate::otpd::accept;
use crate::otpd::accept_of;
use crate::otpd::ask;
use crate::otpd::ask_for;
use crate::otpd::locked;
use crate::otpd::not_required;
use crate::otpd::refuse;
use crate::stage::IGNORED;
use crate::stage::Stage;

const CODE: Reply = Reply::Types(b"123456");
const PASSWORD: Reply = Reply::Types(b"hunter2");
const BOTH: Reply = Reply::Types(b"hunter2123456");

/// What the program after ours was given.
fn overheard(stage: &Stage) -> String {
    fs::read_to_string(stage.overheard()).unwrap().trim_end_matches('\0').to_owned()
}

/// What was sent as an answer, and how it was given.
fn answered(otpd: Otpd) -> Vec<[Option<String>; 2]> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let calls = otpd.finish();
    calls[1..].iter().map(|call| ["answer", "given"].map(|name| text(&call["parameters"][name]))).collect()
}

fn sent(answer: &str, given: &str) -> Vec<[Option<String>; 2]> {
    vec![[Some(answer.to_owned()), Some(given.to_owned())]]
}

#[test]
fn the_code_may_be_what_the_module_before_ours_asked_for() {
    for options in ["use_first_pass", "try_first_pass"] {
        let stage = Stage::after_password(options).overhearing();
        let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
        let mut login = stage.login("alice", [CODE]);
        assert_eq!(login.authenticate(0), SUCCESS);
        assert_eq!(login.heard().len(), 1, "one prompt, and not ours");
        assert_eq!(overheard(&stage), "123456");
        assert_eq!(answered(otpd), sent("123456", "first_pass"));
    }
}

#[test]
fn use_first_pass_never_asks() {
    let stage = Stage::alone("use_first_pass");
    let otpd = Otpd::new(&stage.socket(), [ask()]);
    let mut login = stage.login("alice", []);
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_eq!(login.heard(), []);
    assert_eq!(otpd.methods(), ["Start"]);
    let stage = Stage::after_password("use_first_pass");
    let otpd = Otpd::new(&stage.socket(), [ask()]);
    assert_eq!(stage.login("alice", [PASSWORD]).authenticate(0), AUTH_ERR);
    assert_eq!(otpd.methods(), ["Start"]);
}

#[test]
fn try_first_pass_asks_if_there_is_no_code_yet() {
    let stage = Stage::alone("try_first_pass");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    assert_eq!(stage.login("alice", [CODE]).authenticate(0), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
    let stage = Stage::after_password("try_first_pass").overhearing();
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    assert_eq!(stage.login("alice", [PASSWORD, CODE]).authenticate(0), SUCCESS);
    assert_eq!(overheard(&stage), "hunter2");
    assert_eq!(answered(otpd), [[Some("123456".to_owned()), None]]);
}

#[test]
fn a_refused_first_pass_is_not_asked_for_again() {
    for options in ["use_first_pass", "try_first_pass"] {
        let stage = Stage::after_password(options);
        let otpd = Otpd::new(&stage.socket(), [ask(), refuse()]);
        assert_eq!(stage.login("alice", [CODE]).authenticate(0), AUTH_ERR);
        assert_eq!(otpd.methods(), ["Start", "Answer"]);
    }
}

#[test]
fn one_answer_is_split_and_the_password_handed_on() {
    for (stage, options) in [
        (Stage::alone("forward_pass"), "forward_pass"),
        (Stage::alone("forward_pass try_first_pass"), "try_first_pass"),
        (Stage::after_password("forward_pass use_first_pass"), "use_first_pass"),
        (Stage::after_password("forward_pass try_first_pass"), "try_first_pass"),
    ] {
        let stage = stage.overhearing();
        let otpd = Otpd::new(&stage.socket(), [ask_for(6), accept_of(6)]);
        let mut login = stage.login("alice", [BOTH]);
        assert_eq!(login.authenticate(0), SUCCESS, "{options}");
        assert_eq!(login.heard().len(), 1);
        assert_eq!(overheard(&stage), "hunter2");
        assert_eq!(answered(otpd), sent("123456", "tail"));
    }
}

#[test]
fn an_eight_digit_account_learns_from_the_daemon_where_the_password_ends() {
    for (digits, password) in [(6, "hunter212"), (8, "hunter2")] {
        let stage = Stage::alone("forward_pass").overhearing();
        let otpd = Otpd::new(&stage.socket(), [ask_for(8), accept_of(digits)]);
        let mut login = stage.login("alice", [Reply::Types(b"hunter212345678")]);
        assert_eq!(login.authenticate(0), SUCCESS);
        assert_eq!(overheard(&stage), password);
        assert_eq!(answered(otpd), sent("12345678", "tail"));
    }
}

/// A stranger who knows no password must not learn whether a code was right.
#[test]
fn a_refused_code_shows_nothing_and_no_module_after_ours_gets_the_password() {
    let silence = Turn::Writes(b"{}\0".to_vec());
    for (turn, code) in [(refuse(), AUTH_ERR), (locked(), AUTH_ERR), (silence, AUTHINFO_UNAVAIL)] {
        let stage = Stage::alone("forward_pass").overhearing();
        let otpd = Otpd::new(&stage.socket(), [ask_for(6), turn]);
        let mut login = stage.login("alice", [BOTH]);
        assert_eq!(login.authenticate(0), code);
        assert_eq!(login.heard(), [(ECHO_OFF, "Password and one-time code: ".to_owned())]);
        assert_eq!(overheard(&stage), "\u{8}\n\r\u{7f}INC");
        assert_eq!(otpd.methods(), ["Start", "Answer"]);
    }
}

#[test]
fn an_answer_without_a_password_or_without_a_code_is_not_sent_cve_2014_7828() {
    for typed in [&b""[..], b"123456", b"hunter2", b"hunter12345", b"\x08\n\r\x7fINCORRECT"] {
        let stage = Stage::alone("forward_pass").overhearing();
        let otpd = Otpd::new(&stage.socket(), [ask_for(6)]);
        assert_eq!(stage.login("alice", [Reply::Types(typed)]).authenticate(0), AUTH_ERR, "{typed:?}");
        assert!(overheard(&stage).starts_with('\u{8}'), "{typed:?}");
        assert_eq!(otpd.methods(), ["Start"]);
    }
    for reply in [Reply::Null, Reply::Nothing, Reply::Fails] {
        let stage = Stage::alone("forward_pass");
        let otpd = Otpd::new(&stage.socket(), [ask_for(6)]);
        assert_eq!(stage.login("alice", [reply]).authenticate(0), AUTH_ERR);
        assert_eq!(otpd.methods(), ["Start"]);
    }
}

#[test]
fn without_protection_the_whole_answer_is_the_password() {
    let stage = Stage::alone("forward_pass").overhearing();
    let otpd = Otpd::new(&stage.socket(), [not_required()]);
    let mut login = stage.login("bob", [BOTH]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.heard(), [(ECHO_OFF, "Password and one-time code: ".to_owned())]);
    assert_eq!(overheard(&stage), "hunter2123456");
    assert_eq!(otpd.methods(), ["Start"]);
}

#[test]
fn account_follows_a_code_that_came_with_the_password() {
    let stage = Stage::new("forward_pass");
    let otpd = Otpd::new(&stage.socket(), [ask_for(6), accept_of(6), ask_for(6), refuse(), refuse()]);
    let mut login = stage.login("alice", [BOTH, BOTH]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.account(), SUCCESS);
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_ne!(login.account(), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer", "Start", "Answer", "Account"]);
}

#[test]
fn a_line_before_the_password_and_one_after_it_share_one_answer() {
    for (turn, code) in [(accept(), SUCCESS), (refuse(), AUTH_ERR), (locked(), MAXTRIES)] {
        let stage = Stage::around_a_password();
        let otpd = Otpd::new(&stage.socket(), [ask_for(6), ask_for(6), turn]);
        let mut login = stage.login("alice", [BOTH]);
        assert_eq!(login.authenticate(0), code);
        assert_eq!(login.heard()[0], (ECHO_OFF, "Password and one-time code: ".to_owned()));
        assert_eq!(overheard(&stage), "hunter2");
        let calls = otpd.finish();
        let methods: Vec<&str> = calls.iter().filter_map(|call| call["method"].as_str()).collect();
        assert_eq!(methods, ["org.otpd.Login.Start", "org.otpd.Login.Start", "org.otpd.Login.Answer"]);
        let parameters = &calls[2]["parameters"];
        assert_eq!((&parameters["answer"], &parameters["given"]), (&json!("123456"), &json!("first_pass")));
    }
}

/// libpam wipes both items when a login ends, so none is judged by the code of an earlier one.
#[test]
fn a_code_put_aside_is_gone_at_the_next_try() {
    let stage = Stage::around_a_password();
    let otpd = Otpd::new(&stage.socket(), [ask_for(6), ask_for(6), accept(), not_required(), ask_for(6)]);
    let mut login = stage.login("alice", [BOTH, PASSWORD]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_eq!(otpd.methods(), ["Start", "Start", "Answer", "Start", "Start"]);
}

#[test]
fn without_a_line_after_the_password_the_account_phase_refuses() {
    let stage = Stage::new("forward_pass=unchecked");
    let otpd = Otpd::new(&stage.socket(), [ask_for(6), refuse()]);
    let mut login = stage.login("alice", [BOTH]);
    assert_eq!(login.authenticate(0), IGNORED);
    assert_eq!(login.account(), PERM_DENIED);
    assert_eq!(otpd.methods(), ["Start", "Account"]);
}
