//! `pam_otp.so`: asks for a one-time password after the password, and lets `otpd` judge it.
//!
//! Runs inside sshd, sudo, su and screen lockers, often as root. It starts no thread, never sleeps, opens no file,
//! reads no environment, prints nothing, and keeps nothing outside the PAM handle; a panic ends in PAM_ABORT.
//! It holds no keys and decides nothing: see `org.otpd.Login`.

mod answer;
mod daemon;
mod handle;
mod line;
mod login;
mod options;
mod outcome;
mod reply;

use std::ffi::CStr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Once;

use pam::constants::PAM_SILENT;
use pam::constants::PamFlag;
use pam::constants::PamResultCode;
use pam::module::PamHandle;
use pam::module::PamHooks;

use daemon::Otpd;
use handle::Handle;
use handle::Priority;
use handle::SavedErrno;
use handle::Transaction;
use line::Line;
use login::Phase;
use options::Options;
use outcome::Outcome;

struct OneTimePassword;

/// The six `pam_sm_*` symbols, each behind `pam-bindings`' guard against panics.
mod exported {
    use super::OneTimePassword;

    pam::pam_hooks!(OneTimePassword);
}

impl PamHooks for OneTimePassword {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        enter(pamh, &args, flags, |phase| phase.authenticate()).of_authenticate()
    }

    fn acct_mgmt(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        enter(pamh, &args, flags, |phase| phase.account()).of_account()
    }

    /// Nothing to set. With PAM_IGNORE from the only module of a stack, sshd says "Accepted" and drops the session.
    fn sm_setcred(_pamh: &mut PamHandle, _args: Vec<&CStr>, _flags: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }
}

/// Runs one phase with the options of its line.
fn enter(
    pamh: &mut PamHandle,
    words: &[&CStr],
    flags: PamFlag,
    run: impl FnOnce(&mut Phase<'_, Handle<'_>, Otpd<'_>>) -> Outcome,
) -> Outcome {
    let _errno = SavedErrno::new();
    silence_panics();
    let mut handle = Handle(pamh);
    let options = match Options::parse(words, &default_socket()) {
        Ok(options) => options,
        Err(error) => {
            handle.log(Priority::Error, &Line::new(&error.to_string()));
            return Outcome::Misconfigured;
        }
    };
    #[cfg(feature = "panic-probe")]
    #[expect(clippy::panic, reason = "the probe")]
    if options.panic {
        panic!("the panic probe, with the secret 123456");
    }
    let daemon = Otpd::new(&options.socket, options.timeout);
    let privileged = nix::unistd::geteuid().is_root();
    let silent = flags & PAM_SILENT != 0;
    run(&mut Phase { pam: &mut handle, daemon: &daemon, options: &options, silent, privileged })
}

/// Root's callers have a socket that nobody else may use; a screen locker runs as its user.
fn default_socket() -> PathBuf {
    let name =
        if nix::unistd::geteuid().is_root() { otpd_proto::LOGIN_SOCKET } else { otpd_proto::ACCOUNT_SOCKET };
    Path::new(otpd_proto::RUNTIME_DIR).join(name)
}

/// The default hook prints to the host's stderr, which is the person's terminal or a protocol. The hook is this
/// library's own: a host written in Rust keeps its.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}
