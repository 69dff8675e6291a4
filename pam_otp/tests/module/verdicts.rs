//! What a login can end with.

use serde_json::json;

use crate::libpam::AUTH_ERR;
use crate::libpam::AUTHINFO_UNAVAIL;
use crate::libpam::ECHO_OFF;
use crate::libpam::ERROR_MSG;
use crate::libpam::MAXTRIES;
use crate::libpam::PERM_DENIED;
use crate::libpam::RHOST;
use crate::libpam::Reply;
use crate::libpam::SERVICE_ERR;
use crate::libpam::SILENT;
use crate::libpam::SUCCESS;
use crate::libpam::TEXT_INFO;
use crate::libpam::TTY;
use crate::libpam::USER;
use crate::otpd::Otpd;
use crate::otpd::accept;
use crate::otpd::accept_with;
use crate::otpd::ask;
use crate::otpd::locked;
use crate::otpd::not_required;
use crate::otpd::refuse;
use crate::stage::ACCOUNT_IGNORED;
use crate::stage::IGNORED;
use crate::stage::Stage;

const CODE: Reply = Reply::Types(b"123456");

#[test]
fn an_accepted_code_logs_in() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept_with("2 recovery codes left.")]);
    let mut login = stage.login("alice", [CODE]);
    login.set(RHOST, c"192.0.2.7");
    login.set(TTY, c"ssh");
    login.put_environment(c"SSH_CONNECTION=192.0.2.7 5 192.0.2.1 22");
    login.put_environment(c"SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA");
    assert_eq!(login.authenticate(0), SUCCESS);
    let heard = [(ECHO_OFF, "One-time code: ".to_owned()), (TEXT_INFO, "2 recovery codes left.".to_owned())];
    assert_eq!(login.heard(), heard);
    let expected = json!({
        "user": "alice", "service": "otp", "tty": "ssh", "rhost": "192.0.2.7",
        "ssh_connection": "192.0.2.7 5 192.0.2.1 22", "ssh_auth_info": "publickey ssh-ed25519 AAAA",
    });
    let calls = otpd.finish();
    assert_eq!(calls[0], json!({"method": "org.otpd.Login.Start", "parameters": {"login": expected}}));
    let parameters = json!({"login": expected, "answer": "123456"});
    assert_eq!(calls[1], json!({"method": "org.otpd.Login.Answer", "parameters": parameters}));
}

#[test]
fn a_refused_code_is_an_authentication_error() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), refuse()]);
    let mut login = stage.login("alice", [CODE]);
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_eq!(login.heard()[1], (ERROR_MSG, "Wrong code.".to_owned()));
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn a_locked_lane_is_maxtries() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), locked()]);
    assert_eq!(stage.login("alice", [CODE]).authenticate(0), MAXTRIES);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn not_required_is_ignore_and_not_success() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [not_required()]);
    assert_eq!(stage.login("alice", []).authenticate(0), IGNORED);
    assert_eq!(otpd.methods(), ["Start"]);
}

#[test]
fn no_answer_is_a_refusal_and_is_not_sent_cve_2011_4120_cve_2021_31924() {
    for reply in [Reply::Null, Reply::Nothing, Reply::Fails, Reply::Types(b"")] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [ask()]);
        assert_eq!(stage.login("alice", [reply]).authenticate(0), AUTH_ERR);
        assert_eq!(otpd.methods(), ["Start"]);
    }
}

#[test]
fn what_cannot_be_a_code_is_not_sent() {
    for typed in [&b"\x08\n\r\x7fINCORRECT"[..], &[b'7'; 65], "１２３４５６".as_bytes(), b"12345\xff"] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [ask()]);
        assert_eq!(stage.login("alice", [Reply::Types(typed)]).authenticate(0), AUTH_ERR);
        assert_eq!(otpd.methods(), ["Start"], "{typed:?}");
    }
}

#[test]
fn a_replayed_password_is_not_sent() {
    let stage = Stage::after_password("");
    let otpd = Otpd::new(&stage.socket(), [ask()]);
    let password = || Reply::Types(b"hunter2");
    assert_eq!(stage.login("alice", [password(), password()]).authenticate(0), AUTH_ERR);
    assert_eq!(otpd.methods(), ["Start"]);

    let stage = Stage::after_password("");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    assert_eq!(stage.login("alice", [password(), CODE]).authenticate(0), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn silent_shows_the_prompt_and_nothing_else() {
    for (last, code) in [(accept_with("Hello."), SUCCESS), (refuse(), AUTH_ERR), (locked(), MAXTRIES)] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [ask(), last]);
        let mut login = stage.login("alice", [CODE]);
        assert_eq!(login.authenticate(SILENT), code);
        assert_eq!(login.heard(), [(ECHO_OFF, "One-time code: ".to_owned())]);
        assert_eq!(otpd.methods(), ["Start", "Answer"]);
    }
}

#[test]
fn a_wrong_option_fails_the_login_before_anybody_is_asked() {
    for options in [
        "nulok",
        "debug debug",
        "timeout=0",
        "unavailable=maybe",
        "use_first_pass try_first_pass",
        "forward_pass prompt=Both: use_first_pass",
        "panic",
        "socket=/x",
    ] {
        let stage = Stage::new(options);
        let otpd = Otpd::new(&stage.socket(), []);
        let mut login = stage.login("alice", []);
        assert_eq!(login.authenticate(0), SERVICE_ERR, "{options}");
        assert_eq!(login.account(), SERVICE_ERR, "{options}");
        assert_eq!(otpd.methods(), [] as [&str; 0]);
    }
}

#[test]
fn the_options_prompt_and_debug_are_accepted() {
    let stage = Stage::new("debug [prompt=Enter your code: ]");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    let mut login = stage.login("alice", [CODE]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.heard(), [(ECHO_OFF, "Enter your code: ".to_owned())]);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn setcred_succeeds_with_the_module_alone_in_the_stack() {
    let stage = Stage::alone("");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    let mut login = stage.login("alice", [CODE]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.setcred(), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn account_follows_a_passed_code_without_another_call() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    let mut login = stage.login("alice", [CODE]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.account(), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn account_without_a_code_is_up_to_the_daemon_so_a_key_alone_is_no_way_in() {
    for (turn, code) in [
        (refuse(), PERM_DENIED),
        (locked(), PERM_DENIED),
        (ask(), PERM_DENIED),
        (accept(), PERM_DENIED),
        (not_required(), ACCOUNT_IGNORED),
    ] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [turn]);
        assert_eq!(stage.login("alice", []).account(), code);
        assert_eq!(otpd.methods(), ["Account"]);
    }
    let stage = Stage::new("unavailable=deny");
    assert_eq!(stage.login("alice", []).account(), AUTHINFO_UNAVAIL);
}

#[test]
fn a_refused_code_leaves_no_mark_of_an_earlier_one() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept(), ask(), refuse(), refuse()]);
    let mut login = stage.login("alice", [CODE, CODE]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_eq!(login.account(), PERM_DENIED);
    assert_eq!(otpd.methods(), ["Start", "Answer", "Start", "Answer", "Account"]);
}

#[test]
fn the_mark_of_another_user_counts_for_nothing_cve_2024_9313() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), accept(), refuse()]);
    let mut login = stage.login("alice", [CODE]);
    assert_eq!(login.authenticate(0), SUCCESS);
    login.set(USER, c"root");
    assert_eq!(login.account(), PERM_DENIED);
    let calls = otpd.finish();
    assert_eq!(calls[2]["parameters"]["login"]["user"], "root");
}

#[test]
fn a_user_changed_during_the_login_is_refused_cve_2024_9313() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask(), refuse()]);
    let mut login = stage.login("alice", [Reply::Renames(c"root", b"123456")]);
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_eq!(login.account(), PERM_DENIED);
    assert_eq!(otpd.methods(), ["Start", "Account"]);
}

#[test]
fn an_empty_or_unreadable_user_name_is_refused() {
    for user in [c"", c"al\xffice"] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), []);
        let mut login = stage.login("alice", []);
        login.set(USER, user);
        assert_eq!(login.authenticate(0), AUTH_ERR);
        assert_eq!(login.account(), PERM_DENIED);
        assert_eq!(otpd.methods(), [] as [&str; 0]);
    }
}

#[test]
fn other_bytes_that_are_not_utf8_do_no_harm() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [not_required()]);
    let mut login = stage.login("alice", []);
    login.set(RHOST, c"\xff");
    login.set(TTY, c"");
    assert_eq!(login.authenticate(0), IGNORED);
    let calls = otpd.finish();
    assert_eq!(
        calls[0]["parameters"]["login"],
        json!({"user": "alice", "service": "otp", "rhost": "\u{fffd}"})
    );
}
