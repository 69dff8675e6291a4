//! The command line of `resync`.

use clap::Args;
use otpd_proto::Secret;

use super::secret;

/// Arguments of `resync`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl resync [OPTIONS] [USER] <DEVICE>")]
pub(crate) struct Resync {
    /// As in `Confirm`.
    #[arg(value_names = ["DEVICE"], num_args = 1..=2, required = true, hide = true)]
    words: Vec<String>,
    /// Two codes that it showed one after the other; asked for on a terminal, - reads one from standard input
    #[arg(long, value_names = ["FIRST", "SECOND"], num_args = 2, value_parser = secret)]
    pub(crate) codes: Option<Vec<Secret>>,
}

impl Resync {
    /// User, device.
    pub(crate) fn parts(&self) -> Option<(Option<String>, String)> {
        match self.words.as_slice() {
            [device] => Some((None, device.clone())),
            [user, device] => Some((Some(user.clone()), device.clone())),
            _ => None,
        }
    }
}
