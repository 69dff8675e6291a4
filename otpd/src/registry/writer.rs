//! The writer thread: the only one that writes. Changes that wait in its queue go into one commit, each under a
//! savepoint of its own; nobody is answered before that commit is on disk.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;

use otpd_core::event::Event;
use otpd_core::registry::Journal;
use otpd_core::registry::RegistryError;
use rusqlite::Connection;

use super::rows;
use super::rows::unavailable;

/// The way into the writer's queue. When the last one is dropped the writer ends, its work done.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: SyncSender<Box<dyn Work>>,
}

/// Called with every event once it is on disk.
pub(crate) type Sink = Box<dyn Fn(&Event) + Send>;

/// The thread behind a [`Writer`], to wait for its end.
pub(crate) type WriterThread = thread::JoinHandle<()>;

/// One change in the queue.
trait Work: Send {
    /// Does the change inside the open transaction, under a savepoint.
    fn run(&mut self, connection: &Connection);
    /// Tells the caller, after the commit.
    fn finish(self: Box<Self>, committed: Result<(), RegistryError>, sink: &Sink);
}

/// A change, its result once it ran, and who waits for it.
struct Task<F, T> {
    decide: Option<F>,
    result: Option<Result<T, RegistryError>>,
    journal: Journal,
    reply: Option<SyncSender<Result<T, RegistryError>>>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub(crate) fn start(connection: Connection, sink: Sink) -> std::io::Result<(Self, WriterThread)> {
        let (queue, jobs) = sync_channel(QUEUE);
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || write_all(connection, &jobs, &sink))?;
        Ok((Self { queue }, thread))
    }

    /// Runs `decide` in the writer's next transaction and waits until it is durable.
    pub(crate) fn call<T, F>(&self, decide: F) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let task =
            Task { decide: Some(decide), result: None, journal: Journal::default(), reply: Some(reply) };
        self.queue.send(Box::new(task)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// Records an event with the next commit, without waiting. Returns whether there was room in the queue.
    pub(crate) fn record_soon(&self, event: Event) -> bool {
        let decide = move |_: &Connection, journal: &mut Journal| {
            journal.record(event);
            Ok(())
        };
        let task = Task { decide: Some(decide), result: None, journal: Journal::default(), reply: None };
        self.queue.try_send(Box::new(task)).is_ok()
    }
}

impl<T, F> Work for Task<F, T>
where
    T: Send,
    F: FnOnce(&Connection, &mut Journal) -> Result<T, RegistryError> + Send,
{
    fn run(&mut self, connection: &Connection) {
        let Some(decide) = self.decide.take() else { return };
        let journal = &mut self.journal;
        self.result = Some(under_savepoint(connection, || {
            let value = decide(connection, journal)?;
            journal.0.iter().try_for_each(|event| rows::record(connection, event))?;
            Ok(value)
        }));
    }

    fn finish(self: Box<Self>, committed: Result<(), RegistryError>, sink: &Sink) {
        let Self { result, journal, reply, .. } = *self;
        let result = match (committed, result) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(gone()),
        };
        if result.is_ok() {
            journal.0.iter().for_each(sink);
        }
        if let Some(reply) = reply {
            // A caller that gave up waiting is no error: what it asked for is done.
            let _ = reply.send(result);
        }
    }
}

fn write_all(connection: Connection, jobs: &Receiver<Box<dyn Work>>, sink: &Sink) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(LARGEST_BATCH));
        let committed = write_batch(&connection, &mut batch);
        for work in batch {
            work.finish(committed.clone(), sink);
        }
    }
    // An orderly end leaves no write-ahead log behind.
    if let Err((_, error)) = connection.close() {
        log::warn!("closing the registry: {error}");
    }
}

fn write_batch(connection: &Connection, batch: &mut [Box<dyn Work>]) -> Result<(), RegistryError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(unavailable)?;
    for work in batch {
        work.run(connection);
        // On some errors SQLite rolls the whole transaction back by itself; what follows would commit one by one.
        if connection.is_autocommit() {
            return Err(RegistryError::Unavailable("the registry could not be written".into()));
        }
    }
    let committed = connection.execute_batch("COMMIT").map_err(unavailable);
    if committed.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    committed
}

/// Keeps what `change` wrote only if it succeeds; a panic in it is an error of its own caller alone.
fn under_savepoint<T>(
    connection: &Connection,
    change: impl FnOnce() -> Result<T, RegistryError>,
) -> Result<T, RegistryError> {
    connection.execute_batch("SAVEPOINT change").map_err(unavailable)?;
    let result = catch_unwind(AssertUnwindSafe(change))
        .unwrap_or_else(|_| Err(RegistryError::Unavailable("internal error, please report it".into())));
    let end = if result.is_ok() { "RELEASE change" } else { "ROLLBACK TO change; RELEASE change" };
    connection.execute_batch(end).map_err(unavailable)?;
    result
}

fn gone() -> RegistryError {
    RegistryError::Unavailable("otpd is stopping".into())
}

const QUEUE: usize = 1024;
const LARGEST_BATCH: usize = 256;
