//! What each command does: calls the daemon, and hands the answer to the output.

use crate::call::Calls;
use crate::cli;
use crate::cli::Command;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

mod accounts;
mod adopt;
mod audit;
mod backup;
mod bind;
mod clock_reset;
mod codes;
mod confirm;
mod devices;
mod doctor;
mod email;
mod enrol;
mod export;
mod generate;
mod import;
mod key;
mod mail;
mod man;
pub(crate) mod pam;
mod policy;
mod proof;
mod protection;
mod prune;
mod restore;
mod resync;
mod sign_ins;
mod status;
mod test;
mod verify;

/// What every command needs.
pub(crate) struct Session {
    /// The way to the daemon.
    pub(crate) calls: Calls,
    /// The way to the person.
    pub(crate) output: Output,
}

/// Does what was typed.
pub(crate) fn run(session: &Session, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Bind(bind) => bind::bind(session, bind),
        Command::Confirm(confirm) => confirm::confirm(session, confirm),
        Command::Status(whose) => status::status(session, whose.user),
        Command::Devices(devices) => devices::list(session, devices),
        Command::Rename(rename) => devices::rename(session, rename),
        Command::Resync(resync) => resync::resync(session, resync),
        Command::Unbind(unbind) => devices::unbind(session, unbind),
        Command::Off(off) => protection::off(session, off),
        Command::Unlock(unlock) => protection::unlock(session, unlock),
        Command::Codes(codes) => codes::codes(session, codes),
        Command::Email(email) => email::email(session, email),
        Command::SignIns(whose) => sign_ins::list(session, whose.user),
        Command::SignOut(out) => sign_ins::sign_out(session, out),
        Command::Reset(reset) => protection::reset(session, reset),
        Command::EnrolCode(enrol) => enrol::code(session, enrol),
        Command::Adopt(adopt) => adopt::adopt(session, adopt),
        Command::Prune(prune) => prune::prune(session, prune),
        Command::ClockReset(reset) => clock_reset::clock_reset(session, reset),
        Command::Accounts(accounts) => accounts::list(session, accounts),
        Command::Policy(typed) => policy::policy(session, typed),
        Command::Audit(audit) if audit.verify => verify::verify(session, audit.head),
        Command::Audit(audit) => audit::read(session, audit),
        Command::Mail(mail) => mail::mail(session, mail),
        Command::Import(import) => import::import(session, import),
        Command::Export(cli::Export::Oath(export)) => export::oath(session, &export),
        Command::Backup(backup) => backup::backup(session, &backup),
        Command::Restore(restore) => restore::restore(session, &restore),
        Command::Key(cli::Key::Rotate(rotate)) => key::rotate(session, &rotate),
        Command::Pam(pam) => pam::pam(session, pam),
        Command::Test(test) => test::test(session, &test),
        Command::Doctor => doctor::doctor(session),
        Command::Completions { shell } => generate::completions(session, shell),
        Command::Man => generate::manual(session),
    }
}

/// `1 device`, `2 devices`.
fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The daemon promises another page and does not move on: better stop than ask forever.
fn endless(what: &str) -> Failure {
    Failure::new(
        Exit::Unreachable,
        "broken",
        format!("otpd's list of {what} does not end. Is it newer than otpctl?"),
    )
}
