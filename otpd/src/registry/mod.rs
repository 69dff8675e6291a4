//! The registry on SQLite: one connection writes, one commit for all who wait; readers and checkpoints have their own.

mod ballast;
mod checkpoint;
mod claims;
mod copy;
mod data_key;
mod disk;
mod emails;
mod log;
mod migrations;
mod outbox;
mod query;
mod readers;
mod requirements;
mod restored;
mod rows;
mod sqlite;
mod staging;
mod tickets;
mod writer;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod unchained;

pub use restored::Bound;
pub use restored::Contents;
pub use restored::Restored;
pub use restored::holds_something;
pub use sqlite::OpenError;
pub use sqlite::Sqlite;
pub use sqlite::Unkeyed;
pub(crate) use writer::Written;
