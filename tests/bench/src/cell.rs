//! One cell: one contestant, one estate, one way of living, so many callers at once, for a second or so.

use std::time::Duration;

use nix::unistd::Pid;
use serde::Serialize;

use crate::accounts::Number;
use crate::caller::Job;
use crate::caller::Mode;
use crate::caller::Report;
use crate::caller::Typed;
use crate::clock;
use crate::contestant::Contestant;

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// How callers live.
    pub mode: Mode,
    /// The size of the estate.
    pub accounts: u32,
    /// Callers.
    pub at_once: usize,
    /// Who.
    pub contestant: Contestant,
}

/// What one run of a cell, or the median of several, gave. Latencies in ms, processor time in µs a login.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sample {
    /// Accepted logins a second.
    pub rate: f64,
    /// Share of the right codes that were let in.
    pub let_in: f64,
    /// Median latency of the accepted.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Of the callers and their children.
    pub caller_cpu: f64,
    /// Of the daemon.
    pub daemon_cpu: f64,
}

/// One try and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Login {
    /// Whose.
    pub number: Number,
    /// Of which step the code was.
    pub step: u64,
    /// Whether it was let in.
    pub accepted: bool,
    /// How long it took.
    pub nanoseconds: u64,
}

/// What all callers of a cell reported.
pub struct Outcome {
    /// Every try.
    pub logins: Vec<Login>,
    /// From the beginning to the end of the last login.
    pub elapsed: Duration,
    /// Microseconds of processor time of the callers.
    pub caller_cpu: u64,
    /// How many of the tries had their turn, gaps included.
    pub turns: usize,
}

/// Deals tries out to callers like cards.
pub fn deal(tries: &[(Number, Typed)], callers: usize) -> Vec<Vec<(Number, Typed)>> {
    (0..callers).map(|caller| tries.iter().copied().skip(caller).step_by(callers).collect()).collect()
}

impl Outcome {
    /// Puts the reports of jobs together.
    pub fn of(jobs: &[Job], reports: &[Report]) -> Self {
        let mut logins = Vec::new();
        let mut turns = 0;
        for (caller, (job, report)) in jobs.iter().zip(reports).enumerate() {
            for ((number, _), (nanoseconds, returned, step)) in job.tries.iter().zip(&report.logins) {
                let (step, nanoseconds) = (*step, *nanoseconds);
                logins.push(Login { number: *number, step, accepted: *returned == 0, nanoseconds });
            }
            if let Some(last) = report.logins.len().checked_sub(1) {
                turns = turns.max(last * jobs.len() + caller + 1);
            }
        }
        let begin = jobs.first().map_or(Duration::ZERO, |job| job.begin);
        let ended = reports.iter().map(|report| report.ended).max().unwrap_or(begin);
        let caller_cpu = reports.iter().map(|report| report.cpu).sum();
        Self { logins, elapsed: ended.saturating_sub(begin), caller_cpu, turns }
    }

    /// How many were let in.
    pub fn accepted(&self) -> usize {
        self.logins.iter().filter(|login| login.accepted).count()
    }

    /// The figures.
    pub fn sample(&self, daemon_cpu: Duration) -> Sample {
        let mut latencies: Vec<u64> =
            self.logins.iter().filter(|login| login.accepted).map(|login| login.nanoseconds).collect();
        latencies.sort_unstable();
        let at = |percent| percentile(&latencies, percent);
        let tries = float(u64::try_from(self.logins.len()).expect("fits"));
        let accepted = float(u64::try_from(self.accepted()).expect("fits"));
        Sample {
            rate: accepted / self.elapsed.as_secs_f64(),
            let_in: accepted / tries,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            caller_cpu: float(self.caller_cpu) / tries,
            daemon_cpu: daemon_cpu.as_secs_f64() * 1e6 / tries,
        }
    }
}

/// The median of each figure.
pub fn median(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| middle(samples.iter().map(figure).collect());
    Sample {
        rate: of(|s| s.rate),
        let_in: of(|s| s.let_in),
        p50: of(|s| s.p50),
        p90: of(|s| s.p90),
        p99: of(|s| s.p99),
        caller_cpu: of(|s| s.caller_cpu),
        daemon_cpu: of(|s| s.daemon_cpu),
    }
}

/// The median.
pub fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    values.get(low).zip(values.get(high)).map_or(f64::NAN, |(low, high)| f64::midpoint(*low, *high))
}

/// A percentile of sorted latencies, in ms.
pub fn percentile(nanoseconds: &[u64], percent: usize) -> f64 {
    let index = (nanoseconds.len() * percent / 100).min(nanoseconds.len().saturating_sub(1));
    nanoseconds.get(index).map_or(f64::NAN, |nanoseconds| float(*nanoseconds) / 1e6)
}

/// Processor time that a process has had, all its threads together, also those that have ended.
pub fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    clock::processor_of(Pid::from_raw(i32::try_from(pid)?))
}

/// When callers begin: late enough for all of them to have read their jobs.
pub fn beginning() -> Duration {
    clock::since_boot() + Duration::from_millis(60)
}

/// For figures.
#[expect(clippy::cast_precision_loss, reason = "figures of a measurement have fewer digits")]
pub fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rate: f64) -> Sample {
        Sample { rate, ..Sample::default() }
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(&[sample(3.0), sample(1.0), sample(2.0)]).rate - 2.0).abs() < 1e-9);
        assert!((median(&[sample(4.0), sample(1.0)]).rate - 2.5).abs() < 1e-9);
        assert!(median(&[]).rate.is_nan());
    }

    #[test]
    fn tries_are_dealt_out_in_turn() {
        let tries = [(1, Typed::Right), (2, Typed::Right), (3, Typed::Right)];
        let hands: Vec<Vec<Number>> =
            deal(&tries, 2).iter().map(|hand| hand.iter().map(|(number, _)| *number).collect()).collect();
        assert_eq!(hands, [vec![1, 3], vec![2]]);
    }
}
