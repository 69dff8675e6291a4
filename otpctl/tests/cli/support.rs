//! A scripted daemon, and ways to run `otpctl`: with pipes, or at a terminal.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::pty::Winsize;
use serde_json::Value;
use serde_json::json;

/// A method's short name (`Account.Status`) and its parameters.
pub(crate) type Call = (String, Value);

/// What the daemon answers: bytes, the NUL included.
pub(crate) type Answer = Vec<u8>;

/// A daemon that answers as told, in a directory of its own.
pub(crate) struct Daemon {
    directory: tempfile::TempDir,
    calls: Arc<Mutex<Vec<Call>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Answers every call with what `script` makes of its method and parameters.
    pub(crate) fn new(mut script: impl FnMut(&str, &Value) -> Answer + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("account.sock")).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (calls.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            for peer in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                serve(peer.unwrap(), &mut script, &seen);
            }
        });
        Self { directory, calls, stop, thread: Some(thread) }
    }

    /// Gives the same answer to everything.
    pub(crate) fn saying(answer: Answer) -> Self {
        Self::new(move |_, _| answer.clone())
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// `otpctl` with this daemon.
    pub(crate) fn otpctl(&self, words: &[&str]) -> Command {
        let mut command = otpctl(words);
        command.arg("--runtime-dir").arg(self.directory());
        command
    }

    /// Runs it to its end with nothing on standard input.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        Ended::of(self.otpctl(words).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs it to its end with `input` on standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> Ended {
        let mut command = self.otpctl(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ended::of(child.wait_with_output().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(self.directory.path().join("account.sock"));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the script failed");
        }
    }
}

fn serve(mut peer: UnixStream, script: &mut impl FnMut(&str, &Value) -> Answer, seen: &Mutex<Vec<Call>>) {
    let mut message = Vec::new();
    let mut byte = [0];
    while peer.read(&mut byte).unwrap_or(0) == 1 {
        if byte != [0] {
            message.push(byte[0]);
            continue;
        }
        let call: Value = serde_json::from_slice(&message).unwrap();
        message.clear();
        let method = call["method"].as_str().unwrap().trim_start_matches("org.otpd.").to_owned();
        seen.lock().unwrap().push((method.clone(), call["parameters"].clone()));
        if peer.write_all(&script(&method, &call["parameters"])).is_err() {
            return;
        }
    }
}

/// The built program, in a known environment.
pub(crate) fn otpctl(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otpctl"));
    command.args(words).env_clear().envs([("TERM", "xterm-256color"), ("TZ", "UTC")]);
    command
}

/// A result.
pub(crate) fn reply(parameters: &Value) -> Answer {
    whole(&json!({ "parameters": parameters }))
}

/// An error by its full name.
pub(crate) fn error(name: &str, parameters: &Value) -> Answer {
    whole(&json!({ "error": name, "parameters": parameters }))
}

/// A refusal of `org.otpd.Account`.
pub(crate) fn refused(reason: &str, say: &str) -> Answer {
    error("org.otpd.Account.Refused", &json!({ "reason": reason, "say": say }))
}

fn whole(message: &Value) -> Answer {
    let mut bytes = message.to_string().into_bytes();
    bytes.push(0);
    bytes
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as the one JSON object it must be.
    pub(crate) fn object(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        let value: Value = serde_json::from_str(&self.out).unwrap();
        assert!(value.is_object(), "{self:?}");
        value
    }
}

/// A program at a terminal.
pub(crate) struct AtTerminal {
    child: Child,
    screen: File,
    seen: Vec<u8>,
    answered: usize,
}

impl AtTerminal {
    /// Starts it with all three standard streams on a terminal of 80 columns and 24 rows.
    pub(crate) fn start(mut command: Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = nix::pty::openpty(Some(&size), None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        Self { child, screen: File::from(pty.master), seen: Vec::new(), answered: 0 }
    }

    /// Reads until `text` has been shown since the last answer; fails if the program ends or is stuck before.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.shown().contains(text) {
            assert!(self.read(), "ended or stuck before {text:?}: {}", self.shown());
        }
    }

    /// What was shown since the last answer.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.seen[self.answered..]).into_owned()
    }

    /// Takes in what is shown next; `false` at the end, or if nothing comes.
    fn read(&mut self) -> bool {
        let mut ready = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
        if nix::poll::poll(&mut ready, STUCK).unwrap() == 0 {
            return false;
        }
        let mut chunk = [0; 4096];
        // A terminal that everybody has left gives an error.
        let length = self.screen.read(&mut chunk).unwrap_or(0);
        self.seen.extend_from_slice(&chunk[..length]);
        length > 0
    }

    /// Types a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.answered = self.seen.len();
        self.screen.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Ends the input.
    pub(crate) fn end_input(&mut self) {
        self.screen.write_all(b"\x04").unwrap();
    }

    /// Waits for the end: the exit code and all that was shown.
    pub(crate) fn finish(mut self) -> (i32, String) {
        while self.read() {}
        if self.child.try_wait().unwrap().is_none() && !self.hung_up() {
            self.child.kill().unwrap();
        }
        let code = self.child.wait().unwrap().code();
        (code.expect("stuck, and killed"), String::from_utf8_lossy(&self.seen).into_owned())
    }

    /// Whether the program has closed the terminal, which it does by ending.
    fn hung_up(&self) -> bool {
        let mut ready = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
        nix::poll::poll(&mut ready, PollTimeout::ZERO).is_ok_and(|count| count > 0)
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // Both fail once it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Milliseconds without a sign of life; only a broken program reaches it.
const STUCK: u16 = 30_000;

/// A device as the daemon describes it, with `changes`.
pub(crate) fn device(changes: &Value) -> Value {
    let mut device = json!({"id": 1, "name": "Phone", "state": "active", "kind": "totp", "algorithm": "SHA1",
        "digits": 6, "period": 30, "needs_resync": false, "created": 1_700_000_000, "created_by": "alice", "activated": 1_700_000_060,
        "retired": null, "retired_by": null, "last_used": null, "last_service": null, "last_address": null});
    device.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    device
}

/// A protected account without trouble, with `changes`.
pub(crate) fn status(changes: &Value) -> Value {
    let mut status = json!({"user": "alice", "protected": true,
        "requirement": {"state": "optional", "since": null, "why": ""}, "active_devices": 2,
        "pending_devices": 0, "lanes": [], "recovery_codes": [1, 2, 4, 5, 6, 7, 8, 9, 10], "rebind_until": null,
        "emails": [email("confirmed")], "mail_problem": null, "news": [],
        "now": 1_700_000_000, "clock_synchronised": true, "warnings": []});
    status.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    status
}

/// A secure email.
pub(crate) fn email(state: &str) -> Value {
    let until = (state != "confirmed").then(|| now() + 600);
    let recovers = (state == "confirmed").then_some(1_700_000_000);
    json!({"id": 1, "address": "jane@example.org", "state": state, "added": 1_700_000_000,
        "recovers": recovers, "until": until})
}

pub(crate) const KEY: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";

/// 90 characters, as usual.
pub(crate) const URI: &str =
    "otpauth://totp/nas:alice%20%28Phone%29?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=nas";

/// Unix seconds by the real clock, for what is shown as a distance from now.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// What `Begin` returns.
pub(crate) fn begun() -> Value {
    json!({"device": 3, "name": "Phone", "key": KEY, "uri": URI, "expires": now() + 600})
}
