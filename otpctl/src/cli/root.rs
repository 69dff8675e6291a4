//! Arguments of the commands that mend what went wrong outside: users renamed or gone, a clock that was wrong.

use clap::Args;

/// Arguments of `adopt`.
#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// Who the account is to belong to, by the name they have now
    pub(crate) user: String,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask whether you are sure
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Arguments of `prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// List the accounts and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask whether you are sure
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Arguments of `clock-reset`.
#[derive(Debug, Args)]
pub(crate) struct ClockReset {
    /// Whose account; everybody's if left out
    pub(crate) user: Option<String>,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask whether you are sure
    #[arg(long, short)]
    pub(crate) yes: bool,
}
