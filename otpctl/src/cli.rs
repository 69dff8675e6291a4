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
use crate::qr::Rendering;
use crate::when::Since;

mod codes;
mod email;
mod resync;
pub(crate) mod root;
mod sign_out;

pub(crate) use codes::Codes;
pub(crate) use codes::NewCodes;
pub(crate) use email::AddEmail;
pub(crate) use email::ConfirmEmail;
pub(crate) use email::Email;
pub(crate) use email::Mail;
pub(crate) use email::MailTest;
pub(crate) use email::RemoveEmail;
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
    /// The account's next login asks for no code, until a new device is bound. Where protection is required, a new
    /// grace begins; without a grace, root binds a device for the account.
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
            _ => false,
        }
    }
}

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
    /// See [`help::Page::arguments`]; an optional word before required ones is beyond the parser.
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

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// Whose account, for root and administrators; yours if left out
    pub(crate) user: Option<String>,
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

fn rendering(text: &str) -> Result<Rendering, String> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    fn parse(words: &[&str]) -> Result<Command, clap::Error> {
        let words = ["otpctl"].iter().chain(words);
        command()
            .try_get_matches_from(words)
            .and_then(|found| Cli::from_arg_matches(&found))
            .map(|cli| cli.command)
    }

    #[test]
    fn the_parser_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_leading_user_is_told_by_the_number_of_words() {
        let Ok(Command::Rename(own)) = parse(&["rename", "1", "Phone"]) else { panic!() };
        assert_eq!(own.parts(), Some((None, "1".into(), "Phone".into())));
        let Ok(Command::Rename(other)) = parse(&["rename", "alice", "1", "Phone"]) else { panic!() };
        assert_eq!(other.parts(), Some((Some("alice".into()), "1".into(), "Phone".into())));
        let Ok(Command::Unbind(own)) = parse(&["unbind", "Phone"]) else { panic!() };
        assert_eq!(own.parts(), Some((None, "Phone".into())));
        let Ok(Command::Unbind(other)) = parse(&["unbind", "alice", "Phone", "--code", "1"]) else {
            panic!()
        };
        assert_eq!(other.parts(), Some((Some("alice".into()), "Phone".into())));
        let Ok(Command::Confirm(other)) = parse(&["confirm", "alice", "3", "-"]) else { panic!() };
        let (user, device, code) = other.parts().unwrap();
        assert_eq!((user.as_deref(), device.as_str(), code.expose_secret()), (Some("alice"), "3", "-"));
    }

    #[test]
    fn numbers_outside_their_range_are_usage_errors() {
        for (option, wrong, right) in
            [("--digits", ["5", "9"], ["6", "8"]), ("--period", ["14", "121"], ["15", "120"])]
        {
            for value in wrong {
                assert!(parse(&["bind", option, value]).is_err(), "{option} {value}");
            }
            for value in right {
                assert!(parse(&["bind", option, value]).is_ok(), "{option} {value}");
            }
        }
        assert!(parse(&["audit", "-n", "0"]).is_err() && parse(&["audit", "-n", "201"]).is_err());
        assert!(parse(&["audit", "-n", "200"]).is_ok());
    }

    #[test]
    fn every_command_has_a_page_of_help() {
        let whole = Cli::command();
        let commands: Vec<String> = whole
            .get_subcommands()
            .flat_map(|sub| {
                let below =
                    sub.get_subcommands().map(|below| format!("{} {}", sub.get_name(), below.get_name()));
                let below: Vec<String> = below.collect();
                if below.is_empty() { vec![sub.get_name().to_owned()] } else { below }
            })
            .collect();
        let pages: Vec<&str> = help::PAGES.iter().map(|page| page.command).collect();
        assert_eq!(commands, pages);
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let parsed = parse(&["bind", "--key", "JBSWY3DPEHPK3PXP", "--code", "123456"]).unwrap();
        let shown = format!("{parsed:?}");
        assert!(!shown.contains("JBSW") && !shown.contains("123456"), "{shown}");
    }
}
