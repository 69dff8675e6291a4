//! What a reverse proxy asks otpd-web at each request to other software, how fast it is answered, and what the asking
//! costs behind nginx as it is shipped. Every answer is looked at: one that is wrong ends the run.

#[path = "../../suite/web/browser.rs"]
#[allow(dead_code, reason = "of the suite of the account page, which needs more of it")]
mod browser;
mod client;
mod front;

use std::fmt::Write;
use std::time::Duration;

use crate::cell;
use crate::estate::Estate;
use crate::site::Site;

pub use client::work;

use client::Answer;
use client::Client;
use client::Connection;
use client::Door;
use client::Job;
use front::Front;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The floor of otpd-web: whether otpd is there.
    Health,
    /// As nginx asks, with a visit's ticket.
    Ticket,
    /// The same without one.
    NoTicket,
    /// The same with one that nobody has.
    WrongTicket,
    /// The floor of nginx: a location that anybody may see.
    Open,
    /// The same location, where nginx asks first.
    Protected,
}

const ALL: [What; 6] =
    [What::Health, What::Ticket, What::NoTicket, What::WrongTicket, What::Open, What::Protected];
const AT_ONCE: [usize; 3] = [1, 8, 32];
/// As many people as ever ask at once.
pub const VISITORS: u32 = 32;

/// One cell of one round. Latencies in ms, processor time in µs a request.
struct Sample {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Of otpd-web, otpd, nginx and the client.
    cpu: [f64; 4],
}

type Figure = fn(&Sample) -> f64;

/// The rounds, each with every question once, then the table.
pub fn measure(site: &Site, estate: &Estate, rounds: usize, length: Duration) -> anyhow::Result<String> {
    let front = Front::open(site, estate)?;
    let mut client = Client::start()?;
    let mut samples: Vec<Vec<Sample>> = Vec::new();
    samples.resize_with(ALL.len() * AT_ONCE.len(), Vec::new);
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (column, at_once) in AT_ONCE.into_iter().enumerate() {
            for step in 0..ALL.len() {
                let row = (step + round) % ALL.len();
                let sample = sample(&front, &mut client, ALL[row], at_once, length)?;
                samples[row * AT_ONCE.len() + column].push(sample);
            }
        }
    }
    table(&samples)
}

fn sample(
    front: &Front,
    client: &mut Client,
    what: What,
    at_once: usize,
    length: Duration,
) -> anyhow::Result<Sample> {
    let begin = cell::beginning();
    let connections = front.visitors.iter().take(at_once).map(|visitor| what.connection(front, visitor));
    let job = Job { door: what.door(front), connections: connections.collect(), begin, end: begin + length };
    let before = front.cpu()?;
    let report = client.run(&job)?;
    let after = front.cpu()?;
    let mut latencies = report.nanoseconds;
    latencies.sort_unstable();
    let requests = cell::float(u64::try_from(latencies.len())?);
    let of = |server: usize| (after[server] - before[server]).as_secs_f64() * 1e6 / requests;
    Ok(Sample {
        rate: requests / report.ended.saturating_sub(begin).as_secs_f64(),
        p50: cell::percentile(&latencies, 50),
        p99: cell::percentile(&latencies, 99),
        cpu: [of(0), of(1), of(2), cell::float(report.cpu) / requests],
    })
}

impl What {
    fn label(self) -> &'static str {
        match self {
            Self::Health => "otpd-web: /healthz",
            Self::Ticket => "otpd-web: /auth, a ticket",
            Self::NoTicket => "otpd-web: /auth, no ticket",
            Self::WrongTicket => "otpd-web: /auth, a wrong ticket",
            Self::Open => "nginx: not protected",
            Self::Protected => "nginx: protected",
        }
    }

    fn floor(self) -> Self {
        if matches!(self, Self::Open | Self::Protected) { Self::Open } else { Self::Health }
    }

    fn door(self, front: &Front) -> Door {
        match self {
            Self::Open | Self::Protected => Door::Port(front.port),
            _ => Door::Socket(front.socket.clone()),
        }
    }

    /// What one person asks, and the one answer that is right.
    fn connection(self, front: &Front, visitor: &front::Visitor) -> Connection {
        let user = visitor.user.clone();
        let (path, ticket, right) = match self {
            Self::Health => ("/healthz", None, Answer::of(200, None, "ok\n")),
            Self::Ticket => ("/auth", Some(&visitor.ticket), Answer::of(200, Some(&user), "")),
            Self::NoTicket => ("/auth", None, Answer::of(401, None, "Sign in first.\n")),
            Self::WrongTicket => {
                ("/auth", Some(&visitor.wrong_ticket), Answer::of(401, None, "Sign in first.\n"))
            }
            Self::Open => ("/open/", Some(&visitor.ticket), Answer::of(200, None, "\n")),
            Self::Protected => ("/", Some(&visitor.ticket), Answer::of(200, None, &format!("{user}\n"))),
        };
        let proxy = if matches!(self, Self::Open | Self::Protected) { "" } else { &front.as_nginx_asks };
        let cookie = ticket.map(|ticket| format!("Cookie: {}={ticket}\r\n", front::VISIT));
        let cookie = cookie.unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{proxy}{cookie}\r\n", front.host);
        Connection { request, right }
    }
}

fn table(samples: &[Vec<Sample>]) -> anyhow::Result<String> {
    let mut text = String::from(
        "| what | at once | requests/s | to the floor's | p50, ms | p99, ms | p99 to the floor's | \
         processor time, µs a request: otpd-web + otpd + nginx, client |\n|---|---|---|---|---|---|---|---|\n",
    );
    let median = |what: What, column: usize, figure: Figure| {
        let row = ALL.into_iter().position(|known| known == what).unwrap_or_default();
        cell::middle(samples[row * AT_ONCE.len() + column].iter().map(figure).collect())
    };
    for what in ALL {
        for (column, at_once) in AT_ONCE.into_iter().enumerate() {
            let own = |figure| median(what, column, figure);
            let floor = |figure| median(what.floor(), column, figure);
            let (rate, p99): (Figure, Figure) = (|s| s.rate, |s| s.p99);
            writeln!(
                text,
                "| {} | {at_once} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.0} + {:.0} + {:.0}, {:.0} |",
                what.label(),
                own(rate),
                own(rate) / floor(rate),
                own(|s| s.p50),
                own(p99),
                own(p99) / floor(p99),
                own(|s| s.cpu[0]),
                own(|s| s.cpu[1]),
                own(|s| s.cpu[2]),
                own(|s| s.cpu[3]),
            )?;
        }
    }
    Ok(text)
}
