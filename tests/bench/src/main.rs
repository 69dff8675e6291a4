//! `otpd-bench`: logins a second and their latency through pam_otp, beside pam_google_authenticator and pam_oath, and
//! beside what no login can do without. See tests/bench/README.md.

mod accounts;
mod caller;
mod callers;
mod cell;
mod check;
mod clock;
mod contestant;
mod estate;
mod events;
mod floor;
mod forward_auth;
mod growth;
mod ledger;
mod mail;
mod report;
mod run;
mod site;
mod slow;
mod storm;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;
use clap::Parser;
use clap::Subcommand;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::caller::Mode;
use crate::contestant::Contestant;
use crate::estate::Estate;
use crate::estate::Plan;
use crate::report::Figures;
use crate::run::Run;
use crate::site::Names;
use crate::site::Site;

/// Measures logins through pam_otp beside its peers. Needs root.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    #[arg(long, value_enum, default_value = "peers")]
    what: What,
    /// Few and short rounds, to see whether it works; the figures say little.
    #[arg(long)]
    quick: bool,
    /// Rounds; the figures are medians over them.
    #[arg(long)]
    rounds: Option<usize>,
    /// Numbers of accounts to measure with. By default 1000,100000; 1000000 the most of growth.
    #[arg(long, value_delimiter = ',')]
    accounts: Vec<u32>,
    /// Events in the audit log, for growth.
    #[arg(long, default_value = "10000000")]
    events: u32,
    /// Where everything is kept meanwhile; it should be on the disk that is to be measured.
    #[arg(long, default_value = "/var/tmp")]
    dir: PathBuf,
    /// What answers for users.
    #[arg(long, value_enum, default_value = "mapped")]
    names: Names,
    /// Write every sample of every round there.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Measure nothing: run this command where the rounds would run, to trace or profile logins. This program is
    /// $BENCH, otpd is process $OTPD_PID, the directory is $SITE, and $SITE/job is a job on standard input for
    /// "$BENCH caller long-lived".
    #[arg(long, value_name = "COMMAND")]
    shell: Option<String>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// pam_otp beside its peers and the floor.
    Peers,
    /// pam_otp from one account to a million, with ten devices each, with a long audit log.
    Growth,
    /// 2,000 logins at once.
    Storm,
    /// A disk that takes 20 ms for each sync.
    SlowDisk,
    /// Mail servers that are away, silent or slow.
    Mail,
    /// What reverse proxies ask at each request.
    ForwardAuth,
}

/// What a process of the run is.
#[derive(Debug, Subcommand)]
enum Role {
    /// The one that runs the rounds, in its namespaces.
    #[command(hide = true)]
    Inside {
        /// The directory of this run.
        root: PathBuf,
    },
    /// One that logs in.
    #[command(hide = true)]
    Caller {
        /// How.
        mode: Mode,
    },
    /// The one that asks otpd-web and nginx.
    #[command(hide = true)]
    Asker,
    /// The one that reads what is logged, and forgets it.
    #[command(hide = true)]
    Syslog {
        /// Where.
        socket: PathBuf,
    },
    /// The floor's.
    #[command(hide = true)]
    Server {
        /// Where it listens.
        socket: PathBuf,
        /// What it appends to.
        log: PathBuf,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match &arguments.role {
        None => outside(&arguments),
        Some(Role::Inside { root }) => inside(&arguments, root),
        Some(Role::Caller { mode }) => caller::work(*mode).map(|()| ExitCode::SUCCESS),
        Some(Role::Asker) => forward_auth::work().map(|()| ExitCode::SUCCESS),
        Some(Role::Syslog { socket }) => read_log(socket),
        Some(Role::Server { socket, log }) => floor::serve(socket, log).map(|()| ExitCode::SUCCESS),
    }
}

/// Runs the rounds in namespaces of their own, whose processes all end with the first of them; whatever happens there,
/// the directory goes.
fn outside(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "needs root: it makes mount namespaces and runs otpd as its own user"
    );
    ensure!(
        arguments.accounts.iter().all(|accounts| (100..=1_000_000).contains(accounts)),
        "--accounts: 100 to 1000000"
    );
    ensure!(
        arguments.what == What::Peers || (arguments.shell.is_none() && arguments.json.is_none()),
        "--shell and --json: only beside the peers"
    );
    ensure!(
        !["/dev", "/run"].iter().any(|own| arguments.dir.starts_with(own)),
        "--dir: {} is another one while it runs; name a directory that is not in /dev or /run",
        arguments.dir.display()
    );
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let root = tempfile::Builder::new().prefix("otpd-bench-").tempdir_in(&arguments.dir)?;
    let mut child = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private"])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .arg("inside")
        .arg(root.path())
        .spawn()
        .context("unshare")?;
    let unshare = Pid::from_raw(i32::try_from(child.id())?);
    std::thread::spawn(move || {
        if signals.wait().is_ok() {
            let _ = kill(unshare, Signal::SIGKILL);
        }
    });
    let status = child.wait()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn inside(arguments: &Arguments, root: &Path) -> anyhow::Result<ExitCode> {
    let largest = arguments.accounts.iter().max().copied();
    match arguments.what {
        What::Peers => {}
        What::Growth => {
            let most = largest.unwrap_or(accounts::MOST);
            let mut run = prepare(arguments, root, &growth::plans(most, arguments.events))?;
            let (rounds, length) = pace(arguments);
            print!("{}", growth::measure(&mut run, rounds, length)?);
            return Ok(exit_code(run.let_all_in()));
        }
        What::Storm => {
            let plan = Plan { peers: false, ..Plan::of(largest.unwrap_or(100_000)) };
            let run = prepare(arguments, root, &[plan])?;
            print!("{}", storm::measure(&run.estates[0], STORM)?);
            return Ok(ExitCode::SUCCESS);
        }
        What::SlowDisk => {
            slow::build(root)?;
            let plan = slow::plan(largest.unwrap_or(100_000), SLOW_MILLISECONDS);
            let mut run = prepare(arguments, root, &[plan])?;
            let (rounds, length) = pace(arguments);
            print!("{}", slow::measure(&mut run, rounds, length)?);
            return Ok(exit_code(run.let_all_in()));
        }
        What::Mail => {
            let plan = Plan { peers: false, ..Plan::of(largest.unwrap_or(100_000)) };
            let mut run = prepare(arguments, root, &[plan])?;
            let (rounds, length) = pace(arguments);
            print!("{}", mail::measure(&mut run, rounds, length)?);
            return Ok(exit_code(run.let_all_in()));
        }
        What::ForwardAuth => {
            let plan = Plan { peers: false, ..Plan::of(largest.unwrap_or(1000)) };
            let site = Site::lay_out(root, plan.accounts, arguments.names)?;
            let estate = Estate::provision(&site, "0", plan)?;
            let (rounds, length) = pace(arguments);
            print!("{}", forward_auth::measure(&site, &estate, rounds, length)?);
            return Ok(ExitCode::SUCCESS);
        }
    }
    beside_peers(arguments, root)
}

fn exit_code(flawless: bool) -> ExitCode {
    if flawless { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn prepare(arguments: &Arguments, root: &Path, plans: &[Plan]) -> anyhow::Result<Run> {
    let largest = plans.iter().map(|plan| plan.accounts).max().unwrap_or_default();
    Run::prepare(Site::lay_out(root, largest, arguments.names)?, plans)
}

/// How many rounds, and how long each cell.
fn pace(arguments: &Arguments) -> (usize, Duration) {
    let (rounds, length) =
        if arguments.quick { (1, Duration::from_millis(300)) } else { (5, Duration::from_millis(1200)) };
    (arguments.rounds.unwrap_or(rounds), length)
}

fn beside_peers(arguments: &Arguments, root: &Path) -> anyhow::Result<ExitCode> {
    let sizes: &[u32] = if arguments.accounts.is_empty() { &[1000, 100_000] } else { &arguments.accounts };
    let (rounds, length) = pace(arguments);
    let replayed = if arguments.quick { 1000 } else { 20_000 };
    let plans: Vec<Plan> = sizes.iter().map(|accounts| Plan::of(*accounts)).collect();
    let mut run = prepare(arguments, root, &plans)?;
    if let Some(command) = &arguments.shell {
        return shell(&run, root, command);
    }
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        run.round(round, length)?;
    }
    eprintln!("checking");
    let mut verdicts = Vec::new();
    for estate in 0..run.estates.len() {
        for contestant in Contestant::MAIN.into_iter().filter(|contestant| contestant.checks_codes()) {
            verdicts.push(check::check(&mut run, contestant, estate, replayed)?);
        }
    }
    let figures = Figures::of(&run.samples);
    println!(
        "Accepted/s; p50/p90/p99 in ms. Processor time: callers + daemon, µs a login. Medians of {rounds} rounds."
    );
    print!("{}{}", figures.tables(sizes), report::correctness(&verdicts));
    for estate in &run.estates {
        let (resident, registry) = (estate.resident()?, estate.registry_bytes() / 1024);
        println!(
            "\notpd with {} accounts: {resident} KiB resident, registry {registry} KiB",
            estate.accounts
        );
    }
    if let Some(path) = &arguments.json {
        let samples: Vec<_> = run.samples.iter().collect();
        fs::write(path, serde_json::to_string_pretty(&(samples, &verdicts))?)?;
    }
    let ours = |verdict: &&check::Verdict| verdict.contestant == Contestant::Otp;
    let flawless = verdicts.iter().filter(ours).all(check::Verdict::is_flawless);
    println!("\nEvery right code let in once, no other ever: {}", if flawless { "yes" } else { "NO" });
    println!(
        "Within the budget in every cell: {}",
        if figures.is_within_budget(sizes) { "yes" } else { "no" }
    );
    Ok(exit_code(flawless))
}

/// A syslogd that does nothing but keep its queue empty.
fn read_log(socket: &Path) -> anyhow::Result<ExitCode> {
    let path = socket;
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    println!("ready");
    loop {
        socket.recv(&mut [0; 2048])?;
    }
}

/// Runs a command among the first estate's contestants.
fn shell(run: &Run, root: &Path, command: &str) -> anyhow::Result<ExitCode> {
    fs::write(root.join("job"), serde_json::to_string(&run.first_job())? + "\n")?;
    let pid = run.estates.first().context("an estate")?.daemon_pid().to_string();
    let status = Command::new("sh")
        .args(["-c", command])
        .env("BENCH", std::env::current_exe()?)
        .env("SITE", root)
        .env("OTPD_PID", pid)
        .status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const STORM: u32 = 2000;
const SLOW_MILLISECONDS: u32 = 20;
