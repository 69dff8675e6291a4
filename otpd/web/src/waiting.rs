//! Connections on which nothing is under way. When there are as many connections as there may be, the one that has said
//! nothing for longest makes room: whoever opens many and says nothing keeps nobody out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;

use crate::shelf::Slot;

/// All of them, the one that waits for longest first.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    next: u64,
    all: BTreeMap<u64, (Arc<Notify>, Slot)>,
}

/// The place of one connection: its slot is its own while a request is under way, and otherwise may be taken.
#[derive(Debug)]
pub struct Place {
    waiting: Arc<Waiting>,
    gone: Arc<Notify>,
    held: Mutex<Held>,
}

#[derive(Debug)]
enum Held {
    Busy(Slot),
    Waits(u64),
    /// Taken.
    Nothing,
}

impl Waiting {
    /// A connection that has said nothing yet.
    #[must_use]
    pub fn enter(self: &Arc<Self>, slot: Slot) -> Arc<Place> {
        let gone = Arc::new(Notify::new());
        let number = lock(&self.0).join(Arc::clone(&gone), slot);
        Arc::new(Place { waiting: Arc::clone(self), gone, held: Mutex::new(Held::Waits(number)) })
    }

    /// Ends the connection that waits for longest, and gives its slot back. `false` if none waits.
    pub fn make_room(&self) -> bool {
        let first = lock(&self.0).all.pop_first();
        first.is_some_and(|(_, (gone, slot))| {
            drop(slot);
            gone.notify_one();
            true
        })
    }
}

impl Line {
    fn join(&mut self, gone: Arc<Notify>, slot: Slot) -> u64 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        self.all.insert(number, (gone, slot));
        number
    }
}

impl Place {
    /// A request came.
    pub fn begin(&self) {
        let mut held = lock(&self.held);
        if let Held::Waits(number) = *held {
            let taken = lock(&self.waiting.0).all.remove(&number);
            *held = taken.map_or(Held::Nothing, |(_, slot)| Held::Busy(slot));
        }
    }

    /// It was answered.
    pub fn end(&self) {
        let mut held = lock(&self.held);
        *held = match std::mem::replace(&mut *held, Held::Nothing) {
            Held::Busy(slot) => Held::Waits(lock(&self.waiting.0).join(Arc::clone(&self.gone), slot)),
            other => other,
        };
    }

    /// Returns when it has to make room.
    pub async fn taken(&self) {
        self.gone.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Held::Waits(number) = *lock(&self.held) {
            drop(lock(&self.waiting.0).all.remove(&number));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shelf::Slots;

    #[tokio::test]
    async fn whoever_waits_for_longest_makes_room_and_nobody_who_is_being_served() {
        let (slots, waiting) = (Slots::new(3, 3), Arc::new(Waiting::default()));
        let enter = || waiting.enter(slots.take(None).unwrap());
        let (first, second, third) = (enter(), enter(), enter());
        assert!(slots.take(None).is_none());
        first.begin();
        assert!(waiting.make_room());
        second.taken().await;
        let _fourth = slots.take(None).unwrap();
        first.end();
        assert!(waiting.make_room(), "the third has waited for longer than the first now");
        third.taken().await;
        // Whoever was taken has no slot to give back, whatever is still under way there.
        third.begin();
        third.end();
        drop((second, third));
        let _fifth = slots.take(None).unwrap();
        assert!(slots.take(None).is_none());
        drop(first);
        assert!(slots.take(None).is_some() && !waiting.make_room());
    }
}
