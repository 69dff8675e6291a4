//! The command line of `sign-out`.

use clap::Args;

use super::Proof;

/// Arguments of `sign-out`.
#[derive(Debug, Args)]
#[command(
    override_usage = "otpctl sign-out [OPTIONS] [USER] <ID>\n       otpctl sign-out [OPTIONS] [USER] --all"
)]
pub(crate) struct SignOut {
    /// User and number; which is which, how many there are tells.
    #[arg(value_names = ["ID"], num_args = 1..=2, required_unless_present = "all", hide = true)]
    words: Vec<String>,
    /// Wherever the account is signed in
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

impl SignOut {
    /// User, number; without one, all.
    pub(crate) fn parts(&self) -> Option<(Option<String>, Option<i64>)> {
        match (self.words.as_slice(), self.all) {
            ([], true) => Some((None, None)),
            ([user], true) => Some((Some(user.clone()), None)),
            ([id], false) => Some((None, Some(id.parse().ok()?))),
            ([user, id], false) => Some((Some(user.clone()), Some(id.parse().ok()?))),
            _ => None,
        }
    }
}
