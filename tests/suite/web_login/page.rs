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

    /// Starts the program that listens.
    pub(crate) fn listen(&mut self) {
        let mut command = self.bed.command(self.bed.path("bin/otpd-login"));
        command.arg("--listen");
        let started = Daemon::start_until(command, &self.bed.runtime(), "otpd-login: ready");
        self.listener = Some(started.unwrap_or_else(|said| panic!("otpd-login does not start: {said}")));
    }

    /// Everything that was logged.
    pub(crate) fn log(&self) -> String {
        self.listener.as_ref().unwrap().log()
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
        let open = json!({"user": user, "password": password, "address": "192.0.2.7", "agent": "Test/1", "renew": null});
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
