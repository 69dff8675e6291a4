//! The workers: each takes a mail out of the outbox, hands it over, tells what became of it, and takes the next one. There
//! are several, so that a server that is slow with one mail holds up no other.
//!
//! While `otpd` is away they wait for it. Nothing here ends because of it.

mod instance;
mod outbox;

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use otpd_proto::mail::Message;
use otpd_proto::mail::Outcome;
use tokio::runtime::Runtime;

use crate::catalogue::Catalogues;
use crate::clock;
use crate::compose::Mail;
use crate::setup::Setup;
use crate::verdict::Verdict;

use instance::Instances;
use outbox::Outbox;
use outbox::Unanswered;

/// The running workers.
pub struct Mailer(Arc<Shared>);

/// What the workers need, all of which a reload replaces at once.
pub struct Ready {
    /// How mails leave.
    pub setup: Setup,
    /// What they say.
    pub catalogues: Catalogues,
}

struct Shared {
    outbox: Outbox,
    instances: Instances,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether it was said that otpd is away.
    away: AtomicBool,
}

struct State {
    ready: Arc<Ready>,
    stopping: bool,
    /// Mails between Claim and Done.
    under_way: usize,
}

impl Mailer {
    /// Starts so many workers, which take mails at this socket.
    ///
    /// # Errors
    /// A thread could not be started, or the system gives no random bytes.
    pub fn start(socket: PathBuf, ready: Ready, workers: u8) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            outbox: Outbox { socket },
            instances: Instances::new()?,
            state: Mutex::new(State { ready: Arc::new(ready), stopping: false, under_way: 0 }),
            changed: Condvar::new(),
            away: AtomicBool::new(false),
        });
        for number in 1..=workers {
            let shared = Arc::clone(&shared);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
            thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || shared.work(number, &runtime))?;
        }
        Ok(Self(shared))
    }

    /// What they work with now.
    #[must_use]
    pub fn ready(&self) -> Arc<Ready> {
        Arc::clone(&self.0.lock().ready)
    }

    /// From the next mail on.
    pub fn replace(&self, ready: Ready) {
        self.0.lock().ready = Arc::new(ready);
        self.0.changed.notify_all();
    }

    /// Takes no more mails, and gives those under way so long to end. What is not done then is dropped; otpd gives it
    /// out again.
    pub fn stop(self, patience: Duration) {
        let mut state = self.0.lock();
        state.stopping = true;
        self.0.changed.notify_all();
        let busy = |state: &mut State| state.under_way > 0;
        let waited = self.0.changed.wait_timeout_while(state, patience, busy);
        let left = waited.unwrap_or_else(PoisonError::into_inner).0.under_way;
        if left > 0 {
            log::warn!("{left} mails were under way; otpd gives them out again");
        }
    }
}

impl Shared {
    fn work(&self, number: u8, runtime: &Runtime) {
        let mut pause = SHORTEST_PAUSE;
        while !self.lock().stopping {
            let began = clock::monotonic();
            let ready = Arc::clone(&self.lock().ready);
            if ready.setup.transport.problem().is_some() && number > 1 {
                self.await_other(&ready);
                continue;
            }
            let claim = self.instances.begin();
            match self.outbox.claim(claim.instance(), &ready.setup.transport) {
                Ok(Some(message)) => {
                    self.back();
                    pause = SHORTEST_PAUSE;
                    self.handle(runtime, &message);
                }
                Ok(None) => {
                    drop(claim);
                    self.back();
                    pause = SHORTEST_PAUSE;
                    // It should have waited for one; if it does not, this must not turn fast.
                    self.pause(SHORTEST_PAUSE.saturating_sub(began.elapsed()));
                }
                Err(error) => {
                    if error.may_have_acted() {
                        claim.in_doubt();
                    }
                    drop(claim);
                    self.gone(&error);
                    self.pause(pause);
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// While no mail can leave, one worker tells otpd so and the others wait here: after a reload they claim at once, so
    /// that otpd does not believe it any longer.
    fn await_other(&self, than: &Arc<Ready>) {
        let same = |state: &mut State| !state.stopping && Arc::ptr_eq(&state.ready, than);
        drop(self.changed.wait_while(self.lock(), same));
    }

    fn handle(&self, runtime: &Runtime, message: &Message) {
        let ready = {
            let mut state = self.lock();
            state.under_way = state.under_way.saturating_add(1);
            Arc::clone(&state.ready)
        };
        let verdict = catch_unwind(AssertUnwindSafe(|| ready.send(runtime, message)));
        let verdict = verdict.unwrap_or_else(|_| Verdict::later("internal error of otpd-mail, see its log"));
        note(message, &verdict);
        self.report(message, &verdict);
        let mut state = self.lock();
        state.under_way = state.under_way.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Until otpd knows: a mail that it believes undelivered would be sent again.
    fn report(&self, message: &Message, verdict: &Verdict) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.outbox.done(&message.id, verdict) {
                Ok(()) => return,
                Err(error @ Unanswered::Refused(_)) => {
                    log::warn!("mail {}: {error}", id_of(message));
                    return;
                }
                Err(error) => self.gone(&error),
            }
            self.pause(pause);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            if self.lock().stopping {
                return;
            }
        }
    }

    /// Waits so long, or until it is time to stop.
    fn pause(&self, pause: Duration) {
        let running = |state: &mut State| !state.stopping;
        drop(self.changed.wait_timeout_while(self.lock(), pause, running));
    }

    fn gone(&self, error: &Unanswered) {
        if !self.away.swap(true, Ordering::Relaxed) {
            log::warn!("{error}; trying again until it answers");
        }
    }

    fn back(&self) {
        if self.away.swap(false, Ordering::Relaxed) {
            log::info!("otpd answers again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    /// One try.
    fn send(&self, runtime: &Runtime, message: &Message) -> Verdict {
        if clock::now() >= message.expires {
            return Verdict::failed("expired");
        }
        let Some(sender) = &self.setup.sender else {
            return Verdict::later("mail is not configured");
        };
        match Mail::compose(message, sender, &self.catalogues, &TimeZone::system()) {
            Ok(mail) => runtime.block_on(self.setup.transport.deliver(&mail, self.setup.deadline)),
            Err(verdict) => verdict,
        }
    }
}

/// Who gets mail and what it says stays out of the log.
fn note(message: &Message, verdict: &Verdict) {
    let (id, kind) = (id_of(message), message.kind);
    let answer = &verdict.answer;
    match verdict.outcome {
        Outcome::Delivered => log::info!("mail {id} ({kind:?}) was delivered: {answer}"),
        Outcome::Later => log::warn!("mail {id} ({kind:?}) is tried again later: {answer}"),
        Outcome::Failed => log::error!("mail {id} ({kind:?}) cannot be delivered: {answer}"),
    }
}

fn id_of(message: &Message) -> String {
    message.id.chars().filter(char::is_ascii_graphic).take(64).collect()
}

/// How many mails may be under way at once.
pub const WORKERS: u8 = 4;

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
