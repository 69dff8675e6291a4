//! The one file that reads clocks, and waits for them.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use nix::time::ClockId;
use nix::time::clock_gettime;
use nix::unistd::Pid;
use otpd_core::time::Step;
use otpd_core::time::UnixTime;

/// Now, by the clock that codes follow.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    UnixTime(i64::try_from(since.as_secs()).expect("a clock of this era"))
}

/// The step that every account has now.
pub fn step() -> Step {
    now().step(30)
}

/// A moment to measure from.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// Since boot: the same for every process.
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has it").into()
}

/// Processor time of a process.
pub fn processor_of(pid: Pid) -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::pid_cpu_clock_id(pid)?)?.into())
}

/// Waits until [`since_boot`] is `moment`.
pub fn wait_until(moment: Duration) {
    while let Some(left) = moment.checked_sub(since_boot()).filter(|left| !left.is_zero()) {
        pause(left);
    }
}

/// Waits until the step after `step` has begun.
pub fn wait_past(step: Step) {
    while self::step() <= step {
        pause(Duration::from_millis(50));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark waits for the time it is to begin at")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
