//! The registry on SQLite: one connection writes, one commit for all who wait; readers and checkpoints have their own.

mod ballast;
mod checkpoint;
mod claims;
mod disk;
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

pub use sqlite::OpenError;
pub use sqlite::Sqlite;
