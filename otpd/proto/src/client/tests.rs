//! The client against real sockets: a server that answers, hangs, lies, or is not there.

use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use super::*;

const SOON: Duration = Duration::from_millis(200);

/// A socket in a private directory, and a thread that treats its first connection as told.
struct Server {
    directory: tempfile::TempDir,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    fn new(serve: impl FnOnce(std::os::unix::net::UnixStream) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("s")).unwrap();
        let thread = thread::spawn(move || serve(listener.accept().unwrap().0));
        Self { directory, thread: Some(thread) }
    }

    fn answering(reply: &'static [u8]) -> Self {
        Self::new(move |mut peer| {
            let mut seen = Vec::new();
            let mut byte = [0];
            while seen.last() != Some(&0) && peer.read(&mut byte).unwrap() == 1 {
                seen.push(byte[0]);
            }
            let _ = peer.write_all(reply);
        })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn call(&self) -> Result<serde_json::Value, ClientError> {
        Client::connect(&self.path(), SOON)?.call("org.otpd.Login.Start", &serde_json::json!({}))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = UnixListener::bind(self.directory.path().join("t"));
            let _ = std::os::unix::net::UnixStream::connect(self.path());
            let _ = thread.join();
        }
    }
}

#[test]
fn a_reply_is_returned() {
    let server = Server::answering(b"{\"parameters\":{\"x\":1}}\0");
    assert_eq!(server.call().unwrap(), serde_json::json!({"x": 1}));
}

#[test]
fn an_error_reply_is_an_error() {
    let server = Server::answering(b"{\"error\":\"a.b.C\",\"parameters\":{\"say\":\"no\"}}\0");
    let error = server.call().unwrap_err();
    assert!(matches!(&error, ClientError::Refused { error, .. } if error == "a.b.C"));
}

#[test]
fn a_missing_socket_is_unreachable() {
    let directory = tempfile::tempdir().unwrap();
    let error = Client::connect(&directory.path().join("none"), SOON).err().unwrap();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[test]
fn a_silent_server_costs_the_deadline_and_no_more() {
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let server = Server::new(move |_peer| held.recv().unwrap_or(()));
    let error = server.call().unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { sent: true }), "{error}");
    drop(hold);
}

#[test]
fn time_in_which_the_host_was_stopped_is_not_held_against_a_quick_server() {
    let server = Server::answering(b"{\"parameters\":{\"x\":1}}\0");
    // A deadline that is over before anything was tried is what a stopped host finds when it goes on.
    let mut client = Client::connect(&server.path(), Duration::ZERO).unwrap();
    let reply: serde_json::Value = client.call("org.otpd.Login.Start", &serde_json::json!({})).unwrap();
    assert_eq!(reply, serde_json::json!({"x": 1}));
}

#[test]
fn a_server_that_drips_gains_nothing_by_that() {
    let server = Server::new(|mut peer| {
        while peer.write_all(b" ").is_ok() {
            thread::park_timeout(Duration::from_millis(20));
        }
    });
    let error = server.call().unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { sent: true }), "{error}");
}

#[test]
fn a_full_backlog_times_out_instead_of_hanging() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let socket =
        nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
    nix::sys::socket::bind(socket.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    nix::sys::socket::listen(&socket, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _first = Client::connect(&path, SOON).unwrap();
    let error = Client::connect(&path, SOON).err().unwrap();
    assert!(matches!(error, ClientError::TimedOut { sent: false }), "{error}");
}

#[test]
fn a_server_that_closes_is_an_answer_and_not_a_wait() {
    let server = Server::answering(b"");
    assert!(matches!(server.call(), Err(ClientError::Broken { sent: true, .. })));
}

#[test]
fn a_server_that_closes_before_reading_raises_no_sigpipe() {
    let server = Server::new(drop);
    let error = server.call().unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}

#[test]
fn garbage_and_half_a_reply_are_errors() {
    for reply in
        [b"]\0".as_slice(), b"{\"parameters\":", b"\xff\xfe\0", b"{\"parameters\":7,\"parameters\":8}\0"]
    {
        assert!(matches!(Server::answering(reply).call(), Err(ClientError::Broken { .. })), "{reply:?}");
    }
}

#[test]
fn an_endless_reply_is_cut_at_the_limit() {
    let server = Server::new(|mut peer| while peer.write_all(&[b' '; 4096]).is_ok() {});
    let error = server.call().unwrap_err();
    assert!(matches!(&error, ClientError::Broken { why, .. } if why.contains("too long")), "{error}");
}

#[test]
fn a_directory_that_others_may_write_is_not_trusted() {
    for mode in [0o777, 0o775, 0o757, 0o1777] {
        let server = Server::answering(b"{\"parameters\":{}}\0");
        std::fs::set_permissions(server.directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(server.call(), Err(ClientError::Untrusted { .. })), "{mode:o}");
        std::fs::set_permissions(server.directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_relative_path_is_not_trusted() {
    assert!(matches!(Client::connect(Path::new("s"), SOON), Err(ClientError::Untrusted { .. })));
}
