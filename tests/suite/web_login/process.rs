//! The process itself: what it inherits, leaves behind, and keeps in memory.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use nix::sys::signal::Signal;
use otpd_tests::PASSWORD;
use serde_json::Value;
use serde_json::json;

use crate::page::Page;
use crate::page::asks_for_a_code;

#[test]
fn it_has_no_environment_no_foreign_descriptor_and_leaves_no_core() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.bind("alice", "phone");
    let (_visit, step) = page.enter("alice");
    asks_for_a_code(&step);
    let process = format!("/proc/{}", page.logins()[0]);
    let read = |name: &str| fs::read_to_string(format!("{process}/{name}")).unwrap();
    assert!(read("limits").lines().any(|line| {
        line.starts_with("Max core file size") && line.split_whitespace().nth(4) == Some("0")
    }));
    assert!(read("status").contains("Umask:\t0077"));
    assert_eq!(read("environ"), "");
    assert_eq!(fs::read_link(format!("{process}/cwd")).unwrap().to_str(), Some("/"));
    let mut descriptors: Vec<String> = fs::read_dir(format!("{process}/fd"))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
        .map(|target| target.split(':').next().unwrap().to_owned())
        .collect();
    descriptors.sort_unstable();
    // Standard input and output, the log, the connection and its watch, the slots.
    assert_eq!(descriptors, ["/dev/null", "/dev/null", "/run/otpd/login.slots", "pipe", "socket", "socket"]);
}

#[test]
fn no_copy_of_the_password_is_left_after_pam() {
    let mut page = Page::new();
    page.bed.user("alice");
    page.bed.stack("otpd-web", "auth required pam_unix.so\naccount required pam_unix.so");
    // Between pam_end and the ticket, which does not come.
    page.bed.daemon().signal(Signal::SIGSTOP);
    let mut stream = UnixStream::connect(page.bed.runtime().join(otpd_proto::SESSION_SOCKET)).unwrap();
    // Written so that reading it takes a buffer.
    let escaped = PASSWORD.replace('c', "\\u0063");
    let call = format!(
        r#"{{"method":"org.otpd.Session.Open","parameters":{{"user":"alice","password":"{escaped}","address":null,"agent":null,"renew":null}}}}"#
    );
    stream.write_all(call.as_bytes()).unwrap();
    stream.write_all(b"\0").unwrap();
    page.wait_for_a_poll();
    let memory = memory(page.logins()[0]);
    let copies = |text: &str| memory.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    assert!(copies("otpd-web") > 0, "this is not its memory");
    // Half of it is as bad.
    assert_eq!([copies(&PASSWORD[..8]), copies(&PASSWORD[5..]), copies(&escaped[..8])], [0; 3]);
    page.bed.daemon().signal(Signal::SIGCONT);
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    assert!(told.contains("\"done\""), "{told}");
}

/// All that a process can write to.
fn memory(pid: i32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let file = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[vvar")) {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|place| u64::from_str_radix(place, 16).unwrap());
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        file.read_exact_at(&mut part, from).unwrap();
        all.extend_from_slice(&part);
    }
    all
}

#[test]
fn valgrind_finds_no_leak_and_no_error() {
    let mut page = Page::new();
    page.bed.user("alice");
    let phone = page.bed.bind("alice", "phone");
    let (mut ours, its) = UnixStream::pair().unwrap();
    let mut command = page.bed.command("valgrind");
    command.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite", "--error-exitcode=99"]);
    command.arg(page.bed.path("bin/otpd-login")).stdin(Stdio::from(OwnedFd::from(its)));
    let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut call = |method: &str, parameters: Value| -> Value {
        let call = json!({"method": format!("org.otpd.Session.{method}"), "parameters": parameters});
        ours.write_all(format!("{call}\0").as_bytes()).unwrap();
        let mut reply = Vec::new();
        while reply.last() != Some(&0) {
            let mut byte = [0];
            ours.read_exact(&mut byte).unwrap();
            reply.extend_from_slice(&byte);
        }
        serde_json::from_slice::<Value>(&reply[..reply.len() - 1]).unwrap()["parameters"]["step"].take()
    };
    let step = call(
        "Open",
        json!({"user": "alice", "password": PASSWORD, "address": null, "agent": null, "renew": null}),
    );
    asks_for_a_code(&step);
    assert_eq!(call("Answer", json!({"answer": phone.code(0)}))["next"], "done");
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
