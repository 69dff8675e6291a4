//! Where a run takes place: a mount namespace with its own user database and sockets, and a directory that holds
//! every contestant's accounts. Nothing of the host's /etc, /run or /var/lib is written.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::ensure;
use nix::mount::MsFlags;
use nix::mount::mount;

use crate::accounts;

/// The directory, the floor's server, and a syslog that throws everything away.
pub struct Site {
    root: PathBuf,
    server: Child,
    syslog: Child,
}

/// What answers for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Names {
    /// A mapped table, at the price of glibc's own nss_db.
    Mapped,
    /// Debian's package libnss-db.
    Berkeley,
}

impl Site {
    /// Lays it out in `root` for at most `accounts` users. The caller is in a mount namespace of its own already.
    pub fn lay_out(root: &Path, accounts: u32, names: Names) -> anyhow::Result<Self> {
        fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
        for directory in ["etc", "db", "scratch"] {
            fs::create_dir(root.join(directory))?;
        }
        let mut module = built("libpam_otp.so")?;
        fs::copy(&module, root.join("pam_otp.so"))
            .with_context(|| format!("copying {}", module.display()))?;
        for program in ["otpd", "otpd-mail"] {
            module = built(program)?;
            fs::copy(&module, root.join(program)).with_context(|| format!("copying {}", module.display()))?;
        }
        user_database(root, accounts, names)?;
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755")).context("/run")?;
        private_dev(root)?;
        let syslog = start(&["syslog", "/dev/log"])?;
        check_look_ups(accounts)?;
        let log = root.join("scratch/floor");
        let server = start(&["server", SERVER, &log.display().to_string()])?;
        Ok(Self { root: root.to_owned(), server, syslog })
    }

    /// A path in its directory.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// Has another program in it.
    pub fn bring(&self, program: &str) -> anyhow::Result<PathBuf> {
        let target = self.path(program);
        fs::copy(built(program)?, &target).with_context(|| format!("copying {program}"))?;
        Ok(target)
    }

    /// The socket of the floor's server.
    pub fn server(&self) -> PathBuf {
        PathBuf::from(SERVER)
    }

    /// The process of the floor's server.
    pub fn server_pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.syslog] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A program built beside this one.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    let directory = std::env::current_exe().context("finding this program")?;
    let path = directory.with_file_name(name);
    ensure!(path.exists(), "{} is missing; run tests/bench/run.sh, which builds it", path.display());
    Ok(path)
}

/// The host's own users, `otpd`, and the accounts where a look-up costs the same however many there are.
fn user_database(root: &Path, accounts: u32, names: Names) -> anyhow::Result<()> {
    let etc = root.join("etc");
    let passwd = fs::read_to_string("/etc/passwd")?;
    let own = ["otpd:x:60999:60999", "otpd-web:x:60996:60996"];
    let own = own.map(|user| format!("{user}::/nonexistent:/usr/sbin/nologin\n")).concat();
    fs::write(etc.join("passwd"), passwd + &own)?;
    let group = fs::read_to_string("/etc/group")?;
    fs::write(etc.join("group"), group + "otpd:x:60999:\notpd-web:x:60996:\n")?;
    fs::write(etc.join("nsswitch.conf"), "passwd: files db\ngroup: files\nshadow: files\n")?;
    match names {
        Names::Mapped => mapped_table(root, accounts)?,
        Names::Berkeley => berkeley_table(root, accounts)?,
    }
    for file in ["passwd", "group", "nsswitch.conf"] {
        bind(&etc.join(file), &Path::new("/etc").join(file))?;
    }
    bind(&root.join("db"), Path::new("/var/lib/misc"))
}

/// The module of `nss_db.c` in the place of the installed one, which glibc loads by its name.
fn mapped_table(root: &Path, accounts: u32) -> anyhow::Result<()> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/nss_db.c");
    let module = root.join("libnss_db.so.2");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-Wl,-soname,libnss_db.so.2", "-o"]);
    ensure!(gcc.arg(&module).arg(source).status().context("gcc")?.success(), "gcc failed");
    let table: String = (0..accounts).map(|number| format!("{}\0", accounts::name(number))).collect();
    fs::write(root.join("db/names"), table)?;
    bind(&module, &installed_module()?)
}

fn berkeley_table(root: &Path, accounts: u32) -> anyhow::Result<()> {
    let mut makedb = Command::new("makedb")
        .arg("-o")
        .arg(root.join("db/passwd.db"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("makedb, of the package libnss-db")?;
    let mut lines = String::new();
    for number in 0..accounts {
        let (name, uid) = (accounts::name(number), accounts::uid(number));
        let entry = format!("{name}:x:{uid}:{uid}::/nonexistent:/bin/sh");
        lines.push_str(&format!("0{number} {entry}\n.{name} {entry}\n={uid} {entry}\n"));
    }
    makedb.stdin.take().context("piped")?.write_all(lines.as_bytes())?;
    ensure!(makedb.wait()?.success(), "makedb failed");
    Ok(())
}

/// A /dev with a /dev/log of our own: without one, some modules write to the console instead.
fn private_dev(root: &Path) -> anyhow::Result<()> {
    let dev = root.join("dev");
    fs::create_dir(&dev)?;
    mount(Some("tmpfs"), &dev, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).context("/dev")?;
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        fs::write(dev.join(device), "")?;
        bind(&Path::new("/dev").join(device), &dev.join(device))?;
    }
    mount(Some(&dev), "/dev", None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).context("/dev")
}

/// Shows a file or directory in the place of another.
pub fn bind(source: &Path, target: &Path) -> anyhow::Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("mounting {} on {}", source.display(), target.display()))
}

/// In a process of its own: this one may not have loaded the modules of its old nsswitch.conf.
fn check_look_ups(accounts: u32) -> anyhow::Result<()> {
    for number in [0, accounts / 2, accounts - 1] {
        let (name, uid) = (accounts::name(number), accounts::uid(number).to_string());
        for key in [&name, &uid] {
            let said = Command::new("getent").args(["passwd", key]).output()?.stdout;
            ensure!(said.starts_with(name.as_bytes()), "getent passwd {key} does not find {name}");
        }
    }
    Ok(())
}

/// Where the package libnss-db has its module.
fn installed_module() -> anyhow::Result<PathBuf> {
    let places = ["x86_64", "aarch64", "arm", "riscv64"].map(|machine| {
        let system = if machine == "arm" { "linux-gnueabihf" } else { "linux-gnu" };
        PathBuf::from(format!("/usr/lib/{machine}-{system}/libnss_db.so.2"))
    });
    places.into_iter().find(|place| place.exists()).context("the package libnss-db is not installed")
}

/// Starts another of our processes and waits until it is ready.
fn start(role: &[&str]) -> anyhow::Result<Child> {
    let mut child =
        Command::new("/proc/self/exe").args(role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    crate::callers::wait_for_ready(&mut child)?;
    Ok(child)
}

const SERVER: &str = "/run/floor.sock";
