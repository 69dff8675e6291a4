//! A private sshd on loopback, and OpenSSH's client with its answers typed by a script.

use std::fs;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;

use otpd_tests::Output;
use otpd_tests::Testbed;

/// A running sshd.
pub struct Sshd<'a> {
    bed: &'a Testbed,
    child: Child,
    port: u16,
}

/// The stack of the README.
pub const STACK: &str = "\
auth     requisite  pam_unix.so
auth     required   @otp
account  required   pam_unix.so
account  required   @otp
session  required   pam_permit.so";

impl<'a> Sshd<'a> {
    /// Starts sshd with more lines in its configuration, and waits until it listens.
    pub fn start(bed: &'a Testbed, more: &str) -> Self {
        if !bed.path("etc/pam.d/sshd").exists() {
            bed.stack("sshd", STACK);
        }
        let key = bed.path("host_key");
        if !key.exists() {
            bed.run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]).ok();
        }
        // A port that was free a moment ago; sshd says so if it no longer is.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "{more}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nUsePAM yes\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication yes\nSubsystem sftp internal-sftp\nUseDNS no\n",
            key.display()
        );
        let path = bed.path("sshd_config");
        fs::write(&path, config).unwrap();
        let child = bed
            .command("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(&path)
            .stderr(fs::File::create(bed.path("sshd.log")).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut sshd = Self { bed, child, port };
        sshd.wait();
        sshd
    }

    fn wait(&mut self) {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "sshd ended: {}", self.log());
            std::thread::park_timeout(Duration::from_millis(50));
        }
        panic!("sshd does not listen: {}", self.log());
    }

    /// What sshd said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.bed.path("sshd.log")).unwrap()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Logs in with keyboard-interactive, typing `answers` in order, and runs a command that says who we are.
    pub fn login(&self, user: &str, answers: &[&str]) -> Output {
        self.client(user, answers, &["-o", "PreferredAuthentications=keyboard-interactive"])
    }

    /// Runs the client with more options. Prompts are on its standard error, as a terminal would show them.
    pub fn client(&self, user: &str, answers: &[&str], options: &[&str]) -> Output {
        let asked = tempfile::NamedTempFile::new_in(self.bed.path("")).unwrap();
        let typed = tempfile::NamedTempFile::new_in(self.bed.path("")).unwrap();
        fs::write(typed.path(), answers.iter().map(|answer| format!("{answer}\n")).collect::<String>())
            .unwrap();
        let typist = self.bed.path("typist");
        if !typist.exists() {
            fs::write(&typist, TYPIST).unwrap();
            fs::set_permissions(&typist, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = self.bed.command("ssh");
        command
            .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1", "-p", &self.port.to_string()])
            .args(options)
            .arg(format!("{user}@127.0.0.1"))
            .arg("echo in as $(id -un)")
            .env("SSH_ASKPASS", &typist)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("ASKED", asked.path())
            .env("TYPED", typed.path());
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

/// Shows the prompt it is given and types the next line of a file.
const TYPIST: &str = "\
#!/bin/sh
printf '%s\\n' \"$1\" >>\"$ASKED\"
head -n 1 \"$TYPED\"
sed -i 1d \"$TYPED\"
";
