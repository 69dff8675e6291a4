//! Which account may log in next: each one at most once in a step, since a code is good for one login.

use otpd_core::time::Step;

use crate::accounts;
use crate::accounts::Number;

/// The use of one estate by one contestant.
pub struct Ledger {
    usable: u32,
    position: u64,
    last: Vec<u64>,
    /// Every code that was taken: account and step, oldest first.
    pub spent: Vec<(Number, u64)>,
    /// Right codes given.
    pub given: u64,
}

impl Ledger {
    /// With accounts 0 to `usable`, none used yet.
    pub fn new(usable: u32) -> Self {
        let last = vec![0; usize::try_from(usable).expect("fits")];
        Self { usable, position: 0, last, spent: Vec::new(), given: 0 }
    }

    /// The next accounts in turn whose code of `step` is unspent, at most `most`.
    pub fn next(&self, most: usize, step: Step) -> Vec<Number> {
        (self.position..)
            .take(most.min(self.last.len()))
            .map(|position| accounts::in_order(position, self.usable))
            .take_while(|number| self.last[index(*number)] < step.0)
            .collect()
    }

    /// Notes that the first `turns` accounts in turn had theirs.
    pub fn advance(&mut self, turns: usize) {
        self.position += u64::try_from(turns).expect("fits");
    }

    /// Notes a right code, and whether it was taken.
    pub fn note(&mut self, number: Number, step: u64, accepted: bool) {
        self.last[index(number)] = step;
        self.given += 1;
        if accepted {
            self.spent.push((number, step));
        }
    }
}

fn index(number: Number) -> usize {
    usize::try_from(number % accounts::MOST).expect("fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_account_is_used_twice_in_a_step() {
        let mut ledger = Ledger::new(900);
        let first = ledger.next(600, Step(5));
        assert_eq!(first.len(), 600);
        first.iter().for_each(|number| ledger.note(*number, 5, true));
        ledger.advance(600);
        assert_eq!(ledger.next(600, Step(5)).len(), 300);
        assert_eq!(ledger.next(600, Step(6)).len(), 600);
    }
}
