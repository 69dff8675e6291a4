//! What the daemon can do to a login: nothing of it lets anybody in.

use std::ffi::c_int;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::Backlog;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::UnixAddr;
use serde_json::Value;

use crate::libpam::AUTHINFO_UNAVAIL;
use crate::libpam::RHOST;
use crate::libpam::Reply;
use crate::libpam::SUCCESS;
use crate::otpd::Otpd;
use crate::otpd::Turn;
use crate::otpd::accept;
use crate::otpd::ask;
use crate::stage::ACCOUNT_IGNORED;
use crate::stage::IGNORED;
use crate::stage::Stage;

const CODE: Reply = Reply::Types(b"123456");

/// The code of a login in which nobody is asked anything.
fn unasked(stage: &Stage) -> c_int {
    stage.login("alice", []).authenticate(0)
}

#[test]
fn without_a_daemon_the_login_fails() {
    let stage = Stage::new("");
    assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL);
    assert_eq!(stage.login("alice", []).account(), AUTHINFO_UNAVAIL);
    fs::remove_dir(stage.run()).unwrap();
    assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL);
}

#[test]
fn without_a_daemon_a_local_login_is_ignored_if_the_line_says_so() {
    let stage = Stage::new("unavailable=ignore");
    let mut login = stage.login("alice", []);
    // Only a host that runs as root may let anybody through.
    let (ignored, account_ignored) = match nix::unistd::geteuid().is_root() {
        true => (IGNORED, ACCOUNT_IGNORED),
        false => (AUTHINFO_UNAVAIL, AUTHINFO_UNAVAIL),
    };
    assert_eq!(login.authenticate(0), ignored);
    assert_eq!(login.account(), account_ignored);
    login.set(RHOST, c"");
    assert_eq!(login.authenticate(0), ignored);
    for remote in [c"192.0.2.7", c"localhost", c"\xff"] {
        login.set(RHOST, remote);
        assert_eq!(login.authenticate(0), AUTHINFO_UNAVAIL);
        assert_eq!(login.account(), AUTHINFO_UNAVAIL);
    }
}

#[test]
fn a_stale_socket_is_no_daemon() {
    let stage = Stage::new("");
    drop(std::os::unix::net::UnixListener::bind(stage.socket()).unwrap());
    assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL);
}

#[test]
fn a_hanging_daemon_costs_the_timeout_and_fails_the_login() {
    let stage = Stage::new("timeout=1");
    let otpd = Otpd::new(&stage.socket(), [Turn::Hangs]);
    assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL);
    assert_eq!(otpd.methods(), ["Start"]);
}

/// The daemon commits before it answers, and a disk may have to spin up for that.
#[test]
fn an_answer_may_take_longer_than_a_question() {
    let stage = Stage::new("timeout=1");
    let slow = |_: &UnixStream, call: &Value| {
        if call["parameters"]["answer"].is_null() {
            return ask();
        }
        std::thread::park_timeout(Duration::from_millis(2_500));
        accept()
    };
    let otpd = Otpd::serving(&stage.socket(), slow);
    assert_eq!(stage.login("alice", [CODE]).authenticate(0), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn garbage_is_no_answer() {
    for bytes in [
        &b"]\0"[..],
        b"\0",
        b"\xff\xfe\0",
        b"{\"parameters\":{\"step\":{\"next\":\"accept\"",
        b"{\"parameters\":{\"step\":{\"next\":\"accept\"}}}\0",
        b"{\"parameters\":{\"step\":{}}}\0",
        b"{\"parameters\":{}}\0",
        b"{}\0",
        b"HTTP/1.1 200 OK\r\n\r\n\0",
    ] {
        let stage = Stage::new("");
        let otpd = Otpd::new(&stage.socket(), [Turn::Writes(bytes.to_vec())]);
        assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(otpd.methods(), ["Start"]);
    }
}

#[test]
fn an_endless_answer_is_cut() {
    let stage = Stage::new("");
    let otpd = Otpd::new(&stage.socket(), [Turn::Writes(vec![b' '; 1 << 20])]);
    assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL);
    assert_eq!(otpd.methods(), ["Start"]);
}

#[test]
fn garbage_and_steps_of_a_newer_daemon_are_no_silence_and_never_ignored() {
    for bytes in [&b"]\0"[..], b"\0", b"{}\0", b"{\"parameters\":{\"step\":{\"next\":\"push\"}}}\0"] {
        let stage = Stage::new("unavailable=ignore");
        let otpd = Otpd::new(&stage.socket(), [Turn::Writes(bytes.to_vec()), Turn::Writes(bytes.to_vec())]);
        let mut login = stage.login("alice", []);
        assert_eq!(login.authenticate(0), AUTHINFO_UNAVAIL, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(login.account(), AUTHINFO_UNAVAIL, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(otpd.methods(), ["Start", "Account"]);
    }
}

#[test]
fn an_error_of_the_daemon_is_not_silence_and_its_text_is_shown() {
    let stage = Stage::new("unavailable=ignore");
    let error = b"{\"error\":\"org.otpd.Login.Unavailable\",\"parameters\":{\"say\":\"The registry cannot be read.\"}}\0";
    let otpd = Otpd::new(&stage.socket(), [Turn::Writes(error.to_vec())]);
    let mut login = stage.login("alice", []);
    assert_eq!(login.authenticate(0), AUTHINFO_UNAVAIL);
    assert_eq!(login.heard()[0].1, "The registry cannot be read.");
    assert_eq!(otpd.methods(), ["Start"]);
}

#[test]
fn a_daemon_that_dies_over_an_answer_is_never_ignored() {
    let stage = Stage::new("unavailable=ignore");
    let otpd = Otpd::new(&stage.socket(), [ask(), Turn::HangsUp]);
    let mut login = stage.login("alice", [CODE]);
    assert_eq!(login.authenticate(0), AUTHINFO_UNAVAIL);
    assert!(login.heard()[1].1.contains("may be spent"), "{:?}", login.heard());
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn a_socket_where_others_may_write_is_not_trusted() {
    let stage = Stage::new("unavailable=ignore");
    let otpd = Otpd::new(&stage.socket(), []);
    for mode in [0o777, 0o775, 0o1777] {
        fs::set_permissions(stage.run(), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL, "{mode:o}");
    }
    assert_eq!(otpd.methods(), [] as [&str; 0]);
}

#[test]
fn a_full_backlog_does_not_hang_the_login() {
    let stage = Stage::new("timeout=1");
    let address = UnixAddr::new(&stage.socket()).unwrap();
    let listener = unix_socket(SockFlag::empty());
    nix::sys::socket::bind(listener.as_raw_fd(), &address).unwrap();
    nix::sys::socket::listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = unix_socket(SockFlag::SOCK_NONBLOCK);
        match nix::sys::socket::connect(socket.as_raw_fd(), &address) {
            Ok(()) => waiting.push(socket),
            Err(errno) => break assert_eq!(errno, Errno::EAGAIN),
        }
    }
    assert_eq!(unasked(&stage), AUTHINFO_UNAVAIL);
}

fn unix_socket(flags: SockFlag) -> OwnedFd {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap()
}
