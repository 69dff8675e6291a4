//! Opening the registry and its keys together: a registry without its key is of no use, and a new key must never be made
//! for an old registry.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use anyhow::bail;
use otpd_core::event::Decision;
use otpd_core::event::Event;
use otpd_core::event::Kind;
use otpd_core::event::Reason;
use otpd_core::registry::DataKey;
use otpd_core::registry::Registry;

use crate::audit::Syslog;
use crate::clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::keys::MasterKey;
use crate::post_bell::PostBell;
use crate::registry::Sqlite;
use crate::registry::Unkeyed;
use crate::registry::Written;
use crate::state::Lock;

/// The registry and the keys for it, both made if this state directory never had any.
///
/// # Errors
/// Either is missing, damaged, or does not belong to the other. Nothing was changed then.
pub fn registry_and_keys(
    config: &Config,
    credential: Option<MasterKey>,
    lock: &mut Lock,
    syslog: &Syslog,
    posted: &Arc<PostBell>,
) -> anyhow::Result<(Sqlite, Keys)> {
    let path = config.registry();
    if lock.had_registry()? && is_missing(&path) {
        bail!("{} is gone or empty, though this directory had a registry; {RESTORE}", path.display());
    }
    let mut registry = open(&path)?;
    let has_credential = credential.is_some();
    let stored = registry.data_key()?;
    let opened = match (&stored, credential) {
        (Some(stored), credential) => {
            open_stored(stored, Source::of(credential, &config.key()).context(NEEDS_KEY)?)?
        }
        (None, _) if lock.had_registry()? => bail!("{} has lost its data key; {RESTORE}", path.display()),
        (None, credential) => {
            let master = match credential {
                Some(master) => master,
                None if config.key().exists() => MasterKey::read(&config.key())?,
                None => MasterKey::create(&config.key())?,
            };
            let (wrapped, keys) = master.new_data_key()?;
            registry.store_data_key(&wrapped, keys.log())?;
            Opened { keys, by_new: None }
        }
    };
    let registry = start(registry, &opened.keys, &path, syslog, posted)?;
    let from_file = stored.is_some() && !has_credential;
    if let Some(name) = opened.by_new {
        forget_old(&registry, stored, &name)?;
    }
    if from_file {
        forget_unfinished(&registry, &config.key())?;
    }
    lock.note_registry()?;
    Ok((registry, opened.keys))
}

/// A master key, and what to call it.
struct Source {
    master: MasterKey,
    name: String,
}

impl Source {
    /// What systemd passed, or what is in the file.
    fn of(credential: Option<MasterKey>, file: &Path) -> anyhow::Result<Self> {
        Ok(match credential {
            Some(master) => Self { master, name: "the credential registry.key".to_owned() },
            None => Self { master: MasterKey::read(file)?, name: file.display().to_string() },
        })
    }
}

struct Opened {
    keys: Keys,
    /// The master key's name, if only the wrapping for the new one opened.
    by_new: Option<String>,
}

/// Opens the data key with the old wrapping or the new one.
fn open_stored(stored: &DataKey, Source { master, name }: Source) -> anyhow::Result<Opened> {
    let opened = master.open_data_key(&stored.wrapped).map(|keys| Opened { keys, by_new: None });
    let opened = match (opened, &stored.next) {
        (Err(_), Some(next)) => {
            master.open_data_key(next).map(|keys| Opened { keys, by_new: Some(name.clone()) })
        }
        (opened, _) => opened,
    };
    opened.with_context(|| format!("{name} is not the master key that this registry was sealed with"))
}

/// The new master key has taken the place of the old one: which opens nothing from now on.
fn forget_old(registry: &Sqlite, stored: Option<DataKey>, name: &str) -> anyhow::Result<()> {
    let Some(wrapped) = stored.and_then(|stored| stored.next) else { return Ok(()) };
    let detail = Some(format!("{name} is new, and the old one opens nothing any more"));
    let event = Event::blank(clock::now(), "-", "otpd", Kind::MasterKey, Decision::Accept, Reason::Ok);
    registry.set_data_key(DataKey { wrapped, next: None }, Some(Event { detail, ..event }))?;
    Ok(())
}

/// Removes what is left of a rotation that did not come far enough to count.
fn forget_unfinished(registry: &Sqlite, key: &Path) -> anyhow::Result<()> {
    let new = new_key(key);
    if !new.exists() {
        return Ok(());
    }
    if let Some(DataKey { wrapped, .. }) = registry.data_key()? {
        registry.set_data_key(DataKey { wrapped, next: None }, None)?;
    }
    std::fs::remove_file(&new).with_context(|| format!("removing {}", new.display()))
}

/// Where a new master key stands before it takes the place of `key`.
pub(crate) fn new_key(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// The master key from systemd, if it passed one. Read while still root: the file may be root's alone.
///
/// # Errors
/// It is there, and is no key or cannot be read.
#[expect(
    clippy::disallowed_methods,
    reason = "systemd.exec(5): the environment is how a credential is passed"
)]
pub fn credential() -> anyhow::Result<Option<MasterKey>> {
    let Ok(directory) = std::env::var("CREDENTIALS_DIRECTORY") else { return Ok(None) };
    let path = Path::new(&directory).join("registry.key");
    if !path.try_exists().with_context(|| format!("looking for {}", path.display()))? {
        return Ok(None);
    }
    MasterKey::read_credential(&path).map(Some).context("the credential registry.key")
}

/// The registry, if there is one, and why its audit log is not chained, if the master key is not here.
///
/// # Errors
/// There is none, or it cannot be opened.
pub(crate) fn registry(
    config: &Config,
    credential: Option<MasterKey>,
    syslog: &Syslog,
) -> anyhow::Result<(Sqlite, Option<String>)> {
    let path = config.registry();
    if is_missing(&path) {
        bail!(
            "{} is missing or empty: nobody is protected here. Is this the right disk, and the right configuration (--root, --config)?",
            path.display()
        );
    }
    let registry = open(&path)?;
    // Offline nobody delivers any.
    let posted = Arc::default();
    let stored = registry.data_key()?.with_context(|| format!("{} has no data key", path.display()));
    let source = Source::of(credential, &config.key());
    match stored.and_then(|stored| open_stored(&stored, source?)) {
        Ok(opened) => Ok((start(registry, &opened.keys, &path, syslog, &posted)?, None)),
        Err(error) => {
            let registry = registry.start_unchained(sink(syslog, &posted)).with_context(|| opening(&path))?;
            Ok((registry, Some(format!("{error:#}"))))
        }
    }
}

fn open(path: &Path) -> anyhow::Result<Unkeyed> {
    Sqlite::open(path).with_context(|| opening(path))
}

fn start(
    registry: Unkeyed,
    keys: &Keys,
    path: &Path,
    syslog: &Syslog,
    posted: &Arc<PostBell>,
) -> anyhow::Result<Sqlite> {
    registry.start(keys.log(), sink(syslog, posted)).with_context(|| opening(path))
}

fn sink(syslog: &Syslog, posted: &Arc<PostBell>) -> Box<dyn Fn(Written<'_>) + Send + Sync> {
    let (syslog, posted) = (syslog.clone(), Arc::clone(posted));
    Box::new(move |written| match written {
        Written::Event(event) => syslog.event(event),
        Written::Mail => posted.ring(),
    })
}

fn opening(path: &Path) -> String {
    format!("opening {}", path.display())
}

fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |found| found.len() == 0)
}

const NEEDS_KEY: &str =
    "the registry needs its master key; put the key's file back, or restore both from a backup";
const RESTORE: &str =
    "restore it from a backup. To begin anew, with no account protected, move the whole directory away";
