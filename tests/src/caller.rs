//! A process that logs in through libpam, again and again.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Stdio;

use crate::Testbed;

/// The program `pam_login` inside a testbed.
pub struct Caller {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Caller {
    /// Starts it. Only a suite knows where it was built: `program` is `env!("CARGO_BIN_EXE_pam_login")`.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(bed: &Testbed, program: &str, service: &str) -> Self {
        let mut command = bed.command(program);
        command.arg("/etc/pam.d").arg(service).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let stdin = child.stdin.take().expect("its input");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, stdin, stdout }
    }

    /// Has it log in.
    ///
    /// # Panics
    /// It is gone.
    pub fn give(&mut self, user: &str, code: &str) {
        writeln!(self.stdin, "{user} {code}").expect("written");
        self.stdin.flush().expect("written");
    }

    /// What `pam_authenticate` returned.
    ///
    /// # Panics
    /// It is gone.
    pub fn verdict(&mut self) -> i32 {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("an answer");
        line.trim().parse().expect("a number")
    }

    /// Logs in, and returns what came of it.
    ///
    /// # Panics
    /// It is gone.
    pub fn log_in(&mut self, user: &str, code: &str) -> i32 {
        self.give(user, code);
        self.verdict()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
