//! `otpctl`: the command line of `otpd`. Understands what was typed, calls the daemon, shows the answer; it decides
//! nothing, holds no right of its own, and keeps nothing.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::FromArgMatches;
use nix::unistd::Uid;

mod call;
mod cli;
mod commands;
mod exit;
mod failure;
mod help;
mod key;
mod new_file;
mod offline;
mod otpauth;
mod output;
mod pam;
mod prompt;
mod qr;
mod site;
mod sshd;
mod switch;
mod when;

use call::Calls;
use cli::Cli;
use cli::Color;
use cli::Command;
use exit::Exit;
use failure::Failure;
use offline::Offline;
use offline::Work;
use output::Output;

fn main() -> ExitCode {
    let parsed = cli::command().try_get_matches().and_then(|found| Cli::from_arg_matches(&found));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(said) => {
            // What was typed is not understood, so whether JSON is wanted has to be guessed.
            let json = std::env::args_os().any(|word| word == "--json");
            Output::new(json, Color::Auto).parser(&said);
            return if said.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let output = Output::new(cli.json, cli.color);
    let could_be_offline = !cli.offline && cli.command.works_offline() && Uid::effective().is_root();
    let done = calls(&cli).and_then(|calls| {
        let session = commands::Session { calls, output: Output::new(cli.json, cli.color) };
        // Settling does that itself, and at boot asks an otpd that is not there yet for nothing.
        if !cli.offline && !matches!(cli.command, Command::Pam(cli::pam::Pam::Settle(_))) {
            commands::pam::settle_what_is_stale(&session);
        }
        let done = commands::run(&session, cli.command);
        for remark in session.calls.end() {
            session.output.remark(&format!("otpd: {remark}"))?;
        }
        done
    });
    match done {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Ok.into(),
        Err(failure) => {
            let failure = if could_be_offline { failure.or_offline() } else { failure };
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

/// The way to otpd: the one that runs, or one of our own.
fn calls(cli: &Cli) -> Result<Calls, Failure> {
    let restores = matches!(cli.command, Command::Restore(_));
    match (cli.offline, cli.command.works_offline()) {
        (false, _) if restores => Err(Failure::usage(
            "a backup is restored while otpd is stopped: systemctl stop otpd 'otpd*.socket'; otpctl --offline \
             restore FILE",
        )),
        (false, _) => Ok(Calls::new(&cli.runtime_dir)),
        (true, true) => {
            let work = if restores { Work::Restore } else { Work::Administer };
            Offline::new(work, cli.root.clone(), cli.config.clone()).map(Calls::offline)
        }
        (true, false) => Err(Failure::usage(
            "that needs a running otpd. Offline there are status, devices, accounts, audit, unlock, off, reset, policy report, \
             policy release and restore",
        )),
    }
}
