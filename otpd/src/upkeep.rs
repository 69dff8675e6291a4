//! What is done now and then, off every login's path: old events leave the audit log and its head goes to syslog,
//! decided imports are completed if whoever began them is gone, what was dropped is swept away, and the clocks of devices
//! are compared with this box's. And owners are told of logins that stopped at the code.

use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use otpd_core::chain::Link;
use otpd_core::registry::Registry;
use otpd_core::registry::RegistryError;
use otpd_core::staging::ImportId;
use otpd_core::staging::Progress;

use crate::audit::Level;
use crate::audit::Syslog;
use crate::clock;
use crate::service::Service;

/// The threads. Dropped, they end between two steps.
pub struct Upkeep {
    bell: Arc<Bell>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// Wakes the thread.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    wanted: bool,
}

impl Upkeep {
    /// Starts the thread: at once, then every hour, or when there is something to do.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start<R: Registry>(service: Arc<Service<R>>, syslog: Syslog) -> std::io::Result<Self> {
        let bell = Arc::clone(service.bell());
        let watching = Arc::clone(&service);
        let work = move || {
            let bell = service.bell();
            // Of what is found at start, whoever began it is gone.
            let mut seen = service.unfinished_import().unwrap_or(None);
            let mut heads = Heads::new(syslog, clock::monotonic());
            loop {
                prune(&service, bell);
                heads.announce(&service, clock::monotonic());
                compare_clocks(&service);
                sweep_tickets(&service, bell);
                if bell.wanted_within(look_after_imports(&service, bell, &mut seen)) {
                    return;
                }
            }
        };
        let start = |name: &str| thread::Builder::new().name(name.into()).stack_size(STACK);
        let threads =
            vec![start("upkeep").spawn(work)?, start("vigil").spawn(move || keep_vigil(&watching))?];
        Ok(Self { bell, threads })
    }
}

/// Says in syslog, and notes in the registry, where the audit log ends.
pub fn announce_head<R: Registry>(service: &Service<R>, syslog: &Syslog) -> Option<Link> {
    match service.note_head() {
        Ok(head) => {
            syslog.line(Level::Info, format!("audit head={head}"));
            Some(head)
        }
        Err(error) => {
            log::warn!("the end of the audit log was not noted: {error}");
            None
        }
    }
}

/// The heads that go to syslog: one an hour, if the log went on.
pub(crate) struct Heads {
    syslog: Syslog,
    last: Option<Link>,
    due: Instant,
}

impl Heads {
    /// The first one is due at once.
    pub(crate) fn new(syslog: Syslog, now: Instant) -> Self {
        Self { syslog, last: None, due: now }
    }

    /// Announces the head if it is time for one.
    pub(crate) fn announce<R: Registry>(&mut self, service: &Service<R>, now: Instant) {
        if now >= self.due && self.last != Some(service.head()) {
            self.last = announce_head(service, &self.syslog);
            self.due = now.checked_add(EACH).unwrap_or(now);
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.bell.state().stopping = true;
        self.bell.rung.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Bell {
    /// Says that there is something to do.
    pub(crate) fn ring(&self) {
        self.state().wanted = true;
        self.rung.notify_all();
    }

    /// Waits, but not past a ring. Returns whether it is time to stop.
    fn wanted_within(&self, pause: Duration) -> bool {
        let calm = |state: &mut State| !state.stopping && !state.wanted;
        let waited = self.rung.wait_timeout_while(self.state(), pause, calm);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.wanted = false;
        state.stopping
    }

    /// Waits. Returns whether it is time to stop.
    fn stops_within(&self, pause: Duration) -> bool {
        let waited = self.rung.wait_timeout_while(self.state(), pause, |state| !state.stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes old events a few at a time, with a pause after each for whoever logs in.
fn prune<R: Registry>(service: &Service<R>, bell: &Bell) {
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
        if bell.stops_within(BREATH) {
            break;
        }
    }
    if removed > 0 {
        service.record_pruned(clock::now(), removed);
    }
}

/// Looks for logins that were asked for a code and have given none.
fn keep_vigil<R: Registry>(service: &Service<R>) {
    while !service.bell().stops_within(VIGIL) {
        service.tell_of_missing_codes(clock::now(), clock::monotonic());
        service.note_seen();
        service.tell_of_unknown_tickets();
    }
}

/// Not by a clock that was never set: it would take every ticket for one from the future.
fn sweep_tickets<R: Registry>(service: &Service<R>, bell: &Bell) {
    while !clock::is_unset(clock::now()) {
        match service.sweep_tickets(clock::now()) {
            Ok(0) => break,
            Ok(_) if bell.stops_within(BREATH) => break,
            Ok(_) => {}
            Err(error) => {
                log::warn!("sign-ins that are over stay in the registry: {error}");
                break;
            }
        }
    }
}

fn compare_clocks<R: Registry>(service: &Service<R>) {
    if let Err(error) = service.compare_clocks(clock::now(), clock::is_synchronised()) {
        log::warn!("the clocks of devices cannot be compared: {error}");
    }
}

/// Sweeps, and completes a decided import of which nothing was applied since the last look. Returns when to look again.
pub(crate) fn look_after_imports<R: Registry>(
    service: &Service<R>,
    bell: &Bell,
    seen: &mut Option<(ImportId, Progress)>,
) -> Duration {
    let done = sweep(service, bell).and_then(|()| match service.unfinished_import()? {
        None => Ok(EACH),
        found if found != *seen => {
            *seen = found;
            Ok(PATIENCE)
        }
        Some((import, _)) => complete(service, bell, import).map(|()| EACH),
    });
    done.unwrap_or_else(|error| {
        log::warn!("an import waits to be completed or swept away: {error}");
        PATIENCE
    })
}

fn sweep<R: Registry>(service: &Service<R>, bell: &Bell) -> Result<(), RegistryError> {
    while service.sweep_imports(clock::now())? > 0 {
        if bell.stops_within(BREATH) {
            break;
        }
    }
    Ok(())
}

fn complete<R: Registry>(service: &Service<R>, bell: &Bell, import: ImportId) -> Result<(), RegistryError> {
    while service.apply_import(import, clock::now())?.is_some_and(|progress| progress.left > 0) {
        if bell.stops_within(BREATH) {
            break;
        }
    }
    Ok(())
}

const AT_ONCE: u32 = 100;
const BREATH: Duration = Duration::from_millis(10);
const EACH: Duration = Duration::from_secs(3600);
const VIGIL: Duration = Duration::from_secs(30);
/// So long somebody who is at it may take for their next step.
const PATIENCE: Duration = Duration::from_secs(10);
/// SQLite runs on it.
const STACK: usize = 1024 * 1024;
