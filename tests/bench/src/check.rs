//! Whether codes work once, and only right ones at all. Runs after the rounds: refused codes lock accounts.

use std::collections::BTreeMap;
use std::time::Duration;

use otpd_core::time::Step;
use serde::Serialize;

use crate::accounts;
use crate::accounts::Number;
use crate::caller::Mode;
use crate::caller::Typed;
use crate::cell::deal;
use crate::clock;
use crate::contestant::Contestant;
use crate::run::Run;

/// What one contestant did with one estate.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Who.
    pub contestant: Contestant,
    /// The size of the estate.
    pub accounts: u32,
    /// Right codes given in the rounds, each once.
    pub right: u64,
    /// How many of them were let in.
    pub right_let_in: u64,
    /// Wrong codes given.
    pub wrong: usize,
    /// How many of them were let in.
    pub wrong_let_in: usize,
    /// Right codes given by eight callers at once.
    pub raced: usize,
    /// How many of them let nobody in.
    pub raced_refused: usize,
    /// How many of them let in more than one.
    pub raced_twice: usize,
    /// Used codes given again, the newest first.
    pub replayed: usize,
    /// How many of them were let in.
    pub replayed_let_in: usize,
}

impl Verdict {
    /// Every right code let in, once; no other ever.
    pub fn is_flawless(&self) -> bool {
        let others = [self.wrong_let_in, self.raced_refused, self.raced_twice, self.replayed_let_in];
        self.right == self.right_let_in && others == [0; 4]
    }
}

/// Checks one contestant on one estate.
pub fn check(run: &mut Run, contestant: Contestant, estate: usize, most: usize) -> anyhow::Result<Verdict> {
    let ledger = run.ledger(contestant, estate);
    let (right, right_let_in) = (ledger.given, u64::try_from(ledger.spent.len())?);
    let (raced, raced_refused, raced_twice) = race(run, contestant, estate)?;
    // Six digits may be those of a later step as well: of 20,000 used codes one would be right again in one run of 16.
    let now = clock::step();
    let is_used_up = |(number, step): &&(Number, u64)| !accounts::is_right_again(*number, Step(*step), now);
    let newest = run.ledger(contestant, estate).spent.iter().rev().filter(is_used_up).take(most);
    let again: Vec<(Number, Typed)> = newest.map(|(number, step)| (*number, Typed::Of(*step))).collect();
    let limit = if contestant == Contestant::Otp { OUR_LIMIT } else { LIMIT };
    let replay = run.give(contestant, estate, Mode::LongLived, deal(&again, CALLERS), limit)?;
    let (usable, accounts) = (run.estates[estate].usable(), run.estates[estate].accounts);
    let wrong: Vec<(Number, Typed)> =
        (usable..accounts).take(200).map(|number| (number, Typed::Wrong)).collect();
    let refused = run.give(contestant, estate, Mode::LongLived, deal(&wrong, CALLERS), LIMIT)?;
    Ok(Verdict {
        contestant,
        accounts,
        right,
        right_let_in,
        wrong: refused.logins.len(),
        wrong_let_in: refused.accepted(),
        raced,
        raced_refused,
        raced_twice,
        replayed: replay.logins.len(),
        replayed_let_in: replay.accepted(),
    })
}

/// Gives every caller the same codes at the same time: how many codes, how many let nobody in, how many several.
fn race(run: &mut Run, contestant: Contestant, estate: usize) -> anyhow::Result<(usize, usize, usize)> {
    let numbers = run.fresh_accounts(contestant, estate, 200);
    let tries: Vec<(Number, Typed)> = numbers.into_iter().map(|number| (number, Typed::Right)).collect();
    let turns = tries.len();
    let outcome = run.give(contestant, estate, Mode::LongLived, vec![tries; CALLERS], LIMIT)?;
    let mut let_in: BTreeMap<(Number, u64), usize> = BTreeMap::new();
    for login in &outcome.logins {
        *let_in.entry((login.number, login.step)).or_default() += usize::from(login.accepted);
    }
    let ledger = run.ledger(contestant, estate);
    ledger.advance(turns);
    for ((number, step), times) in &let_in {
        ledger.note(*number, *step, *times > 0);
    }
    let counted = |wanted: fn(&usize) -> bool| let_in.values().filter(|times| wanted(times)).count();
    Ok((let_in.len(), counted(|times| *times == 0), counted(|times| *times > 1)))
}

const CALLERS: usize = 8;
/// Where a login takes 40 ms, not all of them are tried.
const LIMIT: Duration = Duration::from_secs(3);
/// Ours are all tried, unless the machine is very slow.
const OUR_LIMIT: Duration = Duration::from_secs(20);
