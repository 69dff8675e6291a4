//! The word by which otpd knows this process, and when another one is needed.
//!
//! otpd holds a mail for whoever claimed it until Done, or until it hears from another instance. If the connection breaks
//! before the answer to a Claim, a mail may be held for us that we know nothing of. So once nothing else is under way,
//! this process goes on as another instance, and otpd gives that mail out again.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// The present instance, and what is under way in its name.
pub(super) struct Instances {
    process: String,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    number: u64,
    /// Claims, from before the call until what they gave is done.
    claims: usize,
    /// A mail may be held for this instance that nobody here knows of.
    in_doubt: bool,
}

/// A claim under way; it ends when dropped.
pub(super) struct Claim<'a> {
    instances: &'a Instances,
    instance: String,
}

impl Instances {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let process = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { process, state: Mutex::default(), ended: Condvar::new() })
    }

    /// Begins a claim, after waiting for the others if the instance has to change.
    pub(super) fn begin(&self) -> Claim<'_> {
        let must_wait = |state: &mut State| state.in_doubt && state.claims > 0;
        let state = self.ended.wait_while(self.lock(), must_wait);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.in_doubt {
            state.in_doubt = false;
            state.number = state.number.saturating_add(1);
        }
        state.claims = state.claims.saturating_add(1);
        Claim { instances: self, instance: format!("{}-{}", self.process, state.number) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    pub(super) fn instance(&self) -> &str {
        &self.instance
    }

    /// Nobody knows whether it gave a mail.
    pub(super) fn in_doubt(&self) {
        self.instances.lock().in_doubt = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.instances.lock();
        state.claims = state.claims.saturating_sub(1);
        self.instances.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn two_processes_have_no_instance_in_common() {
        let (one, other) = (Instances::new().unwrap(), Instances::new().unwrap());
        assert_ne!(one.begin().instance(), other.begin().instance());
        assert_eq!(one.begin().instance(), one.begin().instance());
    }

    #[test]
    fn a_claim_in_doubt_makes_another_instance_of_the_next_one() {
        let instances = Instances::new().unwrap();
        let first = instances.begin();
        first.in_doubt();
        let was = first.instance().to_owned();
        drop(first);
        let second = instances.begin();
        assert_ne!(second.instance(), was);
        assert_eq!(instances.begin().instance(), second.instance());
    }

    #[test]
    fn what_is_under_way_ends_under_the_old_name_first() {
        let instances = Instances::new().unwrap();
        let (lost, under_way) = (instances.begin(), instances.begin());
        lost.in_doubt();
        drop(lost);
        let (begun, begins) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| begun.send(instances.begin().instance().to_owned()).unwrap());
            assert!(begins.recv_timeout(Duration::from_millis(50)).is_err());
            let was = under_way.instance().to_owned();
            drop(under_way);
            assert_ne!(begins.recv().unwrap(), was);
        });
    }
}
