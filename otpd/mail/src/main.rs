//! `otpd-mail`: reads the configuration and the password, gives up root, delivers mails until told to stop.

#![forbid(unsafe_code)]

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use anyhow::bail;
use clap::Parser;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use otpd_daemon::StderrLog;
use otpd_daemon::privileges::RunAs;
use otpd_daemon::privileges::SetId;
use otpd_daemon::privileges::of_system;
use otpd_mail::catalogue::Catalogues;
use otpd_mail::catalogue::DIRECTORY;
use otpd_mail::config::Config;
use otpd_mail::config::DEFAULT_PATH;
use otpd_mail::config::TransportKey;
use otpd_mail::mailer::Mailer;
use otpd_mail::mailer::Ready;
use otpd_mail::mailer::WORKERS;
use otpd_mail::setup::Setup;
use otpd_mail::setup::credentials;

/// One-time passwords for logins: the process that delivers mail.
#[derive(Debug, Parser)]
#[command(version, after_help = "See otpd-mail(8) and mail.toml(5).")]
struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Read the configuration and the files that it names, say whether all is right, and stop.
    #[arg(long)]
    check_config: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    StderrLog::install("otpd-mail");
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::read(&arguments.config)?;
    // While still root: the password may be root's alone.
    let setup = Setup::resolve(&config, &arguments.config, credentials().as_deref(), None)?;
    if arguments.check_config {
        RunAs::named(&config.user, of_system)?;
        catalogues()?;
        log::info!(
            "{}: no errors; mails leave by: {}",
            arguments.config.display(),
            setup.transport.in_words()
        );
        return Ok(());
    }
    let signals = block_signals()?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    RunAs::choose(&config.user, of_system)?.enter(set_id(&config))?;
    // No thread before this line: capabilities and no_new_privs belong to threads.
    let ready = Ready { setup, catalogues: catalogues()? };
    log::info!("ready; mails leave by: {}", ready.setup.transport.in_words());
    let mailer = Mailer::start(config.socket.clone(), ready, WORKERS)?;
    // Not under systemd: nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    wait(arguments, config, &signals, &mailer);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    mailer.stop(PATIENCE);
    log::info!("stopped");
    Ok(())
}

fn catalogues() -> anyhow::Result<Catalogues> {
    let mut catalogues = Catalogues::shipped()?;
    catalogues.add(Path::new(DIRECTORY)).iter().for_each(|skipped| log::error!("{skipped}"));
    Ok(catalogues)
}

fn set_id(config: &Config) -> SetId {
    match config.transport {
        TransportKey::Sendmail => SetId::Honoured,
        TransportKey::None | TransportKey::Smtp => SetId::Ignored,
    }
}

/// Until SIGTERM or SIGINT. SIGHUP reads the configuration again.
fn wait(arguments: &Arguments, mut config: Config, signals: &SigSet, mailer: &Mailer) {
    loop {
        match signals.wait() {
            Ok(Signal::SIGHUP) => match reload(arguments, &config, &mailer.ready().setup) {
                Ok((new, ready)) => {
                    log::info!(
                        "configuration reloaded; mails leave by: {}",
                        ready.setup.transport.in_words()
                    );
                    config = new;
                    mailer.replace(ready);
                }
                Err(error) => log::error!("the configuration is wrong, the old one stays: {error:#}"),
            },
            Ok(_) => return,
            Err(errno) => log::error!("waiting for signals: {errno}"),
        }
    }
}

fn reload(arguments: &Arguments, old: &Config, before: &Setup) -> anyhow::Result<(Config, Ready)> {
    let new = Config::read(&arguments.config)?;
    if (&new.user, &new.socket, set_id(&new)) != (&old.user, &old.socket, set_id(old)) {
        bail!("user, socket, and a change to or from sendmail need a restart");
    }
    let setup = Setup::resolve(&new, &arguments.config, credentials().as_deref(), Some(before))?;
    Ok((new, Ready { setup, catalogues: catalogues()? }))
}

/// Before the first thread, so that every thread inherits it and only `wait` takes them.
fn block_signals() -> anyhow::Result<SigSet> {
    let mut signals = SigSet::empty();
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().context("blocking signals")?;
    Ok(signals)
}

/// What is under way when it is time to stop.
const PATIENCE: Duration = Duration::from_millis(1500);
