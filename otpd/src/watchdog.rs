//! systemd's watchdog: it is told at intervals that the registry still takes its turn at writing. While that hangs,
//! nobody who is protected could log in; nothing is told then, and systemd starts otpd again.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use otpd_core::registry::Registry;
use sd_notify::NotifyState;

use crate::clock;
use crate::service::Service;

/// The thread that tells it. Dropped, it ends.
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watchdog {
    /// Starts it, if systemd wants to be told (`WatchdogSec=`).
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start<R: Registry>(service: Arc<Service<R>>) -> std::io::Result<Option<Self>> {
        let patience = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero());
        let Some(patience) = patience else { return Ok(None) };
        let tell = || sd_notify::notify(&[NotifyState::Watchdog]).unwrap_or_default();
        // An error is an answer: callers are told it, and starting anew mends no disk.
        let ask = move || drop(service.sweep_imports(clock::now()));
        Self::every(patience.checked_div(TIMES).unwrap_or(patience), ask, tell).map(Some)
    }

    /// Asks at once and then after each `pause`, and tells whenever an answer came.
    fn every(
        pause: Duration,
        ask: impl Fn() + Send + 'static,
        tell: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let work = move || {
            loop {
                ask();
                tell();
                if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("watchdog".into()).stack_size(STACK).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// So often within systemd's patience.
const TIMES: u32 = 4;
/// SQLite runs on it.
const STACK: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn systemd_is_told_again_and_again_while_the_registry_answers() {
        let (tell, told) = channel();
        let watchdog = Watchdog::every(SOON, || {}, move || tell.send(()).unwrap_or_default()).unwrap();
        (0..3).for_each(|_| told.recv_timeout(LONG).unwrap());
        drop(watchdog);
        // The thread is gone, and its end of the channel with it.
        while told.recv_timeout(LONG).is_ok() {}
        assert_eq!(told.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn it_is_told_nothing_while_the_registry_hangs() {
        let (tell, told) = channel();
        let (asked, asks) = channel();
        let registry = Arc::new(Mutex::new(()));
        let held = registry.lock().unwrap();
        let ask = {
            let registry = Arc::clone(&registry);
            move || {
                asked.send(()).unwrap();
                drop(registry.lock().unwrap());
            }
        };
        let _watchdog = Watchdog::every(SOON, ask, move || tell.send(()).unwrap_or_default()).unwrap();
        asks.recv_timeout(LONG).unwrap();
        assert_eq!(told.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
        drop(held);
        told.recv_timeout(LONG).unwrap();
    }
}
