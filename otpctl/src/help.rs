//! What `--help` and the manual say beyond the options: examples, and the shape of each command's JSON.

use clap::builder::Styles;

/// One command's examples and JSON.
pub(crate) struct Page {
    /// The command's name.
    pub(crate) command: &'static str,
    /// Its words, where the parser cannot describe them itself.
    pub(crate) arguments: &'static [(&'static str, &'static str)],
    /// What to type, and what it does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// What `--json` prints.
    pub(crate) json: &'static str,
}

impl Page {
    /// For `-h`.
    pub(crate) fn examples_text(&self) -> String {
        format!("{}\n{}", heading("Examples"), columns(self.examples)).trim_end().to_owned()
    }

    /// For `--help`.
    pub(crate) fn whole_text(&self) -> String {
        let json: Vec<String> = self.json.lines().map(|line| format!("  {line}")).collect();
        format!("{}\n\n{}\n{}", self.examples_text(), heading("With --json"), json.join("\n"))
    }

    /// The order of a command's help, with its arguments in it.
    pub(crate) fn template(&self) -> String {
        let arguments = format!("{}\n{}", heading("Arguments"), columns(self.arguments));
        format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{arguments}\n{{all-args}}{{after-help}}"
        )
    }
}

/// As the parser itself writes one.
fn heading(words: &str) -> String {
    let style = Styles::default();
    let style = style.get_header();
    format!("{style}{words}:{style:#}")
}

fn columns(rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    rows.iter().map(|(left, right)| format!("  {left:width$}  {right}\n")).collect()
}

const USER: (&str, &str) = ("[USER]", "Whose account, for root; yours if left out");
const DEVICE: (&str, &str) = ("<DEVICE>", "The device's name or number");

/// Every command, in the order of the list of commands.
pub(crate) const PAGES: &[Page] = &[
    Page {
        command: "bind",
        arguments: &[],
        examples: &[
            ("otpctl bind", "protect your own logins"),
            ("otpctl bind --name Tablet", "add a second device"),
            ("otpctl bind --replace Phone", "move to a new phone"),
            ("otpctl bind --qr phone.png", "write the QR code to a file"),
            ("sudo otpctl bind alice --begin --json", "begin for alice, from a script"),
            ("otpctl bind --begin --key - < key", "bring a key along"),
            ("otpctl bind --hotp --hex --key 3132...", "a hardware token that counts"),
        ],
        json: "{\"device\", \"name\", \"key\", \"uri\", \"expires\"}, only together with --begin.\n\
               device is its number, key is base32, uri is otpauth://, expires is in\n\
               Unix seconds.",
    },
    Page {
        command: "confirm",
        arguments: &[USER, DEVICE, ("<CODE>", "A code it shows; - reads it from standard input")],
        examples: &[
            ("otpctl confirm 2 123456", "prove your device number 2"),
            ("sudo otpctl confirm alice 2 123456", "prove a device of alice's"),
            ("otpctl confirm \"Work phone\" -", "read the code from standard input"),
        ],
        json: "{\"device\": DEVICE, \"offset\", \"first\", \"recovery_codes\": [CODE], \"retired\",\n\
               \x20\"now\", \"clock_synchronised\"}\n\
               offset is how far the code was from this machine's clock, in seconds\n\
               (below 0: older); first says whether this turned protection on; only then\n\
               there are recovery_codes, otherwise null; retired is the device it\n\
               replaced, or null. DEVICE is as `otpctl devices` prints it.",
    },
    Page {
        command: "status",
        arguments: &[],
        examples: &[("otpctl status", "your own account"), ("sudo otpctl status alice", "somebody else's")],
        json: "{\"user\", \"protected\", \"requirement\": {\"state\", \"since\", \"why\"},\n\
               \x20\"active_devices\", \"pending_devices\",\n\
               \x20\"lanes\": [{\"lane\", \"failures\", \"until\", \"closed\"}],\n\
               \x20\"recovery_codes\": [NUMBER], \"rebind_until\", \"sign_ins\", \"emails\": [EMAIL],\n\
               \x20\"mail_problem\", \"news\": [TEXT], \"now\", \"clock_synchronised\",\n\
               \x20\"warnings\": [TEXT], \"page_fingerprint\"}\n\
               sign_ins is in how many places the account is signed in on the web. EMAIL is\n\
               as `otpctl email list` prints it; mail_problem is null if this box\n\
               can send mail; news is what no login has told yet.\n\
               state is required, exempt or optional; lane is local, known, unknown or own.\n\
               recovery_codes are those that are left; rebind_until is null but after a\n\
               login by one: until then changes need no code. page_fingerprint is the\n\
               SHA-256 of the certificate that the account page made for itself, or null.",
    },
    Page {
        command: "devices",
        arguments: &[],
        examples: &[
            ("otpctl devices", "your own"),
            ("sudo otpctl devices alice --all", "alice's, retired ones too"),
        ],
        json: "{\"devices\": [{\"id\", \"name\", \"state\", \"kind\", \"algorithm\", \"digits\", \"period\",\n\
               \x20\"needs_resync\", \"created\", \"created_by\", \"created_from\", \"activated\",\n\
               \x20\"retired\", \"retired_by\", \"last_used\", \"last_service\", \"last_address\"}]}\n\
               state is pending, active or retired; kind is totp or hotp, with\n\
               period 0; times are Unix seconds or null.",
    },
    Page {
        command: "rename",
        arguments: &[USER, DEVICE, ("<NEWNAME>", "Its new name")],
        examples: &[
            ("otpctl rename Phone \"Old phone\"", "rename one of yours"),
            ("sudo otpctl rename alice 2 Tablet", "rename device 2 of alice's"),
        ],
        json: "{\"device\": DEVICE}, as `otpctl devices` prints it.",
    },
    Page {
        command: "resync",
        arguments: &[USER, DEVICE],
        examples: &[
            ("otpctl resync Token", "asks for two codes of it"),
            ("sudo otpctl resync alice 2 --codes 123456 654321", "of alice's device 2"),
        ],
        json: "{\"device\": DEVICE, \"moved\"}\n\
               moved is how many codes ahead it was, or how many steps its clock is ahead of\n\
               this machine's. DEVICE is as `otpctl devices` prints it.",
    },
    Page {
        command: "unbind",
        arguments: &[USER, DEVICE],
        examples: &[
            ("otpctl unbind \"Old phone\"", "remove one of yours"),
            ("sudo otpctl unbind alice 2", "remove device 2 of alice's"),
        ],
        json: "{\"device\": DEVICE, \"remaining\"}\n\
               DEVICE is as `otpctl devices` prints it; with 0 remaining, protection is off.",
    },
    Page {
        command: "off",
        arguments: &[],
        examples: &[
            ("otpctl off", "turn your own protection off"),
            ("sudo otpctl off alice --yes", "turn off alice's, without a question"),
        ],
        json: "{\"retired\"}: how many devices were retired.",
    },
    Page {
        command: "unlock",
        arguments: &[],
        examples: &[
            ("otpctl unlock", "with a code from your device"),
            ("sudo otpctl unlock alice", "somebody else's account"),
        ],
        json: "{\"opened\": [LANE]}: the lanes that had failures (local, known, unknown, own).",
    },
    Page {
        command: "codes left",
        arguments: &[],
        examples: &[("otpctl codes left", "your own"), ("sudo otpctl codes left alice", "alice's")],
        json: "{\"left\": [NUMBER]}: those that were not used yet.",
    },
    Page {
        command: "codes new",
        arguments: &[],
        examples: &[
            ("otpctl codes new", "print ten new ones"),
            ("otpctl codes new > codes.txt", "into a file, to be printed and removed"),
        ],
        json: "{\"codes\": [CODE]}, numbered from 1 on.",
    },
    Page {
        command: "email add",
        arguments: &[USER, ("<ADDRESS>", "The address, name@example.org")],
        examples: &[
            ("otpctl email add jane@example.org", "type the code from the mail then"),
            ("otpctl email add jane@example.org --begin", "type it later"),
        ],
        json: "{\"email\": EMAIL}, as `otpctl email list` prints it.",
    },
    Page {
        command: "email confirm",
        arguments: &[USER, ("<CODE>", "The code from the mail; - reads it from standard input")],
        examples: &[("otpctl email confirm ABCD-EFGH", "the address counts from now on")],
        json: "{\"email\": EMAIL}, as `otpctl email list` prints it.",
    },
    Page {
        command: "email list",
        arguments: &[],
        examples: &[("otpctl email list", "your own"), ("sudo otpctl email list alice", "alice's")],
        json: "{\"emails\": [{\"id\", \"address\", \"state\", \"added\", \"recovers\", \"until\"}],\n\
               \x20\"mail_problem\"}\n\
               state is pending, confirmed or removed; a confirmed one can be used to get\n\
               back in from recovers on; until ends a pending or removed one. Times are\n\
               Unix seconds or null. mail_problem is null if this box can send mail.",
    },
    Page {
        command: "email remove",
        arguments: &[USER, ("<EMAIL>", "The address or its number")],
        examples: &[("otpctl email remove jane@example.org", "needs a code of a device")],
        json: "{\"email\": EMAIL, \"remaining\"}",
    },
    Page {
        command: "sign-ins",
        arguments: &[],
        examples: &[("otpctl sign-ins", "your own"), ("sudo otpctl sign-ins alice", "alice's")],
        json: "{\"sign_ins\": [{\"id\", \"scope\", \"host\", \"current\", \"issued\", \"seen\", \"expires\",\n\
               \x20\"address\", \"agent\", \"device\"}]}, at most 100, the latest first.\n\
               scope is account or visit, and only a visit has a host; times are Unix\n\
               seconds, seen to the minute; device is null if none proved it.",
    },
    Page {
        command: "sign-out",
        arguments: &[USER, ("<ID>", "Its number, as otpctl sign-ins shows it")],
        examples: &[
            ("otpctl sign-out 12", "one place"),
            ("otpctl sign-out --all", "everywhere"),
            ("sudo otpctl sign-out alice --all", "alice, everywhere"),
        ],
        json: "{\"ended\"}: how many sign-ins, visits counted.",
    },
    Page {
        command: "reset",
        arguments: &[],
        examples: &[
            ("sudo otpctl reset alice", "alice lost her phone"),
            ("sudo otpctl reset alice --yes", "without a question"),
            ("sudo otpctl --offline reset alice", "while otpd is stopped"),
            ("sudo otpctl --offline --root /mnt reset alice", "on a mounted disk"),
        ],
        json: "{\"retired\"}: how many devices were retired.",
    },
    Page {
        command: "enrol-code",
        arguments: &[],
        examples: &[("sudo otpctl enrol-code alice", "alice must have a device and has none")],
        json: "{\"enrol_code\", \"expires\"}, in Unix seconds.",
    },
    Page {
        command: "adopt",
        arguments: &[],
        examples: &[
            ("sudo otpctl adopt alice", "alice was renamed, or got another uid"),
            ("sudo otpctl adopt alice --dry-run", "look what would change"),
        ],
        json: "{\"was_user\", \"was_uid\", \"user\", \"uid\", \"active_devices\", \"last_used\",\n\
               \x20\"changed\"}\n\
               changed is false if there is nothing to do.",
    },
    Page {
        command: "prune",
        arguments: &[],
        examples: &[
            ("sudo otpctl prune --dry-run", "see whose users are gone"),
            ("sudo otpctl prune", "retire their accounts, after a question"),
        ],
        json: "{\"accounts\": [ACCOUNT], \"pruned\", \"retired\"}\n\
               ACCOUNT is as `otpctl accounts` prints it; pruned counts accounts, retired\n\
               devices; exits with 1 if somebody came back in between.",
    },
    Page {
        command: "clock-reset",
        arguments: &[],
        examples: &[
            ("sudo otpctl clock-reset --dry-run", "see who is concerned"),
            ("sudo otpctl clock-reset", "everybody, after a question"),
            ("sudo otpctl clock-reset alice", "alice's devices"),
        ],
        json: "{\"accounts\": [USER], \"devices\", \"now\", \"clock_synchronised\"}\n\
               devices counts those that were set back.",
    },
    Page {
        command: "accounts",
        arguments: &[],
        examples: &[("sudo otpctl accounts", "every account that otpd knows")],
        json: "{\"accounts\": [{\"user\", \"uid\", \"protected\", \"active_devices\", \"last_used\",\n\
               \x20\"locked\", \"recovery_codes\", \"emails\", \"weakest\"]}",
    },
    Page {
        command: "policy report",
        arguments: &[],
        examples: &[
            ("sudo otpctl policy report", "as it is"),
            ("otpctl policy report --group family", "before it is required of them"),
        ],
        json: "{\"require_everyone\", \"require_groups\": [GROUP], \"exempt_users\": [USER],\n\
               \x20\"exempt_groups\": [GROUP], \"grace_days\", \"grace_until\", \"required\":\n\
               \x20[{\"group\", \"gid\", \"from\", \"by\", \"at\"}], \"concerned\": [{\"user\", \"uid\",\n\
               \x20\"standing\", \"from\", \"enrol_code\"}], \"looked_at\", \"protected\", \"locks_out\"}\n\
               required is what administrators require, the rest is otpd.toml. standing is\n\
               locked_out, grace or exempt; times are in Unix seconds. locks_out counts whom\n\
               --group would lock out at once and nothing locks out now.",
    },
    Page {
        command: "policy require",
        arguments: &[],
        examples: &[
            ("otpctl policy require family", "from two weeks after now on"),
            ("otpctl policy require family --dry-run", "see first who has no device"),
            ("otpctl policy require staff --grace-days 0", "now, if nobody is locked out"),
        ],
        json: "{\"group\", \"gid\", \"from\", \"locks_out\"}; with --dry-run what\n\
               `otpctl policy report` prints. from is in Unix seconds, locks_out how many\n\
               are locked out by it.",
    },
    Page {
        command: "policy release",
        arguments: &[],
        examples: &[("otpctl policy release family", "it is their own choice again")],
        json: "{\"group\", \"gid\", \"configured\"}\n\
               configured says whether otpd.toml requires it still.",
    },
    Page {
        command: "audit",
        arguments: &[],
        examples: &[
            ("sudo otpctl audit", "the newest 50 events"),
            ("sudo otpctl audit alice --since 7d", "alice's last week"),
            ("sudo otpctl audit --follow", "watch logins as they happen"),
            ("sudo otpctl audit --verify", "look whether it is as it was written"),
        ],
        json: "{\"events\": [{\"id\", \"at\", \"user\", \"uid\", \"actor\", \"event\", \"verdict\",\n\
               \x20\"reason\", \"service\", \"address\", \"device\", \"lane\", \"detail\"}]}\n\
               With --follow each event is an object on a line of its own.\n\
               With --verify: {\"whole\", \"first\", \"head\", \"flaws\": [{\"defect\", \"number\",\n\
               \x20\"last\", \"at\", \"say\"}], \"more_flaws\"}",
    },
    Page {
        command: "mail test",
        arguments: &[],
        examples: &[("sudo otpctl mail test jane@example.org", "see what the mail server answers")],
        json: "{\"address\", \"transport\", \"try\": {\"at\", \"outcome\", \"answer\", \"advice\"}}\n\
               outcome is delivered, later or failed; try is null if nobody took the mail\n\
               up within two minutes. Exits with 1 unless it was delivered.",
    },
    Page {
        command: "mail status",
        arguments: &[],
        examples: &[("sudo otpctl mail status", "how mails fare")],
        json: "{\"transport\", \"problem\", \"waiting\", \"oldest\", \"last_delivered\": TRY,\n\
               \x20\"last_trouble\": TRY, \"given_up\": [{\"kind\", \"at\", \"tries\", \"answer\"}],\n\
               \x20\"test\"}\n\
               TRY is as `otpctl mail test` prints it, or null. Exits with 1 if there is a\n\
               problem.",
    },
    Page {
        command: "import oath",
        arguments: &[],
        examples: &[
            ("sudo otpctl import oath /etc/users.oath --dry-run", "look what would come"),
            ("sudo otpctl import oath /etc/users.oath", "take it over"),
        ],
        json: IMPORTED,
    },
    Page {
        command: "import google-authenticator",
        arguments: &[],
        examples: &[
            ("sudo otpctl import google-authenticator --all-users", "everybody's"),
            ("sudo otpctl import google-authenticator ga --user alice", "one file"),
        ],
        json: IMPORTED,
    },
    Page {
        command: "export oath",
        arguments: &[],
        examples: &[
            ("sudo otpctl export oath --output users.oath", "into a new file"),
            ("sudo otpctl export oath | gpg -er ROOT > keys", "never in clear on the disk"),
        ],
        json: "{\"devices\", \"accounts\", \"left_out\": [{\"user\", \"device\", \"say\"}]}, only\n\
               together with --output FILE. say is why pam_oath could not use it.",
    },
    Page {
        command: "backup",
        arguments: &[],
        examples: &[
            ("sudo otpctl backup /media/usb/otpd", "asks for a passphrase"),
            ("sudo otpctl backup otpd --passphrase-file words", "from a script"),
            ("sudo otpctl backup otpd --without-key", "the key stays here"),
        ],
        json: "{\"taken\", \"accounts\", \"devices\", \"has_key\"}\n\
               taken is in Unix seconds; accounts are those that are protected.",
    },
    Page {
        command: "restore",
        arguments: &[],
        examples: &[
            ("sudo systemctl stop otpd 'otpd*.socket'", "first"),
            ("sudo otpctl --offline restore /media/usb/otpd", "on a new box"),
            ("sudo otpctl --offline restore otpd --replace", "where there is a registry"),
        ],
        json: "{\"taken\", \"restored\", \"accounts\", \"devices\",\n\
               \x20\"first\": [{\"user\", \"device\", \"last_used\"}], \"kept\", \"key\"}\n\
               Times are in Unix seconds. first is at most 100 of the devices; kept is the\n\
               file of the registry that was here, key that of a new master key, or null.",
    },
    Page {
        command: "key rotate",
        arguments: &[],
        examples: &[
            ("sudo otpctl key rotate", "a new registry.key"),
            ("sudo otpctl key rotate --to new.key", "if systemd passes the key"),
        ],
        json: "{\"key\"}: the file of the new key; null with --to.",
    },
    Page {
        command: "pam enable",
        arguments: &[],
        examples: &[
            ("sudo otpctl pam enable sshd --dry-run", "look what would change"),
            ("sudo otpctl pam enable sshd", "then log in from another terminal"),
            ("sudo otpctl pam enable sudo su", "more of them"),
            ("sudo otpctl pam enable --all", "whatever includes common-auth"),
        ],
        json: "{\"changes\": [{\"name\", \"files\": [{\"file\", \"added\": [LINE]}]}],\n\
               \x20\"remarks\": [TEXT], \"backups\": [FILE], \"until\"}\n\
               until is in Unix seconds, null with --dry-run or if nothing had to change.",
    },
    Page {
        command: "pam disable",
        arguments: &[],
        examples: &[
            ("sudo otpctl pam disable sshd", "log in without a code again"),
            ("sudo otpctl pam disable --all", "everywhere"),
        ],
        json: "{\"files\": [{\"file\", \"removed\": [LINE]}], \"backups\": [FILE]}",
    },
    Page {
        command: "pam status",
        arguments: &[],
        examples: &[("otpctl pam status", "every service that asks for a password")],
        json: "{\"services\": [{\"service\", \"asks\", \"verdict\", \"say\"}],\n\
               \x20\"pending\": [{\"name\", \"until\"}]}\n\
               verdict is ok, warn or fail, as `otpctl doctor` prints it; pending is what no\n\
               login has proven yet, until in Unix seconds; only root sees it.",
    },
    Page {
        command: "pam confirm",
        arguments: &[],
        examples: &[("sudo otpctl pam confirm sshd", "you have tried it in another way")],
        json: "{\"kept\": [SERVICE]}",
    },
    Page {
        command: "pam settle",
        arguments: &[],
        examples: &[("sudo otpctl pam settle", "decide what can be decided now")],
        json: "{\"kept\": [TEXT], \"taken_back\": [TEXT], \"waiting\": [SERVICE], \"left\": [TEXT]}",
    },
    Page {
        command: "test",
        arguments: &[],
        examples: &[
            ("sudo otpctl test sshd alice", "with her password and a code"),
            ("sudo otpctl test sshd alice --from 192.0.2.1", "as if from there"),
        ],
        json: "{\"phases\": [{\"phase\", \"lines\": [{\"place\", \"control\", \"module\", \"answer\",\n\
               \x20\"effect\"}], \"verdict\", \"decided\"}], \"lets_in\"}\n\
               answer and effect are null where the line was not reached; exits with 1\n\
               unless it lets in.",
    },
    Page {
        command: "doctor",
        arguments: &[],
        examples: &[("sudo otpctl doctor", "all checks"), ("otpctl doctor", "what an ordinary user may see")],
        json: "{\"checks\": [{\"check\", \"verdict\", \"say\"}]}\n\
               verdict is ok, warn or fail; exits with 1 if any check fails.",
    },
    Page {
        command: "completions",
        arguments: &[],
        examples: &[
            ("source <(otpctl completions bash)", "for this shell"),
            ("otpctl completions fish > otpctl.fish", "for ~/.config/fish/completions"),
            ("otpctl completions zsh > _otpctl", "for a directory in $fpath"),
        ],
        json: "{\"script\"}",
    },
    Page {
        command: "man",
        arguments: &[],
        examples: &[
            ("otpctl man | man -l -", "read it"),
            ("otpctl man > /usr/share/man/man1/otpctl.1", "install it"),
        ],
        json: "{\"manual\"}",
    },
];

const IMPORTED: &str = "\
    {\"devices\", \"accounts\", \"skipped\", \"scratch_codes\", \"dry_run\"}\n\
    skipped devices became impossible at the last moment (exit code 1); the audit\n\
    log says why. scratch_codes were left behind. If anything is wrong, nothing\n\
    is taken, and the failure has up to 20\n\
    \x20 \"problems\": [{\"file\", \"line\", \"say\"}]";

/// Code and meaning, also in the manual.
pub(crate) const EXITS: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "refused, or a check failed"),
    ("2", "the command line is wrong"),
    ("3", "otpd cannot be reached or cannot answer"),
    ("4", "a code is needed, or was refused (wrong, used, locked)"),
    ("5", "not permitted"),
];

/// Under the list of commands.
pub(crate) fn exit_codes() -> String {
    format!("{}\n{}\n{FURTHER}", heading("Exit codes"), columns(EXITS))
}

const FURTHER: &str = "\
`otpctl COMMAND --help` shows examples and what --json prints.
With --json a failure is printed on standard error:
  {\"error\": {\"reason\", \"message\", \"until\"}}
until, in Unix seconds, is there only if it is worth trying again then.";

#[cfg(test)]
mod tests {
    use super::*;

    /// The parser would break longer ones anywhere.
    #[test]
    fn every_line_fits_80_columns() {
        let shown = |text: &str| {
            for line in text.lines() {
                assert!(line.chars().count() < 80, "{line}");
            }
        };
        for page in PAGES {
            shown(&columns(page.examples));
            shown(&columns(page.arguments));
            page.json.lines().for_each(|line| shown(&format!("  {line}")));
        }
        shown(FURTHER);
        shown(&columns(EXITS));
    }
}
