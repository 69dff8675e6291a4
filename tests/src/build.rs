//! The programs under test, built from the tree as it is.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where the built programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The daemon.
    pub otpd: PathBuf,
    /// The process that delivers mail.
    pub otpd_mail: PathBuf,
    /// The PAM application behind the web login.
    pub otpd_login: PathBuf,
    /// The account page.
    pub otpd_web: PathBuf,
    /// The command-line client.
    pub otpctl: PathBuf,
    /// The PAM module.
    pub pam_otp: PathBuf,
    /// What runs a stack for `otpctl test`.
    pub otpd_try: PathBuf,
    /// What stands in the place of its modules.
    pub witness: PathBuf,
}

impl Programs {
    /// Builds them, once in a test process: a stale program is never tested.
    ///
    /// # Panics
    /// They do not build.
    #[must_use]
    pub fn build() -> &'static Self {
        static PROGRAMS: OnceLock<Programs> = OnceLock::new();
        PROGRAMS.get_or_init(|| {
            let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
            let mut cargo = Command::new(env!("CARGO"));
            // What cargo says of the package under test would have ring, and all that needs it, built anew.
            for (name, _) in std::env::vars_os() {
                let word = name.to_string_lossy();
                if word.starts_with("CARGO_PKG_") || word.starts_with("CARGO_MANIFEST_") {
                    cargo.env_remove(&name);
                }
            }
            let built = cargo
                .args([
                    "build",
                    "--quiet",
                    "--locked",
                    "-p",
                    "otpd",
                    "-p",
                    "otpd-mail",
                    "-p",
                    "otpd-login",
                    "-p",
                    "otpd-web",
                    "-p",
                    "otpctl",
                    "-p",
                    "pam_otp",
                    "-p",
                    "otpd-try",
                ])
                .current_dir(workspace)
                .status()
                .expect("cargo runs");
            assert!(built.success(), "the programs under test do not build");
            let target = target_directory();
            Self {
                otpd: target.join("otpd"),
                otpd_mail: target.join("otpd-mail"),
                otpd_login: target.join("otpd-login"),
                otpd_web: target.join("otpd-web"),
                otpctl: target.join("otpctl"),
                pam_otp: target.join("libpam_otp.so"),
                otpd_try: target.join("otpd-try"),
                witness: target.join("libpam_otp_witness.so"),
            }
        })
    }
}

/// `target/debug`, from `target/debug/deps/this_test`.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(2).expect("a test lies in target/debug/deps").to_owned()
}
