//! The command line of `codes`.

use clap::Args;
use clap::Subcommand;

use super::Proof;
use super::Whose;

/// What to do about recovery codes.
#[derive(Debug, Subcommand)]
pub(crate) enum Codes {
    /// Show which recovery codes are left
    Left(Whose),
    /// Make ten new recovery codes; those of before no longer work
    New(NewCodes),
}

/// Arguments of `codes new`.
#[derive(Debug, Args)]
pub(crate) struct NewCodes {
    /// Whose account, for root; yours if left out
    pub(crate) user: Option<String>,
    /// Do not ask whether you are sure
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) proof: Proof,
}
