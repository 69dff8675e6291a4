//! `completions`, `man`: what is made from the command line's own description.

use clap_complete::Shell;

use super::Session;
use super::man;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints a completion script.
pub(crate) fn completions(session: &Session, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "otpctl", &mut script);
    session.output.document("script", &String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// Prints the manual page.
pub(crate) fn manual(session: &Session) -> Result<Exit, Failure> {
    session.output.document("manual", &man::page()?)?;
    Ok(Exit::Ok)
}
