//! The registry on SQLite: one writer thread, readers on their own connections, one commit for all who wait.

mod migrations;
mod query;
mod rows;
mod sqlite;
mod writer;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod memory;

pub use sqlite::OpenError;
pub use sqlite::Sqlite;
