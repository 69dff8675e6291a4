//! Connections that wait for a request. When all places are taken, whoever has waited longest gives up theirs: a browser
//! comes back by itself, and a crowd that says nothing keeps nobody out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;

/// All who wait, by how long.
#[derive(Debug, Default)]
pub struct Guests {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

/// One connection.
#[derive(Debug)]
pub struct Guest {
    among: Arc<Guests>,
    /// None while an answer is made.
    place: Mutex<Option<u64>>,
    cut: Arc<Notify>,
}

impl Guests {
    /// Another connection, which waits.
    #[must_use]
    pub fn welcome(self: &Arc<Self>) -> Guest {
        let guest = Guest { among: Arc::clone(self), place: Mutex::default(), cut: Arc::default() };
        guest.waits();
        guest
    }

    /// Sends away whoever has waited longest. Returns whether there was anybody.
    #[must_use]
    pub fn cut_longest(&self) -> bool {
        let longest = self.queue().waiting.pop_first();
        longest.map(|(_, cut)| cut.notify_one()).is_some()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// A whole request is there and answered: nobody sends it away.
    pub fn is_served(&self) {
        if let Some(place) = self.place().take() {
            self.among.queue().waiting.remove(&place);
        }
    }

    /// It waits for the next request; everybody else has waited longer.
    pub fn waits(&self) {
        let mut queue = self.among.queue();
        let place = queue.next;
        queue.next = place.saturating_add(1);
        queue.waiting.insert(place, Arc::clone(&self.cut));
        drop(queue);
        *self.place() = Some(place);
    }

    /// Ends when it is sent away while it waits.
    pub async fn cut(&self) {
        loop {
            self.cut.notified().await;
            if self.place().is_some() {
                return;
            }
        }
    }

    fn place(&self) -> MutexGuard<'_, Option<u64>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.is_served();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;
    use std::task::Waker;

    use super::*;

    fn is_cut(guest: &Guest) -> bool {
        pin!(guest.cut()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn whoever_waits_longest_is_sent_away_and_nobody_who_is_served() {
        let guests = Arc::new(Guests::default());
        let (first, second, third) = (guests.welcome(), guests.welcome(), guests.welcome());
        first.is_served();
        assert!(guests.cut_longest());
        assert_eq!([&first, &second, &third].map(is_cut), [false, true, false]);
        first.waits();
        drop(third);
        assert!(guests.cut_longest() && is_cut(&first), "it waits again");
        assert!(!guests.cut_longest(), "there is nobody");
    }

    #[test]
    fn a_request_that_came_at_the_last_instant_is_answered() {
        let guests = Arc::new(Guests::default());
        let guest = guests.welcome();
        assert!(guests.cut_longest());
        guest.is_served();
        assert!(!is_cut(&guest));
        guest.waits();
        assert!(!is_cut(&guest) && guests.cut_longest() && is_cut(&guest));
    }
}
