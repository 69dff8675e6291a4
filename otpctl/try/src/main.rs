//! `otpd-try CONFDIR SERVICE USER TTY [RHOST]`: an application of libpam that asks for authentication and then for the
//! account, and no more: no credentials, no session, nobody is logged in. `otpctl test` starts it, on a stack with
//! witnesses in it. Prompts go to standard error, answers come from standard input, verdicts go to standard output.

use std::ffi::CString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

mod application;
mod conversation;

use application::Application;

fn main() -> ExitCode {
    let words: Option<Vec<CString>> =
        std::env::args_os().skip(1).map(|word| CString::new(word.into_vec()).ok()).collect();
    let Some([confdir, service, user, tty, rhost @ ..]) = words.as_deref() else { return ExitCode::from(2) };
    let Some(mut application) = Application::start(confdir, service, user) else { return ExitCode::FAILURE };
    application.set_tty(tty);
    if let Some(rhost) = rhost.first() {
        application.set_rhost(rhost);
    }
    let authenticated = application.authenticate();
    tell("auth", authenticated);
    if authenticated == 0 {
        tell("account", application.account());
    }
    ExitCode::SUCCESS
}

fn tell(phase: &str, verdict: i32) {
    // Nobody is left to be told if this fails.
    let _ = writeln!(std::io::stdout(), "verdict {phase} {verdict}");
}
