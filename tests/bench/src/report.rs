//! The figures as tables, and beside the budget.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::caller::Mode;
use crate::cell::Cell;
use crate::cell::Sample;
use crate::cell::median;
use crate::check::Verdict;
use crate::contestant::Contestant;
use crate::run::AT_ONCE;

/// The median of every cell.
pub struct Figures(BTreeMap<Cell, Sample>);

impl Figures {
    /// Of all rounds.
    pub fn of(samples: &BTreeMap<Cell, Vec<Sample>>) -> Self {
        Self(samples.iter().map(|(cell, samples)| (*cell, median(samples))).collect())
    }

    /// All tables, in Markdown.
    pub fn tables(&self, sizes: &[u32]) -> String {
        let mut text = String::new();
        for (mode, title) in
            [(Mode::FreshProcess, "fresh process per login"), (Mode::LongLived, "long-lived processes")]
        {
            self.table(&mut text, title, mode, sizes, rate_and_latency);
            self.table(&mut text, &format!("{title}: processor time"), mode, sizes, processor_time);
            self.ratios(&mut text, title, mode, sizes);
        }
        self.parts(&mut text, sizes);
        text
    }

    fn table(&self, text: &mut String, title: &str, mode: Mode, sizes: &[u32], show: fn(&Sample) -> String) {
        let labels = Contestant::MAIN.map(Contestant::label);
        let _ =
            writeln!(text, "\n| {title} | {} |\n|---{}|", labels.join(" | "), "|---".repeat(labels.len()));
        for (accounts, at_once) in rows(sizes) {
            let _ = write!(text, "| {accounts} accounts, {at_once} at once |");
            for contestant in Contestant::MAIN {
                let shown = self.0.get(&Cell { mode, accounts, at_once, contestant }).map(show);
                let _ = write!(text, " {} |", shown.unwrap_or_default());
            }
            text.push('\n');
        }
    }

    fn ratios(&self, text: &mut String, title: &str, mode: Mode, sizes: &[u32]) {
        let _ = writeln!(
            text,
            "\n| {title}: pam_otp | accepted/s to the best peer's | p99 to the best peer's | accepted/s to the floor's | budget |\n|---|---|---|---|---|"
        );
        for (accounts, at_once) in rows(sizes) {
            let Some(ratios) = self.compare(mode, accounts, at_once) else { continue };
            let budget = Budget::of(mode, accounts, at_once);
            let _ = writeln!(
                text,
                "| {accounts} accounts, {at_once} at once | {:.2} | {:.2} | {:.2} | {} |",
                ratios.rate,
                ratios.p99,
                ratios.floor,
                budget.judge(&ratios)
            );
        }
    }

    fn parts(&self, text: &mut String, sizes: &[u32]) {
        let _ = writeln!(
            text,
            "\n| parts of the floor, one at a time | long-lived | fresh process |\n|---|---|---|"
        );
        let Some(accounts) = sizes.last().copied() else { return };
        for contestant in Contestant::PARTS {
            let show = |mode| {
                let found = self.0.get(&Cell { mode, accounts, at_once: 1, contestant });
                found.map(rate_and_latency).unwrap_or_default()
            };
            let (long, fresh) = (show(Mode::LongLived), show(Mode::FreshProcess));
            let _ = writeln!(text, "| {} | {long} | {fresh} |", contestant.label());
        }
    }

    /// Whether every cell is within its budget.
    pub fn is_within_budget(&self, sizes: &[u32]) -> bool {
        [Mode::FreshProcess, Mode::LongLived].into_iter().all(|mode| {
            rows(sizes).all(|(accounts, at_once)| {
                self.compare(mode, accounts, at_once)
                    .is_some_and(|ratios| Budget::of(mode, accounts, at_once).is_kept(&ratios))
            })
        })
    }

    fn compare(&self, mode: Mode, accounts: u32, at_once: usize) -> Option<Ratios> {
        let of = |contestant| self.0.get(&Cell { mode, accounts, at_once, contestant });
        let peers = || Contestant::MAIN.into_iter().filter(|c| c.is_peer()).filter_map(of);
        let best_rate = peers().map(|peer| peer.rate).max_by(f64::total_cmp)?;
        // Who refuses right codes has short queues.
        let honest = peers().filter(|peer| peer.let_in > 0.99);
        let best_p99 = honest.map(|peer| peer.p99).min_by(f64::total_cmp).unwrap_or(f64::NAN);
        let (ours, floor) = (of(Contestant::Otp)?, of(Contestant::Floor)?);
        Some(Ratios { rate: ours.rate / best_rate, p99: ours.p99 / best_p99, floor: ours.rate / floor.rate })
    }
}

/// What happened to right, wrong and used codes.
pub fn correctness(verdicts: &[Verdict]) -> String {
    let mut text = String::from(
        "\n| codes, 8 callers | right, let in | wrong, let in | raced by all eight: refused to all, let in twice or more | used, let in again |\n|---|---|---|---|---|\n",
    );
    for verdict in verdicts {
        let _ = writeln!(
            text,
            "| {}, {} accounts | {} of {} | {} of {} | {} and {} of {} | {} of {} |",
            verdict.contestant.label(),
            verdict.accounts,
            verdict.right_let_in,
            verdict.right,
            verdict.wrong_let_in,
            verdict.wrong,
            verdict.raced_refused,
            verdict.raced_twice,
            verdict.raced,
            verdict.replayed_let_in,
            verdict.replayed
        );
    }
    text
}

/// pam_otp beside the others of its cell.
struct Ratios {
    rate: f64,
    p99: f64,
    floor: f64,
}

/// What pam_otp must reach.
struct Budget {
    rate: f64,
    p99: f64,
}

impl Budget {
    fn of(mode: Mode, accounts: u32, at_once: usize) -> Self {
        let rate = match (mode, at_once) {
            (Mode::FreshProcess, _) => 1.1,
            // The budget of long-lived callers is for large estates; small ones must not be slower than a peer.
            (Mode::LongLived, _) if accounts < 100_000 => 1.0,
            (Mode::LongLived, 1) => 1.5,
            (Mode::LongLived, 8) => 2.0,
            (Mode::LongLived, _) => 2.5,
        };
        Self { rate, p99: 1.1 }
    }

    fn is_kept(&self, ratios: &Ratios) -> bool {
        // No p99 to compare with, if no peer lets everybody in, is none to miss.
        let late = ratios.p99 > self.p99;
        ratios.rate >= self.rate && !late
    }

    fn judge(&self, ratios: &Ratios) -> String {
        let word = if self.is_kept(ratios) { "kept" } else { "MISSED" };
        format!("{word}: at least {:.1}, p99 at most {:.1}", self.rate, self.p99)
    }
}

fn rows(sizes: &[u32]) -> impl Iterator<Item = (u32, usize)> {
    sizes.iter().flat_map(|accounts| AT_ONCE.map(|at_once| (*accounts, at_once)))
}

fn rate_and_latency(sample: &Sample) -> String {
    let lost = if sample.let_in < 0.9995 {
        format!(" ({:.1} % let in)", sample.let_in * 100.0)
    } else {
        String::new()
    };
    format!("{:.0}{lost}; {:.2}/{:.2}/{:.2}", sample.rate, sample.p50, sample.p90, sample.p99)
}

fn processor_time(sample: &Sample) -> String {
    format!("{:.0} + {:.0}", sample.caller_cpu, sample.daemon_cpu)
}
