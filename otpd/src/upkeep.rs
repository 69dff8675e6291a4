//! What is done now and then, off every login's path: old events leave the audit log.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use otpd_core::registry::Registry;

use crate::clock;
use crate::service::Service;

/// The thread. Dropped, it ends between two steps.
pub struct Upkeep {
    bell: Arc<Bell>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Bell {
    stopping: Mutex<bool>,
    rung: Condvar,
}

impl Upkeep {
    /// Starts the thread: at once, then every hour.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start<R: Registry>(service: Arc<Service<R>>) -> std::io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let theirs = Arc::clone(&bell);
        let work = move || {
            while !theirs.rings_within(prune(&service, &theirs)) {}
        };
        let thread = thread::Builder::new().name("upkeep".into()).stack_size(STACK).spawn(work)?;
        Ok(Self { bell, thread: Some(thread) })
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        *self.bell.stopping.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.rung.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Bell {
    fn rings_within(&self, pause: Duration) -> bool {
        let stopping = self.stopping.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rung.wait_timeout_while(stopping, pause, |stopping| !*stopping);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Removes old events a few at a time, with a pause after each for whoever logs in. Returns when to look again.
fn prune<R: Registry>(service: &Service<R>, bell: &Bell) -> Duration {
    let mut removed: u64 = 0;
    loop {
        match service.prune(clock::now(), clock::is_synchronised(), AT_ONCE) {
            Ok(0) => break,
            Ok(some) => removed = removed.saturating_add(some.into()),
            Err(error) => {
                log::warn!("old events stay in the audit log: {error}");
                break;
            }
        }
        if bell.rings_within(BREATH) {
            break;
        }
    }
    if removed > 0 {
        service.record_pruned(clock::now(), removed);
    }
    EACH
}

const AT_ONCE: u32 = 100;
const BREATH: Duration = Duration::from_millis(10);
const EACH: Duration = Duration::from_secs(3600);
const STACK: usize = 256 * 1024;
