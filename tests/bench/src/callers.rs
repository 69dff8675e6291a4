//! The caller processes: started once, given one job after another.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::ensure;

use crate::caller::Job;
use crate::caller::Mode;
use crate::caller::Report;

/// As many callers as ever work at once.
pub struct Callers {
    callers: Vec<Caller>,
}

struct Caller {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Callers {
    /// Starts them.
    pub fn start(mode: Mode, count: usize) -> anyhow::Result<Self> {
        let callers = (0..count).map(|_| Caller::start(mode)).collect::<Result<_, _>>()?;
        Ok(Self { callers })
    }

    /// Gives each job to a caller and waits for all of them.
    pub fn run(&mut self, jobs: &[Job]) -> anyhow::Result<Vec<Report>> {
        ensure!(jobs.len() <= self.callers.len(), "more jobs than callers");
        for (caller, job) in self.callers.iter_mut().zip(jobs) {
            let stdin = caller.child.stdin.as_mut().context("piped")?;
            writeln!(stdin, "{}", serde_json::to_string(job)?)?;
        }
        let working = self.callers.iter_mut().take(jobs.len());
        working.map(|caller| Ok(serde_json::from_str(&line(&mut caller.stdout)?)?)).collect()
    }
}

impl Caller {
    fn start(mode: Mode) -> anyhow::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg("caller")
            .arg(match mode {
                Mode::LongLived => "long-lived",
                Mode::FreshProcess => "fresh-process",
            })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = wait_for_ready(&mut child)?;
        Ok(Self { child, stdout })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a child says that it is ready, and returns its standard output.
pub fn wait_for_ready(child: &mut Child) -> anyhow::Result<BufReader<ChildStdout>> {
    let mut stdout = BufReader::new(child.stdout.take().context("piped")?);
    let said = line(&mut stdout)?;
    ensure!(said == "ready\n", "a child of the benchmark said {said:?}");
    Ok(stdout)
}

fn line(stdout: &mut BufReader<ChildStdout>) -> anyhow::Result<String> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    ensure!(!line.is_empty(), "a child of the benchmark ended early");
    Ok(line)
}
