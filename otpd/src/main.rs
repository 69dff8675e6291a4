//! `otpd`: reads the configuration, takes its sockets, gives up root, opens the registry, serves until told to stop.

#![forbid(unsafe_code)]

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use anyhow::bail;
use clap::Parser;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use otpd::audit::Level;
use otpd::audit::Syslog;
use otpd::clock;
use otpd::config::Config;
use otpd::config::DEFAULT_PATH;
use otpd::dispatch::dispatch;
use otpd::keys::MasterKey;
use otpd::listen::Pool;
use otpd::listen::Serve;
use otpd::listen::Sockets;
use otpd::names::Database;
use otpd::names::Names;
use otpd::offline;
use otpd::open;
use otpd::peer::Door;
use otpd::post_bell::PostBell;
use otpd::privileges;
use otpd::registry::Sqlite;
use otpd::service::Service;
use otpd::settings::Settings;
use otpd::state;
use otpd::upkeep::Upkeep;
use otpd::upkeep::announce_head;
use otpd::watchdog::Watchdog;
use otpd_core::event::Reason;
use otpd_daemon::StderrLog;
use otpd_daemon::privileges::RunAs;
use otpd_daemon::privileges::SetId;

/// One-time passwords for logins: the daemon that holds the registry.
#[derive(Debug, Parser)]
#[command(version, after_help = "See otpd(8) and otpd.toml(5).")]
struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Read the configuration, look up what it names, say whether it is right, and stop.
    #[arg(long)]
    check_config: bool,
    /// Serve one caller, on standard input, and stop; otpctl --offline starts this.
    #[arg(long, conflicts_with = "check_config")]
    offline: bool,
    /// With --offline: the root directory of the system that the configuration and the registry are of.
    #[arg(long, value_name = "DIR", requires = "offline")]
    root: Option<PathBuf>,
    /// With --offline: take in the backup that the caller passes.
    #[arg(long, requires = "offline")]
    restore: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    StderrLog::install("otpd");
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.offline {
        let work = if arguments.restore { offline::Work::Restore } else { offline::Work::Administer };
        return offline::serve(work, &arguments.config, arguments.root.as_deref());
    }
    let config = Config::read(&arguments.config, true)?;
    if arguments.check_config {
        Settings::resolve(&config, &Names::start()?)?;
        let run_as = RunAs::named(&config.user, privileges::of(&Database::System))?;
        warn_unreadable(&arguments.config, &run_as);
        log::info!("{}: no errors", arguments.config.display());
        return Ok(());
    }
    let signals = block_signals()?;
    let run_as = RunAs::choose(&config.user, privileges::of(&Database::System))?;
    privileges::make_room(config.limits.connections)?;
    state::prepare(&config.paths.state, &run_as)?;
    let uid_of = |user: &str, key: &'static str| {
        let found = Database::System.user_named(user).with_context(|| format!("looking up {key}"));
        found.map(|user| user.map(|user| nix::unistd::Uid::from_raw(user.uid)))
    };
    let (mailer, web) = (uid_of(&config.mail.user, "mail.user")?, uid_of(&config.web.user, "web.user")?);
    let sockets = Sockets::obtain(&config.paths.runtime, mailer, web)?;
    let credential = open::credential()?;
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    run_as.enter(SetId::Ignored)?;
    // No thread before this line: capabilities and no_new_privs belong to threads.
    serve(arguments, &config, sockets, credential, &signals)
}

/// A reload reads the file as the user that otpd became.
fn warn_unreadable(path: &Path, run_as: &RunAs) {
    use std::os::unix::fs::MetadataExt;
    let Ok(found) = std::fs::metadata(path) else { return };
    let readable = match (found.uid() == run_as.uid.as_raw(), found.gid() == run_as.gid.as_raw()) {
        (true, _) => found.mode() & 0o400,
        (false, true) => found.mode() & 0o040,
        (false, false) => found.mode() & 0o004,
    };
    if readable == 0 {
        let path = path.display();
        log::warn!("{path}: otpd could not read it again on a reload; run: chmod 0644 {path}");
    }
}

fn serve(
    arguments: &Arguments,
    config: &Config,
    sockets: Sockets,
    credential: Option<MasterKey>,
    signals: &SigSet,
) -> anyhow::Result<()> {
    state::check(&config.paths.state)?;
    let mut lock = state::lock(&config.paths.state)?;
    if lock.had_registry()? && !arguments.config.exists() {
        bail!(
            "{} is missing, though this box has a registry; put it back. An empty file means: all as by default",
            arguments.config.display()
        );
    }
    let syslog = Syslog::start(&config.paths.syslog)?;
    let names = Names::start()?;
    let settings = Settings::resolve(config, &names)?;
    let key_file = if credential.is_some() { None } else { Some(config.key()) };
    let posted = Arc::new(PostBell::default());
    let (registry, keys) = open::registry_and_keys(config, credential, &mut lock, &syslog, &posted)?;
    let altered = registry.altered_log().map(|how| format!("the audit log was altered: {how}"));
    let service = Service::new(registry, keys, names.clone(), Names::start()?, settings)?
        .with_calls_per_minute(config.limits.calls_per_minute)
        .with_post_bell(posted);
    let service = Arc::new(match key_file {
        Some(path) => service.with_key_file(path),
        None => service,
    });
    let serving = Arc::clone(&service);
    let serve: Serve = Arc::new(move |peer, message, file| dispatch(&serving, peer, message, file));
    let login = Pool::start(Door::Login, sockets.login, &config.limits, Arc::clone(&serve))?;
    let account = Pool::start(Door::Account, sockets.account, &config.limits, Arc::clone(&serve))?;
    let others = [(Door::Mail, sockets.mail), (Door::Web, sockets.web)];
    let others = others.into_iter().filter_map(|(door, socket)| Some((door, socket?)));
    let others = others.map(|(door, socket)| Pool::start(door, socket, &config.limits, Arc::clone(&serve)));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    service.record_daemon(
        clock::now(),
        Reason::Ok,
        &format!("started, version {}", env!("CARGO_PKG_VERSION")),
    );
    if let Some(altered) = altered {
        log::error!("{altered}; run: otpctl audit --verify");
        service.record_daemon(clock::now(), Reason::LogAltered, &altered);
    }
    if clock::is_unset(clock::now()) {
        syslog
            .line(Level::Warning, "this box's clock was never set: codes cannot be right until it is".into());
    }
    let upkeep = Upkeep::start(Arc::clone(&service), syslog.clone())?;
    let watchdog = Watchdog::start(Arc::clone(&service))?;
    // Not under systemd: nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    log::info!("ready");
    wait(arguments, config, signals, &service, &names);
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    service.close_office();
    login.stop();
    account.stop();
    others.into_iter().for_each(Pool::stop);
    service.note_seen();
    drop((watchdog, upkeep));
    service.record_daemon(clock::now(), Reason::Ok, "stopped");
    announce_head(&service, &syslog);
    log::info!("stopped");
    Ok(())
}

/// Until SIGTERM or SIGINT. SIGHUP reads the configuration again.
fn wait(arguments: &Arguments, config: &Config, signals: &SigSet, service: &Service<Sqlite>, names: &Names) {
    loop {
        match signals.wait() {
            Ok(Signal::SIGHUP) => match reload(arguments, config, service, names) {
                Ok(()) => {
                    log::info!("configuration reloaded");
                    service.record_daemon(clock::now(), Reason::Ok, "configuration reloaded");
                }
                Err(error) => {
                    let said = format!("the configuration is wrong, the old one stays: {error:#}");
                    log::error!("{said}");
                    service.note_bad_configuration(&format!("{error:#}"));
                    service.record_daemon(clock::now(), Reason::BadConfiguration, &said);
                }
            },
            Ok(_) => return,
            Err(errno) => log::error!("waiting for signals: {errno}"),
        }
    }
}

fn reload(
    arguments: &Arguments,
    old: &Config,
    service: &Service<Sqlite>,
    names: &Names,
) -> anyhow::Result<()> {
    let new = Config::read(&arguments.config, false)?;
    let settings = Settings::resolve(&new, names)?;
    let fixed = |config: &Config| {
        (
            config.user.clone(),
            config.paths.clone(),
            config.limits.clone(),
            config.mail.clone(),
            config.web.user.clone(),
        )
    };
    if fixed(&new) != fixed(old) {
        bail!("user, [paths], [limits], [mail] and web.user change only when otpd is restarted");
    }
    service.set_settings(settings);
    Ok(())
}

/// Before the first thread, so that every thread inherits it and only `wait` takes them.
fn block_signals() -> anyhow::Result<SigSet> {
    let mut signals = SigSet::empty();
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().context("blocking signals")?;
    Ok(signals)
}
