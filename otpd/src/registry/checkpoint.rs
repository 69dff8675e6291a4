//! Moves what was committed from the write-ahead log into the database, on a thread and a connection of its own, so
//! that no login waits for it, and keeps the log's size within bounds.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use super::writer::Writer;

/// The thread. Dropped, it finishes what it is at.
pub(crate) struct Checkpoints {
    signal: Signal,
    thread: Option<thread::JoinHandle<()>>,
}

/// How the writer tells that the log grew.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pages: AtomicI32,
    stopping: AtomicBool,
    thread: std::sync::OnceLock<thread::Thread>,
}

impl Signal {
    /// Makes `connection`, which is to write, tell after each commit how long the log is. SQLite's own checkpoints, which
    /// a commit would wait for, end with that.
    pub(crate) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let shared = Arc::clone(&self.0);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            shared.pages.store(pages, Ordering::Relaxed);
            if pages >= BEGIN_AT {
                shared.wake();
            }
            Ok(())
        }))
    }
}

impl Shared {
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Checkpoints {
    /// Starts the thread on its connection.
    pub(crate) fn start(
        connection: Connection,
        signal: Signal,
        writer: Arc<Writer>,
    ) -> std::io::Result<Self> {
        let shared = Arc::clone(&signal.0);
        let thread = thread::Builder::new()
            .name("checkpoint".into())
            .stack_size(STACK)
            .spawn(move || keep_short(&connection, &shared, &writer))?;
        let _ = signal.0.thread.set(thread.thread().clone());
        Ok(Self { signal, thread: Some(thread) })
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.signal.0.stopping.store(true, Ordering::Release);
        self.signal.0.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep_short(connection: &Connection, shared: &Shared, writer: &Writer) {
    // Whoever reads for long, a backup or doctor, must not make those wait who want to write.
    if let Err(error) = connection.busy_timeout(FOR_READERS) {
        log::warn!("checkpoints wait for readers: {error}");
    }
    while !shared.stopping.load(Ordering::Acquire) {
        if shared.pages.load(Ordering::Relaxed) < BEGIN_AT {
            thread::park();
            continue;
        }
        shared.pages.store(0, Ordering::Relaxed);
        // While others write, what they append stays in the log, and the log goes on growing.
        let left = checkpoint(connection, "PASSIVE");
        if left.is_some_and(|pages| pages >= TOO_LONG) {
            // The rest is short now: nobody writes meanwhile, and the log begins anew.
            writer.hold(|| checkpoint(connection, "RESTART"));
        }
    }
}

/// One checkpoint. Returns the pages of a log that goes on; `None` if all of it is in the database.
fn checkpoint(connection: &Connection, mode: &str) -> Option<i32> {
    let done = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| {
        Ok((row.get::<_, i32>(1)?, row.get::<_, i32>(2)?))
    });
    match done {
        Ok((pages, moved)) => (moved < pages).then_some(pages),
        Err(error) => {
            log::warn!("the write-ahead log cannot be moved into the registry: {error}");
            None
        }
    }
}

/// Pages of 4 KiB.
const BEGIN_AT: i32 = 1000;
const TOO_LONG: i32 = 4000;
/// Logins read for less.
const FOR_READERS: Duration = Duration::from_millis(20);
/// SQLite runs on it.
const STACK: usize = 1024 * 1024;
