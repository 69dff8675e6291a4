//! The directory with the certificate that this box made for itself.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;
use otpd_daemon::privileges::RunAs;

/// Makes it if it is missing. Before privileges are dropped.
///
/// # Errors
/// It cannot be made.
pub fn prepare(state: &Path, run_as: &RunAs) -> anyhow::Result<()> {
    if state.exists() {
        return Ok(());
    }
    let name = state.display();
    DirBuilder::new()
        .mode(0o700)
        .create(state)
        .with_context(|| format!("making {name}; set tls.certificate and tls.key, or make it"))?;
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(state, Some(run_as.uid), Some(run_as.gid))
            .with_context(|| format!("chown {name}"))?;
    }
    Ok(())
}
