//! A private directory with the module, a service file that names it, and a place for otpd's socket.

use std::ffi::c_int;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::built;
use crate::libpam::Application;
use crate::libpam::Reply;

/// What a stack of ours ends with if the module said PAM_IGNORE: the next module's code (PAM_CRED_UNAVAIL in auth,
/// PAM_ACCT_EXPIRED in account), since libpam never returns PAM_IGNORE itself.
pub(crate) const IGNORED: c_int = 15;
pub(crate) const ACCOUNT_IGNORED: c_int = 13;

/// The directory.
pub(crate) struct Stage {
    directory: TempDir,
}

impl Stage {
    /// A stack in which each code of the module comes out unchanged, and PAM_IGNORE as [`IGNORED`].
    pub(crate) fn new(options: &str) -> Self {
        let stage = Self::empty(built::module());
        stage.write_service(options);
        stage
    }

    /// The same with the module that can panic.
    pub(crate) fn panicking(options: &str) -> Self {
        let stage = Self::empty(built::panicking_module());
        stage.write_service(options);
        stage
    }

    /// A module before ours asks for a password and leaves it in PAM_AUTHTOK.
    pub(crate) fn after_password(options: &str) -> Self {
        let stage = Self::empty(built::module());
        let line = stage.line(options);
        stage.write(&format!(
            "auth required pam_exec.so quiet expose_authtok /bin/cat\nauth required {line}\n"
        ));
        stage
    }

    /// The same with a program after ours, which is given PAM_AUTHTOK and writes it to [`Self::overheard`].
    pub(crate) fn overhearing(self) -> Self {
        let listen = format!(
            "auth required pam_exec.so quiet expose_authtok /usr/bin/tee {}\n",
            self.overheard().display()
        );
        let service = fs::read_to_string(self.services().join("otp")).unwrap();
        self.write(&(service + &listen));
        self
    }

    /// What the program after ours was given.
    pub(crate) fn overheard(&self) -> PathBuf {
        self.directory.path().join("overheard")
    }

    /// The module alone, `required`.
    pub(crate) fn alone(options: &str) -> Self {
        let stage = Self::empty(built::module());
        stage.write(&format!("auth required {}\n", stage.line(options)));
        stage
    }

    /// A line that splits password and code, a program that is given the password and writes it to
    /// [`Self::overheard`], and a line that has the code judged.
    pub(crate) fn around_a_password() -> Self {
        let before = Self::alone("forward_pass=unchecked").overhearing();
        before.then("use_first_pass")
    }

    /// The same without the program, which keeps copies of its own.
    pub(crate) fn around_nothing() -> Self {
        Self::alone("forward_pass=unchecked").then("use_first_pass")
    }

    /// One more line of ours.
    fn then(self, options: &str) -> Self {
        let service = fs::read_to_string(self.services().join("otp")).unwrap();
        self.write(&format!("{service}auth required {}\n", self.line(options)));
        self
    }

    pub(crate) fn login(&self, user: &str, replies: impl IntoIterator<Item = Reply>) -> Application {
        Application::start(&self.services(), user, replies)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join("login.sock")
    }

    /// The socket's directory.
    pub(crate) fn run(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    /// A copy, so that the path tells whether this test's module is loaded.
    pub(crate) fn module(&self) -> PathBuf {
        self.directory.path().join("libpam_otp.so")
    }

    fn empty(module: &Path) -> Self {
        let stage = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(stage.run()).unwrap();
        fs::create_dir(stage.services()).unwrap();
        fs::copy(module, stage.module()).unwrap();
        stage
    }

    /// Where its service files are.
    pub(crate) fn services(&self) -> PathBuf {
        self.directory.path().join("services")
    }

    fn line(&self, options: &str) -> String {
        format!("{} socket={} {options}", self.module().display(), self.socket().display())
    }

    fn write_service(&self, options: &str) {
        let line = self.line(options);
        let control = "[success=done ignore=ignore default=die]";
        self.write(&format!(
            "auth {control} {line}\nauth [default=die] pam_debug.so auth=cred_unavail\n\
             account {control} {line}\naccount [default=die] pam_debug.so acct=acct_expired\n"
        ));
    }

    fn write(&self, service: &str) {
        fs::write(self.services().join("otp"), service).unwrap();
    }
}
