//! Connections that only read, a bounded number of them: each has a cache and a descriptor or three of its own.

use std::path::PathBuf;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use otpd_core::registry::RegistryError;
use rusqlite::Connection;
use rusqlite::OpenFlags;

use super::rows::unavailable;
use super::sqlite::connect;
use super::writer::execute;

/// At most so many connections, opened when they are first needed.
pub(crate) struct Readers {
    path: PathBuf,
    free: Mutex<Free>,
    returned: Condvar,
}

struct Free {
    idle: Vec<Connection>,
    unopened: usize,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, most: usize) -> Self {
        let free = Mutex::new(Free { idle: Vec::new(), unopened: most });
        Self { path, free, returned: Condvar::new() }
    }

    /// Asks on a connection, waiting for one if all are in use.
    pub(crate) fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let none = |free: &mut Free| free.idle.is_empty() && free.unopened == 0;
        let mut free = self.returned.wait_while(self.free(), none).unwrap_or_else(PoisonError::into_inner);
        let mut place = Place { readers: self, connection: free.idle.pop() };
        if place.connection.is_none() {
            free.unopened = free.unopened.saturating_sub(1);
        }
        drop(free);
        let connection = match place.connection.take() {
            Some(connection) => connection,
            None => self.open().map_err(unavailable)?,
        };
        let answer = ask(&connection);
        // After an error the next one starts afresh.
        place.connection = answer.is_ok().then_some(connection);
        answer
    }

    /// As [`Self::read`], all of it at one moment: what is read in one statement belongs to what is read in another.
    pub(crate) fn snapshot<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        self.read(|connection| {
            execute(connection, "BEGIN")?;
            let answer = ask(connection)?;
            execute(connection, "COMMIT")?;
            Ok(answer)
        })
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // In KiB. What is in it is void after every commit, so more would only lie about.
        connection.pragma_update(None, "cache_size", -64)?;
        Ok(connection)
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the places; free again when this is dropped, even by a panic.
struct Place<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut free = self.readers.free();
        match self.connection.take() {
            Some(connection) => free.idle.push(connection),
            None => free.unopened = free.unopened.saturating_add(1),
        }
        drop(free);
        self.readers.returned.notify_one();
    }
}
