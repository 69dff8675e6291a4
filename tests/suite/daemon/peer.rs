//! Raw connections to the daemon's sockets, of any user: bytes in, messages out. They keep to no rule of the protocol.

use std::io::BufRead;
use std::io::BufReader;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

/// One connection.
pub(crate) struct Peer {
    input: Input,
    output: BufReader<Box<dyn Read>>,
}

enum Input {
    Socket(UnixStream),
    // A connection has the credentials of the process that made it, so users need one of their own.
    Relay(Child, Option<ChildStdin>),
}

impl Peer {
    /// Connects as root.
    pub(crate) fn root(bed: &Testbed, socket: &str) -> Self {
        let stream = UnixStream::connect(bed.runtime().join(socket)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let output: Box<dyn Read> = Box::new(stream.try_clone().unwrap());
        Self { input: Input::Socket(stream), output: BufReader::new(output) }
    }

    /// Connects as a user, who need not exist.
    pub(crate) fn user(bed: &Testbed, uid: u32, socket: &str) -> Self {
        let mut relay = command(bed, uid, socket).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (relay.stdin.take(), relay.stdout.take());
        let output: Box<dyn Read> = Box::<ChildStdout>::new(stdout.unwrap());
        Self { input: Input::Relay(relay, stdin), output: BufReader::new(output) }
    }

    /// Sends bytes. Those that come too late for a connection that the daemon closed are lost.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = match &mut self.input {
            Input::Socket(stream) => stream.write_all(bytes),
            Input::Relay(_, stdin) => stdin.as_mut().unwrap().write_all(bytes),
        };
        let lost = |kind| matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        assert!(sent.as_ref().map_err(std::io::Error::kind).err().is_none_or(lost), "{sent:?}");
    }

    /// Says that nothing more will come.
    pub(crate) fn end(&mut self) {
        match &mut self.input {
            Input::Socket(stream) => stream.shutdown(Shutdown::Write).unwrap(),
            Input::Relay(_, stdin) => drop(stdin.take()),
        }
    }

    /// The next message; `None` if the daemon closed the connection instead.
    pub(crate) fn reply(&mut self) -> Option<Value> {
        let mut message = Vec::new();
        match self.output.read_until(0, &mut message) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("no end of a message: {error}")
            }
            _ => {}
        }
        let json = message.strip_suffix(&[0])?;
        Some(serde_json::from_slice(json).unwrap())
    }

    /// Makes a call and returns its reply, error or not.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.send(&call(method, parameters));
        self.reply().unwrap_or_else(|| panic!("{method} {parameters}: closed without a reply"))
    }

    /// The error of a call that has to fail.
    #[track_caller]
    pub(crate) fn error(&mut self, method: &str, parameters: &Value) -> String {
        let reply = self.call(method, parameters);
        reply["error"].as_str().unwrap_or_else(|| panic!("{method} {parameters}: {reply}")).to_owned()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Input::Relay(relay, _) = &mut self.input {
            let _ = relay.kill();
            let _ = relay.wait();
        }
    }
}

/// The program that connects as a user.
pub(crate) fn command(bed: &Testbed, uid: u32, socket: &str) -> Command {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/peer.py");
    let uid = uid.to_string();
    let mut command = bed.command("setpriv");
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "python3", tool]);
    command.arg(Path::new(otpd_proto::RUNTIME_DIR).join(socket)).stdin(Stdio::piped());
    command
}

/// A call as bytes.
pub(crate) fn call(method: &str, parameters: &Value) -> Vec<u8> {
    message(&json!({"method": method, "parameters": parameters}))
}

/// A JSON value as a message.
pub(crate) fn message(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(0);
    bytes
}

/// Many connections that hold on and say nothing.
pub(crate) struct Crowd {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Crowd {
    /// Connects `each` times as every one of `uids`, and waits until all are served or waiting. With `hello` each
    /// makes one call first.
    pub(crate) fn gather(bed: &Testbed, socket: &str, each: usize, hello: bool, uids: &[u32]) -> Self {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/crowd.py");
        let mut command = bed.command("python3");
        command.arg(tool).arg(Path::new(otpd_proto::RUNTIME_DIR).join(socket));
        command.arg(each.to_string()).arg(if hello { "hello" } else { "nothing" });
        command.args(uids.iter().map(u32::to_string));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut crowd = Self { child, lines };
        assert_eq!(crowd.line(), format!("held {}", each.saturating_mul(uids.len())));
        crowd
    }

    /// Waits until the daemon has closed every one, and says how many that were.
    pub(crate) fn closed(mut self) -> usize {
        self.line().strip_prefix("closed ").unwrap().parse().unwrap()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
