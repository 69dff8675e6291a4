//! The program otpd-mail: started as root, it becomes a user without power, takes mails at a socket, delivers them, and
//! tells what became of them, while the outbox, the server, the configuration and it itself come and go.

use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use otpd_proto::mail::Outcome;
use otpd_tests::Outbox;
use otpd_tests::Programs;
use otpd_tests::SmtpServer;
use otpd_tests::make_certificates;
use serde_json::Value;
use serde_json::json;

/// A directory that everybody may look into, with a configuration and the outbox's socket.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        path
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(self.0.path())
    }

    /// Writes the configuration.
    fn configure(&self, text: &str) {
        let socket = self.path("mail.sock");
        self.write("mail.toml", &format!("user = \"nobody\"\nsocket = {socket:?}\n{text}"), 0o644);
    }

    fn configure_server(&self, port: u16, tls: &str, more: &str) {
        self.configure(&format!(
            "transport = \"smtp\"\nfrom = \"nas@example.org\"\n[smtp]\nhost = \"localhost\"\nport = {port}\n\
             tls = \"{tls}\"\n{more}\n"
        ));
    }

    fn configure_program(&self, script: &str) {
        let program = self.write("sendmail", script, 0o755);
        self.configure(&format!(
            "transport = \"sendmail\"\nfrom = \"nas@example.org\"\ndeadline_seconds = 5\n[sendmail]\n\
             program = {program:?}\n"
        ));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&Programs::build().otpd_mail);
        command.arg("--config").arg(self.path("mail.toml"));
        command
    }

    fn start(&self) -> Running {
        Running::start(self.command())
    }
}

/// A running otpd-mail; it ends when dropped.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || lines.for_each(|line| drop(tell.send(line))));
        let running = Self { child, lines: told };
        running.wait_for("otpd-mail: ready");
        running
    }

    #[track_caller]
    fn wait_for(&self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("otpd-mail does not say {text:?}: {error}"),
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().unwrap()
    }

    /// A line of its `/proc` status.
    fn status(&self, key: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{key}:"))).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn message(id: &str, to: &str) -> Value {
    json!({
        "id": id, "kind": "code", "to": to, "language": "zh-CN", "user": "alice", "box": "nas",
        "at": 1_795_327_950, "expires": 4_000_000_000_u32, "code": "7KQM-2VXA",
        "notice": null, "service": "sshd", "address": "203.0.113.7", "device": null, "detail": null,
    })
}

#[test]
fn a_code_goes_from_the_outbox_to_the_server_and_its_fate_back() {
    let place = Place::new();
    make_certificates(place.0.path());
    // Root's alone: it is read before root is given up.
    let password = place.write("password", "right\n", 0o600);
    let server = SmtpServer::with_certificate("starttls", place.0.path(), "good");
    let more = format!("ca_file = {:?}\nuser = \"nas\"\npassword_file = {password:?}", place.path("ca.pem"));
    place.configure_server(server.port(), "starttls", &more);
    let outbox = place.outbox();
    outbox.put(message("17", "alice@example.org"));
    let running = place.start();
    let mailer = outbox.claim();
    assert_eq!(mailer.transport, format!("SMTP to localhost:{} with STARTTLS as nas", server.port()));
    assert_eq!(mailer.problem, None);
    let mail = server.mail();
    assert_eq!((&mail["to"], &mail["user"]), (&json!(["alice@example.org"]), &json!("nas")));
    let content = mail["content"].as_str().unwrap();
    assert!(content.contains("\r\nMessage-ID: <otpd.17@example.org>\r\n"), "{content}");
    let done = outbox.done();
    assert_eq!((done.id.as_str(), done.outcome, done.advice.clone()), ("17", Outcome::Delivered, None));
    assert_eq!(done.answer, "250 2.0.0 Ok: queued as 4F1A2B");
    let logged = running.wait_for("mail 17");
    assert!(!logged.contains("alice") && !logged.contains("7KQM"), "{logged}");
    assert_eq!(running.stop().code(), Some(0));
}

#[test]
fn it_runs_as_its_user_without_any_power_and_never_as_root() {
    let place = Place::new();
    place.configure("");
    let running = place.start();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid;
    assert_eq!(running.status("Uid"), format!("{nobody} {nobody} {nobody} {nobody}"));
    assert_eq!(running.status("Groups"), "");
    assert_eq!(running.status("NoNewPrivs"), "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(running.status(set), "0000000000000000", "{set}");
    }
    let tasks = std::fs::read_dir(format!("/proc/{}/task", running.pid())).unwrap();
    for task in tasks.flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    }
    for (user, complaint) in [("root", "does not run as root"), ("no-such-user", "useradd")] {
        place.write("mail.toml", &format!("user = \"{user}\""), 0o644);
        let refused = place.command().output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(complaint), "{refused:?}");
    }
}

#[test]
fn without_a_transport_it_says_so_and_takes_nothing_until_it_has_one() {
    let place = Place::new();
    let server = SmtpServer::start("plain");
    place.configure("");
    let outbox = place.outbox();
    let running = place.start();
    let mailer = outbox.claim();
    assert_eq!(mailer.transport, "none");
    let problem = format!("mail is not configured: set transport in {}", place.path("mail.toml").display());
    assert_eq!(mailer.problem, Some(problem));
    place.configure_server(server.port(), "none", "");
    running.signal(Signal::SIGHUP);
    running.wait_for("configuration reloaded; mails leave by: SMTP to localhost");
    // At once, and not when the claim that waits has waited long enough.
    assert_eq!(outbox.claim().problem, None);
    outbox.put(message("1", "alice@example.org"));
    assert_eq!(outbox.done().outcome, Outcome::Delivered);
    for (wrong, complaint) in [("transport = \"pigeon\"", "line 1"), ("user = \"daemon\"", "need a restart")]
    {
        place.write("mail.toml", wrong, 0o644);
        running.signal(Signal::SIGHUP);
        let said = running.wait_for("the old one stays");
        assert!(said.contains(complaint), "{said}");
    }
    outbox.put(message("2", "alice@example.org"));
    assert_eq!(outbox.done().outcome, Outcome::Delivered);
}

#[test]
fn a_password_that_only_root_can_read_outlives_a_reload() {
    let place = Place::new();
    make_certificates(place.0.path());
    let password = place.write("password", "right\n", 0o600);
    // As systemd passes a credential to a service of root's.
    let credentials = tempfile::tempdir().unwrap();
    std::fs::copy(&password, credentials.path().join("smtp.password")).unwrap();
    for (key, credentials) in
        [(format!("password_file = {password:?}"), None), (String::new(), Some(credentials.path()))]
    {
        let server = SmtpServer::with_certificate("implicit", place.0.path(), "good");
        let more = format!("ca_file = {:?}\nuser = \"nas\"\n{key}", place.path("ca.pem"));
        place.configure_server(server.port(), "required", &more);
        let outbox = place.outbox();
        let mut command = place.command();
        command.envs(credentials.map(|directory| ("CREDENTIALS_DIRECTORY", directory)));
        let running = Running::start(command);
        running.signal(Signal::SIGHUP);
        running.wait_for("a new one needs a restart");
        running.wait_for("configuration reloaded");
        outbox.put(message("1", "alice@example.org"));
        assert_eq!(outbox.done().outcome, Outcome::Delivered);
        assert_eq!(server.mail()["user"], "nas");
    }
}

#[test]
fn mails_that_are_stuck_hold_up_no_other() {
    let place = Place::new();
    let server = SmtpServer::start("stuck");
    place.configure_server(server.port(), "none", "");
    let outbox = place.outbox();
    let running = place.start();
    for number in 0..3 {
        outbox.put(message(&format!("stuck-{number}"), "stuck@example.org"));
        assert_eq!(server.mail(), json!({"stuck": "stuck@example.org"}));
    }
    outbox.put(message("1", "alice@example.org"));
    assert_eq!((outbox.done().id.as_str(), &server.mail()["to"][0]), ("1", &json!("alice@example.org")));
    // And they hold up nobody who wants it to stop.
    let began = now();
    assert_eq!(running.stop().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn it_waits_for_an_otpd_that_is_away_and_goes_on_with_one_that_comes_back() {
    let place = Place::new();
    let server = SmtpServer::start("plain");
    place.configure_server(server.port(), "none", "");
    let running = place.start();
    running.wait_for("cannot reach otpd");
    let outbox = place.outbox();
    outbox.put(message("1", "alice@example.org"));
    assert_eq!(outbox.done().id, "1");
    // Four workers, and the one that had the mail once more: now all of them wait.
    let claims: Vec<String> = (0..5).map(|_| outbox.claim().instance).collect();
    assert!(claims.iter().all(|instance| *instance == claims[0]), "{claims:?}");
    // What an otpd that was killed gave out last may be held for an instance that never got it.
    outbox.break_connections();
    let (before, after) = (&claims[0], outbox.claim().instance);
    assert_ne!(after, *before);
    assert_eq!(after.split('-').next(), before.split('-').next());
    outbox.put(message("2", "alice@example.org"));
    assert_eq!(outbox.done().id, "2");
}

#[test]
fn what_became_of_a_mail_is_told_to_the_next_otpd() {
    let place = Place::new();
    // Opening a fifo waits for the other side: by one it says that it has begun, by the other it is told to end.
    let [begun, end] = ["begun", "end"].map(|name| place.fifo(name));
    place.configure_program(&format!("#!/bin/sh\n: >{}\n: >{}\n", begun.display(), end.display()));
    let outbox = place.outbox();
    let running = place.start();
    outbox.put(message("1", "alice@example.org"));
    drop(std::fs::File::open(&begun).unwrap());
    std::fs::remove_file(place.path("mail.sock")).unwrap();
    drop(outbox);
    drop(std::fs::File::open(&end).unwrap());
    running.wait_for("mail 1 (Code) was delivered");
    running.wait_for("cannot reach otpd");
    assert_eq!(place.outbox().done().id, "1");
}

#[test]
fn a_mail_that_is_of_no_use_any_more_is_not_sent() {
    let place = Place::new();
    let server = SmtpServer::start("plain");
    place.configure_server(server.port(), "none", "");
    let outbox = place.outbox();
    let mut expired = message("1", "alice@example.org");
    expired["expires"] = json!(1);
    outbox.put(expired);
    let _running = place.start();
    let done = outbox.done();
    assert_eq!((done.outcome, done.answer.as_str()), (Outcome::Failed, "expired"));
    assert!(server.has_no_more_mail());
}

#[test]
fn a_program_gets_the_mail_the_recipient_and_nothing_else() {
    let place = Place::new();
    let out = place.write("out", "", 0o666);
    place.configure_program(&format!(
        "#!/bin/sh\n{{ for word in \"$@\"; do echo \"arg $word\"; done; env | sort; cat; }} >{}\n",
        out.display()
    ));
    let outbox = place.outbox();
    let running = place.start();
    assert_eq!(outbox.claim().transport, format!("the program {}", place.path("sendmail").display()));
    // The programs of exim and postfix work by their set-id bit.
    assert_eq!(running.status("NoNewPrivs"), "0");
    outbox.put(message("1", "alice@example.org"));
    let done = outbox.done();
    assert_eq!(done.outcome, Outcome::Delivered, "{done:?}");
    let seen = std::fs::read_to_string(out).unwrap();
    let wanted = "arg -i\narg -f\narg nas@example.org\narg --\narg alice@example.org\nPWD=/\n";
    // The shell sets PWD itself, some also these.
    let seen: Vec<&str> =
        seen.lines().filter(|line| !line.starts_with("SHLVL=") && !line.starts_with("_=")).collect();
    assert!(seen.join("\n").starts_with(wanted), "{seen:#?}");
    assert!(!seen.iter().any(|line| line.ends_with('\r')));
    assert!(seen.contains(&"Message-ID: <otpd.1@example.org>"));
}

#[test]
fn exit_codes_of_a_program_say_what_becomes_of_the_mail() {
    for (script, outcome, answer) in [
        ("echo no such user >&2; exit 67", Outcome::Failed, "exit code 67: no such user"),
        ("echo bad data >&2; exit 65", Outcome::Failed, "exit code 65: bad data"),
        ("echo queue is full >&2; exit 75", Outcome::Later, "exit code 75: queue is full"),
        ("exit 1", Outcome::Later, "exit code 1"),
        ("kill -9 $$", Outcome::Later, "signal: 9"),
        // It does not read the mail at all.
        ("exit 0", Outcome::Delivered, "took it"),
        ("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 69", Outcome::Later, "exit code 69: xxx"),
    ] {
        let place = Place::new();
        place.configure_program(&format!("#!/bin/sh\n{script}\n"));
        let outbox = place.outbox();
        outbox.put(message("1", "alice@example.org"));
        let _running = place.start();
        let done = outbox.done();
        assert_eq!(done.outcome, outcome, "{done:?}");
        assert!(done.answer.contains(answer) && done.answer.len() <= 500, "{done:?}");
    }
}

#[test]
fn a_program_that_hangs_is_killed_with_what_it_started() {
    let place = Place::new();
    let pid = place.write("pid", "", 0o666);
    place.configure_program(&format!("#!/bin/sh\nsleep 1000 &\necho $! >{}\nwait\n", pid.display()));
    let outbox = place.outbox();
    outbox.put(message("1", "alice@example.org"));
    let _running = place.start();
    let done = outbox.done();
    assert!(done.outcome == Outcome::Later && done.answer.contains("within 5 s"), "{done:?}");
    let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let is_gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    let began = now();
    while !is_gone() {
        assert!(began.elapsed() < Duration::from_secs(10), "{pid} still runs");
        std::thread::yield_now();
    }
}

#[test]
fn a_program_that_is_not_there_loses_no_mail() {
    let place = Place::new();
    place.configure_program("");
    std::fs::remove_file(place.path("sendmail")).unwrap();
    let outbox = place.outbox();
    outbox.put(message("1", "alice@example.org"));
    let _running = place.start();
    let done = outbox.done();
    assert!(done.outcome == Outcome::Later && done.answer.contains("No such file"), "{done:?}");
    assert!(done.advice.unwrap().contains("sendmail.program"));
}

#[test]
fn the_configuration_is_checked_without_starting_anything() {
    let place = Place::new();
    let check = || {
        let output = place.command().arg("--check-config").output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    place.configure_server(587, "starttls", "");
    let (code, said) = check();
    assert!(code == 0 && said.contains("no errors; mails leave by: SMTP to localhost:587"), "{said}");
    for (more, complaint) in [
        ("user = \"nas\"\n", "smtp.password"),
        ("user = \"nas\"\npassword_file = \"/nonexistent\"", "/nonexistent"),
        ("ca_file = \"/nonexistent\"", "smtp.ca_file"),
        ("hots = \"x\"", "line 9, column 1"),
    ] {
        place.configure_server(587, "starttls", more);
        let (code, said) = check();
        assert!(code == 1 && said.contains(complaint), "{said}");
    }
    place.write("mail.toml", "", 0o666);
    assert!(check().1.contains("chmod go-w"));
}

#[expect(clippy::disallowed_methods, reason = "how long something takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}
