//! Where the listening sockets come from: systemd hands them over, or we bind them while still root.

use std::fs::DirBuilder;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use nix::sys::stat::Mode;
use nix::sys::stat::umask;
use nix::unistd::Uid;

/// The listening sockets.
pub struct Sockets {
    /// login.sock.
    pub login: UnixListener,
    /// account.sock.
    pub account: UnixListener,
    /// mail.sock, unless systemd passed the others without it: then nothing is mailed.
    pub mail: Option<UnixListener>,
    /// web.sock, if there is somebody to have it: then people can sign in on the web.
    pub web: Option<UnixListener>,
}

impl Sockets {
    /// Takes the sockets from systemd if it passed any, else binds them in `runtime`; `mailer` and
    /// `web` are the users of otpd-mail and otpd-web, if there are such.
    ///
    /// # Errors
    /// A socket is missing, the directory is not safe, or another otpd answers there.
    pub fn obtain(runtime: &Path, mailer: Option<Uid>, web: Option<Uid>) -> anyhow::Result<Self> {
        let sockets = match Self::adopt()? {
            Some(sockets) => sockets,
            None => Self::bind(runtime, mailer, web)?,
        };
        sockets.login.set_nonblocking(true).context("login.sock")?;
        sockets.account.set_nonblocking(true).context("account.sock")?;
        for other in sockets.mail.iter().chain(&sockets.web) {
            other.set_nonblocking(true).context("mail.sock and web.sock")?;
        }
        Ok(sockets)
    }

    /// The sockets of systemd's socket activation, by the path they are bound to.
    #[expect(unsafe_code, reason = "descriptors passed by systemd are bare numbers")]
    fn adopt() -> anyhow::Result<Option<Self>> {
        let numbers = sd_notify::listen_fds().context("reading LISTEN_FDS")?;
        let (mut login, mut account, mut mail, mut web) = (None, None, None, None);
        let mut any = false;
        for number in numbers {
            any = true;
            // SAFETY: sd_listen_fds(3): these descriptors were passed to this process and nobody else here uses them.
            let listener = UnixListener::from(unsafe { OwnedFd::from_raw_fd(number) });
            let address =
                listener.local_addr().with_context(|| format!("descriptor {number} from systemd"))?;
            let name =
                address.as_pathname().and_then(Path::file_name).map(ToOwned::to_owned).unwrap_or_default();
            match name.to_str() {
                Some(otpd_proto::LOGIN_SOCKET) => login = Some(listener),
                Some(otpd_proto::ACCOUNT_SOCKET) => account = Some(listener),
                Some(otpd_proto::MAIL_SOCKET) => mail = Some(listener),
                Some(otpd_proto::WEB_SOCKET) => web = Some(listener),
                _ => bail!(
                    "descriptor {number} from systemd is {name:?}; login.sock, account.sock, mail.sock and web.sock are wanted"
                ),
            }
        }
        match (any, login, account) {
            (false, ..) => Ok(None),
            (true, Some(login), Some(account)) => Ok(Some(Self { login, account, mail, web })),
            _ => bail!("systemd passed only one of login.sock and account.sock; enable both socket units"),
        }
    }

    fn bind(runtime: &Path, mailer: Option<Uid>, web: Option<Uid>) -> anyhow::Result<Self> {
        check_directory(runtime)?;
        // Nobody may connect between bind and chmod.
        let before = umask(Mode::from_bits_truncate(0o177));
        let sockets = bind_one(&runtime.join(otpd_proto::LOGIN_SOCKET), 0o600).and_then(|login| {
            let account = bind_one(&runtime.join(otpd_proto::ACCOUNT_SOCKET), 0o666)?;
            let mail = bind_for(&runtime.join(otpd_proto::MAIL_SOCKET), mailer)?;
            let web =
                web.map(|web| bind_for(&runtime.join(otpd_proto::WEB_SOCKET), Some(web))).transpose()?;
            Ok(Self { login, account, mail: Some(mail), web })
        });
        umask(before);
        sockets
    }
}

/// Clients believe a socket because of the directory it stands in, so that must be ours and nobody else's to write.
fn check_directory(runtime: &Path) -> anyhow::Result<()> {
    let name = runtime.display();
    if !runtime.exists() {
        let before = umask(Mode::from_bits_truncate(0o022));
        let made = DirBuilder::new().mode(0o755).create(runtime);
        umask(before);
        made.with_context(|| format!("making {name}"))?;
    }
    let found = std::fs::symlink_metadata(runtime).with_context(|| format!("looking at {name}"))?;
    if !found.is_dir() {
        bail!("{name} is not a directory");
    }
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
        bail!("{name} belongs to uid {}; run: chown root {name}", found.uid());
    }
    if found.mode() & 0o022 != 0 {
        bail!("{name} is writable by others; run: chmod go-w {name}");
    }
    Ok(())
}

/// Binds the socket of a program of ours that runs as `owner`.
fn bind_for(path: &Path, owner: Option<Uid>) -> anyhow::Result<UnixListener> {
    let listener = bind_one(path, 0o600)?;
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(path, owner, None).with_context(|| format!("chown {}", path.display()))?;
    }
    Ok(listener)
}

fn bind_one(path: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    let name = path.display();
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            bail!("{name} exists and is no socket; move it away");
        }
        if UnixStream::connect(path).is_ok() {
            bail!("{name} is served already: another otpd is running");
        }
        std::fs::remove_file(path).with_context(|| format!("removing the stale {name}"))?;
    }
    let listener = UnixListener::bind(path).with_context(|| format!("binding {name}"))?;
    // std asks for a backlog of 128; a storm of logins should wait in the queue rather than fail.
    let backlog = nix::sys::socket::Backlog::MAXALLOWABLE;
    nix::sys::socket::listen(&listener, backlog).with_context(|| format!("listening on {name}"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("chmod {name}"))?;
    Ok(listener)
}
