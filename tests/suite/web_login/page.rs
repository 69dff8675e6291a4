//! The page's server, as far as a login needs it: it posts a user and a password, and answers what it is asked.

use std::fs;
use std::path::Path;
use std::time::Duration;

use otpd_proto::client::Client;
use otpd_proto::client::ClientError;
use otpd_tests::Daemon;
use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

/// A system in which `otpd-login` listens, with the stacks that are shipped, and the distribution's for what they include.
pub(crate) struct Page {
    /// The system.
    pub(crate) bed: Testbed,
    /// The program that listens.
    pub(crate) listener: Option<Daemon>,
}

impl Page {
    /// With a daemon of these settings.
    pub(crate) fn with(settings: &str) -> Self {
        let bed = Testbed::with(settings);
        for stack in ["otpd-web", "otpd-web-password"] {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pam").join(stack);
            bed.stack(stack, &fs::read_to_string(shipped).unwrap().replace("pam_otp.so", "@otp"));
        }
        for part in ["common-auth", "common-account", "common-password"] {
            fs::copy(Path::new("/etc/pam.d").join(part), bed.path("etc/pam.d").join(part)).unwrap();
        }
        let mut page = Self { bed, listener: None };
        page.listen();
        page
    }

    /// With a daemon of default settings.
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// Starts the program that listens, with what systemd's unit leaves root of its power.
    pub(crate) fn listen(&mut self) {
        let unit = include_str!("../../../packaging/systemd/otpd-session@.service");
        let left = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
        let left = left.to_lowercase().replace("cap_", "+").replace(' ', ",");
        let mut command = self.bed.command("setpriv");
        command.args(["--no-new-privs", "--bounding-set", &format!("-all,{left}")]);
        command.arg(self.bed.path("bin/otpd-login")).arg("--listen");
        let started = Daemon::start_until(command, &self.bed.runtime(), "otpd-login: ready");
        self.listener = Some(started.unwrap_or_else(|said| panic!("otpd-login does not start: {said}")));
    }

    /// The processes that serve a connection.
    pub(crate) fn logins(&self) -> Vec<i32> {
        let listener = self.listener.as_ref().unwrap().pid();
        let children = fs::read_to_string(format!("/proc/{listener}/task/{listener}/children")).unwrap();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Waits until so many are left.
    #[track_caller]
    pub(crate) fn wait_for_logins(&self, count: usize) {
        wait("so many logins", || self.logins().len() == count);
    }

    /// Waits until none is left.
    #[track_caller]
    pub(crate) fn wait_for_no_logins(&self) {
        self.wait_for_logins(0);
    }

    /// Waits until libpam delays the only login: it sleeps in select(2) or nanosleep(2), which nothing else here does.
    #[track_caller]
    pub(crate) fn wait_for_a_sleeping_login(&self) {
        let sleeps = [libc::SYS_select, libc::SYS_pselect6, libc::SYS_nanosleep, libc::SYS_clock_nanosleep];
        wait("a delay", || self.system_call().is_some_and(|number| sleeps.contains(&number)));
    }

    /// Waits until the only login waits for an answer of otpd: it has nothing but that to wait for.
    #[track_caller]
    pub(crate) fn wait_for_a_poll(&self) {
        wait("a question to otpd", || {
            // Beside the connection and its watch.
            let pid = self.logins().first().copied();
            let sockets = pid.map(sockets).unwrap_or_default();
            sockets == 3 && self.system_call() == Some(libc::SYS_poll)
        });
    }

    /// What the main thread of the only login is in.
    fn system_call(&self) -> Option<i64> {
        let pid = *self.logins().first()?;
        let call = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        call.split_whitespace().next()?.parse().ok()
    }

    /// A connection.
    pub(crate) fn connect(&self) -> Visit {
        let socket = self.bed.runtime().join(otpd_proto::SESSION_SOCKET);
        Visit(Client::connect(&socket, Duration::from_secs(60)).unwrap())
    }

    /// Posts a user and a password: the connection, and what it is told.
    #[track_caller]
    pub(crate) fn post(&self, user: &str, password: &str) -> (Visit, Value) {
        let mut visit = self.connect();
        let step = visit.open(user, password);
        (visit, step)
    }

    /// Posts a user with their password.
    #[track_caller]
    pub(crate) fn enter(&self, user: &str) -> (Visit, Value) {
        self.post(user, PASSWORD)
    }
}

/// A connection.
pub(crate) struct Visit(Client);

impl Visit {
    /// Calls a method, whatever it is.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, ClientError> {
        self.0.call(method, parameters)
    }

    /// Says who logs in.
    #[track_caller]
    pub(crate) fn open(&mut self, user: &str, password: &str) -> Value {
        self.open_from("192.0.2.7", user, password)
    }

    /// Says who logs in, and from where.
    #[track_caller]
    pub(crate) fn open_from(&mut self, address: &str, user: &str, password: &str) -> Value {
        let open =
            json!({"user": user, "password": password, "address": address, "agent": "Test/1", "renew": null});
        self.call("org.otpd.Session.Open", &open).unwrap()["step"].take()
    }

    /// Answers.
    #[track_caller]
    pub(crate) fn answer(&mut self, answer: &str) -> Value {
        self.call("org.otpd.Session.Answer", &json!({"answer": answer})).unwrap()["step"].take()
    }
}

/// Asserts that somebody is asked for a code, hidden, and nothing was said before.
#[track_caller]
pub(crate) fn asks_for_a_code(step: &Value) {
    assert_eq!(
        (&step["next"], &step["echo"], &step["texts"]),
        (&json!("ask"), &json!(false), &json!([])),
        "{step}"
    );
    assert!(step["prompt"].as_str().unwrap().contains("code"), "{step}");
}

/// A refusal without a word about why.
pub(crate) fn refused(reason: &str) -> Value {
    json!({"next": "refuse", "texts": [], "reason": reason})
}

fn sockets(pid: i32) -> usize {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// Waits until something is so, for half a minute at most: what a process does at its end nobody is told of.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "polls /proc, and the end of the wait is a failure")]
fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain for {what}");
}

/// Changes a part of somebody's line in the private shadow file.
#[track_caller]
pub(crate) fn shadow(bed: &Testbed, user: &str, part: &str, by: &str) {
    let file = bed.path("etc/shadow");
    let changed: String = fs::read_to_string(&file)
        .unwrap()
        .lines()
        .map(|line| match line.strip_prefix(&format!("{user}:")) {
            Some(_) => {
                assert!(line.contains(part), "{line}");
                line.replacen(part, by, 1) + "\n"
            }
            None => format!("{line}\n"),
        })
        .collect();
    fs::write(file, changed).unwrap();
}
