//! How often one user may call, at a socket or through otpd-web. Root at a socket and otpd itself have no budget.

use std::collections::HashMap;
use std::time::Duration;
use std::time::Instant;

/// Token buckets by uid: a minute's worth may be spent at once and comes back evenly.
pub(crate) struct Budgets {
    per_minute: u16,
    spent: HashMap<u32, Bucket>,
}

struct Bucket {
    spent: f64,
    at: Instant,
}

impl Budgets {
    pub(crate) fn new(per_minute: u16) -> Self {
        Self { per_minute, spent: HashMap::new() }
    }

    /// Takes one call from a user's budget; `false` if it is used up.
    pub(crate) fn take(&mut self, uid: u32, now: Instant) -> bool {
        self.forget_idle(now);
        let per_minute = f64::from(self.per_minute);
        let bucket = self.spent.entry(uid).or_insert(Bucket { spent: 0.0, at: now });
        let back = now.saturating_duration_since(bucket.at).as_secs_f64() / 60.0 * per_minute;
        bucket.spent = (bucket.spent - back).max(0.0);
        bucket.at = now;
        let left = bucket.spent + 1.0 <= per_minute;
        if left {
            bucket.spent += 1.0;
        }
        left
    }

    /// Whoever called nothing for a minute has a whole budget again and need not be remembered, so the table holds
    /// only who called within the last minute (CVE-2026-104041: bound every table that callers fill).
    fn forget_idle(&mut self, now: Instant) {
        if self.spent.len() >= MANY {
            self.spent.retain(|_, bucket| now.saturating_duration_since(bucket.at) < Duration::from_secs(60));
        }
    }
}

const MANY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_per_user_and_comes_back() {
        let start = crate::clock::monotonic();
        let mut budgets = Budgets::new(2);
        assert!(budgets.take(1000, start) && budgets.take(1000, start));
        assert!(!budgets.take(1000, start));
        assert!(budgets.take(1001, start));
        assert!(!budgets.take(1000, start + Duration::from_secs(29)));
        assert!(budgets.take(1000, start + Duration::from_secs(60)));
    }

    #[test]
    fn the_table_forgets() {
        let start = crate::clock::monotonic();
        let mut budgets = Budgets::new(1);
        (0..1000).for_each(|uid| assert!(budgets.take(uid, start)));
        budgets.take(5000, start + Duration::from_secs(61));
        assert_eq!(budgets.spent.len(), 1);
    }
}
