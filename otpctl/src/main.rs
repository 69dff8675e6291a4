//! `otpctl`: the command line of `otpd`. Understands what was typed, calls the daemon, shows the answer; it decides
//! nothing, holds no right of its own, and keeps nothing.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::FromArgMatches;

mod call;
mod cli;
mod commands;
mod exit;
mod failure;
mod help;
mod key;
mod otpauth;
mod output;
mod prompt;
mod qr;
mod when;

use call::Calls;
use cli::Cli;
use cli::Color;
use exit::Exit;
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
    let session =
        commands::Session { calls: Calls::new(&cli.runtime_dir), output: Output::new(cli.json, cli.color) };
    match commands::run(&session, cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Ok.into(),
        Err(failure) => {
            session.output.failure(&failure);
            failure.exit.into()
        }
    }
}
