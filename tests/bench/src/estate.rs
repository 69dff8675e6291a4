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
use std::time::Duration;

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
use serde_json::Value;

use crate::accounts;
use crate::accounts::Number;
use crate::clock;
use crate::contestant::Contestant;
use crate::events;
use crate::site::Site;

/// What an estate is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Accounts.
    pub accounts: u32,
    /// Devices of each.
    pub devices: u32,
    /// Events in the audit log, from before the run.
    pub events: u32,
    /// Whether the peers know the accounts too.
    pub peers: bool,
    /// Milliseconds that each fdatasync of otpd takes at least.
    pub slow: Option<u32>,
}

impl Plan {
    /// One device each, known to all.
    pub fn of(accounts: u32) -> Self {
        Self { accounts, devices: 1, events: 0, peers: true, slow: None }
    }
}

/// The accounts 0 to `accounts`.
pub struct Estate {
    /// How many.
    pub accounts: u32,
    /// What it was made to have.
    pub plan: Plan,
    /// How long otpd took from its start until it was ready.
    pub started_in: Duration,
    at: PathBuf,
    daemon: Daemon,
}

impl Estate {
    /// Makes it. `name` is that of its directories.
    pub fn provision(site: &Site, name: &str, plan: Plan) -> anyhow::Result<Self> {
        let accounts = plan.accounts;
        let at = site.path(name);
        for directory in ["", "google", "oath", "one", "pam.d"] {
            fs::create_dir(at.join(directory))?;
        }
        let runtime = PathBuf::from(format!("/run/otpd-{name}"));
        let socket = runtime.join("login.sock");
        for contestant in Contestant::MAIN {
            let line = contestant.line(&at, &site.path("pam_otp.so"), &socket);
            let service = contestant.service().unwrap_or_default();
            fs::write(at.join("pam.d").join(service), line + "\n")?;
        }
        // Without it, libpam complains to syslog at each transaction; a module named in it would be loaded each time.
        fs::write(at.join("pam.d/other"), "# nobody else\n")?;
        if plan.peers {
            write_files(&at, accounts)?;
        }
        let config = format!(
            "[paths]\nstate = {:?}\nruntime = {runtime:?}\n[mail]\nuser = {:?}\n",
            at.join("state"),
            crate::mail::USER
        );
        fs::write(at.join("otpd.toml"), config)?;
        let start = || {
            let mut command = Command::new(site.path("otpd"));
            command.arg("--config").arg(at.join("otpd.toml"));
            if let Some(milliseconds) = plan.slow {
                command.env("LD_PRELOAD", site.path("slow_disk.so"));
                command.env("SLOW_DISK_MS", milliseconds.to_string());
            }
            Daemon::start(command, &runtime).map_err(|said| anyhow!("otpd does not start: {said}"))
        };
        // otpd makes its registry and its key itself; the devices are sealed and inserted by its own code.
        start()?.stop();
        bind_devices(&at.join("state"), plan)?;
        events::add(&at.join("state/registry.db"), plan)?;
        let begun = clock::instant();
        let daemon = start()?;
        Ok(Self { accounts, plan, started_in: begun.elapsed(), at, daemon })
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

    /// Its login socket.
    pub fn socket(&self) -> PathBuf {
        self.daemon.socket()
    }

    /// The directory of its sockets.
    pub fn runtime(&self) -> PathBuf {
        let socket = self.socket();
        socket.parent().map(Path::to_owned).unwrap_or(socket)
    }

    /// Calls a method on its account socket, as root.
    pub fn account(&self, method: &str, parameters: &Value) -> anyhow::Result<Value> {
        Ok(self.daemon.account(method, parameters)?)
    }

    /// KiB that its otpd has in memory.
    pub fn resident(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// KiB that it has had at most.
    pub fn peak(&self) -> anyhow::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon_pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("a line of it")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
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
fn bind_devices(state: &Path, plan: Plan) -> anyhow::Result<()> {
    let registry = Sqlite::open(&state.join("registry.db"))?;
    let stored = registry.data_key()?.context("otpd has made its data key")?;
    let keys = MasterKey::read_credential(&state.join("registry.key"))?.open_data_key(&stored.wrapped)?;
    let registry = registry.start(keys.log(), Box::new(|_| {}))?;
    let keys = Arc::new(keys);
    thread::scope(|scope| {
        let bind_share = |share: u32| {
            let (registry, keys) = (&registry, &keys);
            scope.spawn(move || {
                let mut numbers = (share..plan.accounts).step_by(THREADS);
                numbers.try_for_each(|number| bind_one(registry, keys, number, plan.devices))
            })
        };
        let threads: Vec<_> = (0..).take(THREADS).map(bind_share).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic while binding"))
    })
}

fn bind_one(registry: &Sqlite, keys: &Arc<Keys>, number: Number, devices: u32) -> anyhow::Result<()> {
    let who = Identity {
        uid: Uid::new(accounts::uid(number)).context("a uid")?,
        name: AccountName::new(&accounts::name(number))?,
    };
    let keys = Arc::clone(keys);
    registry.change_or_create(&who, move |account, _| {
        let now = clock::now();
        for device in 0..devices {
            let key = accounts::key(accounts::device(number, device));
            let key = keys.seal(account.id, DeviceId(account.next_device), &key)?;
            let device = NewDevice {
                name: DeviceName::new(&format!("phone {device}"))?,
                key,
                parameters: Parameters::default(),
                counter: None,
                replaces: None,
                by: "otpd-bench".to_owned(),
                from: "otpd-bench".to_owned(),
            };
            let id = account.begin(device, now).map_err(|why| anyhow!("cannot begin: {why:?}"))?;
            account.activate(id, now, "otpd-bench");
        }
        anyhow::Ok(())
    })?
}

const THREADS: usize = 128;
