//! The rounds: in each, every cell once, the contestants one after the other and another one first each time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::accounts;
use crate::accounts::Number;
use crate::caller::Job;
use crate::caller::Mode;
use crate::caller::Typed;
use crate::callers::Callers;
use crate::cell::Cell;
use crate::cell::Outcome;
use crate::cell::Sample;
use crate::cell::beginning;
use crate::cell::cpu_of;
use crate::cell::deal;
use crate::clock;
use crate::contestant::Contestant;
use crate::estate::Estate;
use crate::estate::Plan;
use crate::ledger::Ledger;
use crate::site::Site;

/// A run and all that it has measured so far.
pub struct Run {
    site: Site,
    /// By size.
    pub estates: Vec<Estate>,
    long_lived: Callers,
    fresh: Callers,
    ledgers: BTreeMap<(Contestant, usize), Ledger>,
    /// One sample a round.
    pub samples: BTreeMap<Cell, Vec<Sample>>,
}

impl Run {
    /// Makes the estates and starts the callers.
    pub fn prepare(site: Site, plans: &[Plan]) -> anyhow::Result<Self> {
        let mut estates = Vec::new();
        for (number, plan) in plans.iter().enumerate() {
            eprintln!("provisioning {} accounts", plan.accounts);
            estates.push(Estate::provision(&site, &number.to_string(), *plan)?);
        }
        let long_lived = Callers::start(Mode::LongLived, MOST)?;
        let fresh = Callers::start(Mode::FreshProcess, MOST)?;
        Ok(Self { site, estates, long_lived, fresh, ledgers: BTreeMap::new(), samples: BTreeMap::new() })
    }

    /// Where it takes place.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// A job of logging in through pam_otp once for each account of the first estate.
    pub fn first_job(&self) -> Option<Job> {
        let estate = self.estates.first()?;
        Some(Job {
            contestant: Contestant::Otp,
            confdir: estate.confdir(),
            server: self.site.server(),
            scratch: self.site.path("scratch/first"),
            tries: (0..estate.usable()).map(|number| (number, Typed::Right)).collect(),
            begin: Duration::ZERO,
            end: Duration::from_secs(u64::from(u32::MAX)),
        })
    }

    /// One round. `length` bounds each cell.
    pub fn round(&mut self, round: usize, length: Duration) -> anyhow::Result<()> {
        // Modes alternate from estate to estate, so that a small one has its next step while a large one is busy.
        for modes in [[Mode::FreshProcess, Mode::LongLived], [Mode::LongLived, Mode::FreshProcess]] {
            for (estate, mode) in (0..self.estates.len()).zip(modes.into_iter().cycle()) {
                for at_once in AT_ONCE {
                    let mut order = Contestant::MAIN;
                    order.rotate_left(round % Contestant::MAIN.len());
                    for contestant in order {
                        self.measure(estate, mode, at_once, contestant, length)?;
                    }
                }
                for part in Contestant::PARTS {
                    self.measure(estate, mode, 1, part, length / 5)?;
                }
            }
        }
        Ok(())
    }

    fn measure(
        &mut self,
        estate: usize,
        mode: Mode,
        at_once: usize,
        contestant: Contestant,
        length: Duration,
    ) -> anyhow::Result<()> {
        let sample = self.sample(estate, mode, at_once, contestant, length)?;
        let accounts = self.estates[estate].accounts;
        let cell = Cell { mode, accounts, at_once, contestant };
        self.samples.entry(cell).or_default().push(sample);
        Ok(())
    }

    /// One cell, once.
    pub fn sample(
        &mut self,
        estate: usize,
        mode: Mode,
        at_once: usize,
        contestant: Contestant,
        length: Duration,
    ) -> anyhow::Result<Sample> {
        let most = length.as_secs_f64() * if mode == Mode::LongLived { 20_000.0 } else { 6_000.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
        let numbers = self.fresh_accounts(contestant, estate, most as usize);
        let devices = self.estates[estate].plan.devices;
        let right = |number: &Number| (accounts::device(*number, number % devices), Typed::Right);
        let tries: Vec<(Number, Typed)> = numbers.iter().map(right).collect();
        let daemon = if contestant == Contestant::Otp {
            self.estates[estate].daemon_pid()
        } else {
            self.site.server_pid()
        };
        let before = cpu_of(daemon)?;
        let outcome = self.give(contestant, estate, mode, deal(&tries, at_once), length)?;
        let sample = outcome.sample(cpu_of(daemon)?.saturating_sub(before));
        self.note(contestant, estate, &outcome);
        Ok(sample)
    }

    /// A login with each device of the first account, in a step that has not been used.
    pub fn sample_of_one_account(&mut self, estate: usize, length: Duration) -> anyhow::Result<Sample> {
        clock::wait_past(clock::step());
        let devices = 0..self.estates[estate].plan.devices;
        let tries = devices.map(|device| (accounts::device(0, device), Typed::Right)).collect();
        let daemon = self.estates[estate].daemon_pid();
        let before = cpu_of(daemon)?;
        let outcome = self.give(Contestant::Otp, estate, Mode::LongLived, vec![tries], length)?;
        Ok(outcome.sample(cpu_of(daemon)?.saturating_sub(before)))
    }

    /// Accounts with an unspent code, waiting for the next step if there are too few. A third of an estate at most,
    /// so that one step is enough for 1, 8 and 32 at once.
    pub fn fresh_accounts(&mut self, contestant: Contestant, estate: usize, most: usize) -> Vec<Number> {
        let usable = self.estates[estate].usable();
        let most = most.min(usize::try_from(usable / 3).expect("fits"));
        let ledger = self.ledger(contestant, estate);
        loop {
            let step = clock::step();
            let numbers = ledger.next(most, step);
            // Parts of the floor check no code, so any account will do.
            if numbers.len() == most || !contestant.checks_codes() {
                return if numbers.is_empty() {
                    ledger.next(most, otpd_core::time::Step(u64::MAX))
                } else {
                    numbers
                };
            }
            clock::wait_past(step);
        }
    }

    /// Gives each hand of tries to a caller.
    pub fn give(
        &mut self,
        contestant: Contestant,
        estate: usize,
        mode: Mode,
        hands: Vec<Vec<(Number, Typed)>>,
        length: Duration,
    ) -> anyhow::Result<Outcome> {
        let begin = beginning();
        let job = |(caller, tries)| Job {
            contestant,
            confdir: self.estates[estate].confdir(),
            server: self.site.server(),
            scratch: self.site.path(&format!("scratch/{caller}")),
            tries,
            begin,
            end: begin + length,
        };
        let jobs: Vec<Job> = hands.into_iter().enumerate().map(job).collect();
        let callers = match mode {
            Mode::LongLived => &mut self.long_lived,
            Mode::FreshProcess => &mut self.fresh,
        };
        let reports = callers.run(&jobs)?;
        Ok(Outcome::of(&jobs, &reports))
    }

    /// Enters right codes, given once each, into the ledger.
    pub fn note(&mut self, contestant: Contestant, estate: usize, outcome: &Outcome) {
        let ledger = self.ledger(contestant, estate);
        ledger.advance(outcome.turns);
        for login in &outcome.logins {
            ledger.note(login.number, login.step, login.accepted);
        }
    }

    /// Whether nobody with a right code was refused by pam_otp.
    pub fn let_all_in(&self) -> bool {
        let ours = self.ledgers.iter().filter(|((contestant, _), _)| *contestant == Contestant::Otp);
        ours.into_iter().all(|(_, ledger)| ledger.spent.len() == usize::try_from(ledger.given).expect("fits"))
    }

    /// The ledger of a contestant.
    pub fn ledger(&mut self, contestant: Contestant, estate: usize) -> &mut Ledger {
        let usable = self.estates[estate].usable();
        self.ledgers.entry((contestant, estate)).or_insert_with(|| Ledger::new(usable))
    }
}

/// Callers at once.
pub const AT_ONCE: [usize; 3] = [1, 8, MOST];
const MOST: usize = 32;
