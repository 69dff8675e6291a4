//! The connection that writes, one caller at a time. Who finds it free does their own change at once; changes that had
//! to wait meanwhile go into one commit of the writer thread, each under a savepoint of its own. Nobody is answered
//! before the commit is on disk.

use std::mem;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use otpd_core::chain::ChainKey;
use otpd_core::chain::Link;
use otpd_core::event::Event;
use otpd_core::registry::Journal;
use otpd_core::registry::RegistryError;
use rusqlite::Connection;

use super::disk::Disk;
use super::disk::News;
use super::log::End;
use super::outbox;
use super::rows::unavailable;
use super::tickets;
use crate::clock;
use crate::clock::monotonic;

/// The way to write. Dropped, it waits until all is done that was asked of it.
pub(crate) struct Writer {
    desk: Arc<Desk>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Called with everything that others wait for once it is on disk, and with the event that says that nothing can be
/// written there.
pub(crate) type Sink = Box<dyn Fn(Written<'_>) + Send + Sync>;

/// What is on disk.
#[derive(Debug, Clone, Copy)]
pub enum Written<'a> {
    /// An event.
    Event(&'a Event),
    /// A mail, in the outbox.
    Mail,
}

/// Where the connection lies while nobody writes, and the changes that wait for it.
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
    sink: Sink,
    disk: Arc<Disk>,
}

struct State {
    pen: Option<Pen>,
    /// The audit log's last event on disk.
    head: Link,
    waiting: Vec<Box<dyn Work>>,
    /// While the writer thread gives callers a moment to come back: how many changes it hopes for.
    gathering: Option<usize>,
    /// Somebody wants the connection for themselves, and is next.
    reserved: bool,
    stopping: bool,
}

/// The connection, and the end of the audit log that it writes.
struct Pen {
    connection: Connection,
    key: Option<Arc<ChainKey>>,
    head: Link,
}

/// The pen, taken from the desk and put back when this is dropped.
struct Lead<'a> {
    desk: &'a Desk,
    pen: Option<Pen>,
}

/// One change.
trait Work: Send {
    /// Does the change inside the open transaction, again if what it did was undone. What it wrote is to be kept, and the
    /// log's `end` with it, if it succeeds.
    fn run(&mut self, connection: &Connection, end: &mut End<'_>) -> Result<(), RegistryError>;
    /// Tells the caller, after the commit.
    fn finish(self: Box<Self>, committed: Result<(), RegistryError>, sink: &Sink);
}

/// A change, its result once it ran, and who waits for it.
struct Task<F, T> {
    decide: F,
    result: Option<Result<T, RegistryError>>,
    journal: Journal,
    reply: Option<SyncSender<Result<T, RegistryError>>>,
}

impl Writer {
    /// Takes over the connection. `head` is the audit log's last event, which the next one is chained to with `key`, if
    /// it is there.
    pub(crate) fn start(
        connection: Connection,
        key: Option<Arc<ChainKey>>,
        head: Link,
        sink: Sink,
        disk: Arc<Disk>,
    ) -> std::io::Result<Self> {
        let state = State {
            pen: Some(Pen { connection, key, head }),
            head,
            waiting: Vec::new(),
            gathering: None,
            reserved: false,
            stopping: false,
        };
        let desk = Arc::new(Desk { state: Mutex::new(state), changed: Condvar::new(), sink, disk });
        let shared = Arc::clone(&desk);
        let thread = thread::Builder::new().name("writer".into()).spawn(move || shared.write_all())?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Runs `decide` in a transaction and waits until it is durable.
    pub(crate) fn call<T, F>(&self, decide: F) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Clone + Send + 'static,
    {
        let mut task = Task::new(decide);
        if let Some(mut lead) = self.desk.lead() {
            let pen = lead.pen()?;
            let committed = self.desk.write(|| pen.write_one(&mut task));
            drop(lead);
            return task.end(committed, &self.desk.sink);
        }
        let (reply, answer) = sync_channel(1);
        task.reply = Some(reply);
        self.desk.push(Box::new(task), usize::MAX);
        answer.recv().map_err(|_| gone())?
    }

    /// Records an event with the next commit, without waiting. Returns whether there was room for it.
    pub(crate) fn record_soon(&self, event: Event) -> bool {
        self.desk.push(Box::new(Task::new(record(event))), QUEUE)
    }

    /// The audit log's last event on disk.
    pub(crate) fn head(&self) -> Link {
        self.desk.state().head
    }

    /// Runs `work` while nobody can write.
    pub(crate) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut state = self.desk.state();
        state.reserved = true;
        let taken = |state: &mut State| state.pen.is_none();
        state = self.desk.changed.wait_while(state, taken).unwrap_or_else(PoisonError::into_inner);
        state.reserved = false;
        let lead = Lead { desk: &self.desk, pen: state.pen.take() };
        drop(state);
        let done = work();
        drop(lead);
        done
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.desk.state().stopping = true;
        self.desk.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes, as the disk allows, and passes on what is to be told of that.
    fn write(&self, once: impl FnMut() -> Result<(), RegistryError>) -> Result<(), RegistryError> {
        let (written, news) = self.disk.write(once);
        let Some(news) = news else { return written };
        let event = news.event(clock::now());
        if news == News::Full {
            // It cannot be on disk first.
            (self.sink)(Written::Event(&event));
        } else {
            self.push(Box::new(Task::new(record(event))), QUEUE);
        }
        written
    }

    /// The connection, if it is free and nobody waits for it.
    fn lead(&self) -> Option<Lead<'_>> {
        let mut state = self.state();
        if !state.waiting.is_empty() || state.gathering.is_some() || state.reserved {
            return None;
        }
        let pen = state.pen.take()?;
        Some(Lead { desk: self, pen: Some(pen) })
    }

    /// Leaves a change for the writer thread, unless `most` wait already.
    fn push(&self, work: Box<dyn Work>, most: usize) -> bool {
        let mut state = self.state();
        if state.waiting.len() >= most {
            return false;
        }
        state.waiting.push(work);
        // If somebody has the pen, they will see on putting it back that others wait.
        if state.pen.is_some() && state.waiting.len() >= state.gathering.unwrap_or(1) {
            self.changed.notify_all();
        }
        true
    }

    fn write_all(&self) {
        let mut linger = Duration::ZERO;
        while let Some((mut lead, mut batch)) = self.next_batch(linger) {
            let Ok(pen) = lead.pen() else { return };
            let begun = monotonic();
            let committed = self.write(|| pen.write_batch(&mut batch));
            linger = self.gather(batch.len(), monotonic().saturating_duration_since(begun));
            drop(lead);
            for work in batch {
                work.finish(committed.clone(), &self.sink);
            }
        }
    }

    /// After a commit of several that took long, those who are about to be answered get a moment to come back, so that
    /// the next commit has all of them too. Returns how long a moment; until it is over nobody writes alone.
    fn gather(&self, batch: usize, took: Duration) -> Duration {
        let share = if took < SLOW { LINGER_SHARE } else { SLOW_LINGER_SHARE };
        let moment = took.mul_f32(share).min(LONGEST_LINGER);
        if batch < 2 || moment < LEAST_LINGER {
            return Duration::ZERO;
        }
        let mut state = self.state();
        // On top of those who wait already: else two halves would take turns for ever.
        state.gathering = Some(state.waiting.len().saturating_add(batch));
        moment
    }

    /// Waits for changes and the pen. `None` is the end.
    fn next_batch(&self, linger: Duration) -> Option<(Lead<'_>, Vec<Box<dyn Work>>)> {
        let mut state = self.state();
        if let Some(hoped) = state.gathering {
            let few = |state: &mut State| state.waiting.len() < hoped && !state.stopping;
            let waited = self.changed.wait_timeout_while(state, linger, few);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.gathering = None;
        let idle = |state: &mut State| {
            let nothing_to_do = state.waiting.is_empty() && !state.stopping;
            nothing_to_do || state.pen.is_none() || state.reserved
        };
        state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let pen = state.pen.take()?;
        if state.waiting.is_empty() {
            // An orderly end leaves no write-ahead log behind.
            if let Err((_, error)) = pen.connection.close() {
                log::warn!("closing the registry: {error}");
            }
            return None;
        }
        let rest = state.waiting.len().min(LARGEST_BATCH);
        let rest = state.waiting.split_off(rest);
        let batch = mem::replace(&mut state.waiting, rest);
        Some((Lead { desk: self, pen: Some(pen) }, batch))
    }
}

impl Lead<'_> {
    fn pen(&mut self) -> Result<&mut Pen, RegistryError> {
        self.pen.as_mut().ok_or_else(gone)
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        state.pen = self.pen.take();
        state.head = state.pen.as_ref().map_or(state.head, |pen| pen.head);
        if !state.waiting.is_empty() || state.reserved || state.stopping {
            self.desk.changed.notify_all();
        }
    }
}

impl<F, T> Task<F, T>
where
    F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Clone,
{
    fn new(decide: F) -> Self {
        Self { decide, result: None, journal: Journal::default(), reply: None }
    }

    fn run(&mut self, connection: &Connection, end: &mut End<'_>) -> Result<(), RegistryError> {
        let decide = self.decide.clone();
        self.journal = Journal::default();
        let journal = &mut self.journal;
        let change = || {
            let value = decide(connection, journal)?;
            tickets::settle(connection, journal)?;
            journal.mails.iter().try_for_each(|mail| outbox::insert(connection, mail))?;
            journal.events.iter().try_for_each(|event| end.record(connection, event))?;
            Ok(value)
        };
        // A panic is an error of its own caller alone.
        let result = catch_unwind(AssertUnwindSafe(change))
            .unwrap_or_else(|_| Err(RegistryError::Unavailable("internal error, please report it".into())));
        self.result.insert(result).as_ref().map(drop).map_err(Clone::clone)
    }

    fn end(self, committed: Result<(), RegistryError>, sink: &Sink) -> Result<T, RegistryError> {
        let result = self.result.unwrap_or_else(|| Err(gone()));
        let value = committed.and(result)?;
        self.journal.events.iter().for_each(|event| sink(Written::Event(event)));
        if !self.journal.mails.is_empty() {
            sink(Written::Mail);
        }
        Ok(value)
    }
}

impl<F, T> Work for Task<F, T>
where
    T: Send,
    F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Clone + Send,
{
    fn run(&mut self, connection: &Connection, end: &mut End<'_>) -> Result<(), RegistryError> {
        Task::run(self, connection, end)
    }

    fn finish(mut self: Box<Self>, committed: Result<(), RegistryError>, sink: &Sink) {
        let reply = self.reply.take();
        let result = self.end(committed, sink);
        if let Some(reply) = reply {
            // A caller that gave up waiting is no error: what it asked for is done.
            let _ = reply.send(result);
        }
    }
}

impl Pen {
    /// One change in a transaction of its own. What it wrote goes if it fails; then nothing is committed.
    fn write_one<F, T>(&mut self, task: &mut Task<F, T>) -> Result<(), RegistryError>
    where
        F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Clone,
    {
        let mut end = End::new(self.key.as_deref(), self.head);
        execute(&self.connection, "BEGIN IMMEDIATE")?;
        if let Err(error) = task.run(&self.connection, &mut end) {
            roll_back(&self.connection);
            return if is_of_disk(&error) { Err(error) } else { Ok(()) };
        }
        commit(&self.connection)?;
        self.head = end.head();
        Ok(())
    }

    fn write_batch(&mut self, batch: &mut [Box<dyn Work>]) -> Result<(), RegistryError> {
        let connection = &self.connection;
        let mut end = End::new(self.key.as_deref(), self.head);
        execute(connection, "BEGIN IMMEDIATE")?;
        for work in batch {
            let mut further = end;
            let ran =
                execute(connection, "SAVEPOINT change").and_then(|()| work.run(connection, &mut further));
            let written = match ran {
                Ok(()) => {
                    end = further;
                    execute(connection, "RELEASE change")
                }
                Err(error) if is_of_disk(&error) => Err(error),
                Err(_) => execute(connection, "ROLLBACK TO change")
                    .and_then(|()| execute(connection, "RELEASE change")),
            };
            // On some errors SQLite rolls the whole transaction back by itself; what follows would commit one by one.
            if written.is_err() || connection.is_autocommit() {
                roll_back(connection);
                return written.and(Err(undone()));
            }
        }
        commit(connection)?;
        self.head = end.head();
        Ok(())
    }
}

fn commit(connection: &Connection) -> Result<(), RegistryError> {
    // Rolled back by SQLite itself: COMMIT would be an error without the reason.
    if connection.is_autocommit() {
        return Err(undone());
    }
    let committed = execute(connection, "COMMIT");
    if committed.is_err() {
        roll_back(connection);
    }
    committed
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = execute(connection, "ROLLBACK")
    {
        log::error!("rolling back: {error}");
    }
}

/// Runs a statement that has no result and is needed again and again.
pub(super) fn execute(connection: &Connection, sql: &str) -> Result<(), RegistryError> {
    let mut statement = connection.prepare_cached(sql).map_err(unavailable)?;
    statement.execute(()).map(drop).map_err(unavailable)
}

/// Whether it concerns everybody, not one change alone.
fn is_of_disk(error: &RegistryError) -> bool {
    matches!(error, RegistryError::Full | RegistryError::Disk(_))
}

fn undone() -> RegistryError {
    RegistryError::Unavailable("the registry could not be written".into())
}

/// A change that does nothing but record.
fn record(
    event: Event,
) -> impl FnOnce(&Connection, &mut Journal) -> Result<(), RegistryError> + Clone + Send + 'static {
    move |_, journal| {
        journal.record(event);
        Ok(())
    }
}

fn gone() -> RegistryError {
    RegistryError::Unavailable("otpd is stopping".into())
}

/// Of what nobody waits for, at most so much waits itself.
const QUEUE: usize = 1024;
const LARGEST_BATCH: usize = 256;
/// Of the time that the last commit took.
const LINGER_SHARE: f32 = 0.2;
/// On a disk that turns, a second commit for those who could share one costs as much as waiting so long for them, and
/// those who wait already would wait for it too.
const SLOW: Duration = Duration::from_millis(8);
const SLOW_LINGER_SHARE: f32 = 1.0;
/// Shorter than this, waiting costs more than the commit that it spares.
const LEAST_LINGER: Duration = Duration::from_micros(100);
const LONGEST_LINGER: Duration = Duration::from_millis(25);

#[cfg(test)]
mod tests;
