//! The command lines of `policy`.

use clap::Args;
use clap::Subcommand;

use super::Proof;

/// What to do about who must have protection.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Show of whom protection is required, and who of them has no device
    Report(PolicyReport),
    /// Require protection of a group
    ///
    /// Its members are let in without a device until the grace is over, and told so; then they need one. If somebody
    /// would be locked out at once, nothing is done unless you say of how many you know; nobody locks themselves out.
    /// Of a group that it is required of already, the new grace counts. If root is in the group, only root can do it.
    Require(Require),
    /// Release a group from that
    ///
    /// What otpd.toml requires stays required: that is root's to change. If root is in the group, only root can do it.
    /// By its number root releases one though no directory answers, and with --offline while otpd is stopped.
    Release(Release),
}

/// Arguments of `policy report`.
#[derive(Debug, Args)]
pub(crate) struct PolicyReport {
    /// As if it were required of this group too
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// With --group: with so many days of grace
    #[arg(long, value_name = "N", requires = "group", default_value_t = GRACE, value_parser = grace())]
    pub(crate) grace_days: u32,
}

/// Arguments of `policy require`.
#[derive(Debug, Args)]
pub(crate) struct Require {
    /// Which group, by name or number
    pub(crate) group: String,
    /// Let its members in without a device for so many days
    #[arg(long, value_name = "N", default_value_t = GRACE, value_parser = grace())]
    pub(crate) grace_days: u32,
    /// You know that so many are locked out at once
    #[arg(long, value_name = "N")]
    pub(crate) locks_out: Option<u32>,
    /// Show who of them has no device and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

/// Arguments of `policy release`.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Which group, by name or number
    pub(crate) group: String,
    #[command(flatten)]
    pub(crate) proof: Proof,
}

fn grace() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(..=i64::from(LONGEST))
}

const GRACE: u32 = 14;
const LONGEST: u32 = otpd_core::policy::Requirement::LONGEST_GRACE;
