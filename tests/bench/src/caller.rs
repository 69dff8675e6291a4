//! A process that logs in: itself, again and again, or in a child of its own for each login, as sshd does.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::PipeReader;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;
use otpd_core::time::Step;
use otpd_tests::pam;
use serde::Deserialize;
use serde::Serialize;

use crate::accounts;
use crate::accounts::Number;
use crate::clock;
use crate::contestant::Contestant;
use crate::floor;
use crate::floor::After;

/// How a caller lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
pub enum Mode {
    /// One process for many logins.
    LongLived,
    /// A child for each login, forked before any module was loaded.
    FreshProcess,
}

/// Which code is typed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Typed {
    /// The one of the moment of typing.
    Right,
    /// One that is not right.
    Wrong,
    /// The one of this step.
    Of(u64),
}

/// What a caller is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// Which way to log in.
    pub contestant: Contestant,
    /// The PAM stacks.
    pub confdir: PathBuf,
    /// The floor's server.
    pub server: PathBuf,
    /// A file for the caller alone.
    pub scratch: PathBuf,
    /// The logins, in order.
    pub tries: Vec<(Number, Typed)>,
    /// When to begin, since boot.
    pub begin: Duration,
    /// When to stop although there are tries left, since boot.
    pub end: Duration,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// One for each try made: nanoseconds, what pam_authenticate returned, the step whose code was typed.
    pub logins: Vec<(u64, i32, u64)>,
    /// When the last one ended, since boot.
    pub ended: Duration,
    /// Microseconds of processor time, of children too.
    pub cpu: u64,
}

/// Does jobs from standard input until that is closed.
pub fn work(mode: Mode) -> anyhow::Result<()> {
    println!("ready");
    for line in io::stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        let report = serde_json::to_string(&do_job(mode, &job)?)?;
        println!("{report}");
    }
    Ok(())
}

fn do_job(mode: Mode, job: &Job) -> anyhow::Result<Report> {
    let mut scratch = File::create(&job.scratch)?;
    clock::wait_until(job.begin);
    let cpu_before = cpu();
    let mut logins = Vec::with_capacity(job.tries.len());
    for (number, typed) in &job.tries {
        if clock::since_boot() >= job.end {
            break;
        }
        let now = clock::step();
        let (step, code) = match typed {
            Typed::Right => (now, accounts::code(*number, now)),
            Typed::Wrong => (now, accounts::wrong_code(*number, now)),
            Typed::Of(step) => (Step(*step), accounts::code(*number, Step(*step))),
        };
        let user = accounts::name(*number);
        let (nanoseconds, returned) = match mode {
            Mode::LongLived => timed(|| log_in(job, &mut scratch, &user, code)),
            Mode::FreshProcess => in_a_child(|| timed(|| log_in(job, &mut scratch, &user, code)))?,
        };
        logins.push((nanoseconds, returned, step.0));
    }
    Ok(Report { logins, ended: clock::since_boot(), cpu: cpu() - cpu_before })
}

fn timed(run: impl FnOnce() -> i32) -> (u64, i32) {
    let start = clock::instant();
    let returned = run();
    (u64::try_from(start.elapsed().as_nanos()).expect("not for centuries"), returned)
}

/// One login: pam_start, pam_authenticate, pam_end, or what a floor does instead or besides.
fn log_in(job: &Job, scratch: &mut File, user: &str, code: String) -> i32 {
    let mut returned = pam::SUCCESS;
    if let Some(service) = job.contestant.service() {
        let typist = Box::new(move |_: &str| Some(code.clone()));
        returned = pam::Transaction::start(&job.confdir, service, user, typist).authenticate();
    }
    let done = match job.contestant {
        Contestant::Floor => floor::call(&job.server, After::Commit),
        Contestant::Echo => floor::call(&job.server, After::Nothing),
        Contestant::Sync => scratch.write_all(&floor::RECORD).and_then(|()| scratch.sync_data()),
        _ => Ok(()),
    };
    if done.is_ok() { returned } else { pam::AUTHINFO_UNAVAIL }
}

/// Runs one login in a child. No thread and no module was started in this process, so the child may do anything.
#[expect(unsafe_code, reason = "forks, as sshd does")]
fn in_a_child(run: impl FnOnce() -> (u64, i32)) -> anyhow::Result<(u64, i32)> {
    let (reader, mut writer) = io::pipe()?;
    // SAFETY: this process has one thread, so the child may do whatever the parent may.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            let (nanoseconds, returned) = run();
            let mut message = nanoseconds.to_ne_bytes().to_vec();
            message.extend(returned.to_ne_bytes());
            let written = writer.write_all(&message);
            std::process::exit(i32::from(written.is_err()))
        }
        ForkResult::Parent { child } => {
            drop(writer);
            waitpid(child, None)?;
            read_verdict(reader)
        }
    }
}

/// A child that crashed let nobody in.
fn read_verdict(mut reader: PipeReader) -> anyhow::Result<(u64, i32)> {
    let (mut nanoseconds, mut returned) = ([0; 8], [0; 4]);
    reader.read_exact(&mut nanoseconds)?;
    reader.read_exact(&mut returned)?;
    Ok((u64::from_ne_bytes(nanoseconds), i32::from_ne_bytes(returned)))
}

/// Microseconds of processor time of this process and its children.
pub fn cpu() -> u64 {
    let of = |who| {
        let usage = getrusage(who).expect("one's own usage");
        let (user, system) = (usage.user_time(), usage.system_time());
        let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        u64::try_from(micros(user) + micros(system)).expect("not negative")
    };
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}
