//! Socket activation with systemd's own tool: otpd takes the sockets it is given, and need not be root for that.

use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use otpd_proto::ACCOUNT_SOCKET;
use otpd_proto::LOGIN_SOCKET;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_tests::Daemon;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

use crate::OTPD;
use crate::answer;
use crate::eventually;
use crate::first_step;
use crate::login;
use crate::privileges::assert_unprivileged;

/// A system where systemd would listen: its socket directory, and no daemon.
fn bed() -> Testbed {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    bed.user("alice");
    bed.run("mkdir", &["-m", "755", otpd_proto::RUNTIME_DIR]).ok();
    bed
}

/// otpd behind systemd-socket-activate, which waits for a first caller; `before` is what starts otpd.
fn activated(bed: &Testbed, sockets: &[&str], before: &[&str]) -> Command {
    let mut command = bed.command("systemd-socket-activate");
    for socket in sockets {
        command.arg("--listen").arg(format!("{}/{socket}", otpd_proto::RUNTIME_DIR));
    }
    command.args(before).arg(bed.path("bin/otpd")).arg("--config").arg(bed.path("otpd.toml"));
    command
}

/// Starts it with a first caller, and returns what that one was told.
fn start(bed: &Testbed, command: Command) -> (Result<Daemon, String>, Result<Value, ClientError>) {
    let socket = bed.runtime().join(LOGIN_SOCKET);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| {
            eventually("somebody listens", || {
                !matches!(Client::connect(&socket, WITHIN), Err(ClientError::Unreachable { .. }))
            });
            Client::connect(&socket, WITHIN)?.call("org.otpd.Login.Start", &login("alice"))
        });
        let daemon = Daemon::start(command, &bed.runtime());
        (daemon, caller.join().unwrap())
    })
}

const WITHIN: Duration = Duration::from_secs(120);

#[test]
fn otpd_takes_both_sockets_and_serves_the_caller_that_woke_it() {
    let mut bed = bed();
    let command = activated(&bed, &[LOGIN_SOCKET, ACCOUNT_SOCKET], &[]);
    let (daemon, first) = start(&bed, command);
    let daemon = daemon.unwrap();
    assert_eq!(first.unwrap()["step"]["next"], "not_required");
    assert_unprivileged(&daemon);
    let begun = daemon.account("org.otpd.Account.Begin", &json!({"user": "alice"})).unwrap();
    assert_eq!(begun["name"].as_str().map(str::is_empty), Some(false));
    // A socket that systemd made stays: the next start is on the same.
    daemon.stop();
    assert!(bed.runtime().join(LOGIN_SOCKET).exists() && bed.runtime().join(ACCOUNT_SOCKET).exists());
    bed.start();
    assert_eq!(first_step(bed.daemon(), "sudo", "alice"), "not_required");
}

#[test]
fn otpd_is_never_root_when_systemd_starts_it_as_its_own_user() {
    let bed = bed();
    let state = bed.path("state");
    std::fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
    chown(&state, Some(OTPD), Some(OTPD)).unwrap();
    let id = OTPD.to_string();
    let as_otpd = ["/usr/bin/setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    let command = activated(&bed, &[ACCOUNT_SOCKET, LOGIN_SOCKET], &as_otpd);
    let (daemon, first) = start(&bed, command);
    let daemon = daemon.unwrap();
    assert_eq!(first.unwrap()["step"]["next"], "not_required");
    assert_unprivileged(&daemon);
    let begun = daemon.account("org.otpd.Account.Begin", &json!({"user": "alice", "name": "phone"})).unwrap();
    let phone = otpd_tests::Token::new(begun["key"].as_str().unwrap());
    let confirm = json!({"user": "alice", "device": "phone", "code": phone.code(-1)});
    daemon.account("org.otpd.Account.Confirm", &confirm).unwrap();
    let code = phone.code(0);
    assert_eq!(answer(&daemon, "alice", &code)["next"], "accept");
    assert_eq!(answer(&daemon, "alice", &code)["next"], "refuse");
}

#[test]
fn one_socket_of_the_two_is_refused() {
    let bed = bed();
    let (daemon, first) = start(&bed, activated(&bed, &[LOGIN_SOCKET], &[]));
    let said = daemon.err().unwrap();
    assert!(said.contains("only one of login.sock and account.sock"), "{said}");
    assert!(said.contains("enable both socket units"), "{said}");
    assert!(first.is_err());
}

#[test]
fn a_socket_that_is_none_of_ours_is_refused() {
    let bed = bed();
    let (daemon, _) = start(&bed, activated(&bed, &[LOGIN_SOCKET, ACCOUNT_SOCKET, "other.sock"], &[]));
    let said = daemon.err().unwrap();
    assert!(said.contains("other.sock") && said.contains("mail.sock and web.sock are wanted"), "{said}");
}
