//! The registry as one file that goes elsewhere and comes back. Copying reads on a connection of its own, and what is
//! written meanwhile waits for nothing.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;

use otpd_core::registry::RegistryError;
use otpd_core::registry::Snapshot;
use rusqlite::Connection;
use rusqlite::OpenFlags;

use super::rows::unavailable;
use super::sqlite::connect;

/// Copies the registry at `path` into a file that has no name when this returns.
pub(crate) fn snapshot(path: &Path) -> Result<Snapshot, RegistryError> {
    let failed = |error: std::io::Error| RegistryError::Unavailable(format!("copying the registry: {error}"));
    let target = beside(path, ".snapshot");
    // Killed at this the last time.
    remove(&target).map_err(failed)?;
    let copied = copy(path, &target).map_err(unavailable);
    let file = File::open(&target);
    remove(&target).map_err(failed)?;
    let (accounts, devices) = copied?;
    Ok(Snapshot { bytes: Box::new(file.map_err(failed)?), accounts, devices })
}

fn copy(path: &Path, target: &Path) -> rusqlite::Result<(u32, u32)> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute("VACUUM INTO ?1", [target.to_string_lossy()])?;
    count(&connect(target, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

/// Bytes of the registry at `path` and of its log.
pub(crate) fn size(path: &Path) -> Result<u64, RegistryError> {
    let size = |path: &Path| fs::metadata(path).map(|found| found.len());
    let main = size(path).map_err(|error| RegistryError::Unavailable(error.to_string()))?;
    Ok(main.saturating_add(size(&beside(path, "-wal")).unwrap_or(0)))
}

/// Protected accounts and active devices.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<(u32, u32)> {
    let count = "SELECT count(DISTINCT account), count(*) FROM device WHERE state = 'active'";
    connection.query_row(count, (), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The path with `more` behind its name.
pub(super) fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(more);
    name.into()
}

/// Removes a file, if there is one.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
