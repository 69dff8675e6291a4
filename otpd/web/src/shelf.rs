//! What a browser comes back for: kept in memory, bounded in number and time, found by the cookie that it was put there
//! with.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use otpd_proto::Secret;

use crate::token::Fingerprint;

/// So many things of one kind, each for so long.
#[derive(Debug)]
pub struct Shelf<T> {
    things: Mutex<HashMap<Fingerprint, (Instant, T)>>,
    most: usize,
    lasts: Duration,
}

impl<T> Shelf<T> {
    /// An empty one.
    #[must_use]
    pub fn new(most: usize, lasts: Duration) -> Self {
        Self { things: Mutex::default(), most, lasts }
    }

    /// Puts a thing there, in place of the one that this cookie had. If there is no room, the oldest goes.
    pub fn put(&self, cookie: &Secret, thing: T, now: Instant) {
        let mut things = self.fresh(now);
        things.insert(Fingerprint::of(cookie), (now, thing));
        while things.len() > self.most {
            let oldest = things.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| *key);
            oldest.and_then(|key| things.remove(&key));
        }
    }

    /// Takes it away.
    pub fn take(&self, cookie: &Secret, now: Instant) -> Option<T> {
        self.fresh(now).remove(&Fingerprint::of(cookie)).map(|(_, thing)| thing)
    }

    /// Looks at it, and may change it.
    pub fn with<R>(&self, cookie: &Secret, now: Instant, look: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.fresh(now).get_mut(&Fingerprint::of(cookie)).map(|(_, thing)| look(thing))
    }

    /// Forgets what is over.
    pub fn tidy(&self, now: Instant) {
        drop(self.fresh(now));
    }

    fn fresh(&self, now: Instant) -> MutexGuard<'_, HashMap<Fingerprint, (Instant, T)>> {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.retain(|_, (since, _)| now.saturating_duration_since(*since) < self.lasts);
        things
    }
}

/// So many at once, of all addresses together and of each.
#[derive(Debug)]
pub struct Slots {
    held: Arc<Mutex<HashMap<Option<IpAddr>, usize>>>,
    most: usize,
    each: usize,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All are taken.
    ForAll,
    /// This address has as many as it may.
    ForThisAddress,
}

/// One of them, given back when dropped.
#[derive(Debug)]
pub struct Slot {
    held: Arc<Mutex<HashMap<Option<IpAddr>, usize>>>,
    of: Option<IpAddr>,
}

impl Slots {
    /// So many of all addresses, so many of each.
    #[must_use]
    pub fn new(most: usize, each: usize) -> Self {
        Self { held: Arc::default(), most, each }
    }

    /// Takes one for an address; without an address it counts among all only.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take(&self, address: Option<IpAddr>) -> Result<Slot, Full> {
        let of = address.map(neighbours);
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().fold(0, |all, some| all.saturating_add(*some));
        if of.is_some() && held.get(&of).is_some_and(|mine| *mine >= self.each) {
            return Err(Full::ForThisAddress);
        }
        if all >= self.most {
            return Err(Full::ForAll);
        }
        Ok(self.held_by(held, of))
    }

    /// Takes one though all are taken, for whoever has seen to it that another is given back. Not for ever: of those who
    /// are to go, some stay.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take_one_more(&self, address: Option<IpAddr>) -> Result<Slot, Full> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().fold(0, |all, some| all.saturating_add(*some));
        if all >= self.most.saturating_add(self.most / 4).saturating_add(1) {
            return Err(Full::ForAll);
        }
        Ok(self.held_by(held, address.map(neighbours)))
    }

    fn held_by(&self, mut held: MutexGuard<'_, HashMap<Option<IpAddr>, usize>>, of: Option<IpAddr>) -> Slot {
        let mine = held.entry(of).or_default();
        *mine = mine.saturating_add(1);
        drop(held);
        Slot { held: Arc::clone(&self.held), of }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let left = held.get(&self.of).map_or(0, |mine| mine.saturating_sub(1));
        if left == 0 {
            held.remove(&self.of);
        } else {
            held.insert(self.of, left);
        }
    }
}

/// Whoever has one IPv6 address has the 2⁶⁴ around it.
fn neighbours(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    fn word(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[test]
    fn a_thing_is_there_until_it_is_taken_or_over() {
        let shelf = Shelf::new(2, Duration::from_secs(600));
        let now = monotonic();
        shelf.put(&word("a"), 1, now);
        assert_eq!(shelf.take(&word("b"), now), None);
        assert_eq!(shelf.with(&word("a"), now + Duration::from_secs(599), |it| *it), Some(1));
        assert_eq!(shelf.with(&word("a"), now + Duration::from_secs(600), |it| *it), None);
        shelf.put(&word("a"), 2, now);
        assert_eq!(shelf.take(&word("a"), now), Some(2));
        assert_eq!(shelf.take(&word("a"), now), None);
    }

    #[test]
    fn a_full_shelf_forgets_its_oldest() {
        let shelf = Shelf::new(2, Duration::from_secs(600));
        let now = monotonic();
        for (at, name) in (0..).zip(["a", "b", "c"]) {
            shelf.put(&word(name), name, now + Duration::from_secs(at));
        }
        let now = now + Duration::from_secs(3);
        assert_eq!(["a", "b", "c"].map(|name| shelf.take(&word(name), now).is_some()), [false, true, true]);
    }

    #[test]
    fn slots_are_bounded_for_each_address_and_for_all() {
        let slots = Slots::new(3, 2);
        let address = |text: &str| Some(text.parse().unwrap());
        let first = slots.take(address("2001:db8::1")).unwrap();
        let _second = slots.take(address("2001:db8::2")).unwrap();
        assert_eq!(
            slots.take(address("2001:db8::3")).unwrap_err(),
            Full::ForThisAddress,
            "a neighbour is the same"
        );
        let third = slots.take(address("192.0.2.1")).unwrap();
        assert_eq!(slots.take(address("192.0.2.2")).unwrap_err(), Full::ForAll);
        let beyond = slots.take_one_more(address("192.0.2.2")).unwrap();
        assert_eq!(slots.take_one_more(address("192.0.2.2")).unwrap_err(), Full::ForAll);
        drop(third);
        assert_eq!(slots.take(None).unwrap_err(), Full::ForAll, "as many as there should be");
        drop(beyond);
        let _third = slots.take(None).unwrap();
        drop(first);
        assert!(slots.take(address("2001:db8::3")).is_ok());
    }
}
