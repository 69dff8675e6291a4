//! The PAM handle, safe to use: the only file that calls C. It covers what `pam-bindings` lacks (`pam_syslog`,
//! `pam_getenv`) and puts every use behind one trait, so that a login can be played against a script.
//!
//! Values are copied out at once: libpam may free them at the next call on the handle.

#![expect(unsafe_code, reason = "calls libpam")]

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_int;

use nix::errno::Errno;
use pam::constants::PAM_ERROR_MSG;
use pam::constants::PAM_PROMPT_ECHO_OFF;
use pam::constants::PAM_PROMPT_ECHO_ON;
use pam::constants::PAM_TEXT_INFO;
use pam::constants::PamMessageStyle;
use pam::constants::PamResultCode;
use pam::conv::Conv;
use pam::items::AuthTok;
use pam::items::Item;
use pam::items::OldAuthTok;
use pam::items::RHost;
use pam::items::RUser;
use pam::items::Service;
use pam::items::Tty;
use pam::items::User;
use pam::module::PamHandle;
use pam::module::PamResult;
use zeroize::Zeroizing;

use crate::line::Line;

/// What a login needs of PAM.
pub(crate) trait Transaction {
    /// PAM_USER; the application is asked for it if nobody has set it yet.
    fn user(&mut self) -> PamResult<String>;
    /// PAM_USER as it is now, without asking.
    fn user_now(&self) -> PamResult<Option<String>>;
    /// A fact about the login; bytes that are not UTF-8 are replaced. An error is not the same as absent.
    fn fact(&mut self, fact: Fact) -> PamResult<Option<String>>;
    /// PAM_AUTHTOK: the password that a module before us asked for.
    fn password(&self) -> PamResult<Option<Zeroizing<Vec<u8>>>>;
    /// Sets PAM_AUTHTOK, for the modules after us. libpam copies it, and wipes it when the phase ends.
    fn set_password(&mut self, password: &[u8]) -> PamResult<()>;
    /// The code that [`Self::keep_code`] put aside in this phase.
    fn kept_code(&self) -> PamResult<Option<Zeroizing<Vec<u8>>>>;
    /// Puts a code aside for a later line of ours: in PAM_OLDAUTHTOK, which no module needs before the password is
    /// changed, and which libpam wipes when the phase ends. What a module stores itself may never be wiped.
    fn keep_code(&mut self, code: &[u8]) -> PamResult<()>;
    /// Asks the person. `Ok(None)` if the application gave no answer.
    fn ask(&mut self, echo: Echo, prompt: &Line) -> PamResult<Option<Zeroizing<Vec<u8>>>>;
    /// Shows a text, if the application can: Apache's fails at any, sshd loses those after the last prompt.
    fn show(&mut self, tone: Tone, text: &Line);
    /// Whom [`Self::set_mark`] named last in this transaction.
    fn mark(&self) -> Option<&str>;
    /// Leaves the mark of a passed user for the account phase, or clears it.
    fn set_mark(&mut self, user: Option<String>) -> PamResult<()>;
    /// Writes to the system log, as this module and service.
    fn log(&mut self, priority: Priority, text: &Line);
}

/// What PAM knows of a login besides its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// PAM_SERVICE.
    Service,
    /// PAM_TTY.
    Tty,
    /// PAM_RUSER.
    RemoteUser,
    /// PAM_RHOST.
    RemoteHost,
    /// SSH_CONNECTION of the PAM environment (sshd wipes the one of the process).
    SshConnection,
    /// SSH_AUTH_INFO_0 of the PAM environment.
    SshAuthInfo,
}

/// Whether what is typed may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Hidden.
    Off,
    /// Seen.
    On,
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// PAM_TEXT_INFO.
    Info,
    /// PAM_ERROR_MSG.
    Error,
}

/// How urgent a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Somebody must look at once.
    Alert,
    /// Something does not work.
    Error,
    /// A login failed.
    Notice,
    /// A login went its way.
    Info,
    /// Only with the option `debug`.
    Debug,
}

/// The handle of the running transaction.
pub(crate) struct Handle<'a>(pub(crate) &'a mut PamHandle);

impl Handle<'_> {
    /// An item; it lives until the next change of the handle, so it is copied.
    fn text<'s, T: Item<'s, Raw = c_char>>(
        &'s self,
        read: impl Fn(T) -> &'s CStr,
    ) -> PamResult<Option<String>> {
        Ok(self.0.get_item::<T>()?.map(|item| read(item).to_string_lossy().into_owned()))
    }

    fn environment(&mut self, name: &CStr) -> Option<String> {
        // SAFETY: the handle is live (a `&mut` to it is held) and the name ends with NUL.
        let value = unsafe { pam_getenv(self.0, name.as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: not null, so it is a string of the handle's own environment; nothing changes that before the copy.
        let value = unsafe { CStr::from_ptr(value) };
        Some(value.to_string_lossy().into_owned())
    }

    fn converse(&mut self, style: PamMessageStyle, text: &Line) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        let conversation = self.0.get_item::<Conv<'_>>()?.ok_or(PamResultCode::PAM_CONV_ERR)?;
        let reply = conversation.send(style, text.as_str())?;
        Ok(reply.map(|bytes| Zeroizing::new(bytes.as_bytes().to_vec())))
    }
}

impl Transaction for Handle<'_> {
    fn user(&mut self) -> PamResult<String> {
        self.0.get_user(None)
    }

    fn user_now(&self) -> PamResult<Option<String>> {
        self.text(|User(user)| user)
    }

    fn fact(&mut self, fact: Fact) -> PamResult<Option<String>> {
        match fact {
            Fact::Service => self.text(|Service(service)| service),
            Fact::Tty => self.text(|Tty(tty)| tty),
            Fact::RemoteUser => self.text(|RUser(user)| user),
            Fact::RemoteHost => self.text(|RHost(host)| host),
            Fact::SshConnection => Ok(self.environment(c"SSH_CONNECTION")),
            Fact::SshAuthInfo => Ok(self.environment(c"SSH_AUTH_INFO_0")),
        }
    }

    fn password(&self) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.0.get_item::<AuthTok<'_>>()?.map(|password| Zeroizing::new(password.as_bytes().to_vec())))
    }

    fn set_password(&mut self, password: &[u8]) -> PamResult<()> {
        let text = terminated(password);
        let text = CStr::from_bytes_with_nul(&text).map_err(|_| PamResultCode::PAM_BUF_ERR)?;
        // SAFETY: a C string that lives until this function ends.
        let item = unsafe { AuthTok::from_raw(text.as_ptr()) };
        self.0.set_item_str(item)
    }

    fn kept_code(&self) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.0.get_item::<OldAuthTok<'_>>()?.map(|code| Zeroizing::new(code.as_bytes().to_vec())))
    }

    fn keep_code(&mut self, code: &[u8]) -> PamResult<()> {
        let text = terminated(code);
        let text = CStr::from_bytes_with_nul(&text).map_err(|_| PamResultCode::PAM_BUF_ERR)?;
        // SAFETY: a C string that lives until this function ends.
        let item = unsafe { OldAuthTok::from_raw(text.as_ptr()) };
        self.0.set_item_str(item)
    }

    fn ask(&mut self, echo: Echo, prompt: &Line) -> PamResult<Option<Zeroizing<Vec<u8>>>> {
        let style = match echo {
            Echo::Off => PAM_PROMPT_ECHO_OFF,
            Echo::On => PAM_PROMPT_ECHO_ON,
        };
        self.converse(style, prompt)
    }

    fn show(&mut self, tone: Tone, text: &Line) {
        let style = match tone {
            Tone::Info => PAM_TEXT_INFO,
            Tone::Error => PAM_ERROR_MSG,
        };
        let _ = self.converse(style, text);
    }

    fn mark(&self) -> Option<&str> {
        // SAFETY: only `set_mark` stores under this name, and always a `Mark`.
        let mark = unsafe { self.0.get_data::<Mark>(MARK) };
        mark.ok()?.0.as_deref()
    }

    fn set_mark(&mut self, user: Option<String>) -> PamResult<()> {
        self.0.set_data(MARK, Box::new(Mark(user)))
    }

    fn log(&mut self, priority: Priority, text: &Line) {
        let Ok(text) = CString::new(text.as_str()) else { return };
        let priority = match priority {
            Priority::Alert => libc::LOG_ALERT,
            Priority::Error => libc::LOG_ERR,
            Priority::Notice => libc::LOG_NOTICE,
            Priority::Info => libc::LOG_INFO,
            Priority::Debug => libc::LOG_DEBUG,
        };
        // SAFETY: the handle is live, and the format is constant and takes exactly the one string that follows.
        unsafe { pam_syslog(self.0, priority, c"%s".as_ptr(), text.as_ptr()) };
    }
}

/// With a NUL at its end, and all of its room at once: a buffer that grows leaves copies behind.
fn terminated(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(secret.len().saturating_add(1)));
    text.extend_from_slice(secret);
    text.push(0);
    text
}

/// Keeps errno as the host had it: sudo prints it after PAM_SYSTEM_ERR.
pub(crate) struct SavedErrno(i32);

impl SavedErrno {
    /// Restores today's errno when dropped, after a panic too.
    pub(crate) fn new() -> Self {
        Self(Errno::last_raw())
    }
}

impl Drop for SavedErrno {
    fn drop(&mut self) {
        Errno::set_raw(self.0);
    }
}

/// Whom authenticate passed, for the account phase. Not a secret, and its end has no effect: su runs the cleanup
/// twice (once in a forked child), sshd's child never.
struct Mark(Option<String>);

const MARK: &str = "pam_otp:passed";

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_syslog(pamh: *const PamHandle, priority: c_int, format: *const c_char, ...);
    fn pam_getenv(pamh: *mut PamHandle, name: *const c_char) -> *const c_char;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_is_put_back_even_after_a_panic() {
        Errno::set_raw(libc::EXDEV);
        let _ = std::panic::catch_unwind(|| {
            let _errno = SavedErrno::new();
            Errno::set_raw(libc::ENOENT);
            panic!("on purpose");
        });
        assert_eq!(Errno::last_raw(), libc::EXDEV);
    }
}
