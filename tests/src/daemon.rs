//! A running otpd: started, waited for, stopped, killed.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use serde_json::Value;

/// A child that is otpd.
pub struct Daemon {
    child: Child,
    runtime: PathBuf,
    log: Arc<Mutex<String>>,
    lines: Mutex<mpsc::Receiver<String>>,
}

impl Daemon {
    /// Starts `command` and waits until it says that it is ready. `runtime` is its socket directory as seen from here.
    ///
    /// # Errors
    /// What it said instead.
    ///
    /// # Panics
    /// It cannot be started, or says nothing for a minute.
    pub fn start(command: Command, runtime: &Path) -> Result<Self, String> {
        Self::start_until(command, runtime, "otpd: ready")
    }

    /// The same with another program, which says `ready`.
    ///
    /// # Errors
    /// What it said instead.
    ///
    /// # Panics
    /// As [`Daemon::start`].
    pub fn start_until(mut command: Command, runtime: &Path, ready: &str) -> Result<Self, String> {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("otpd starts");
        let stderr = child.stderr.take().expect("piped");
        let log = Arc::new(Mutex::new(String::new()));
        let (tell, lines) = mpsc::channel();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().expect("no panic while logging").push_str(&format!("{line}\n"));
                let _ = tell.send(line);
            }
        });
        let mut daemon = Self { child, runtime: runtime.to_owned(), log, lines: Mutex::new(lines) };
        if daemon.wait_for(ready) { Ok(daemon) } else { Err(daemon.ended()) }
    }

    /// Waits for a line with `text`; `false` if otpd ended without it.
    ///
    /// # Panics
    /// Nothing came for a minute.
    pub fn wait_for(&mut self, text: &str) -> bool {
        loop {
            let lines = self.lines.get_mut().expect("no panic while waiting");
            match lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(text) => return true,
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return false,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("otpd does not say {text:?}: {}", self.log()),
            }
        }
    }

    /// Everything it wrote to stderr so far.
    ///
    /// # Panics
    /// The reader panicked.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic while logging").clone()
    }

    /// Its process.
    ///
    /// # Panics
    /// Never on Linux.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// Where it answers logins, as seen from here.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime.join(otpd_proto::LOGIN_SOCKET)
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// It is gone.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(self.pid(), signal).expect("otpd runs");
    }

    /// Waits until it ends, told to or not, and says how.
    ///
    /// # Panics
    /// Never for a child of ours.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("our child")
    }

    /// Asks it to stop and waits; returns its log.
    pub fn stop(mut self) -> String {
        self.signal(Signal::SIGTERM);
        self.ended()
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        self.ended();
    }

    /// Calls a method on account.sock.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn account(&self, method: &str, parameters: &Value) -> Result<Value, ClientError> {
        self.call(otpd_proto::ACCOUNT_SOCKET, method, parameters)
    }

    /// Calls a method on mail.sock.
    ///
    /// # Errors
    /// What otpd said.
    pub fn mail(&self, method: &str, parameters: &Value) -> Result<Value, ClientError> {
        self.call(otpd_proto::MAIL_SOCKET, method, parameters)
    }

    /// Calls a method on login.sock.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn login(&self, method: &str, parameters: &Value) -> Result<Value, ClientError> {
        self.call(otpd_proto::LOGIN_SOCKET, method, parameters)
    }

    fn call(&self, socket: &str, method: &str, parameters: &Value) -> Result<Value, ClientError> {
        Client::connect(&self.runtime.join(socket), Duration::from_secs(30))?.call(method, parameters)
    }

    fn ended(&mut self) -> String {
        self.child.wait().expect("our child");
        // The reader ends with the pipe.
        let lines = self.lines.get_mut().expect("no panic while waiting");
        while lines.recv().is_ok() {}
        self.log()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
