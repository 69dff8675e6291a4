//! Moves what was committed from the write-ahead log into the database, on a thread and a connection of its own, so
//! that no login waits for it, and keeps the log's size within bounds.

use std::fs::File;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rusqlite::Connection;

use super::writer::Writer;
use crate::clock::monotonic;

/// The thread. Dropped, it finishes what it is at.
pub(crate) struct Checkpoints {
    signal: Signal,
    thread: Option<thread::JoinHandle<()>>,
}

/// How the writer tells that the log grew.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Shared>);

struct Shared {
    /// How long the log is, as the last commit left it.
    pages: AtomicI32,
    /// How long it has to be for a checkpoint.
    due: AtomicI32,
    stopping: AtomicBool,
    thread: OnceLock<thread::Thread>,
}

impl Signal {
    /// Makes `connection`, which is to write, tell after each commit how long the log is. SQLite's own checkpoints, which
    /// a commit would wait for, end with that.
    pub(crate) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let shared = Arc::clone(&self.0);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            shared.pages.store(pages, Ordering::Relaxed);
            if shared.is_due() {
                shared.wake();
            }
            Ok(())
        }))
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            pages: AtomicI32::new(0),
            due: AtomicI32::new(BEGIN_AT),
            stopping: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }
}

impl Shared {
    fn is_due(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= self.due.load(Ordering::Relaxed)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits many times as long as it is since `begun`, or until there is something to do.
    fn rest(&self, begun: Instant) {
        let now = monotonic();
        let until = now.checked_add(now.saturating_duration_since(begun).saturating_mul(REST)).unwrap_or(now);
        loop {
            let left = until.saturating_duration_since(monotonic());
            if left.is_zero() || self.is_due() || self.is_stopping() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Checkpoints {
    /// Starts the thread on its connection. `database` is the file below it.
    pub(crate) fn start(
        connection: Connection,
        database: Arc<File>,
        signal: Signal,
        writer: Arc<Writer>,
    ) -> std::io::Result<Self> {
        let shared = Arc::clone(&signal.0);
        let thread = thread::Builder::new()
            .name("checkpoint".into())
            .stack_size(STACK)
            .spawn(move || keep_short(&connection, &database, &shared, &writer))?;
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

fn keep_short(connection: &Connection, database: &File, shared: &Shared, writer: &Writer) {
    // Whoever reads for long, a backup or doctor, must not make those wait who want to write.
    if let Err(error) = connection.busy_timeout(FOR_READERS) {
        log::warn!("checkpoints wait for readers: {error}");
    }
    while !shared.is_stopping() {
        if !shared.is_due() {
            thread::park();
            continue;
        }
        shared.pages.store(0, Ordering::Relaxed);
        let begun = monotonic();
        let left = move_all(connection, database, shared, writer).unwrap_or_else(|error| {
            log::warn!("the write-ahead log cannot be moved into the registry: {error}");
            0
        });
        // Where somebody reads for long, another try at the next commit would only cost more syncs.
        shared.due.store(left.saturating_add(LONGEST), Ordering::Relaxed);
        shared.rest(begun);
        shared.due.store(left.saturating_add(BEGIN_AT), Ordering::Relaxed);
    }
}

/// Moves the log into the database, the most of it while others write: what they append meanwhile stays in the log, and
/// the log goes on growing. The rest is short; nobody writes while it is moved, and the log begins anew. Returns the
/// pages of a log that goes on all the same, for it is being read.
fn move_all(
    connection: &Connection,
    database: &File,
    shared: &Shared,
    writer: &Writer,
) -> rusqlite::Result<i32> {
    checkpoint(connection, "PASSIVE")?;
    // SQLite syncs the database with the last page only. On a disk that turns this takes seconds, in which nobody could
    // write. If it fails here, it fails there as well.
    let _ = database.sync_data();
    writer.hold(|| {
        let left = checkpoint(connection, "RESTART");
        shared.pages.store(0, Ordering::Relaxed);
        left
    })
}

/// One checkpoint. Returns the pages of a log that goes on.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i32> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |row| {
        let (held_up, pages, moved): (bool, i32, i32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(if held_up || moved < pages { pages.max(0) } else { 0 })
    })
}

/// Pages of 4 KiB, 4 MiB in all.
const BEGIN_AT: i32 = 1000;
/// 16 MiB, no more than [`Ballast::SIZE`](super::ballast::Ballast::SIZE): on a full disk that has to carry the log to its
/// next checkpoint. What is written during a checkpoint comes on top.
const LONGEST: i32 = 4000;
/// Below that length, a checkpoint is followed by another one only after so many times as long as it took. Each has half
/// a dozen syncs, which under load are taken from those of logins: the slower the disk, the longer the log may get.
const REST: u32 = 50;
/// Logins read for less.
const FOR_READERS: Duration = Duration::from_millis(20);
/// SQLite runs on it.
const STACK: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
