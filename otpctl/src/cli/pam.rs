//! The command lines of `pam`: which logins ask for a code.

use std::time::Duration;

use clap::ArgGroup;
use clap::Args;
use clap::Subcommand;

/// What to do about PAM stacks.
#[derive(Debug, Subcommand)]
pub(crate) enum Pam {
    /// Have services ask for a code; taken back by itself unless a login proves that it works
    ///
    /// What would keep people out is looked for first: nobody with a device, no way back, otpd or its clock in trouble, a
    /// stack that lets nobody in, an sshd that cannot ask. Then the lines are written, and somebody has to log in with a
    /// code within five minutes, or `otpctl pam confirm` be run. Otherwise the files become again what they were, also
    /// if this session ends or the machine is started anew.
    Enable(Enable),
    /// Have services ask for no code any more
    Disable(Disable),
    /// Show which services ask for a code, and what is not yet proven
    Status,
    /// Keep what was enabled without a login to prove it
    Confirm(Confirm),
    /// Keep what a login has proven, and take back what was not proven in time
    ///
    /// It is run by `enable` itself, and when the machine starts.
    Settle(Settle),
}

/// Arguments of `pam enable`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["services", "all"]))]
pub(crate) struct Enable {
    /// Which services, such as sshd
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Every service that includes common-auth, by pam-auth-update
    #[arg(long)]
    pub(crate) all: bool,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it in spite of what is only doubtful; never if nobody could log in
    #[arg(long)]
    pub(crate) force: bool,
    /// How long to wait for a login that proves it, 30s to 1h
    #[arg(long, value_name = "TIME", default_value = "5min", value_parser = wait)]
    pub(crate) within: Duration,
}

/// Arguments of `pam disable`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["services", "all"]))]
pub(crate) struct Disable {
    /// Which services
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Every service
    #[arg(long)]
    pub(crate) all: bool,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `pam confirm`.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// Which services; all that are not proven if left out
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
}

/// Arguments of `pam settle`.
#[derive(Debug, Args)]
pub(crate) struct Settle {
    /// Which change; all if left out
    #[arg(value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Stay until it is decided
    #[arg(long, requires = "service", conflicts_with = "at_boot")]
    pub(crate) wait: bool,
    /// Only take back what is from before the machine was started; ask otpd nothing
    #[arg(long)]
    pub(crate) at_boot: bool,
}

fn wait(text: &str) -> Result<Duration, String> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or_default();
    let each = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err("say it as 90s, 5min or 1h".into()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(each));
    match seconds {
        Some(seconds @ 30..=3600) => Ok(Duration::from_secs(seconds)),
        _ => Err("30s to 1h".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_thirty_seconds_to_an_hour() {
        for (text, seconds) in [("30s", 30), ("5min", 300), ("2m", 120), ("1h", 3600), ("3600s", 3600)] {
            assert_eq!(wait(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["29s", "3601s", "2h", "5", "", "s", "-30s", "99999999999999999999h"] {
            assert!(wait(wrong).is_err(), "{wrong}");
        }
    }
}
