//! Whoever takes a change back if no login proves it: a process of its own, which no end of a session ends.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use super::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::switch::Change;
use crate::switch::Records;
use crate::switch::settle;
use crate::switch::settle::Decision;

/// Starts it, before anything is changed.
///
/// # Errors
/// It does not run.
pub(super) fn arm(change: &Change) -> Result<(), Failure> {
    // Of systemd where it runs: that starts it again should it be killed, and no session's end reaches it. Elsewhere, or
    // if systemd would not, a process that has left the session.
    if Path::new("/run/systemd/system").exists() && by_systemd(change) {
        return Ok(());
    }
    detached(change).map_err(|why| {
        let say = format!("nothing was changed, because nobody could take it back: {why}");
        Failure::new(Exit::Refused, "no_guard", say)
    })
}

fn by_systemd(change: &Change) -> bool {
    let Ok(program) = std::env::current_exe() else { return false };
    let mut run = Command::new("systemd-run");
    // Type=exec: what cannot be started at all is told at once.
    run.args(["--quiet", "--collect", "--property=Type=exec", "--property=StartLimitIntervalSec=0"]);
    run.args(["--property=Restart=on-failure", "--property=RestartSec=1"]);
    run.arg(format!("--unit=otpctl-pam-{}-{}", change.name, change.until));
    run.arg("--").arg(program).args(["pam", "settle", "--wait", &change.name]);
    run.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn detached(change: &Change) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut guard = Command::new(program);
    guard.args(["pam", "settle", "--wait", &change.name]).current_dir("/");
    guard.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = guard.spawn().map_err(|error| error.to_string())?;
    let mut line = String::new();
    let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
    match read {
        Some(Ok(_)) if line.trim() == READY => Ok(()),
        _ => Err("the process that waits does not start".into()),
    }
}

/// Waits until the change is decided.
///
/// # Errors
/// It cannot be read; systemd starts it again.
pub(super) fn wait(session: &Session, records: &Records, name: &str) -> Result<Exit, Failure> {
    // Fails where systemd has done it already.
    let _ = nix::unistd::setsid();
    session.output.lines(&[READY.into()])?;
    let mut told = String::new();
    loop {
        let decided = records.lock().and_then(|_lock| match records.find(name)? {
            Some(change) => settle::settle(records, &change),
            None => Ok(Decision::Kept(String::new())),
        });
        match decided {
            Ok(Decision::Waiting) => pause(),
            Ok(Decision::Kept(say)) => {
                log("notice", &say);
                return Ok(Exit::Ok);
            }
            Ok(Decision::TakenBack(say)) => {
                log("warning", &say);
                return Ok(Exit::Ok);
            }
            // A full disk, for one: it is tried until it works.
            Err(failure) => {
                if failure.message != told {
                    log("alert", &format!("{name}: cannot be taken back yet: {}", failure.message));
                    told = failure.message;
                }
                pause();
            }
        }
    }
}

/// Into the system's log, if there is a program for it: nobody reads what a guard prints.
fn log(priority: &str, say: &str) {
    if !say.is_empty() {
        let mut logger = Command::new("logger");
        logger.args(["-t", "otpctl", "-p", &format!("auth.{priority}"), "--", say]);
        let _ = logger.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

#[expect(clippy::disallowed_methods, reason = "otpd tells of a login only when it is asked")]
fn pause() {
    std::thread::sleep(LOOK_EACH);
}

const LOOK_EACH: Duration = Duration::from_millis(500);
const READY: &str = "waiting";
