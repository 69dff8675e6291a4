//! A client of HTTP/1.1 that does as little as it can: a thread for each connection, which is kept, in a process of its
//! own. It compares each answer with the one that is right.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use anyhow::ensure;
use serde::Deserialize;
use serde::Serialize;

use crate::caller;
use crate::callers;
use crate::clock;

/// The process, as seen from the rounds.
pub struct Client {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

/// What it is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// Where to ask.
    pub door: Door,
    /// One for each connection.
    pub connections: Vec<Connection>,
    /// When to begin, since boot.
    pub begin: Duration,
    /// When to ask no more, since boot.
    pub end: Duration,
}

/// Where to ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Door {
    /// Of a Unix socket.
    Socket(PathBuf),
    /// Of 127.0.0.1.
    Port(u16),
}

/// What is asked again and again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    /// As it is sent.
    pub request: String,
    /// What has to come of it, each time.
    pub right: Answer,
}

/// An answer, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// 200 lets in.
    pub status: u16,
    /// Remote-User.
    pub user: Option<String>,
    /// All of it.
    pub body: String,
}

/// What came of a job. There is none if an answer was wrong.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Of each request, from its first byte to the last one of the answer.
    pub nanoseconds: Vec<u64>,
    /// When the last answer was there, since boot.
    pub ended: Duration,
    /// Microseconds of processor time.
    pub cpu: u64,
}

impl Client {
    /// Starts it.
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg("asker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("a client")?;
        let stdout = callers::wait_for_ready(&mut child)?;
        Ok(Self { child, stdout })
    }

    /// Gives it a job and waits for the report.
    pub fn run(&mut self, job: &Job) -> anyhow::Result<Report> {
        let stdin = self.child.stdin.as_mut().context("piped")?;
        writeln!(stdin, "{}", serde_json::to_string(job)?)?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let report: Result<Report, String> = serde_json::from_str(&line).context("a report")?;
        report.map_err(anyhow::Error::msg)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// With this status, user and body.
    pub fn of(status: u16, user: Option<&str>, body: &str) -> Self {
        Self { status, user: user.map(str::to_owned), body: body.to_owned() }
    }
}

/// Does jobs from standard input until that is closed.
pub fn work() -> anyhow::Result<()> {
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        let report = do_job(&job).map_err(|error| format!("{error:#}"));
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

fn do_job(job: &Job) -> anyhow::Result<Report> {
    let before = caller::cpu();
    let asked: anyhow::Result<Vec<Vec<u64>>> = thread::scope(|scope| {
        let ask = |connection| scope.spawn(move || ask(job, connection));
        let threads: Vec<_> = job.connections.iter().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic while asking")).collect()
    });
    let ended = clock::since_boot();
    Ok(Report { nanoseconds: asked?.concat(), ended, cpu: caller::cpu() - before })
}

/// Asks until it is time, on one connection as long as that lasts. Returns the latencies.
fn ask(job: &Job, connection: &Connection) -> anyhow::Result<Vec<u64>> {
    let mut stream = job.door.open()?;
    let mut latencies = Vec::with_capacity(100_000);
    clock::wait_until(job.begin);
    while clock::since_boot() < job.end {
        let start = clock::instant();
        stream.write_all(connection.request.as_bytes()).context("asking")?;
        let (answer, is_last) = read(stream.as_mut())?;
        latencies.push(u64::try_from(start.elapsed().as_nanos())?);
        let right = &connection.right;
        ensure!(answer == *right, "to {:?}, {answer:?} in place of {right:?}", connection.request);
        if is_last {
            stream = job.door.open()?;
        }
    }
    Ok(latencies)
}

impl Door {
    fn open(&self) -> anyhow::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Socket(path) => Box::new(UnixStream::connect(path).context("connecting")?),
            Self::Port(port) => Box::new(TcpStream::connect(("127.0.0.1", *port)).context("connecting")?),
        })
    }
}

/// A connection of either kind.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Reads an answer, and whether the server closes the connection after it.
fn read(stream: &mut dyn Stream) -> anyhow::Result<(Answer, bool)> {
    let (mut buffer, mut have) = ([0; LARGEST], 0);
    loop {
        let read = stream.read(buffer.get_mut(have..).unwrap_or_default()).context("reading")?;
        ensure!(read > 0, "the connection ended, or the answer is too long");
        have += read;
        let text = std::str::from_utf8(&buffer[..have])?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let (length, answer, is_last) = parse(head, body)?;
        match body.len().cmp(&length) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Ok((answer, is_last)),
            std::cmp::Ordering::Greater => bail!("more came than was asked for: {text:?}"),
        }
    }
}

/// How long the body has to be, the answer, and whether it is the last one here.
fn parse(head: &str, body: &str) -> anyhow::Result<(usize, Answer, bool)> {
    let (mut length, mut user, mut is_last) = (None, None, false);
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse()?);
        } else if name.eq_ignore_ascii_case("remote-user") {
            user = Some(value);
        } else if name.eq_ignore_ascii_case("connection") {
            is_last = value == "close";
        }
    }
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("a status")?;
    Ok((length.context("a length")?, Answer::of(status, user, body), is_last))
}

/// No answer here is half as long.
const LARGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// What comes of asking where this is answered, each time.
    fn asked(answer: &'static str) -> anyhow::Result<Report> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                while stream.read(&mut [0; 100]).is_ok_and(|read| read > 0) {
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        let right = Answer::of(200, Some("alice"), "ok");
        let connection = Connection { request: "GET / HTTP/1.1\r\n\r\n".into(), right };
        let begin = clock::since_boot();
        let connections = vec![connection.clone(), connection];
        do_job(&Job { door: Door::Socket(path), connections, begin, end: begin + Duration::from_millis(50) })
    }

    #[test]
    fn the_right_answer_is_taken_and_every_other_ends_the_run() {
        let right = "HTTP/1.1 200 OK\r\nRemote-User: alice\r\nContent-Length: 2\r\n\r\nok";
        assert!(!asked(right).unwrap().nanoseconds.is_empty());
        for wrong in [
            "HTTP/1.1 401 Unauthorized\r\nRemote-User: alice\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nremote-user: bob\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nRemote-User: alice\r\nContent-Length: 2\r\n\r\nno",
            "HTTP/1.1 200 OK\r\nRemote-User: alice\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nRemote-User: alice\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK",
        ] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_connection_that_the_server_closes_is_replaced() {
        let last =
            "HTTP/1.1 200 OK\r\nConnection: close\r\nRemote-User: alice\r\nContent-Length: 2\r\n\r\nok";
        assert!(asked(last).unwrap().nanoseconds.len() > 2);
    }
}
