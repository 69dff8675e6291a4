//! How many, how long, and from whom.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use otpd_tests::PASSWORD;
use serde_json::Value;
use serde_json::json;

use crate::page::Page;
use crate::page::Visit;
use crate::page::asks_for_a_code;
use crate::page::refused;

/// A short stack, for many processes.
const ASKING: &str = "auth required pam_unix.so nodelay\nauth required @otp\naccount required pam_unix.so";

#[test]
fn a_fourth_login_of_one_user_has_to_wait_where_the_three_are_and_nowhere_else() {
    let mut page = Page::new();
    for user in ["alice", "bob"] {
        page.bed.user(user);
        page.bed.bind(user, "phone");
    }
    let visits: Vec<(Visit, Value)> = (0..3).map(|_| page.enter("alice")).collect();
    visits.iter().for_each(|(_, step)| asks_for_a_code(step));
    assert_eq!(page.enter("alice").1, refused("busy"));
    asks_for_a_code(&page.enter("bob").1);
    // Whoever knows a name shuts nobody else out.
    asks_for_a_code(&page.connect().open_from("192.0.2.8", "alice", PASSWORD));
    // A password that is given again is none of the three.
    let again =
        json!({"user": "alice", "password": "wrong", "address": "192.0.2.7", "agent": null, "renew": "x"});
    let again = page.connect().call("org.otpd.Session.Open", &again).unwrap();
    assert_eq!(again["step"], refused("failed"));
    drop(visits);
    page.wait_for_no_logins();
    asks_for_a_code(&page.enter("alice").1);
}

#[test]
fn a_65th_login_has_to_wait_and_a_killed_process_makes_room() {
    let mut page = Page::new();
    page.bed.stack("otpd-web", ASKING);
    let users: Vec<String> = (0..22).map(|number| format!("user{number}")).collect();
    for user in &users {
        page.bed.user(user);
        page.bed.bind(user, "phone");
    }
    let mut visits: Vec<(Visit, Value)> =
        (0..64).map(|number: usize| page.enter(&users[number % users.len()])).collect();
    visits.iter().for_each(|(_, step)| asks_for_a_code(step));
    page.bed.user("last");
    assert_eq!(page.enter("last").1, refused("busy"));
    page.wait_for_logins(64);
    nix::sys::signal::kill(Pid::from_raw(page.logins()[0]), Signal::SIGKILL).unwrap();
    page.wait_for_logins(63);
    // Who has no device is asked for no code.
    assert_eq!(page.enter("last").1["next"], "done");
    // The others notice nothing.
    let alive =
        visits.iter_mut().filter_map(|(visit, _)| visit.call("org.varlink.service.GetInfo", &json!({})).ok());
    assert_eq!(alive.count(), 63);
}

#[test]
fn who_goes_in_the_middle_takes_the_process_along() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.bind("alice", "phone");
    let (visit, step) = page.enter("alice");
    asks_for_a_code(&step);
    assert_eq!(page.logins().len(), 1);
    drop(visit);
    page.wait_for_no_logins();
    // In the middle of a module, or of a delay, which here is longer than the test's patience.
    page.bed.stack("otpd-web", "auth optional pam_faildelay.so delay=600000000\nauth required pam_deny.so");
    let mut stream = UnixStream::connect(page.bed.runtime().join(otpd_proto::SESSION_SOCKET)).unwrap();
    let open = json!({"user": "alice", "password": "x", "address": null, "agent": null, "renew": null});
    let call = json!({"method": "org.otpd.Session.Open", "parameters": open});
    stream.write_all(format!("{call}\0").as_bytes()).unwrap();
    page.wait_for_a_sleeping_login();
    drop(stream);
    page.wait_for_no_logins();
}

#[test]
fn a_silent_caller_is_told_that_it_took_too_long() {
    let page = Page::new();
    let mut stream = UnixStream::connect(page.bed.runtime().join(otpd_proto::SESSION_SOCKET)).unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let told: Value = serde_json::from_str(told.trim_end_matches('\0')).unwrap();
    assert_eq!(told["parameters"]["step"], refused("timeout"));
    page.wait_for_no_logins();
}

#[test]
fn what_is_no_call_closes_the_connection() {
    let page = Page::new();
    let long = vec![b' '; 70_000];
    for nonsense in [
        &b"\xff\0"[..],
        b"{\"method\":\"org.otpd.Session.Open\",\"parameters\":{\"user\":\"\xff\"}}\0",
        b"GET / HTTP/1.1\r\n\0",
        &long,
    ] {
        let mut stream = UnixStream::connect(page.bed.runtime().join(otpd_proto::SESSION_SOCKET)).unwrap();
        let _ = stream.write_all(nonsense);
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told);
        assert!(told.is_empty(), "{told:?}");
    }
    page.wait_for_no_logins();
}

#[test]
fn the_socket_is_otpd_webs_and_others_are_turned_away_even_past_it() {
    let mut page = Page::new();
    page.bed.user("mallory");
    let socket = page.bed.runtime().join(otpd_proto::SESSION_SOCKET);
    let found = fs::metadata(&socket).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, 60_996));
    let ask = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/otpd/session.sock'); \
               s.send(b'{\"method\":\"org.varlink.service.GetInfo\"}\\0'); print(len(s.recv(9999)) > 0)";
    assert_eq!(page.bed.run_as("otpd-web", "python3", &["-c", ask]).ok().stdout, "True\n");
    assert!(page.bed.run_as("mallory", "python3", &["-c", ask]).stderr.contains("PermissionError"));
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let past = page.bed.run_as("mallory", "python3", &["-c", ask]);
    assert!(past.stdout != "True\n", "{past:?}");
    assert!(page.listener.as_mut().unwrap().wait_for("turned away"));
}

#[test]
fn stopped_it_takes_its_socket_along_and_a_second_one_does_not_start() {
    let mut page = Page::new();
    let output = page.bed.run(page.bed.path("bin/otpd-login").to_str().unwrap(), &["--listen"]);
    assert!(output.code == 1 && output.stderr.contains("served already"), "{output:?}");
    let socket = page.bed.runtime().join(otpd_proto::SESSION_SOCKET);
    assert!(socket.exists());
    page.listener.take().unwrap().stop();
    assert!(!socket.exists());
    page.listen();
    assert_eq!(page.post("nobody-here", PASSWORD).1, refused("failed"));
}
