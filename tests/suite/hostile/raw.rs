//! Bytes as no browser sends them, and the answers to them.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends these bytes at once, and reads answers until the connection ends.
#[track_caller]
pub(crate) fn exchange(port: u16, bytes: &[u8]) -> Vec<Reply> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Whoever has heard enough closes before all is said.
    let _ = stream.write_all(bytes);
    answers(&mut stream)
}

/// The answers on a connection, until it ends.
#[track_caller]
pub(crate) fn answers(stream: &mut TcpStream) -> Vec<Reply> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut said, mut part) = (Vec::new(), [0; 65_536]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the connection does not end: {error}; {}", String::from_utf8_lossy(&said)),
        }
    }
    let mut rest = String::from_utf8(said).expect("UTF-8");
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("half an answer: {rest:?}"));
        let field = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(':'));
            lines
                .into_iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
        };
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let length = match field("content-length") {
            Some(length) => length.parse().unwrap(),
            None if field("transfer-encoding").is_some() => after.find("\r\n0\r\n\r\n").unwrap() + 7,
            None => after.len(),
        };
        let reply = Reply { status, head: head.to_owned(), body: after[..length].to_owned() };
        let after = after[length..].to_owned();
        all.push(reply);
        rest = after;
    }
    all
}

/// Their statuses.
pub(crate) fn statuses(replies: &[Reply]) -> Vec<u16> {
    replies.iter().map(|reply| reply.status).collect()
}
