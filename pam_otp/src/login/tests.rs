//! Logins played against a scripted PAM transaction and a scripted daemon. Both must be used up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::CStr;

use super::*;
use script::Asked;
use script::Daemon as ScriptedDaemon;
use script::Pam;
use script::accept;
use script::ask;
use script::not_required;
use script::options;
use script::refuse;
use script::silence;

mod faults;
mod first_pass;
mod forward;
mod script;

fn authenticate(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    authenticate_with(pam, daemon, &options(&[]))
}

fn authenticate_with(pam: &mut Pam, daemon: &ScriptedDaemon, options: &Options) -> Outcome {
    Phase { pam, daemon, options, silent: false, privileged: true }.authenticate()
}

fn account(pam: &mut Pam, daemon: &ScriptedDaemon) -> Outcome {
    Phase { pam, daemon, options: &options(&[]), silent: false, privileged: true }.account()
}

fn locked() -> Next {
    Next::Locked { say: "Locked until 12:00.".to_owned(), until: Some(1) }
}

fn later() -> Fault {
    Fault::Silence { sent: true, why: "no answer".to_owned() }
}

#[test]
fn an_accepted_code_passes_and_leaves_the_mark() {
    let mut pam = Pam::new("alice").typing(b"123456");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
    assert_eq!(pam.mark.as_deref(), Some("alice"));
    assert_eq!(pam.prompts, [(Echo::Off, "Code: ".to_owned())]);
    assert_eq!(daemon.questions(), [Asked::Start, Asked::Answer("123456".to_owned())]);
}

#[test]
fn every_question_carries_the_whole_login() {
    let mut pam = Pam::new("alice").typing(b"123456");
    pam.facts = vec![
        (Fact::Service, "sshd".to_owned()),
        (Fact::Tty, "ssh".to_owned()),
        (Fact::RemoteUser, String::new()),
        (Fact::RemoteHost, "192.0.2.7".to_owned()),
        (Fact::SshConnection, "192.0.2.7 5 192.0.2.1 22".to_owned()),
        (Fact::SshAuthInfo, "publickey ssh-ed25519 AAAA".to_owned()),
    ];
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
    let expected = Login {
        user: "alice".to_owned(),
        service: "sshd".to_owned(),
        tty: Some("ssh".to_owned()),
        ruser: None,
        rhost: Some("192.0.2.7".to_owned()),
        ssh_connection: Some("192.0.2.7 5 192.0.2.1 22".to_owned()),
        ssh_auth_info: Some("publickey ssh-ed25519 AAAA".to_owned()),
    };
    assert_eq!(*daemon.logins.borrow(), [expected.clone(), expected]);
}

#[test]
fn a_refused_code_is_refused_and_leaves_no_mark() {
    let mut pam = Pam::new("alice").typing(b"000000");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(refuse("Wrong code."))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(pam.mark, None);
    assert_eq!(pam.shown, [(Tone::Error, "Wrong code.".to_owned())]);
}

#[test]
fn a_locked_lane_ends_the_login() {
    let mut pam = Pam::new("alice").typing(b"000000");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(locked())]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Locked);
    assert_eq!(pam.shown, [(Tone::Error, "Locked until 12:00.".to_owned())]);
    let daemon = ScriptedDaemon::new([Ok(locked())]);
    assert_eq!(authenticate(&mut Pam::new("alice"), &daemon), Outcome::Locked);
}

#[test]
fn not_required_is_logged_with_its_rule_and_asks_nothing() {
    let mut pam = Pam::new("alice");
    let daemon = ScriptedDaemon::new([Ok(not_required(Some("Required from Monday on.")))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::NotRequired);
    assert_eq!(pam.shown, [(Tone::Info, "Required from Monday on.".to_owned())]);
    assert_eq!(pam.mark, None);
    assert!(pam.logged(Priority::Info).contains("exempt group"));
}

#[test]
fn silent_hides_every_text_but_the_prompt() {
    for (last, outcome) in [
        (Ok(accept(Some("2 recovery codes left."))), Outcome::Passed),
        (Ok(refuse("Wrong code.")), Outcome::Refused),
        (Ok(locked()), Outcome::Locked),
        (Ok(not_required(Some("Soon."))), Outcome::NotRequired),
        (Err(later()), Outcome::Unavailable),
    ] {
        let mut pam = Pam::new("alice").typing(b"123456");
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), last]);
        let mut phase =
            Phase { pam: &mut pam, daemon: &daemon, options: &options(&[]), silent: true, privileged: true };
        assert_eq!(phase.authenticate(), outcome);
        assert_eq!(pam.shown, []);
        assert_eq!(pam.prompts.len(), 1);
    }
}

#[test]
fn the_notice_of_an_accepted_code_is_shown() {
    let mut pam = Pam::new("alice").typing(b"123456");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(Some("2 recovery codes left.")))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
    assert_eq!(pam.shown, [(Tone::Info, "2 recovery codes left.".to_owned())]);
}

#[test]
fn what_cannot_be_an_answer_is_refused_unsent_and_asked_for_once_cve_2011_4120() {
    let long = [b'7'; 65];
    let dummy: &[u8] = b"\x08\n\r\x7fINCORRECT";
    for typed in
        [None, Some(&b""[..]), Some(&long), Some(dummy), Some("１２３４５６".as_bytes()), Some(b"hunter2")]
    {
        let mut pam = Pam::new("alice").replying(typed);
        pam.password = Some(b"hunter2".to_vec());
        let daemon = ScriptedDaemon::new([Ok(ask("Code: "))]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused, "{typed:?}");
        assert_eq!(daemon.questions(), [Asked::Start]);
        assert_eq!(pam.mark, None);
        assert!(pam.logged(Priority::Notice).contains("not sent"), "{typed:?}");
        assert!(!pam.logged(Priority::Notice).contains("hunter2"));
    }
}

#[test]
fn a_failing_conversation_is_a_refusal_whatever_it_says() {
    use pam::constants::PamResultCode as Code;
    for code in
        [Code::PAM_CONV_ERR, Code::PAM_CONV_AGAIN, Code::PAM_BUF_ERR, Code::PAM_IGNORE, Code::PAM_ABORT]
    {
        let mut pam = Pam::new("alice");
        pam.replies.push_back(Err(code));
        let daemon = ScriptedDaemon::new([Ok(ask("Code: "))]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
    }
}

#[test]
fn the_daemon_may_ask_again_but_not_for_ever() {
    let asks = || Ok(ask("Code: "));
    let mut pam = Pam::new("alice").typing(b"111111").typing(b"222222");
    let daemon = ScriptedDaemon::new([asks(), asks(), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);

    let mut pam = Pam::new("alice").typing(b"111111").typing(b"222222").typing(b"333333");
    let daemon = ScriptedDaemon::new([asks(), asks(), asks(), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);

    let mut pam = Pam::new("alice").typing(b"111111").typing(b"222222").typing(b"333333");
    let daemon = ScriptedDaemon::new([asks(), asks(), asks(), asks()]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(pam.mark, None);
}

#[test]
fn nobody_is_accepted_without_an_answer_cve_2021_31924() {
    let mut pam = Pam::new("alice");
    let daemon = ScriptedDaemon::new([Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(pam.mark, None);
    assert!(pam.logged(Priority::Error).contains("versions differ"));
}

#[test]
fn an_echoing_prompt_is_shown_only_if_the_daemon_says_so() {
    let mut pam = Pam::new("alice").typing(b"1");
    let daemon = ScriptedDaemon::new([
        Ok(Next::Ask { prompt: "Serial: ".to_owned(), echo: true, digits: None }),
        Ok(refuse("No.")),
    ]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
    assert_eq!(pam.prompts, [(Echo::On, "Serial: ".to_owned())]);
}

#[test]
fn the_option_prompt_replaces_the_daemons() {
    let mut pam = Pam::new("alice").typing(b"123456");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    let outcome = authenticate_with(&mut pam, &daemon, &options(&[c"prompt=Enter challenge: "]));
    assert_eq!(outcome, Outcome::Passed);
    assert_eq!(pam.prompts, [(Echo::Off, "Enter challenge: ".to_owned())]);
}

#[test]
fn control_characters_of_the_daemon_reach_no_terminal_and_no_log() {
    let mut pam = Pam::new("alice").typing(b"123456");
    let prompt = format!("\x1b]0;title\x07{}", "x".repeat(600));
    let daemon = ScriptedDaemon::new([
        Ok(ask(&prompt)),
        Ok(Next::Accept {
            device: "a\nuser=root".to_owned(),
            notice: Some("\x1b[2Jhello".to_owned()),
            digits: None,
        }),
    ]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
    let texts: Vec<&String> =
        pam.prompts.iter().map(|(_, text)| text).chain(pam.shown.iter().map(|(_, text)| text)).collect();
    assert!(texts.iter().all(|text| text.len() <= 511 && !text.contains(char::is_control)), "{texts:?}");
    assert!(!pam.logged(Priority::Info).contains('\n'));
}

#[test]
fn a_user_changed_by_the_application_is_refused_and_its_code_not_sent_cve_2024_9313() {
    let mut pam = Pam::new("alice").typing(b"123456");
    pam.renamed_by_prompt = Some("root".to_owned());
    let daemon = ScriptedDaemon::new([Ok(ask("Code: "))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
    assert!(pam.logged(Priority::Alert).contains("PAM_USER changed"));
}

#[test]
fn a_user_changed_while_the_notice_is_shown_is_refused_cve_2024_9313() {
    let last = [accept(Some("Hello.")), not_required(Some("Hello."))];
    for last in last {
        let mut pam = Pam::new("alice").typing(b"123456");
        pam.renamed_by_text = Some("root".to_owned());
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(last)]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::Refused);
        assert_eq!(pam.mark, None);
    }
}

#[test]
fn a_user_name_is_needed_and_never_cut() {
    for name in ["", &"x".repeat(257)] {
        let daemon = ScriptedDaemon::new([]);
        assert_eq!(authenticate(&mut Pam::new(name), &daemon), Outcome::Refused);
        assert_eq!(account(&mut Pam::new(name), &daemon), Outcome::Refused);
    }
    let mut nameless = Pam::new("alice");
    nameless.user = None;
    assert_eq!(authenticate(&mut nameless, &ScriptedDaemon::new([])), Outcome::Refused);
    let daemon = ScriptedDaemon::new([Ok(not_required(None))]);
    assert_eq!(authenticate(&mut Pam::new(&"x".repeat(256)), &daemon), Outcome::NotRequired);
}

#[test]
fn a_long_fact_is_cut_at_a_characters_end() {
    for (fact, kept) in
        [("x".repeat(1024), 1024), ("x".repeat(1025), 1024), (format!("{}é", "x".repeat(1023)), 1023)]
    {
        let mut pam = Pam::new("alice");
        pam.facts = vec![(Fact::RemoteHost, fact)];
        let daemon = ScriptedDaemon::new([Ok(not_required(None))]);
        assert_eq!(authenticate(&mut pam, &daemon), Outcome::NotRequired);
        assert_eq!(daemon.logins.borrow()[0].rhost.as_ref().map(String::len), Some(kept));
    }
}

#[test]
fn an_old_mark_is_cleared_before_anything_else() {
    for next in [Ok(refuse("No.")), Err(silence()), Ok(not_required(None))] {
        let mut pam = Pam::new("alice");
        pam.mark = Some("alice".to_owned());
        let _ = authenticate(&mut pam, &ScriptedDaemon::new([next]));
        assert_eq!(pam.mark, None);
    }
    let mut pam = Pam::new("");
    pam.mark = Some("alice".to_owned());
    assert_eq!(authenticate(&mut pam, &ScriptedDaemon::new([])), Outcome::Refused);
    assert_eq!(pam.mark, None);
}

#[test]
fn a_handle_that_stores_nothing_lets_nobody_in_cve_2025_23013() {
    let mut pam = Pam::new("alice");
    pam.stores = 0;
    assert_eq!(authenticate(&mut pam, &ScriptedDaemon::new([])), Outcome::Unavailable);

    let mut pam = Pam::new("alice").typing(b"123456");
    pam.stores = 1;
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Unavailable);
}

#[test]
fn account_lets_in_whom_authenticate_passed_without_asking_the_daemon() {
    let mut pam = Pam::new("alice").typing(b"123456");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
    assert_eq!(account(&mut pam, &daemon), Outcome::Passed);
}

#[test]
fn account_without_a_mark_asks_the_daemon_which_cannot_pass_anybody() {
    for (next, outcome) in [
        (not_required(None), Outcome::NotRequired),
        (refuse("A code is required here."), Outcome::Refused),
        (locked(), Outcome::Locked),
        (ask("Code: "), Outcome::Refused),
        (accept(None), Outcome::Refused),
    ] {
        let daemon = ScriptedDaemon::new([Ok(next)]);
        assert_eq!(account(&mut Pam::new("alice"), &daemon), outcome);
        assert_eq!(daemon.questions(), [Asked::Account]);
    }
}

#[test]
fn a_mark_of_somebody_else_counts_for_nothing_cve_2024_9313() {
    for marked in ["bob", "Alice", "alice ", ""] {
        let mut pam = Pam::new("alice");
        pam.mark = Some(marked.to_owned());
        assert_eq!(account(&mut pam, &ScriptedDaemon::new([Ok(refuse("No."))])), Outcome::Refused);
    }
}

#[test]
fn debug_logs_steps_and_never_what_was_typed() {
    let mut pam = Pam::new("alice").typing(b"123456");
    pam.password = Some(b"hunter2".to_vec());
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    assert_eq!(authenticate_with(&mut pam, &daemon, &options(&[c"debug"])), Outcome::Passed);
    assert!(!pam.logged(Priority::Debug).is_empty());
    let all = format!("{:?}", pam.logs);
    assert!(!all.contains("123456") && !all.contains("hunter2"), "{all}");
}

#[test]
fn nothing_is_logged_at_debug_without_the_option() {
    let mut pam = Pam::new("alice").typing(b"123456");
    let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Ok(accept(None))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Passed);
    assert_eq!(pam.logged(Priority::Debug), "");
}
