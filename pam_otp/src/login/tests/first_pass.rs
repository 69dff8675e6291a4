//! `use_first_pass` and `try_first_pass`: what a module before us asked for is the code.

use super::*;

fn with_first_pass(token: Option<&[u8]>) -> Pam {
    let mut pam = Pam::new("alice");
    pam.password = token.map(<[u8]>::to_vec);
    pam
}

fn used(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    authenticate_with(pam, daemon, &options(&[c"use_first_pass"]))
}

fn tried(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    authenticate_with(pam, daemon, &options(&[c"try_first_pass"]))
}

#[test]
fn the_first_pass_is_the_code_and_nobody_is_asked() {
    for authenticate in [used, tried] {
        let mut pam = with_first_pass(Some(b"123 456"));
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(Some("Hello.")))]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
        assert_eq!(daemon.questions(), [Asked::Start, Asked::FirstPass("123 456".to_owned())]);
        assert_eq!(pam.prompts, []);
        assert_eq!(pam.mark.as_deref(), Some("alice"));
        assert_eq!(pam.shown, [(Tone::Info, "Hello.".to_owned())]);
        assert_eq!(pam.password.as_deref(), Some(&b"123 456"[..]), "handed on as it was");
    }
}

#[test]
fn use_first_pass_without_a_code_fails_unsent_and_asks_nobody() {
    for token in
        [None, Some(&b""[..]), Some(b"hunter2"), Some(b"hunter2123456"), Some(b"12345"), Some(b"\x08")]
    {
        let mut pam = with_first_pass(token);
        let daemon = ScriptedDaemon::new([Ok(ask("Code: "))]);
        assert_eq!(used(&mut pam, &daemon), Outcome::Refused, "{token:?}");
        assert_eq!(daemon.questions(), [Asked::Start]);
        assert_eq!((pam.prompts.len(), &pam.mark), (0, &None));
        let logged = pam.logged(Priority::Notice);
        assert!(logged.contains("not sent") && !logged.contains("hunter"), "{logged}");
    }
}

#[test]
fn try_first_pass_without_a_code_asks() {
    for token in
        [None, Some(&b""[..]), Some(b"hunter2"), Some(b"hunter2123456"), Some(b"12345"), Some(b"\x08")]
    {
        let mut pam = with_first_pass(token).typing(b"123456");
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
        assert_eq!(tried(&mut pam, &daemon), Outcome::Passed, "{token:?}");
        assert_eq!(daemon.questions(), [Asked::Start, Asked::Answer("123456".to_owned())]);
        assert_eq!(pam.password.as_deref(), token, "handed on as it was");
    }
}

/// A client that asks once answers the prompt with the same again.
#[test]
fn what_was_no_code_is_not_sent_because_it_is_typed_again() {
    let mut pam = with_first_pass(Some(b"hunter2")).typing(b"hunter2");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: "))]);
    assert_eq!(tried(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(daemon.questions(), [Asked::Start]);
}

#[test]
fn a_refused_first_pass_is_refused_and_one_login_is_one_try() {
    for authenticate in [used, tried] {
        let mut pam = with_first_pass(Some(b"123456"));
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(refuse("Wrong code."))]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
        assert_eq!(pam.shown, [(Tone::Error, "Wrong code.".to_owned())]);
        let mut pam = with_first_pass(Some(b"123456"));
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(locked())]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::Locked);
        assert_eq!((pam.prompts.len(), &pam.mark), (0, &None));
    }
}

#[test]
fn a_daemon_that_asks_again_gets_no_first_pass_twice() {
    let asks = || Ok(ask("Code: "));
    let mut pam = with_first_pass(Some(b"123456"));
    assert_eq!(used(&mut pam, &ScriptedDaemon::new([asks(), asks()])), Outcome::Refused);
    let mut pam = with_first_pass(Some(b"123456")).typing(b"654321");
    let daemon = ScriptedDaemon::new([asks(), asks(), Ok(accept(None))]);
    assert_eq!(tried(&mut pam, &daemon), Outcome::Passed);
    assert_eq!(daemon.questions()[2], Asked::Answer("654321".to_owned()));
}

#[test]
fn without_protection_the_first_pass_is_not_looked_at() {
    for authenticate in [used, tried] {
        let mut pam = with_first_pass(None);
        let daemon = ScriptedDaemon::new([Ok(not_required(None))]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::NotRequired);
    }
}
