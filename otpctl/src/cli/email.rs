//! The command lines of `email` and `mail`.

use clap::Args;
use clap::Subcommand;
use otpd_proto::Secret;

use super::Proof;
use super::Whose;
use super::secret;

/// What to do about secure emails.
#[derive(Debug, Subcommand)]
pub(crate) enum Email {
    /// Add an address: a code is mailed to it, and it counts once that is typed
    Add(AddEmail),
    /// Give the code that was mailed to an address
    Confirm(ConfirmEmail),
    /// Show the addresses, and from when on each can be used to get back in
    List(Whose),
    /// Remove an address; it is still told for a while what happens
    Remove(RemoveEmail),
}

/// Arguments of `email add`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl email add [OPTIONS] [USER] <ADDRESS>")]
pub(crate) struct AddEmail {
    /// A user before the address is optional, which the parser cannot express.
    #[arg(value_names = ["ADDRESS"], num_args = 1..=2, required = true, hide = true)]
    words: Vec<String>,
    /// Do not ask for the code from the mail: it is given with `email confirm`
    #[arg(long)]
    pub(crate) begin: bool,
    /// The language of mails, such as zh [default: as in LANG]
    #[arg(long, value_name = "LANG")]
    pub(crate) language: Option<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// Arguments of `email confirm`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl email confirm [OPTIONS] [USER] <CODE>")]
pub(crate) struct ConfirmEmail {
    /// As in `email add`.
    #[arg(value_names = ["CODE"], num_args = 1..=2, required = true, hide = true, value_parser = secret)]
    words: Vec<Secret>,
}

/// Arguments of `email remove`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl email remove [OPTIONS] [USER] <EMAIL>")]
pub(crate) struct RemoveEmail {
    /// As in `email add`.
    #[arg(value_names = ["EMAIL"], num_args = 1..=2, required = true, hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// What to look at about mail.
#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Send a mail, and tell what the mail server answered
    Test(MailTest),
    /// Show how mails are delivered, and what was not
    Status,
}

/// Arguments of `mail test`.
#[derive(Debug, Args)]
pub(crate) struct MailTest {
    /// Where to send it
    pub(crate) address: String,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

impl AddEmail {
    /// User, address.
    pub(crate) fn parts(&self) -> Option<(Option<String>, String)> {
        parts(&self.words)
    }
}

impl ConfirmEmail {
    /// User, code.
    pub(crate) fn parts(&self) -> Option<(Option<String>, Secret)> {
        let (user, code) = parts(&self.words)?;
        Some((user.map(|user| user.expose_secret().to_owned()), code))
    }
}

impl RemoveEmail {
    /// User, address or its number.
    pub(crate) fn parts(&self) -> Option<(Option<String>, String)> {
        parts(&self.words)
    }
}

fn parts<T: Clone>(words: &[T]) -> Option<(Option<T>, T)> {
    match words {
        [what] => Some((None, what.clone())),
        [user, what] => Some((Some(user.clone()), what.clone())),
        _ => None,
    }
}
