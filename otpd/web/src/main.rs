//! `otpd-web`: reads the configuration, opens its doors, gives up root, answers browsers until told to stop.

#![forbid(unsafe_code)]

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use otpd_daemon::StderrLog;
use otpd_daemon::privileges::RunAs;
use otpd_daemon::privileges::SetId;
use otpd_daemon::privileges::of_system;
use otpd_web::app::App;
use otpd_web::clock;
use otpd_web::config::Config;
use otpd_web::config::DEFAULT_PATH;
use otpd_web::listen::Listener;
use otpd_web::sandbox;
use otpd_web::server::Server;
use otpd_web::shelf::Slots;
use otpd_web::state;
use otpd_web::tls::Certificate;
use otpd_web::tls::Pair;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::watch;

/// One-time passwords for logins: the account page.
#[derive(Debug, Parser)]
#[command(version, after_help = "See otpd-web(8) and web.toml(5).")]
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
    StderrLog::install("otpd-web");
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
    let doors = config.doors()?;
    let given = !config.tls.certificate.as_os_str().is_empty();
    // While still root: the key may be root's alone.
    let pair = given.then(|| Pair::read(&config.tls)).transpose()?;
    if arguments.check_config {
        RunAs::named(&config.user, of_system)?;
        pair.map(Certificate::new).transpose()?;
        log::info!("{}: no errors", arguments.config.display());
        return Ok(());
    }
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let run_as = RunAs::choose(&config.user, of_system)?;
    let encrypts = config.tls.loopback || doors.iter().any(|door| !door.is_local());
    if encrypts && !given {
        state::prepare(&config.state, 0o700, &run_as)
            .context("set tls.certificate and tls.key, or make it")?;
        state::prepare(Path::new(RUNTIME), 0o755, &run_as)?;
    }
    let listeners: Vec<Listener> =
        doors.iter().map(|door| door.open(&run_as)).collect::<anyhow::Result<_>>()?;
    run_as.enter(SetId::Ignored)?;
    let box_name = box_name()?;
    let certificate = match (pair, encrypts) {
        (Some(pair), _) => Some(pair),
        (None, true) => {
            let mut names = otpd_web::hosts::own_names(&box_name, &config.hosts);
            names.extend(
                doors.iter().filter_map(|door| door.typed_address()).map(|address| address.to_string()),
            );
            Some(Pair::own(&config.state, &names, clock::now())?)
        }
        (None, false) => None,
    };
    if Path::new(RUNTIME).is_dir() {
        let own = certificate.as_ref().filter(|_| !given).map(Pair::fingerprint);
        // It is logged in any case.
        if let Err(error) = state::publish(Path::new(RUNTIME), own.as_deref()) {
            log::warn!("otpctl status does not show the certificate: {error:#}");
        }
    }
    let certificate = certificate.map(tell).transpose()?;
    // No thread before these lines: capabilities, no_new_privs and both sandboxes belong to threads.
    sandbox::enter(&config, &arguments.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MOST_CALLS)
        .build()
        .context("the runtime")?;
    runtime.block_on(serve(arguments, &config, listeners, certificate.map(Arc::new), &box_name))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    log::info!("stopped");
    Ok(())
}

/// The fingerprint is how an administrator can tell this certificate from another one.
fn tell(pair: Pair) -> anyhow::Result<Certificate> {
    log::info!("the certificate has the SHA-256 fingerprint {}", pair.fingerprint());
    Certificate::new(pair)
}

async fn serve(
    arguments: &Arguments,
    config: &Config,
    listeners: Vec<Listener>,
    certificate: Option<Arc<Certificate>>,
    box_name: &str,
) -> anyhow::Result<()> {
    let app = App::new(config, box_name)?;
    let (stop, stopping) = watch::channel(false);
    let limits = &config.limits;
    let server = Server::new(
        app.router(),
        Slots::new(limits.connections, limits.connections_per_address),
        config.proxies()?,
        (certificate.clone(), config.tls.loopback),
        stopping,
    );
    let names: Vec<String> =
        listeners.iter().map(|listener| listener.in_words(config.tls.loopback)).collect();
    let running: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(Arc::clone(&server).run(listener))).collect();
    log::info!("ready; listening at {}", names.join(", "));
    // Not under systemd: nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    wait(arguments, config, &app, certificate.as_deref()).await?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.send_replace(true);
    for one in running {
        // A listener that failed has said so; those that end have nothing to say.
        let _ = tokio::time::timeout(PATIENCE, one).await;
    }
    Ok(())
}

/// Until SIGTERM or SIGINT. SIGHUP reads the certificate again.
async fn wait(
    arguments: &Arguments,
    config: &Config,
    app: &App,
    certificate: Option<&Certificate>,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("waiting for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("waiting for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for signals")?;
    let mut tidy = tokio::time::interval(TIDY);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = tidy.tick() => app.tidy(clock::monotonic()),
            _ = hangup.recv() => match reload(arguments, config, certificate) {
                Ok(what) => log::info!("{what}"),
                Err(error) => log::error!("the certificate stays as it was: {error:#}"),
            },
        }
    }
}

fn reload(
    arguments: &Arguments,
    config: &Config,
    certificate: Option<&Certificate>,
) -> anyhow::Result<&'static str> {
    let new = Config::read(&arguments.config)?;
    if new != *config {
        log::warn!("{} has changed; that needs a restart", arguments.config.display());
    }
    let (Some(certificate), false) = (certificate, config.tls.certificate.as_os_str().is_empty()) else {
        return Ok("there is no certificate to be read again");
    };
    let pair = Pair::read(&config.tls)?;
    let print = pair.fingerprint();
    certificate.replace(pair)?;
    log::info!("the certificate has the SHA-256 fingerprint {print}");
    Ok("certificate reloaded")
}

/// What this box calls itself.
fn box_name() -> anyhow::Result<String> {
    let name = nix::unistd::gethostname().context("the name of this box")?;
    Ok(name.to_string_lossy().into_owned())
}

/// Known to `otpctl status`.
const RUNTIME: &str = "/run/otpd-web";
/// Of calls that wait for otpd or for a login.
const MOST_CALLS: usize = 128;
const TIDY: Duration = Duration::from_secs(30);
/// What is under way when it is time to stop.
const PATIENCE: Duration = Duration::from_secs(6);
