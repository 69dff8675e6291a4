//! What is left of the system for this process.

use std::path::Path;

use crate::config::Config;

/// Shuts this thread in, and those that it starts.
///
/// # Errors
/// The kernel has it and refuses.
pub fn enter(_: &Config, _: &Path) -> anyhow::Result<()> {
    Ok(())
}
