//! Mail servers that are away, silent or slow, and what a login notices of them while mails wait: nothing, if all is well.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use anyhow::ensure;
use otpd_tests::Daemon;
use serde_json::json;

use crate::caller::Mode;
use crate::cell::Sample;
use crate::cell::median;
use crate::contestant::Contestant;
use crate::run::Run;

/// What becomes of the mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    /// There are none, and no otpd-mail.
    Off,
    /// Nobody listens.
    Refused,
    /// It takes connections and says nothing.
    Silent,
    /// One byte a second.
    Drips,
}

const SERVERS: [Server; 4] = [Server::Off, Server::Refused, Server::Silent, Server::Drips];
const AT_ONCE: [usize; 2] = [1, 8];

/// The rounds, each with every server once, then the table.
pub fn measure(run: &mut Run, rounds: usize, length: Duration) -> anyhow::Result<String> {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); SERVERS.len() * AT_ONCE.len()];
    let ports = [refusing()?, serving(|_| thread::park())?, serving(drip)?];
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for step in 0..SERVERS.len() {
            let server = (step + round) % SERVERS.len();
            let mailer = start(run, SERVERS[server], &ports)?;
            for (column, at_once) in AT_ONCE.into_iter().enumerate() {
                let sample = run.sample(0, Mode::LongLived, at_once, Contestant::Otp, length)?;
                samples[server * AT_ONCE.len() + column].push(sample);
            }
            mailer.into_iter().for_each(Daemon::kill);
        }
    }
    table(&samples)
}

fn table(samples: &[Vec<Sample>]) -> anyhow::Result<String> {
    let mut text = String::from(
        "| mail server | at once | accepted/s | to off | p50, ms | p99, ms | p99 to off |\n|---|---|---|---|---|---|---|\n",
    );
    for (server, samples_of) in SERVERS.into_iter().zip(samples.chunks(AT_ONCE.len())) {
        for ((at_once, own), off) in AT_ONCE.into_iter().zip(samples_of).zip(samples) {
            let (own, off) = (median(own), median(off));
            writeln!(
                text,
                "| {server:?} | {at_once} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
                own.rate,
                own.rate / off.rate,
                own.p50,
                own.p99,
                own.p99 / off.p99
            )?;
        }
    }
    Ok(text)
}

/// otpd-mail with more mails than it can deliver, unless mail is off.
fn start(run: &Run, server: Server, ports: &[u16; 3]) -> anyhow::Result<Option<Daemon>> {
    let port = match server {
        Server::Off => return Ok(None),
        Server::Refused => ports[0],
        Server::Silent => ports[1],
        Server::Drips => ports[2],
    };
    let estate = &run.estates[0];
    let runtime = estate.runtime();
    let config = runtime.join("mail.toml");
    let text = format!(
        "user = {USER:?}\nsocket = {:?}\ntransport = \"smtp\"\nfrom = \"nas@example.org\"\n[smtp]\nhost = \"127.0.0.1\"\n\
         port = {port}\ntls = \"none\"\n",
        runtime.join(otpd_proto::MAIL_SOCKET)
    );
    fs::write(&config, text)?;
    let mut command = Command::new(run.site().path("otpd-mail"));
    command.arg("--config").arg(&config);
    let mailer = Daemon::start_until(command, &runtime, "otpd-mail: ready");
    let mailer = mailer.map_err(|said| anyhow!("otpd-mail does not start: {said}"))?;
    for _ in 0..WAITING {
        estate.account("org.otpd.Admin.MailTest", &json!({"address": "test@example.org"}))?;
    }
    let status = estate.account("org.otpd.Admin.MailStatus", &json!({}))?;
    ensure!(status["waiting"].as_u64() >= Some(1), "the mails do not wait: {status}");
    Ok(Some(mailer))
}

/// A port at which nobody listens any more.
fn refusing() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn serving(serve: fn(TcpStream)) -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    Ok(port)
}

fn drip(mut stream: TcpStream) {
    for byte in std::iter::repeat(b'2') {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// Whom otpd-mail runs as: Debian's base-passwd has it.
pub const USER: &str = "mail";
const WAITING: u32 = 40;
