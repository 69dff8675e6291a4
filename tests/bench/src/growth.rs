//! What growth costs: the same logins with one account and with a million, with ten devices each, with a long audit log.

use std::fmt::Write;
use std::time::Duration;

use crate::caller::Mode;
use crate::cell::Sample;
use crate::cell::median;
use crate::contestant::Contestant;
use crate::estate::Plan;
use crate::run::Run;

/// One account, and up to `most`; then ten devices each, and a long audit log.
pub fn plans(most: u32, events: u32) -> Vec<Plan> {
    let plain = |accounts: u32| Plan { peers: false, ..Plan::of(accounts) };
    let middle = most.min(100_000);
    let mut plans = vec![Plan { devices: 10, ..plain(1) }, plain(1000), plain(middle)];
    if most > middle {
        plans.push(plain(most));
    }
    plans.push(Plan { devices: 10, ..plain(middle) });
    plans.push(Plan { events, ..plain(middle) });
    plans
}

/// The rounds, every estate once in each; then the table.
pub fn measure(run: &mut Run, rounds: usize, length: Duration) -> anyhow::Result<String> {
    let estates = run.estates.len();
    let mut alone: Vec<Vec<Sample>> = vec![Vec::new(); estates];
    let mut together: Vec<Vec<Sample>> = vec![Vec::new(); estates];
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for estate in 0..estates {
            if run.estates[estate].accounts == 1 {
                alone[estate].push(run.sample_of_one_account(estate, length)?);
                continue;
            }
            for (at_once, samples) in [(1, &mut alone), (8, &mut together)] {
                let sample = run.sample(estate, Mode::LongLived, at_once, Contestant::Otp, length)?;
                samples[estate].push(sample);
            }
        }
    }
    let mut text = String::from(
        "| accounts | devices each | events | ready in, ms | 1 at once: p50, ms | to that of 1,000 | p99, ms | 8 at once: accepted/s | let in | resident, KiB | registry, MiB |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let base = median(&alone[1]).p50;
    for (estate, found) in run.estates.iter().enumerate() {
        let (one, eight) = (median(&alone[estate]), median(&together[estate]));
        let rate = if eight.rate.is_nan() { "-".to_owned() } else { format!("{:.0}", eight.rate) };
        let let_in = if eight.let_in.is_nan() { one.let_in } else { one.let_in.min(eight.let_in) };
        writeln!(
            text,
            "| {} | {} | {} | {:.0} | {:.3} | {:.2} | {:.3} | {rate} | {:.1} % | {} | {} |",
            found.accounts,
            found.plan.devices,
            found.plan.events,
            found.started_in.as_secs_f64() * 1e3,
            one.p50,
            one.p50 / base,
            one.p99,
            let_in * 100.0,
            found.resident()?,
            found.registry_bytes() / 1024 / 1024,
        )?;
    }
    Ok(text)
}
