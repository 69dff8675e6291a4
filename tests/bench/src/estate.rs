//! One number of accounts, provisioned for every contestant, with an otpd that serves them.

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use anyhow::anyhow;
use otpd::keys::Keys;
use otpd::keys::MasterKey;
use otpd::registry::Sqlite;
use otpd_core::account::NewDevice;
use otpd_core::device::DeviceId;
use otpd_core::name::AccountName;
use otpd_core::name::DeviceName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::Registry;
use otpd_core::totp::Parameters;
use otpd_tests::Daemon;

use crate::accounts;
use crate::accounts::Number;
use crate::clock;
use crate::contestant::Contestant;
use crate::site::Site;

/// The accounts 0 to `accounts`, known to every contestant.
pub struct Estate {
    /// How many.
    pub accounts: u32,
    at: PathBuf,
    daemon: Daemon,
}

impl Estate {
    /// Makes it.
    pub fn provision(site: &Site, accounts: u32) -> anyhow::Result<Self> {
        let at = site.path(&accounts.to_string());
        for directory in ["", "google", "oath", "one", "pam.d"] {
            fs::create_dir(at.join(directory))?;
        }
        let runtime = PathBuf::from(format!("/run/otpd-{accounts}"));
        let socket = runtime.join("login.sock");
        for contestant in Contestant::MAIN {
            let line = contestant.line(&at, &site.path("pam_otp.so"), &socket);
            let service = contestant.service().unwrap_or_default();
            fs::write(at.join("pam.d").join(service), line + "\n")?;
        }
        // Without it, libpam complains to syslog at each transaction; a module named in it would be loaded each time.
        fs::write(at.join("pam.d/other"), "# nobody else\n")?;
        write_files(&at, accounts)?;
        let config = format!("[paths]\nstate = {:?}\nruntime = {runtime:?}\n", at.join("state"));
        fs::write(at.join("otpd.toml"), config)?;
        let start = || {
            let mut command = Command::new(site.path("otpd"));
            command.arg("--config").arg(at.join("otpd.toml"));
            Daemon::start(command, &runtime).map_err(|said| anyhow!("otpd does not start: {said}"))
        };
        // otpd makes its registry and its key itself; the devices are sealed and inserted by its own code.
        start()?.stop();
        bind_devices(&at.join("state"), accounts)?;
        let daemon = start()?;
        Ok(Self { accounts, at, daemon })
    }

    /// Its PAM stacks.
    pub fn confdir(&self) -> PathBuf {
        self.at.join("pam.d")
    }

    /// The process of its otpd.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.pid().as_raw().unsigned_abs()
    }

    /// Accounts that are used in rounds; the rest is kept for wrong codes, which lock an account.
    pub fn usable(&self) -> u32 {
        self.accounts / 10 * 9
    }

    /// Bytes of the registry and its log.
    pub fn registry_bytes(&self) -> u64 {
        let of = |name: &str| fs::metadata(self.at.join("state").join(name)).map_or(0, |found| found.len());
        of("registry.db") + of("registry.db-wal")
    }
}

/// The peers' files.
fn write_files(at: &Path, accounts: u32) -> anyhow::Result<()> {
    let mut one_file = String::new();
    for number in 0..accounts {
        let (name, key) = (accounts::name(number), accounts::key(number));
        let google = format!("{}\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n", key.expose_base32().as_str());
        private_file(&at.join("google").join(&name), &google)?;
        let hex: String = key.expose_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let oath = format!("HOTP/T30/6 {name} - {hex}\n");
        private_file(&at.join("oath").join(&name), &oath)?;
        one_file.push_str(&oath);
    }
    private_file(&at.join("one/users.oath"), &one_file)
}

/// google-authenticator takes no other.
fn private_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

/// Through otpd's own registry, many at once: what waits together is committed together.
fn bind_devices(state: &Path, accounts: u32) -> anyhow::Result<()> {
    let registry = Sqlite::open(&state.join("registry.db"), Box::new(|_| {}))?;
    let wrapped = registry.wrapped_data_key()?.context("otpd has made its data key")?;
    let keys = MasterKey::read_credential(&state.join("registry.key"))?.open_data_key(&wrapped)?;
    let keys = Arc::new(keys);
    thread::scope(|scope| {
        let bind_share = |share: u32| {
            let (registry, keys) = (&registry, &keys);
            scope.spawn(move || {
                (share..accounts).step_by(THREADS).try_for_each(|number| bind_one(registry, keys, number))
            })
        };
        let threads: Vec<_> = (0..).take(THREADS).map(bind_share).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic while binding"))
    })
}

fn bind_one(registry: &Sqlite, keys: &Arc<Keys>, number: Number) -> anyhow::Result<()> {
    let who = Identity {
        uid: Uid::new(accounts::uid(number)).context("a uid")?,
        name: AccountName::new(&accounts::name(number))?,
    };
    let keys = Arc::clone(keys);
    registry.change_or_create(&who, move |account, _| {
        let now = clock::now();
        let key = keys.seal(account.id, DeviceId(account.next_device), &accounts::key(number))?;
        let device = NewDevice {
            name: DeviceName::new("phone")?,
            key,
            parameters: Parameters::default(),
            replaces: None,
            by: "otpd-bench".to_owned(),
            from: "otpd-bench".to_owned(),
        };
        let id = account.begin(device, now).map_err(|why| anyhow!("cannot begin: {why:?}"))?;
        account.activate(id, now, "otpd-bench");
        anyhow::Ok(())
    })?
}

const THREADS: usize = 128;
