//! `forward_pass`: one answer with password and code, judged before the password.

use super::*;

const BOTH: &[u8] = b"hunter2123456";

fn forward(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    forward_with(pam, daemon, &[])
}

fn forward_with(pam: &mut Pam, daemon: &ScriptedDaemon, words: &[&'static CStr]) -> Outcome {
    authenticate_with(pam, daemon, &options(&[&[c"forward_pass"], words].concat()))
}

fn ask_for(digits: Option<u8>) -> Result<Next, Fault> {
    Ok(Next::Ask { prompt: "Wrong code. Code: ".to_owned(), echo: false, digits })
}

fn accept_of(digits: Option<u8>) -> Result<Next, Fault> {
    Ok(Next::Accept { device: "phone".to_owned(), notice: Some("Hello.".to_owned()), digits })
}

fn handed_on(pam: &Pam) -> &str {
    std::str::from_utf8(pam.password.as_deref().unwrap()).unwrap()
}

/// What the modules after us get if the login is refused already: nobody's password, and nothing of what was typed.
fn is_nobodys(password: &str, length: usize) -> bool {
    password.len() == length && password.starts_with('\x08')
}

#[test]
fn an_accepted_code_is_cut_off_and_the_password_handed_on() {
    let mut pam = Pam::new("alice").typing(BOTH);
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
    assert_eq!(forward(&mut pam, &daemon), Outcome::Passed);
    assert_eq!(daemon.questions(), [Asked::Start, Asked::Tail("123456".to_owned())]);
    assert_eq!(handed_on(&pam), "hunter2");
    assert_eq!(pam.mark.as_deref(), Some("alice"));
    assert!(pam.logged(Priority::Info).contains("accepted before the password was checked; device=phone"));
}

#[test]
fn the_daemon_says_where_the_password_ends() {
    for (typed, longest, tail, digits, password) in [
        (&b"hunter212345678"[..], 8, "12345678", 8, "hunter2"),
        (b"hunter212345678", 8, "12345678", 7, "hunter21"),
        (b"hunter212345678", 8, "12345678", 6, "hunter212"),
        (b"hunter2345678", 8, "2345678", 6, "hunter2"),
        (b"hunter2345678", 7, "2345678", 7, "hunter"),
        (b"1234567", 6, "234567", 6, "1"),
    ] {
        let mut pam = Pam::new("alice").typing(typed);
        let daemon = ScriptedDaemon::new([ask_for(Some(longest)), accept_of(Some(digits))]);
        assert_eq!(forward(&mut pam, &daemon), Outcome::Passed);
        assert_eq!(daemon.questions()[1], Asked::Tail(tail.to_owned()));
        assert_eq!(handed_on(&pam), password);
    }
}

/// Else somebody without the password would learn that a code was right, or what became of the last one.
#[test]
fn every_verdict_looks_the_same_from_outside() {
    for judged in [accept_of(Some(6)), Ok(refuse("Wrong code.")), Ok(locked()), Err(later())] {
        let mut pam = Pam::new("alice").typing(BOTH);
        let daemon = ScriptedDaemon::new([ask_for(Some(6)), judged]);
        let outcome = forward(&mut pam, &daemon);
        assert!(matches!(outcome, Outcome::Passed | Outcome::Refused | Outcome::Unavailable), "{outcome:?}");
        assert_eq!(pam.prompts, [(Echo::Off, "Password and one-time code: ".to_owned())]);
        assert_eq!(pam.shown, []);
        assert_eq!(handed_on(&pam).len(), "hunter2".len());
    }
}

#[test]
fn after_a_refusal_nobodys_password_is_handed_on_and_nothing_of_what_was_typed() {
    for (judged, outcome) in [
        (Ok(refuse("Wrong code.")), Outcome::Refused),
        (Ok(locked()), Outcome::Refused),
        (Err(later()), Outcome::Unavailable),
        (Ok(ask("Code: ")), Outcome::Refused),
        (Ok(not_required(None)), Outcome::NotRequired),
    ] {
        let mut pam = Pam::new("alice").typing(BOTH);
        let daemon = ScriptedDaemon::new([ask_for(Some(6)), judged]);
        assert_eq!(forward(&mut pam, &daemon), outcome);
        assert!(is_nobodys(handed_on(&pam), 7), "{:?}", handed_on(&pam));
        assert_eq!(pam.mark, None);
    }
}

#[test]
fn an_accept_that_does_not_say_how_much_was_the_code_is_none() {
    for digits in [None, Some(0), Some(5), Some(7), Some(8), Some(255)] {
        let mut pam = Pam::new("alice").typing(BOTH);
        let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(digits)]);
        assert_eq!(forward(&mut pam, &daemon), Outcome::Refused, "{digits:?}");
        assert!(is_nobodys(handed_on(&pam), 7));
        assert!(pam.logged(Priority::Error).contains("versions differ"));
    }
    for digits in [None, Some(0), Some(5), Some(9), Some(255)] {
        let daemon = ScriptedDaemon::new([ask_for(digits)]);
        assert_eq!(forward(&mut Pam::new("alice"), &daemon), Outcome::Refused, "{digits:?}");
    }
}

#[test]
fn a_code_alone_a_password_alone_and_nothing_are_refused_unsent_cve_2014_7828() {
    for typed in [&b""[..], b"123456", b"hunter2", b"hunter12345", b"\x08\n\r\x7fINCORRECT", b"\xff\xfe"] {
        let mut pam = Pam::new("alice").typing(typed);
        let daemon = ScriptedDaemon::new([ask_for(Some(6))]);
        assert_eq!(forward(&mut pam, &daemon), Outcome::Refused, "{typed:?}");
        assert_eq!(daemon.questions(), [Asked::Start]);
        assert!(is_nobodys(handed_on(&pam), typed.len().saturating_sub(6).max(1)));
        let logged = pam.logged(Priority::Notice);
        assert!(logged.contains("not sent") && !logged.contains("hunter"), "{logged}");
    }
    let mut pam = Pam::new("alice").replying(None);
    let daemon = ScriptedDaemon::new([ask_for(Some(6))]);
    assert_eq!(forward(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(pam.password, None);
}

#[test]
fn a_password_may_be_any_bytes_and_longer_than_a_code() {
    for password in ["пароль ".as_bytes(), b"\xff\xfe", b"\x08", &[b'x'; 500]] {
        let mut pam = Pam::new("alice").typing(&[password, b"123456"].concat());
        let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
        assert_eq!(forward(&mut pam, &daemon), Outcome::Passed);
        assert_eq!(pam.password.as_deref(), Some(password));
    }
}

#[test]
fn without_protection_the_whole_answer_is_the_password() {
    for typed in [&b"hunter2"[..], BOTH, b""] {
        let mut pam = Pam::new("alice").typing(typed);
        let daemon = ScriptedDaemon::new([Ok(not_required(Some("Soon.")))]);
        assert_eq!(forward(&mut pam, &daemon), Outcome::NotRequired);
        assert_eq!(pam.prompts, [(Echo::Off, "Password and one-time code: ".to_owned())]);
        assert_eq!((pam.password.as_deref(), pam.shown.len()), (Some(typed), 0));
    }
    let mut pam = Pam::new("alice").replying(None);
    assert_eq!(forward(&mut pam, &ScriptedDaemon::new([Ok(not_required(None))])), Outcome::Refused);
}

#[test]
fn while_nobody_answers_a_local_login_is_asked_for_its_password_if_the_line_says_so() {
    let mut pam = Pam::new("alice").typing(b"hunter2");
    let daemon = ScriptedDaemon::new([Err(silence())]);
    let outcome = forward_with(&mut pam, &daemon, &[c"unavailable=ignore"]);
    assert_eq!((outcome, handed_on(&pam)), (Outcome::LetThroughUnchecked, "hunter2"));
    let mut pam = Pam::new("alice");
    assert_eq!(forward(&mut pam, &ScriptedDaemon::new([Err(silence())])), Outcome::Unavailable);
    // Once asked, silence lets nobody through.
    let mut pam = Pam::new("alice").typing(BOTH);
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), Err(silence())]);
    assert_eq!(forward_with(&mut pam, &daemon, &[c"unavailable=ignore"]), Outcome::Unavailable);
}

#[test]
fn with_use_first_pass_the_first_pass_is_cut_and_nobody_is_asked() {
    let mut pam = Pam::new("alice");
    pam.password = Some(BOTH.to_vec());
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
    assert_eq!(forward_with(&mut pam, &daemon, &[c"use_first_pass"]), Outcome::Passed);
    assert_eq!((handed_on(&pam), pam.prompts.len()), ("hunter2", 0));

    for token in [None, Some(b"hunter2".to_vec()), Some(b"123456".to_vec()), Some(Vec::new())] {
        let mut pam = Pam::new("alice");
        pam.password = token;
        let daemon = ScriptedDaemon::new([ask_for(Some(6))]);
        assert_eq!(forward_with(&mut pam, &daemon, &[c"use_first_pass"]), Outcome::Refused);
        assert_eq!(daemon.questions(), [Asked::Start]);
        assert_eq!(pam.prompts, []);
    }
    for token in [None, Some(BOTH.to_vec())] {
        let mut pam = Pam::new("alice");
        pam.password = token.clone();
        let daemon = ScriptedDaemon::new([Ok(not_required(None))]);
        assert_eq!(forward_with(&mut pam, &daemon, &[c"use_first_pass"]), Outcome::NotRequired);
        assert_eq!(pam.password, token, "left as it was");
    }
}

#[test]
fn with_try_first_pass_a_first_pass_that_ends_in_no_code_is_asked_for_again() {
    let mut pam = Pam::new("alice");
    pam.password = Some(BOTH.to_vec());
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
    assert_eq!(forward_with(&mut pam, &daemon, &[c"try_first_pass"]), Outcome::Passed);
    assert_eq!((handed_on(&pam), pam.prompts.len()), ("hunter2", 0));

    for token in [None, Some(b"hunter2".to_vec()), Some(b"123456".to_vec()), Some(Vec::new())] {
        let mut pam = Pam::new("alice").typing(BOTH);
        pam.password = token;
        let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
        assert_eq!(forward_with(&mut pam, &daemon, &[c"try_first_pass"]), Outcome::Passed);
        assert_eq!((handed_on(&pam), pam.prompts.len()), ("hunter2", 1));
    }
    // Refused is refused: one login is one try.
    let mut pam = Pam::new("alice");
    pam.password = Some(BOTH.to_vec());
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), Ok(refuse("Wrong code."))]);
    assert_eq!(forward_with(&mut pam, &daemon, &[c"try_first_pass"]), Outcome::Refused);

    let mut pam = Pam::new("alice").typing(b"hunter2");
    let daemon = ScriptedDaemon::new([Ok(not_required(None))]);
    assert_eq!(forward_with(&mut pam, &daemon, &[c"try_first_pass"]), Outcome::NotRequired);
    assert_eq!(handed_on(&pam), "hunter2");
}

/// The line before the password and the one after it.
fn unchecked(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    authenticate_with(pam, daemon, &options(&[c"forward_pass=unchecked"]))
}

fn after_the_password(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    authenticate_with(pam, daemon, &options(&[c"use_first_pass"]))
}

#[test]
fn unchecked_only_splits_and_a_line_after_the_password_has_the_code_judged() {
    for (judged, outcome) in [
        (accept_of(None), Outcome::Passed),
        (Ok(refuse("Wrong code.")), Outcome::Refused),
        (Ok(locked()), Outcome::Locked),
    ] {
        let mut pam = Pam::new("alice").typing(BOTH);
        let daemon = ScriptedDaemon::new([ask_for(Some(6))]);
        assert_eq!(unchecked(&mut pam, &daemon), Outcome::Split);
        assert_eq!(daemon.questions(), [Asked::Start], "nothing is judged before the password");
        assert_eq!((handed_on(&pam), pam.kept_code.as_deref()), ("hunter2", Some(&b"123456"[..])));
        assert_eq!(pam.mark, None);

        let daemon = ScriptedDaemon::new([ask_for(Some(6)), judged]);
        assert_eq!(after_the_password(&mut pam, &daemon), outcome);
        assert_eq!(daemon.questions()[1], Asked::FirstPass("123456".to_owned()));
        assert_eq!(handed_on(&pam), "hunter2");
        assert_eq!(pam.prompts, [(Echo::Off, "Password and one-time code: ".to_owned())]);
        assert_eq!(pam.shown.len(), 1, "the password was right, so texts tell a stranger nothing");
    }
}

#[test]
fn unchecked_cuts_as_many_digits_as_the_longest_code_has() {
    for (typed, longest, password, code) in [
        ("hunter2123456", 6, "hunter2", "123456"),
        ("hunter123456", 8, "hunter", "123456"),
        ("hunter12345678", 8, "hunter", "12345678"),
        ("hunter212345678", 8, "hunter2", "12345678"),
    ] {
        let mut pam = Pam::new("alice").typing(typed.as_bytes());
        assert_eq!(unchecked(&mut pam, &ScriptedDaemon::new([ask_for(Some(longest))])), Outcome::Split);
        assert_eq!((handed_on(&pam), pam.kept_code.as_deref()), (password, Some(code.as_bytes())));
    }
}

#[test]
fn unchecked_refuses_a_code_alone_and_a_password_alone_cve_2014_7828() {
    for typed in [&b""[..], b"123456", b"hunter2", b"hunter12345"] {
        let mut pam = Pam::new("alice").typing(typed);
        assert_eq!(unchecked(&mut pam, &ScriptedDaemon::new([ask_for(Some(6))])), Outcome::Refused);
        assert!(is_nobodys(handed_on(&pam), typed.len().saturating_sub(6).max(1)));
        assert_eq!(pam.kept_code, None);
    }
}

#[test]
fn unchecked_leaves_a_login_without_protection_to_the_password() {
    let mut pam = Pam::new("alice").typing(BOTH);
    assert_eq!(unchecked(&mut pam, &ScriptedDaemon::new([Ok(not_required(None))])), Outcome::NotRequired);
    assert_eq!((handed_on(&pam), &pam.kept_code), ("hunter2123456", &None));
    // Protected in the meantime: the password is no code, and is not sent as one.
    let daemon = ScriptedDaemon::new([ask_for(Some(6))]);
    assert_eq!(after_the_password(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(daemon.questions(), [Asked::Start]);
}

#[test]
fn unchecked_lets_nobody_on_without_a_place_for_both() {
    for sets in [0, 1] {
        let mut pam = Pam::new("alice").typing(BOTH);
        pam.sets = sets;
        assert_eq!(unchecked(&mut pam, &ScriptedDaemon::new([ask_for(Some(6))])), Outcome::Unavailable);
    }
    let silent = ScriptedDaemon::new([Err(silence())]);
    assert_eq!(unchecked(&mut Pam::new("alice"), &silent), Outcome::Unavailable);
}

#[test]
fn the_lines_own_prompt_is_shown() {
    let mut pam = Pam::new("alice").typing(BOTH);
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
    assert_eq!(forward_with(&mut pam, &daemon, &[c"prompt=Both: "]), Outcome::Passed);
    assert_eq!(pam.prompts, [(Echo::Off, "Both: ".to_owned())]);
}

#[test]
fn a_user_changed_during_the_prompt_is_refused_and_the_code_not_sent_cve_2024_9313() {
    let mut pam = Pam::new("alice").typing(BOTH);
    pam.renamed_by_prompt = Some("root".to_owned());
    let daemon = ScriptedDaemon::new([ask_for(Some(6))]);
    assert_eq!(forward(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(pam.password, None);
}

#[test]
fn a_handle_that_keeps_its_password_or_stores_nothing_lets_nobody_in_cve_2025_23013() {
    let mut pam = Pam::new("alice").typing(BOTH);
    pam.sets = 0;
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
    assert_eq!(forward(&mut pam, &daemon), Outcome::Unavailable);
    assert_eq!(pam.mark, None);

    let mut pam = Pam::new("alice").typing(b"hunter2");
    pam.sets = 0;
    assert_eq!(forward(&mut pam, &ScriptedDaemon::new([Ok(not_required(None))])), Outcome::Unavailable);

    let mut pam = Pam::new("alice").typing(BOTH);
    pam.stores = 1;
    let daemon = ScriptedDaemon::new([ask_for(Some(6)), accept_of(Some(6))]);
    assert_eq!(forward(&mut pam, &daemon), Outcome::Unavailable);
    assert!(is_nobodys(handed_on(&pam), 7));
}

#[test]
fn nothing_that_was_typed_is_logged() {
    for judged in [accept_of(Some(6)), Ok(refuse("No."))] {
        let mut pam = Pam::new("alice").typing(BOTH);
        let daemon = ScriptedDaemon::new([ask_for(Some(6)), judged]);
        let _ = forward_with(&mut pam, &daemon, &[c"debug"]);
        let all = format!("{:?}", pam.logs);
        assert!(!all.contains("hunter2") && !all.contains("123456"), "{all}");
    }
}
