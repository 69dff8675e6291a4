//! A private sshd (or another server of SSH), and OpenSSH's clients with their answers typed by a script.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use otpd_tests::Output;
use otpd_tests::Testbed;

/// A running server of SSH.
pub(crate) struct Sshd<'a> {
    bed: &'a Testbed,
    child: Child,
    port: u16,
    log: Arc<Mutex<String>>,
}

/// The stack of the README.
pub(crate) const STACK: &str = "\
auth     requisite  pam_unix.so
auth     required   @otp
account  required   @otp
account  required   pam_unix.so
session  required   pam_permit.so";

impl<'a> Sshd<'a> {
    /// Starts sshd on loopback with more lines in its configuration.
    pub(crate) fn start(bed: &'a Testbed, more: &str) -> Self {
        let port = free_port();
        let config = write_config(bed, port, &format!("ListenAddress 127.0.0.1\n{more}"));
        let mut command = bed.command("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f", &config]);
        Self::run(bed, command, port, LISTENS)
    }

    /// Starts sshd on every address of a network namespace.
    pub(crate) fn start_in(bed: &'a Testbed, network: &str) -> Self {
        let config = write_config(bed, 22, "");
        let mut command = bed.command("ip");
        command.args(["netns", "exec", network, "/usr/sbin/sshd", "-D", "-e", "-f", &config]);
        Self::run(bed, command, 22, LISTENS)
    }

    /// Starts it and waits until it says `ready` on its standard error.
    pub(crate) fn run(bed: &'a Testbed, mut command: Command, port: u16, ready: &'static str) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let (tell, told) = mpsc::channel();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if line.contains(ready) {
                    let _ = tell.send(());
                }
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let sshd = Self { bed, child, port, log };
        assert!(told.recv_timeout(Duration::from_secs(30)).is_ok(), "it does not listen: {}", sshd.log());
        sshd
    }

    /// What it said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Logs in with keyboard-interactive, typing `answers` in order, and runs a command that says who we are.
    pub(crate) fn login(&self, user: &str, answers: &[&str]) -> Output {
        self.client(user, answers, &["-o", "PreferredAuthentications=keyboard-interactive"])
    }

    /// Runs ssh with more options. Prompts are on its standard error, as a terminal would show them.
    pub(crate) fn client(&self, user: &str, answers: &[&str], options: &[&str]) -> Output {
        let mut command = self.bed.command("ssh");
        command.args(COMMON).args(["-p", &self.port.to_string()]).args(options);
        command.arg(format!("{user}@127.0.0.1")).arg(WHO);
        self.typing(answers, command)
    }

    /// Runs ssh on another host of the private network.
    pub(crate) fn client_in(&self, network: &str, address: &str, user: &str, answers: &[&str]) -> Output {
        let mut command = self.bed.command("ip");
        command
            .args(["netns", "exec", network, "ssh"])
            .args(COMMON)
            .arg(format!("{user}@{address}"))
            .arg(WHO);
        self.typing(answers, command)
    }

    /// Runs sftp with a batch of commands.
    pub(crate) fn sftp(&self, user: &str, answers: &[&str], batch: &str) -> Output {
        let file = self.bed.path("batch");
        fs::write(&file, batch).unwrap();
        let mut command = self.bed.command("sftp");
        command.args(COMMON).args(["-o", "BatchMode=no", "-P", &self.port.to_string(), "-b"]).arg(file);
        command.arg(format!("{user}@127.0.0.1"));
        self.typing(answers, command)
    }

    fn typing(&self, answers: &[&str], mut command: Command) -> Output {
        let asked = tempfile::NamedTempFile::new_in(self.bed.path("")).unwrap();
        let typed = tempfile::NamedTempFile::new_in(self.bed.path("")).unwrap();
        fs::write(typed.path(), answers.iter().map(|answer| format!("{answer}\n")).collect::<String>())
            .unwrap();
        let typist = self.bed.path("typist");
        if !typist.exists() {
            fs::write(&typist, TYPIST).unwrap();
            fs::set_permissions(&typist, fs::Permissions::from_mode(0o755)).unwrap();
        }
        command.env("SSH_ASKPASS", &typist).env("SSH_ASKPASS_REQUIRE", "force");
        command.env("ASKED", asked.path()).env("TYPED", typed.path());
        let output = command.output().unwrap();
        let prompts = fs::read_to_string(asked.path()).unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: format!("{prompts}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

impl Drop for Sshd<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago; the server says so if it no longer is.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn write_config(bed: &Testbed, port: u16, more: &str) -> String {
    if !bed.path("etc/pam.d/sshd").exists() {
        bed.stack("sshd", STACK);
    }
    let key = bed.path("host_key");
    if !key.exists() {
        bed.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]).ok();
    }
    let config = format!(
        "{more}\nPort {port}\nHostKey {}\nPidFile none\nUsePAM yes\nStrictModes no\nPasswordAuthentication {}\n\
         KbdInteractiveAuthentication yes\nSubsystem sftp internal-sftp\nUseDNS no\n",
        key.display(),
        if more.contains("AuthenticationMethods password") { "yes" } else { "no" },
    );
    let path = bed.path(&format!("sshd_config.{port}"));
    fs::write(&path, config).unwrap();
    path.to_str().unwrap().to_owned()
}

const LISTENS: &str = "Server listening";

const COMMON: [&str; 10] = [
    "-F",
    "none",
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "NumberOfPasswordPrompts=1",
];

const WHO: &str = "echo in as $(id -un)";

/// Shows the prompt it is given and types the next line of a file, or what comes out of the pipe that it names.
const TYPIST: &str = "\
#!/bin/sh
printf '%s\\n' \"$1\" >>\"$ASKED\"
line=$(head -n 1 \"$TYPED\")
sed -i 1d \"$TYPED\"
case $line in @*) cat \"${line#@}\" ;; *) printf '%s\\n' \"$line\" ;; esac
";
