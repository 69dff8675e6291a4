//! The command line: what was typed, checked for form only. What it means is decided in `commands/`.

use std::path::PathBuf;

use clap::Args;
use clap::CommandFactory;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use clap_complete::Shell;
use otpd_core::chain::Link;
use otpd_proto::Secret;

use crate::help;
use crate::when::Since;

mod backup;
mod codes;
mod device;
mod email;
mod import;
pub(crate) mod pam;
mod policy;
mod resync;
pub(crate) mod root;
mod sign_out;

pub(crate) use backup::Backup;
pub(crate) use backup::Key;
pub(crate) use backup::KeyRotate;
pub(crate) use backup::Restore;
pub(crate) use codes::Codes;
pub(crate) use codes::NewCodes;
pub(crate) use device::Algorithm;
pub(crate) use device::Bind;
pub(crate) use device::Confirm;
pub(crate) use device::Devices;
pub(crate) use device::Rename;
pub(crate) use device::Unbind;
pub(crate) use email::AddEmail;
pub(crate) use email::ConfirmEmail;
pub(crate) use email::Email;
pub(crate) use email::Mail;
pub(crate) use email::MailTest;
pub(crate) use email::RemoveEmail;
pub(crate) use import::Export;
pub(crate) use import::ExportOath;
pub(crate) use import::Import;
pub(crate) use policy::Policy;
pub(crate) use policy::Release;
pub(crate) use policy::Require;
pub(crate) use resync::Resync;
pub(crate) use sign_out::SignOut;

/// One-time codes for the logins of this machine.
///
/// Login protection asks for a code from your phone after the password: at ssh, sudo, su and the console.
/// Turn it on with `otpctl bind`, look at it with `otpctl status`.
#[derive(Debug, Parser)]
#[command(name = "otpctl", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Where otpd's sockets are, if not in /run/otpd
    #[arg(long, global = true, value_name = "DIR", default_value = otpd_proto::RUNTIME_DIR, hide_default_value = true, help_heading = EVERYWHERE)]
    pub(crate) runtime_dir: PathBuf,

    /// Work on the registry itself while otpd is stopped (root)
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) offline: bool,

    /// With --offline: the root directory of the system to work on, such as a mounted disk's
    #[arg(long, global = true, value_name = "DIR", requires = "offline", help_heading = EVERYWHERE)]
    pub(crate) root: Option<PathBuf>,

    /// With --offline: otpd's configuration, if not /etc/otpd/otpd.toml
    #[arg(long, global = true, value_name = "FILE", requires = "offline", help_heading = EVERYWHERE)]
    pub(crate) config: Option<PathBuf>,

    /// Print one JSON object instead of text
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,

    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = EVERYWHERE
    )]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that can show them.
    Auto,
    /// Even into a file.
    Always,
    /// Not at all.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bind a device: scan a QR code and prove it with a code
    ///
    /// Binding the first device turns login protection on. Any authenticator app that speaks TOTP will do. The
    /// device counts only once a code of its own has proven it; until then nothing changes.
    Bind(Bind),
    /// Prove a device that `bind --begin` left waiting
    Confirm(Confirm),
    /// Show whether login protection is on, and what stands in its way
    Status(Whose),
    /// List the devices bound to an account
    Devices(Devices),
    /// Give a device another name
    Rename(Rename),
    /// Set a device right whose codes are refused though they are new
    ///
    /// Two codes that it shows one after the other prove it: its clock may be up to ten codes off, a token that counts
    /// its codes up to a hundred ahead.
    Resync(Resync),
    /// Remove a device
    ///
    /// Its codes stop working at once. Removing the last device turns login protection off.
    Unbind(Unbind),
    /// Turn login protection off and remove every device
    Off(Off),
    /// Let an account try again after too many wrong codes
    Unlock(Unlock),
    /// Recovery codes, for the day when every device is lost
    ///
    /// Ten come with the first device. Each lets in once, typed in place of a code at a login; after that the new device
    /// can be bound without another code for 30 minutes.
    #[command(subcommand)]
    Codes(Codes),
    /// Secure emails, for the day when the phone is lost
    ///
    /// At the code prompt of a login, the word `mail` has a code mailed to them; and they are told what happens to the
    /// account. An address counts once a code that was mailed to it is typed here. There are two at most; one that comes
    /// later than the first can be used to get back in only after a day, or what otpd.toml(5) says.
    #[command(subcommand)]
    Email(Email),
    /// List where an account is signed in on the web
    SignIns(Whose),
    /// Sign out on the web, in one place or in all
    ///
    /// With a sign-in end the visits of other hosts that came of it. Whoever changes the devices of an account, or gets in
    /// by a recovery code, ends all others by that.
    SignOut(SignOut),
    /// Retire all devices of somebody who lost them (administrators)
    ///
    /// The account's next login asks for no code, until a new device is bound. Where otpd.toml requires protection,
    /// a new grace begins. Without a grace, an enrol code is printed that lets them in once.
    Reset(Reset),
    /// Let somebody in who must have a device and has none (administrators)
    ///
    /// Prints a code to read out to them. They type it at a login in place of a code, once and within 10 minutes, and
    /// bind a device then.
    EnrolCode(EnrolCode),
    /// Let an account follow a user who was renamed or renumbered (root)
    ///
    /// An account belongs to a name and a uid. After `usermod -l` or `usermod -u` they no longer fit, and the user is
    /// refused. Be sure that it is the same person: somebody new with an old name or an old uid is not, and for them
    /// there is `otpctl reset`.
    Adopt(root::Adopt),
    /// Retire the accounts of users who are gone (root)
    ///
    /// Gone are those for whose name and for whose uid the system has no user. How long that is so, otpd does not
    /// know: look at the list. If the user database does not answer about all of them, nothing is done.
    Prune(root::Prune),
    /// Let right codes in again after this machine's clock was wrong (root)
    ///
    /// Set the clock right first. A code counts once, and only later ones after it: if codes were used while the clock
    /// was ahead, none is accepted until that time has come. This sets such devices back to now, and forgets what was
    /// learned of how far off their clocks are, if that is more than one step. Codes of the time that is set back could
    /// be used again.
    ClockReset(root::ClockReset),
    /// List protected accounts (administrators)
    Accounts(Accounts),
    /// Who must have login protection (administrators)
    ///
    /// Beside what otpd.toml requires, administrators require it of groups, each from a day on. Whoever is met by both
    /// must have a device from the earlier day on; who is exempt by otpd.toml is exempt from both.
    #[command(subcommand)]
    Policy(Policy),
    /// Read the audit log (administrators)
    Audit(Audit),
    /// See whether mails arrive (administrators)
    #[command(subcommand)]
    Mail(Mail),
    /// Take over the devices of another module (root)
    ///
    /// All of them or, if anything is wrong, none. People go on with the entries in their apps as they are.
    #[command(subcommand)]
    Import(Import),
    /// Write every key to a file for another module (root)
    #[command(subcommand)]
    Export(Export),
    /// Write a backup of everything to a new file (root)
    ///
    /// While otpd runs, and nobody's login waits for it. All of the file is sealed. It carries the key that opens it
    /// under a passphrase, so another box can restore it, and so can whoever finds the file and the passphrase.
    Backup(Backup),
    /// Take the registry of a backup (root, with --offline)
    ///
    /// On a new box, or in the place of a registry that is lost or damaged; otpd must be stopped. The whole file is
    /// checked before anything is touched. Codes up to this moment are spent, so the phones go on with their next
    /// ones. Devices are as they were when the backup was made.
    Restore(Restore),
    /// Replace the master key (root)
    #[command(subcommand)]
    Key(Key),
    /// Which logins ask for a code (root)
    #[command(subcommand)]
    Pam(pam::Pam),
    /// Try a service's stack as a user, and tell what each module answers (root)
    ///
    /// The real stack is run by the real libpam: it asks for the password and the code, and the code is spent. Nobody is
    /// logged in by it: it ends after the account phase.
    Test(Test),
    /// Check that everything works, and say what to do if not
    Doctor,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page, in roff
    Man,
}

impl Command {
    /// Whether it can be done while otpd is stopped.
    pub(crate) fn works_offline(&self) -> bool {
        match self {
            Self::Status(_) | Self::Devices(_) | Self::Off(_) | Self::Unlock(_) => true,
            Self::Reset(_) | Self::Accounts(_) | Self::Restore(_) => true,
            // Nothing happens meanwhile, and otpd could not start.
            Self::Audit(audit) => !audit.follow,
            Self::Policy(policy) => matches!(policy, Policy::Report(_) | Policy::Release(_)),
            _ => false,
        }
    }
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// Whose account, for root and administrators; yours if left out
    pub(crate) user: Option<String>,
}

/// Arguments of `off`.
#[derive(Debug, Args)]
pub(crate) struct Off {
    /// Whose account, for root and administrators; yours if left out
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
    /// Do not ask whether you are sure
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Arguments of `unlock`.
#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Whose account, for root and administrators; yours if left out
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// Arguments of `reset`.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Whose account
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) proof: Proof,
    /// Do not ask whether you are sure
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// Arguments of `enrol-code`.
#[derive(Debug, Args)]
pub(crate) struct EnrolCode {
    /// Whose account
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// Arguments of `accounts`.
#[derive(Debug, Args)]
pub(crate) struct Accounts {
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only what concerns this account
    pub(crate) user: Option<String>,
    /// From then on: 30min, 2h, 7d, 2026-11-21 or 2026-11-21T21:36:00Z
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Since>,
    /// Keep printing what happens, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only the newest N, at most 200 [default: 50, or all with --since]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) lines: Option<u32>,
    /// Check that no event was removed, changed, inserted or moved since otpd wrote it (root)
    #[arg(long, conflicts_with_all = ["user", "since", "follow", "lines", "code"])]
    pub(crate) verify: bool,
    /// With --verify: the log has to contain this head from before, as it stands in syslog
    #[arg(long, value_name = "NUMBER:MAC", requires = "verify")]
    pub(crate) head: Option<Link>,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// Arguments of `test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Which service, such as sshd
    pub(crate) service: String,
    /// Who logs in
    pub(crate) user: String,
    /// As if from this remote host; as if at the machine if left out
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<String>,
}

/// What proves that a change is wanted.
#[derive(Debug, Args)]
pub(crate) struct Proof {
    /// A code from one of your devices, where one is needed; asked for on a terminal, - reads it from standard
    /// input
    #[arg(long, value_name = "CODE", value_parser = secret)]
    pub(crate) code: Option<Secret>,
}

/// The parser with every command's arguments, examples and JSON shape.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command().after_help(help::exit_codes());
    for page in help::PAGES {
        command = match page.command.split_once(' ') {
            Some((group, name)) => command.mut_subcommand(group, |group| {
                group.mut_subcommand(name, |sub| describe(sub, page)).disable_help_subcommand(true)
            }),
            None => command.mut_subcommand(page.command, |sub| describe(sub, page)),
        };
    }
    command.disable_help_subcommand(true)
}

fn describe(command: clap::Command, page: &help::Page) -> clap::Command {
    let command = command.after_help(page.examples_text()).after_long_help(page.whole_text());
    if page.arguments.is_empty() { command } else { command.help_template(page.template()) }
}

/// Options of every command stand apart from its own.
const EVERYWHERE: &str = "Options of every command";

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests;
