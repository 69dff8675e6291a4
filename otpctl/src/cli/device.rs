//! The command lines of what is done with devices: `bind`, `confirm`, `devices`, `rename`, `unbind`.

use clap::Args;
use clap::ValueEnum;
use otpd_proto::Secret;

use super::Proof;
use super::secret;
use crate::qr::Rendering;

/// Arguments of `bind`.
#[derive(Debug, Args)]
pub(crate) struct Bind {
    /// Whose account, for root; yours if left out
    pub(crate) user: Option<String>,
    /// What to call the device, such as "Work phone"
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Use this key instead of a new one; spaces and lower case are fine, - reads it from standard input
    #[arg(long, value_name = "BASE32", value_parser = secret)]
    pub(crate) key: Option<Secret>,
    /// SHA1, SHA256 or SHA512. Many apps know SHA1 only [default: SHA1]
    #[arg(long, value_name = "NAME", ignore_case = true, hide_possible_values = true)]
    pub(crate) algorithm: Option<Algorithm>,
    /// Digits of a code, 6 to 8 [default: 6]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(6..=8))]
    pub(crate) digits: Option<u8>,
    /// Seconds until the next code, 15 to 120 [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(15..=120))]
    pub(crate) period: Option<u16>,
    /// A token that counts its codes (HOTP) instead of following the time
    #[arg(long, conflicts_with = "period")]
    pub(crate) hotp: bool,
    /// The number of the token's next code, for --hotp [default: 0]
    #[arg(long, value_name = "N", requires = "hotp")]
    pub(crate) counter: Option<u64>,
    /// The key is hexadecimal, as many hardware tokens come with it
    #[arg(long, requires = "key")]
    pub(crate) hex: bool,
    /// Retire this device once the new one is proven
    #[arg(long, value_name = "DEVICE")]
    pub(crate) replace: Option<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
    /// How to show the QR code: auto, utf8 (for light text on dark), ansi (explicit colours), none, or a new
    /// file ending in .svg or .png
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true, value_parser = rendering)]
    pub(crate) qr: Rendering,
    /// Stop after showing the key; `otpctl confirm` completes it
    #[arg(long)]
    pub(crate) begin: bool,
}

/// The hash under the codes.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum Algorithm {
    /// RFC 6238's default.
    SHA1,
    /// Rarely understood by apps.
    SHA256,
    /// Rarely understood by apps.
    SHA512,
}

impl Algorithm {
    /// As the protocol names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SHA1 => "SHA1",
            Self::SHA256 => "SHA256",
            Self::SHA512 => "SHA512",
        }
    }
}

/// Arguments of `confirm`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl confirm [OPTIONS] [USER] <DEVICE> <CODE>")]
pub(crate) struct Confirm {
    /// See [`crate::help::Page::arguments`]; an optional word before required ones is beyond the parser.
    #[arg(value_names = ["DEVICE", "CODE"], num_args = 2..=3, required = true, hide = true, value_parser = secret)]
    words: Vec<Secret>,
}

impl Confirm {
    /// User, device, code.
    pub(crate) fn parts(self) -> Option<(Option<String>, String, Secret)> {
        let mut words = self.words;
        let code = words.pop()?;
        let device = words.pop()?.expose_secret().to_owned();
        Some((words.pop().map(|user| user.expose_secret().to_owned()), device, code))
    }
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub(crate) struct Devices {
    /// Whose account, for root and administrators; yours if left out
    pub(crate) user: Option<String>,
    /// Show retired devices too
    #[arg(long)]
    pub(crate) all: bool,
}

/// Arguments of `rename`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl rename [OPTIONS] [USER] <DEVICE> <NEWNAME>")]
pub(crate) struct Rename {
    /// As in [`Confirm`].
    #[arg(value_names = ["DEVICE", "NEWNAME"], num_args = 2..=3, required = true, hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

impl Rename {
    /// User, device, new name.
    pub(crate) fn parts(&self) -> Option<(Option<String>, String, String)> {
        match self.words.as_slice() {
            [device, name] => Some((None, device.clone(), name.clone())),
            [user, device, name] => Some((Some(user.clone()), device.clone(), name.clone())),
            _ => None,
        }
    }
}

/// Arguments of `unbind`.
#[derive(Debug, Args)]
#[command(override_usage = "otpctl unbind [OPTIONS] [USER] <DEVICE>")]
pub(crate) struct Unbind {
    /// As in [`Confirm`].
    #[arg(value_names = ["DEVICE"], num_args = 1..=2, required = true, hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

impl Unbind {
    /// User, device.
    pub(crate) fn parts(&self) -> Option<(Option<String>, String)> {
        match self.words.as_slice() {
            [device] => Some((None, device.clone())),
            [user, device] => Some((Some(user.clone()), device.clone())),
            _ => None,
        }
    }
}

fn rendering(text: &str) -> Result<Rendering, String> {
    text.parse()
}
