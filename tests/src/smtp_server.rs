//! Mail servers to deliver to: real ones (aiosmtpd), and faulty ones.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::python;

/// A running server; it ends when dropped.
pub struct SmtpServer {
    child: Child,
    port: u16,
    mails: mpsc::Receiver<Value>,
}

impl SmtpServer {
    /// Starts one that behaves as told; what there is stands in `tests/tools/smtp_server.py`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(behaviour: &str) -> Self {
        Self::launch(&[behaviour])
    }

    /// Starts one that shows this certificate of `certificates`.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn with_certificate(behaviour: &str, certificates: &Path, name: &str) -> Self {
        let path = |ending: &str| certificates.join(format!("{name}.{ending}")).display().to_string();
        Self::launch(&[behaviour, &path("pem"), &path("key")])
    }

    fn launch(arguments: &[&str]) -> Self {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/smtp_server.py");
        let mut child = Command::new(python())
            .arg(tool)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let port = lines.next().and_then(|line| line.parse().ok()).expect("the server says its port");
        let (tell, mails) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines {
                let _ = tell.send(serde_json::from_str(&line).expect("a mail as JSON"));
            }
        });
        Self { child, port, mails }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next mail that it took: from, to, user, content.
    ///
    /// # Panics
    /// None came for a minute.
    #[expect(clippy::must_use_candidate, reason = "some mails only have to come")]
    pub fn mail(&self) -> Value {
        self.mails.recv_timeout(Duration::from_secs(60)).expect("a mail")
    }

    /// Whether it took no mail that was not asked for.
    #[must_use]
    pub fn has_no_more_mail(&self) -> bool {
        self.mails.try_recv().is_err()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Makes an authority and certificates in a directory: see `tests/tools/certificates.py`.
///
/// # Panics
/// They cannot be made.
pub fn make_certificates(directory: &Path) {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/certificates.py");
    let made = Command::new(python()).arg(tool).arg(directory).status().expect("python starts");
    assert!(made.success(), "certificates");
}
