//! `otpd-login`: serves the connection that it was started for, or starts itself for each.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
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
    StderrLog::install();
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

/// Log lines with a priority that systemd understands; plain on a terminal.
struct StderrLog;

impl StderrLog {
    fn install() {
        // Fails only if a logger is installed already, and none is.
        let _ = log::set_logger(&Self);
        log::set_max_level(log::LevelFilter::Info);
        // Where, but not what: a message may quote what was typed.
        std::panic::set_hook(Box::new(|panic| match panic.location() {
            Some(place) => log::error!("internal error at {place}; please report it"),
            None => log::error!("internal error; please report it"),
        }));
    }
}

impl log::Log for StderrLog {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("otpd_login")
    }

    fn log(&self, record: &log::Record<'_>) {
        use std::io::IsTerminal;
        use std::io::Write;
        if !self.enabled(record.metadata()) {
            return;
        }
        let priority = match record.level() {
            log::Level::Error => 3,
            log::Level::Warn => 4,
            log::Level::Info => 6,
            log::Level::Debug | log::Level::Trace => 7,
        };
        let mut stderr = std::io::stderr().lock();
        let mark = if stderr.is_terminal() { String::new() } else { format!("<{priority}>") };
        for line in record.args().to_string().lines() {
            // A closed stderr is no reason to stop.
            let _ = writeln!(stderr, "{mark}otpd-login: {line}");
        }
    }

    fn flush(&self) {}
}
