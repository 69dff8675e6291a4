//! The registry on SQLite: one connection writes, one commit for all who wait; readers and checkpoints have their own.

mod ballast;
mod checkpoint;
mod claims;
mod disk;
mod log;
mod migrations;
mod query;
mod readers;
mod rows;
mod sqlite;
mod staging;
mod writer;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod unchained;

pub use sqlite::OpenError;
pub use sqlite::Sqlite;
pub use sqlite::Unkeyed;
