//! Where browsers come in: addresses, and Unix sockets for a reverse proxy.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::bail;
use otpd_daemon::privileges::RunAs;

use crate::state;

/// A place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// An address with a port.
    Tcp(SocketAddr),
    /// A socket that a proxy connects to.
    Unix(PathBuf),
}

/// A door that is open.
#[derive(Debug)]
pub enum Listener {
    /// With an address.
    Tcp(TcpListener, SocketAddr),
    /// With a path.
    Unix(UnixListener, PathBuf),
}

impl Door {
    /// An absolute path, or an address with a port.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if Path::new(text).is_absolute() {
            return Ok(Self::Unix(text.into()));
        }
        match text.parse() {
            Ok(address) => Ok(Self::Tcp(address)),
            Err(_) => bail!(
                "{text:?} is neither an address with a port (\"127.0.0.1:8480\", \"[::]:8480\") nor an absolute path"
            ),
        }
    }

    /// Whether what passes here stays on this box.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }

    /// The address that people have to type, if it is one.
    #[must_use]
    pub fn typed_address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) if !address.ip().is_loopback() && !address.ip().is_unspecified() => {
                Some(address.ip())
            }
            _ => None,
        }
    }

    /// Opens it, while still root if we are: the port may be one that only root can have.
    ///
    /// # Errors
    /// The address is not of this box or in use, or the socket's directory is missing.
    pub fn open(&self, run_as: &RunAs) -> anyhow::Result<Listener> {
        match self {
            Self::Tcp(address) => {
                let listener =
                    TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
                listener.set_nonblocking(true).context("listening")?;
                let address = listener.local_addr().context("listening")?;
                Ok(Listener::Tcp(listener, address))
            }
            Self::Unix(path) => open_socket(path, run_as),
        }
    }
}

impl Listener {
    /// Where it is, for people.
    #[must_use]
    pub fn in_words(&self, loopback_tls: bool) -> String {
        match self {
            Self::Unix(_, path) => path.display().to_string(),
            Self::Tcp(_, address) if address.ip().is_loopback() && !loopback_tls => {
                format!("http://{address}")
            }
            Self::Tcp(_, address) => format!("https://{address}"),
        }
    }
}

/// Its owner and its group may connect. Who can is believed where browsers are.
fn open_socket(path: &Path, run_as: &RunAs) -> anyhow::Result<Listener> {
    let name = path.display();
    if let Some(directory) = path.parent() {
        state::prepare(directory, 0o755, run_as).with_context(|| format!("the directory of {name}"))?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(|| format!("removing {name} of before"))?;
        }
        Ok(_) => bail!("{name} is there and is no socket"),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).with_context(|| format!("listening on {name}"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).context("chmod")?;
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(path, Some(run_as.uid), Some(run_as.gid)).context("chown")?;
    }
    listener.set_nonblocking(true).context("listening")?;
    Ok(Listener::Unix(listener, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_an_address_with_a_port_or_a_path() {
        for (text, local) in [
            ("127.0.0.1:8480", true),
            ("[::1]:1", true),
            ("0.0.0.0:443", false),
            ("[::]:443", false),
            ("192.168.1.2:8480", false),
            ("/run/otpd-web/http.sock", true),
        ] {
            assert_eq!(Door::parse(text).unwrap().is_local(), local, "{text}");
        }
        for text in ["", "8480", "localhost:8480", "127.0.0.1", "http.sock", "https://127.0.0.1:8480"] {
            assert!(Door::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_socket_of_before_is_replaced_and_another_file_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let me = RunAs { uid: nix::unistd::geteuid(), gid: nix::unistd::getegid() };
        let path = directory.path().join("http.sock");
        for _ in 0..2 {
            Door::Unix(path.clone()).open(&me).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        }
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Door::Unix(file).open(&me).unwrap_err().to_string().contains("no socket"));
    }
}
