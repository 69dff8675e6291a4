//! `otpd-login`: serves the connection that it was started for, or starts itself for each.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use otpd_daemon::StderrLog;
use otpd_login::listen;
use otpd_login::process;
use otpd_login::serve;

/// One-time passwords for logins: the PAM application behind the web login.
///
/// Without an option, serves the connection that is its standard input.
#[derive(Debug, Parser)]
#[command(version, after_help = "See otpd-login(8).")]
struct Arguments {
    /// Listen on the socket, and start a process for each connection.
    #[arg(long)]
    listen: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    StderrLog::install("otpd-login");
    hush_panics();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    process::confine()?;
    if arguments.listen { listen::run() } else { serve(process::adopt_connection()?) }
}

/// Where, but not what: a message may quote what was typed.
fn hush_panics() {
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(place) => log::error!("internal error at {place}; please report it"),
        None => log::error!("internal error; please report it"),
    }));
}
