//! The command lines of `backup`, `restore` and `key`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// A new file, for its owner alone
    pub(crate) file: PathBuf,
    /// The passphrase is the first line of this file, or of standard input if it is -
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Leave the key out: then nobody can restore it without this box's master key (registry.key)
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) without_key: bool,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    pub(crate) file: PathBuf,
    /// The passphrase is the first line of this file, or of standard input if it is -
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Put the registry that is here aside
    #[arg(long)]
    pub(crate) replace: bool,
}

/// What is done with the master key.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a new master key; the old one opens the registry no more
    ///
    /// Logins go on meanwhile, and killed at any instant otpd starts again with the key that is in its place. Copies of
    /// the registry from before, and backups made without the key, still need the old one.
    Rotate(KeyRotate),
}

/// Arguments of `key rotate`.
#[derive(Debug, Args)]
pub(crate) struct KeyRotate {
    /// Where otpd cannot write its key (a systemd credential): a file with the new one, 32 random bytes. It opens the
    /// registry as well from now on; put it in the old one's place and restart otpd, and the old one does no more
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}
