//! A private system: its own passwd, shadow, group, pam.d, sudoers, /home and /run in a mount namespace, with the
//! programs under test installed in it and a daemon running. Needs root.

use std::ffi::OsStr;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use serde_json::json;

use crate::Daemon;
use crate::Programs;
use crate::Token;

/// The password of every user made here.
pub const PASSWORD: &str = "correct horse";

/// [`PASSWORD`], as crypt(5) has it.
pub const HASH: &str =
    "$6$otpdtests$6hcf51j1yMAm7w/td2vmCa76iwZA19/.eOxRelxYU8g2GR7ayu7UIr8X/PQXedkiRbOh.HTLqwpqSFVUcjpx7.";

/// A private system. Gone when dropped.
pub struct Testbed {
    root: tempfile::TempDir,
    namespace: Child,
    daemon: Option<Daemon>,
    mailer: Option<Daemon>,
    users: u32,
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Asserts success.
    ///
    /// # Panics
    /// It failed.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The JSON it printed.
    ///
    /// # Panics
    /// It is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Testbed {
    /// A system without a daemon.
    ///
    /// # Panics
    /// Not root, or the system does not let us.
    #[must_use]
    pub fn without_daemon() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this test needs root: run it with tests/run.sh");
        let root =
            tempfile::Builder::new().prefix("otpd-tests-").tempdir_in("/var/tmp").expect("a directory");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        lay_out(root.path());
        let namespace = enter_namespace(root.path());
        Self { root, namespace, daemon: None, mailer: None, users: 0 }
    }

    /// A system with a daemon of default settings.
    ///
    /// # Panics
    /// As [`Testbed::without_daemon`], or otpd does not start.
    #[must_use]
    pub fn new() -> Self {
        Self::with("")
    }

    /// A system with a daemon and these lines in its configuration, before its own `[paths]`.
    ///
    /// # Panics
    /// As [`Testbed::new`].
    #[must_use]
    pub fn with(settings: &str) -> Self {
        let mut bed = Self::without_daemon();
        bed.configure(settings);
        bed.start();
        bed
    }

    /// Writes the daemon's configuration.
    ///
    /// # Panics
    /// The disk is full.
    pub fn configure(&self, settings: &str) {
        let paths = format!("[paths]\nstate = {:?}\nsyslog = {:?}\n", self.path("state"), self.path("log"));
        fs::write(self.path("otpd.toml"), format!("{settings}\n{paths}")).expect("written");
    }

    /// Starts the daemon.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(&mut self) {
        let started = self.try_start();
        started.unwrap_or_else(|said| panic!("otpd does not start: {said}"));
    }

    /// Starts the daemon, or says why it does not.
    ///
    /// # Errors
    /// What it said.
    pub fn try_start(&mut self) -> Result<(), String> {
        let mut command = self.command(self.path("bin/otpd"));
        command.arg("--config").arg(self.path("otpd.toml"));
        self.daemon = Some(Daemon::start(command, &self.runtime())?);
        Ok(())
    }

    /// Starts the daemon under another program, such as `env`, which becomes it.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_under(&mut self, words: &[&str]) {
        let (program, words) = words.split_first().expect("a program");
        let mut command = self.command(program);
        command.args(words).arg(self.path("bin/otpd")).arg("--config").arg(self.path("otpd.toml"));
        let started = Daemon::start(command, &self.runtime());
        self.daemon = Some(started.unwrap_or_else(|said| panic!("otpd does not start: {said}")));
    }

    /// Starts otpd-mail, which delivers to a server on this port of 127.0.0.1 by these other settings.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_mail(&mut self, port: u16, settings: &str) {
        self.start_mail_by(&format!(
            "transport = \"smtp\"\nfrom = \"nas@example.org\"\n{settings}\n\
             [smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n"
        ));
    }

    /// Starts otpd-mail with this configuration.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_mail_by(&mut self, configuration: &str) {
        fs::write(self.path("mail.toml"), configuration).expect("written");
        let mut command = self.command(self.path("bin/otpd-mail"));
        command.arg("--config").arg(self.path("mail.toml"));
        let started = Daemon::start_until(command, &self.runtime(), "otpd-mail: ready");
        self.mailer = Some(started.unwrap_or_else(|said| panic!("otpd-mail does not start: {said}")));
    }

    /// Takes otpd-mail, to stop or kill it.
    ///
    /// # Panics
    /// It was not started.
    pub fn take_mailer(&mut self) -> Daemon {
        self.mailer.take().expect("otpd-mail was started")
    }

    /// The daemon.
    ///
    /// # Panics
    /// It was not started.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon was started")
    }

    /// Takes the daemon, to stop or kill it.
    ///
    /// # Panics
    /// It was not started.
    pub fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("the daemon was started")
    }

    /// A path in the system's own directory.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// A path in the namespace, seen from outside.
    #[must_use]
    pub fn inside(&self, below: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/{below}", self.namespace.id()))
    }

    /// The directory of the sockets, seen from outside.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.inside("run/otpd")
    }

    /// Makes a user with [`PASSWORD`] and a home directory.
    ///
    /// # Panics
    /// The disk is full.
    pub fn user(&mut self, name: &str) -> u32 {
        let uid = self.users.saturating_add(61_000);
        self.users = self.users.saturating_add(1);
        append(&self.path("etc/passwd"), &format!("{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n"));
        append(&self.path("etc/shadow"), &format!("{name}:{HASH}:20000:0:99999:7:::\n"));
        append(&self.path("etc/group"), &format!("{name}:x:{uid}:\n"));
        let home = self.path("home").join(name);
        fs::create_dir(&home).expect("a home");
        std::os::unix::fs::chown(&home, Some(uid), Some(uid)).expect("chown");
        uid
    }

    /// Adds a line to a file of the private /etc.
    ///
    /// # Panics
    /// The disk is full.
    pub fn etc(&self, file: &str, line: &str) {
        append(&self.path("etc").join(file), &format!("{line}\n"));
    }

    /// Makes somebody a member of a group of the private /etc.
    ///
    /// # Panics
    /// There is no such group.
    pub fn join(&self, group: &str, user: &str) {
        let path = self.path("etc/group");
        let text = fs::read_to_string(&path).expect("groups");
        let line =
            text.lines().find(|line| line.starts_with(&format!("{group}:"))).expect("there is that group");
        let comma = if line.ends_with(':') { "" } else { "," };
        fs::write(&path, text.replace(line, &format!("{line}{comma}{user}"))).expect("written");
    }

    /// Writes a PAM stack. `@otp` stands for the module's path.
    ///
    /// # Panics
    /// The disk is full.
    pub fn stack(&self, service: &str, lines: &str) {
        let module = self.path("lib/pam_otp.so");
        let text = lines.replace("@otp", &module.display().to_string());
        fs::write(self.path("etc/pam.d").join(service), text + "\n").expect("written");
    }

    /// A command inside the system.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("-t").arg(self.namespace.id().to_string()).args(["-m", "--"]).arg(program);
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display()));
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Runs a program in the system as root.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        output(self.command(program).args(arguments))
    }

    /// Runs a program in the system as a user.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn run_as(&self, user: &str, program: &str, arguments: &[&str]) -> Output {
        output(self.command_as(user).arg(program).args(arguments))
    }

    /// A command inside the system, as a user: the program is its first argument.
    #[must_use]
    pub fn command_as(&self, user: &str) -> Command {
        let mut command = self.command("setpriv");
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        command
    }

    /// Runs a program on a terminal and answers its prompts.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn drive(&self, steps: &Value, user: Option<&str>, command: &[&str]) -> Output {
        let mut driver = match user {
            Some(user) => self.command_as(user),
            None => self.command("env"),
        };
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/drive.py");
        let steps = steps.to_string();
        output(driver.args(["python3", tool, &steps]).args(command))
    }

    /// Binds a device for a user, as root, and returns its phone. The code that proves it is the previous step's, so
    /// the present one is still good.
    ///
    /// # Panics
    /// It cannot be bound.
    pub fn bind(&self, user: &str, name: &str) -> Token {
        self.bind_with_digits(user, name, 6)
    }

    /// The same with codes of another length.
    ///
    /// # Panics
    /// It cannot be bound.
    pub fn bind_with_digits(&self, user: &str, name: &str, digits: u8) -> Token {
        let begin = json!({"user": user, "name": name, "digits": digits});
        let begun = self.daemon().account("org.otpd.Account.Begin", &begin).expect("begun");
        let token = Token::new(begun["key"].as_str().expect("a key")).with_digits(digits);
        loop {
            let code = token.code(-1);
            let confirm = json!({"user": user, "device": name, "code": code});
            match self.daemon().account("org.otpd.Account.Confirm", &confirm) {
                Ok(_) => return token,
                // A step ended on the way.
                Err(_) if code != token.code(-1) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The newest event of the audit log about a user.
    ///
    /// # Panics
    /// There is none.
    pub fn last_event(&self, user: &str) -> Value {
        let audit = self.daemon().account("org.otpd.Admin.Audit", &json!({"user": user, "tail": 1}));
        audit.expect("the audit log")["events"][0].clone()
    }
}

impl Default for Testbed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        drop(self.mailer.take());
        drop(self.daemon.take());
        // The namespace goes with its last process, and every mount with it.
        let _ = self.namespace.kill();
        let _ = self.namespace.wait();
    }
}

/// Runs a command to its end.
fn output(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The files of the private system: the host's own user databases as a start, nothing else of the host's /etc.
fn lay_out(root: &Path) {
    let programs = Programs::build();
    for directory in ["etc/pam.d", "home", "bin", "lib"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    for file in ["passwd", "shadow", "group"] {
        let (source, target) = (Path::new("/etc").join(file), root.join("etc").join(file));
        fs::copy(&source, &target).expect("copied");
        // pam_unix of a user reads shadow through a program that has its group.
        let group = fs::metadata(&source).expect("just copied").gid();
        std::os::unix::fs::chown(&target, None, Some(group)).expect("chown");
    }
    append(&root.join("etc/passwd"), "otpd:x:60999:60999::/nonexistent:/usr/sbin/nologin\n");
    append(&root.join("etc/passwd"), "otpd-mail:x:60997:60997::/nonexistent:/usr/sbin/nologin\n");
    append(&root.join("etc/passwd"), "otpd-web:x:60996:60996::/nonexistent:/usr/sbin/nologin\n");
    append(
        &root.join("etc/group"),
        "otpd:x:60999:\notpd-mail:x:60997:\notpd-web:x:60996:\notpadmin:x:60998:\n",
    );
    fs::write(
        root.join("etc/sudoers"),
        "Defaults env_reset, timestamp_timeout=0, passwd_tries=1, !lecture\nALL ALL=(ALL) ALL\n",
    )
    .expect("written");
    fs::set_permissions(root.join("etc/sudoers"), fs::Permissions::from_mode(0o440)).expect("chmod");
    fs::copy(&programs.otpd, root.join("bin/otpd")).expect("copied");
    fs::copy(&programs.otpd_mail, root.join("bin/otpd-mail")).expect("copied");
    fs::copy(&programs.otpd_login, root.join("bin/otpd-login")).expect("copied");
    fs::copy(&programs.otpd_web, root.join("bin/otpd-web")).expect("copied");
    fs::copy(&programs.otpctl, root.join("bin/otpctl")).expect("copied");
    fs::copy(&programs.pam_otp, root.join("lib/pam_otp.so")).expect("copied");
    fs::copy(&programs.otpd_try, root.join("bin/otpd-try")).expect("copied");
    fs::copy(&programs.witness, root.join("bin/pam_otp_witness.so")).expect("copied");
    let other = "auth required pam_deny.so\naccount required pam_deny.so\n";
    fs::write(root.join("etc/pam.d/other"), other).expect("written");
}

/// A process that holds the namespace open. It ends when we do, since its standard input is a pipe of ours.
fn enter_namespace(root: &Path) -> Child {
    let script = r#"
        set -e
        for file in passwd shadow group pam.d sudoers; do mount --bind "$1/etc/$file" "/etc/$file"; done
        mount --bind "$1/home" /home
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir /run/sshd
        echo entered
        exec cat
    "#;
    let mut namespace = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", script, "sh"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare starts");
    let stdout = namespace.stdout.take().expect("piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "entered\n", "the mount namespace could not be made");
    namespace
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}
