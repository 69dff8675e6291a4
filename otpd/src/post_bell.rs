//! Rings when a mail is in the outbox, for those who wait to deliver it.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// The bell.
#[derive(Default)]
pub struct PostBell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    rings: u64,
    stopping: bool,
}

impl PostBell {
    /// Says that there is something new.
    pub fn ring(&self) {
        let mut state = self.state();
        state.rings = state.rings.wrapping_add(1);
        drop(state);
        self.rung.notify_all();
    }

    /// Lets go of everybody who waits, now and later.
    pub fn stop(&self) {
        self.state().stopping = true;
        self.rung.notify_all();
    }

    /// How often it rang: to be asked for before looking, so that nothing is missed between that and waiting.
    #[must_use]
    pub fn rings(&self) -> u64 {
        self.state().rings
    }

    /// Waits until it has rung more often than `heard`, but not longer than this. Returns whether waiting goes on being
    /// of use.
    pub fn wait(&self, heard: u64, longest: Duration) -> bool {
        let silent = |state: &mut State| state.rings == heard && !state.stopping;
        let waited = self.rung.wait_timeout_while(self.state(), longest, silent);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_ring_before_the_wait_is_not_missed_and_one_during_it_ends_it() {
        let bell = PostBell::default();
        let heard = bell.rings();
        bell.ring();
        assert!(bell.wait(heard, LONG));
        let heard = bell.rings();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| bell.wait(heard, LONG));
            bell.ring();
            assert!(waiting.join().unwrap());
        });
        assert!(bell.wait(bell.rings(), Duration::ZERO));
    }

    #[test]
    fn once_it_stops_nobody_waits() {
        let bell = PostBell::default();
        bell.stop();
        assert!(!bell.wait(bell.rings(), LONG));
    }
}
