//! `otpd --offline`: the registry of a stopped otpd, or of a disk that is mounted somewhere, served to the one caller who
//! started us with a socket for standard input. Opens no socket of its own, chains the audit log if it finds the
//! master key and works without it as well, and ends with its caller.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use anyhow::anyhow;
use anyhow::bail;
use nix::sys::stat::Mode;
use nix::sys::stat::umask;
use otpd_core::event::Reason;
use otpd_daemon::privileges::RunAs;
use otpd_daemon::privileges::SetId;
use otpd_proto::frame::Inbox;
use otpd_proto::offline::RESTORE;
use zeroize::Zeroize;

use crate::audit::Syslog;
use crate::clock;
use crate::config::Config;
use crate::dispatch::Outcome;
use crate::dispatch::dispatch;
use crate::dispatch::dispatch_only;
use crate::keys::Keys;
use crate::keys::MasterKey;
use crate::listen::receive;
use crate::names::Database;
use crate::names::Names;
use crate::open;
use crate::peer::Door;
use crate::peer::Peer;
use crate::privileges;
use crate::restore::Place;
use crate::service::Service;
use crate::settings::Settings;
use crate::state;
use crate::upkeep::announce_head;

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// To see and change what is in the registry.
    Administer,
    /// To put another one in its place.
    Restore,
}

/// Serves the caller on standard input until they hang up.
///
/// # Errors
/// Standard input is no socket of root's, a daemon has the registry, or there is none.
pub fn serve(work: Work, config: &Path, root: Option<&Path>) -> anyhow::Result<()> {
    let socket = caller()?;
    let peer = Peer::of(Door::Offline, &socket).context("asking who calls")?;
    if !peer.is_root {
        bail!("--offline is for root; it is uid {} who calls", peer.raw_uid);
    }
    // Ours, and none of another system's business.
    let credential = if root.is_none() { open::credential()? } else { None };
    let database = Arc::new(enter_root(root)?);
    let config = Config::read(config, true)?;
    let run_as = RunAs::choose(&config.user, privileges::of(&database))?;
    if work == Work::Restore {
        state::prepare(&config.paths.state, &run_as)?;
    }
    umask(Mode::from_bits_truncate(0o077));
    run_as.enter(SetId::Ignored)?;
    // No thread before this line: capabilities and no_new_privs belong to threads.
    state::check(&config.paths.state)?;
    let lock = state::lock(&config.paths.state).map_err(|held| {
        anyhow!(
            "{held:#}. Stop it first (systemctl stop otpd 'otpd*.socket'), or leave --offline out and let it do the work"
        )
    })?;
    match work {
        Work::Administer => administer(socket, peer, &config, credential, database),
        Work::Restore => {
            let place = Place::new(&config, credential, lock);
            answer_all(socket, |message, file| {
                dispatch_only(peer, message, RESTORE, |p| place.restore(&p, file, clock::now()))
            });
            Ok(())
        }
    }
}

fn administer(
    socket: UnixStream,
    peer: Peer,
    config: &Config,
    credential: Option<MasterKey>,
    database: Arc<Database>,
) -> anyhow::Result<()> {
    let syslog = Syslog::start(&config.paths.syslog)?;
    let names = Names::of(database)?;
    let settings = Settings::resolve(config, &names).unwrap_or_else(|error| {
        log::warn!("what the policy demands is not known here: {error:#}");
        Settings::default()
    });
    let (registry, unchained) = open::registry(config, credential, &syslog)?;
    let altered = registry.altered_log().map(|how| format!("the audit log was altered: {how}"));
    let service = Service::new(registry, Keys::none()?, names.clone(), names, settings)?;
    let before = service.head();
    if let Some(altered) = &altered {
        log::error!("{altered}; run: otpctl audit --verify");
        service.record_daemon(clock::now(), Reason::LogAltered, altered);
    }
    answer_all(socket, |message, file| dispatch(&service, peer, message, file));
    match unchained {
        _ if altered.is_none() && service.head() == before => {}
        None => drop(announce_head(&service, &syslog)),
        Some(why) => log::warn!("{UNCHAINED} ({why})"),
    }
    Ok(())
}

/// The caller's end of the socket. As otpctl makes it, the kernel says that it is root's.
fn caller() -> anyhow::Result<UnixStream> {
    let stdin = std::io::stdin();
    let socket = stdin.as_fd().try_clone_to_owned().context("standard input")?;
    let socket = UnixStream::from(socket);
    socket.local_addr().context("standard input is no socket; --offline is for otpctl, see otpctl(1)")?;
    Ok(socket)
}

/// Makes `root` our root directory, so that every path and link in it means what it means there, and returns who is who
/// in it.
fn enter_root(root: Option<&Path>) -> anyhow::Result<Database> {
    let Some(root) = root else { return Ok(Database::System) };
    let name = root.display();
    nix::unistd::chroot(root).with_context(|| format!("entering {name}"))?;
    nix::unistd::chdir("/").with_context(|| format!("entering {name}"))?;
    Database::of_files(Path::new("/etc"))
        .with_context(|| format!("{name}/etc/passwd; is {name} the root directory of a system?"))
}

/// Answers one message after the other, until the caller is gone. They may take their time: they hold up nobody.
fn answer_all(mut socket: UnixStream, serve: impl Fn(&[u8], Option<OwnedFd>) -> Outcome) {
    let mut inbox = Inbox::default();
    let mut file = None;
    let mut chunk = [0; 4096];
    loop {
        while let Some(message) = inbox.take() {
            match serve(&message, file.take()) {
                Outcome::Reply(reply) if socket.write_all(&reply).is_ok() => {}
                Outcome::Silence => {}
                Outcome::Reply(_) | Outcome::Close => return,
            }
        }
        let room = inbox.room().min(chunk.len());
        let Ok((length, passed)) = receive(&socket, chunk.get_mut(..room).unwrap_or_default(), true) else {
            return;
        };
        file = passed.or(file);
        let received = chunk.get_mut(..length).unwrap_or_default();
        let fits = inbox.push(received);
        received.zeroize();
        if length == 0 || fits.is_err() {
            return;
        }
    }
}

const UNCHAINED: &str = "without the master key the events of this cannot be chained: they are in the audit log, and \
                         otpctl audit --verify will name them";
