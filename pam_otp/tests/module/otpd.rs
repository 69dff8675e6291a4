//! A scripted otpd: it answers each connection with its next turn, and `finish` tells what it was asked.

use std::collections::VecDeque;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::thread::JoinHandle;

use serde_json::Value;
use serde_json::json;

/// What it does with one call.
pub(crate) enum Turn {
    /// Says what to do next.
    Says(Value),
    /// Writes these bytes.
    Writes(Vec<u8>),
    /// Closes the connection after the call.
    HangsUp,
    /// Keeps the connection and says nothing.
    Hangs,
}

/// The server's thread.
pub(crate) struct Otpd {
    socket: PathBuf,
    thread: Option<JoinHandle<Vec<Value>>>,
}

impl Otpd {
    /// Takes these turns, one a connection. Every one must be used, and no more.
    pub(crate) fn new(socket: &Path, turns: impl IntoIterator<Item = Turn>) -> Self {
        let mut turns: VecDeque<Turn> = turns.into_iter().collect();
        let serve = move |stream: &UnixStream, call: &Value| {
            let _ = stream;
            turns.pop_front().unwrap_or_else(|| panic!("a call beyond the script: {call}"))
        };
        Self::serving(socket, serve)
    }

    /// Takes a turn for each connection, told by `serve`.
    pub(crate) fn serving(
        socket: &Path,
        mut serve: impl FnMut(&UnixStream, &Value) -> Turn + Send + 'static,
    ) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let thread = thread::spawn(move || {
            let (mut calls, mut held) = (Vec::new(), Vec::new());
            loop {
                let mut stream = listener.accept().unwrap().0;
                let Some(call) = read_call(&mut stream) else { return calls };
                match serve(&stream, &call) {
                    Turn::Says(step) => write(
                        &mut stream,
                        &[json!({"parameters": {"step": step}}).to_string().as_bytes(), b"\0"].concat(),
                    ),
                    Turn::Writes(bytes) => write(&mut stream, &bytes),
                    Turn::HangsUp => {}
                    Turn::Hangs => held.push(stream),
                }
                calls.push(call);
            }
        });
        Self { socket: socket.to_owned(), thread: Some(thread) }
    }

    /// Ends it and returns every call.
    pub(crate) fn finish(mut self) -> Vec<Value> {
        self.stop().unwrap()
    }

    /// Ends it and returns the methods called, without their interface.
    pub(crate) fn methods(self) -> Vec<String> {
        let name = |call: &Value| call["method"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        self.finish().iter().map(name).collect()
    }

    /// A connection without a call is the sign to stop.
    fn stop(&mut self) -> Option<Vec<Value>> {
        let thread = self.thread.take()?;
        let _ = UnixStream::connect(&self.socket);
        thread.join().ok()
    }
}

impl Drop for Otpd {
    fn drop(&mut self) {
        let unasked = self.thread.is_some() && self.stop().is_none();
        assert!(!unasked || thread::panicking(), "the scripted otpd failed");
    }
}

fn read_call(stream: &mut UnixStream) -> Option<Value> {
    let mut call = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).ok()? == 1 {
        if byte[0] == 0 {
            return Some(serde_json::from_slice(&call).unwrap());
        }
        call.push(byte[0]);
    }
    None
}

/// The module may be gone already.
fn write(stream: &mut UnixStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
}

pub(crate) fn ask() -> Turn {
    Turn::Says(json!({"next": "ask", "prompt": "One-time code: ", "echo": false}))
}

pub(crate) fn ask_for(digits: u8) -> Turn {
    Turn::Says(json!({"next": "ask", "prompt": "Wrong code. Code: ", "echo": false, "digits": digits}))
}

pub(crate) fn accept() -> Turn {
    Turn::Says(json!({"next": "accept", "device": "phone"}))
}

pub(crate) fn accept_with(notice: &str) -> Turn {
    Turn::Says(json!({"next": "accept", "device": "phone", "notice": notice}))
}

pub(crate) fn accept_of(digits: u8) -> Turn {
    Turn::Says(json!({"next": "accept", "device": "phone", "notice": "Hello.", "digits": digits}))
}

pub(crate) fn refuse() -> Turn {
    Turn::Says(json!({"next": "refuse", "say": "Wrong code."}))
}

pub(crate) fn locked() -> Turn {
    Turn::Says(json!({"next": "locked", "say": "Locked until 12:00.", "until": 1_900_000_000}))
}

pub(crate) fn not_required() -> Turn {
    Turn::Says(json!({"next": "not_required", "why": "not protected"}))
}
