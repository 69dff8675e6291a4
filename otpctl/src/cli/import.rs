//! The command lines of `import` and `export`.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

/// Where devices come from.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Read the users file of pam_oath
    ///
    /// Every token of it becomes an active device. Codes up to the present one count as used, so none that
    /// pam_oath accepted works again. Nothing is taken if a line is wrong, a user does not exist, or an account has the
    /// key already; the file stays as it is.
    Oath(ImportOath),
    /// Read the files of pam_google_authenticator
    ///
    /// Each file becomes an active device of its user, with what its clock is off. Codes up to the present one count
    /// as used. Scratch codes are not taken over. Nothing is taken if a file is wrong, a user does not exist, or an
    /// account has the key already; the files stay as they are.
    GoogleAuthenticator(ImportGoogle),
}

/// Arguments of `import oath`.
#[derive(Debug, Args)]
pub(crate) struct ImportOath {
    /// The users file, such as /etc/users.oath
    pub(crate) file: PathBuf,
    /// Check everything and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `import google-authenticator`.
#[derive(Debug, Args)]
pub(crate) struct ImportGoogle {
    /// One file; it is that of its owner unless --user names somebody
    #[arg(required_unless_present = "all_users", conflicts_with = "all_users")]
    pub(crate) file: Option<PathBuf>,
    /// Whose file it is
    #[arg(long, value_name = "NAME", requires = "file")]
    pub(crate) user: Option<String>,
    /// ~/.google_authenticator of every user that `getent passwd` lists
    #[arg(long)]
    pub(crate) all_users: bool,
    /// Check everything and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Where keys go.
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Write a users file for pam_oath
    ///
    /// The keys leave the seal: whoever reads the file can make every code of these devices. It has SHA-1 devices
    /// with a period of 30 or 60 seconds only; others are left out and named on standard error.
    Oath(ExportOath),
}

/// Arguments of `export oath`.
#[derive(Debug, Args)]
pub(crate) struct ExportOath {
    /// A new file for its owner alone, or - for standard output, which is taken if it is no terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
