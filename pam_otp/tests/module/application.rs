//! What the application can do to the module, by mistake or because it has no better: it harms nobody and lets nobody
//! in.

#![expect(unsafe_code, reason = "calls the module with what libpam would never pass")]

use std::ffi::c_char;
use std::ffi::c_int;
use std::fs;
use std::ptr;

use crate::hook::Hook;
use crate::libpam::ABORT;
use crate::libpam::AUTH_ERR;
use crate::libpam::MAXTRIES;
use crate::libpam::Reply;
use crate::libpam::SUCCESS;
use crate::otpd::Otpd;
use crate::otpd::accept;
use crate::otpd::accept_with;
use crate::otpd::ask;
use crate::otpd::locked;
use crate::otpd::refuse;
use crate::stage::Stage;

const CODE: Reply = Reply::Types(b"123456");

#[test]
fn null_pointers_and_false_counts_are_pam_abort() {
    let stage = Stage::new("");
    let mut login = stage.login("alice", []);
    for name in [c"pam_sm_authenticate", c"pam_sm_acct_mgmt", c"pam_sm_setcred"] {
        let hook = Hook::open(&stage.module(), name);
        // SAFETY: everything is null.
        assert_eq!(unsafe { hook.call(ptr::null_mut(), 0, 0, ptr::null()) }, ABORT, "{name:?}");
        let none: [*const c_char; 1] = [ptr::null()];
        for (count, words) in [(-1, ptr::null()), (1, ptr::null()), (1, none.as_ptr())] {
            // SAFETY: null, or one word, which is null.
            assert_eq!(unsafe { login.call(&hook, count, words) }, ABORT, "{name:?} {count}");
        }
    }
}

#[test]
fn any_other_number_than_success_is_a_failed_conversation() {
    for code in [1, 7, 19, 25, 30, 31, 32, 4_711, -1, c_int::MIN, c_int::MAX] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [ask()]);
        assert_eq!(stage.login("alice", [Reply::Returns(code)]).authenticate(0), AUTH_ERR, "{code}");
        assert_eq!(otpd.methods(), ["Start"]);
    }
}

#[test]
fn an_application_without_a_conversation_lets_nobody_in() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [ask()]);
    let mut login = stage.login("alice", []);
    login.fall_silent();
    assert_eq!(login.authenticate(0), AUTH_ERR);
    assert_eq!(otpd.methods(), ["Start"]);
}

#[test]
fn texts_that_the_application_cannot_show_change_no_verdict() {
    for (last, code) in [(accept_with("Hello."), SUCCESS), (refuse(), AUTH_ERR), (locked(), MAXTRIES)] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [ask(), last]);
        let mut login = stage.login("alice", [CODE]);
        login.show_no_texts();
        assert_eq!(login.authenticate(0), code);
        assert_eq!(otpd.methods(), ["Start", "Answer"]);
    }
}

#[test]
fn the_password_stays_the_password_for_the_modules_after_ours() {
    let stage = Stage::after_password("").overhearing();
    let otpd = Otpd::new(&stage.socket(), [ask(), accept()]);
    let mut login = stage.login("alice", [Reply::Types(b"hunter2"), CODE]);
    assert_eq!(login.authenticate(0), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
    let overheard = fs::read_to_string(stage.overheard()).unwrap();
    assert_eq!(overheard.trim_end_matches('\0'), "hunter2");
}

#[test]
fn sessions_and_passwords_are_left_to_others() {
    let stage = Stage::new("");
    let mut login = stage.login("alice", []);
    for name in [c"pam_sm_open_session", c"pam_sm_close_session", c"pam_sm_chauthtok"] {
        let hook = Hook::open(&stage.module(), name);
        // SAFETY: no words.
        assert_eq!(unsafe { login.call(&hook, 0, ptr::null()) }, IGNORE, "{name:?}");
    }
}

/// PAM_IGNORE, which libpam itself never returns.
const IGNORE: c_int = 25;
