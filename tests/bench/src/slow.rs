//! A hard disk that takes its time for each sync, as in most boxes: what group commit makes of it.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;

use crate::caller::Mode;
use crate::cell::Sample;
use crate::cell::median;
use crate::contestant::Contestant;
use crate::estate::Plan;
use crate::run::AT_ONCE;
use crate::run::Run;

/// So many accounts on such a disk.
pub fn plan(accounts: u32, milliseconds: u32) -> Plan {
    Plan { peers: false, slow: Some(milliseconds), ..Plan::of(accounts) }
}

/// What otpd is started with.
pub fn build(root: &Path) -> anyhow::Result<()> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/slow_disk.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(root.join("slow_disk.so"))
        .arg(source);
    ensure!(gcc.status().context("gcc")?.success(), "gcc failed");
    Ok(())
}

/// The rounds, then the table.
pub fn measure(run: &mut Run, rounds: usize, length: Duration) -> anyhow::Result<String> {
    // The first sync of a cell and the last are not shared by all: these would weigh too much in a short one.
    let length = length.saturating_mul(4);
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); AT_ONCE.len()];
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for (at_once, samples) in AT_ONCE.into_iter().zip(&mut samples) {
            samples.push(run.sample(0, Mode::LongLived, at_once, Contestant::Otp, length)?);
        }
    }
    let mut text =
        String::from("| at once | accepted/s | let in | p50, ms | p99, ms |\n|---|---|---|---|---|\n");
    for (at_once, samples) in AT_ONCE.into_iter().zip(&samples) {
        let sample = median(samples);
        let let_in = sample.let_in * 100.0;
        writeln!(
            text,
            "| {at_once} | {:.0} | {let_in:.1} % | {:.1} | {:.1} |",
            sample.rate, sample.p50, sample.p99
        )?;
    }
    Ok(text)
}
