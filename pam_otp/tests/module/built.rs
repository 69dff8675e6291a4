//! Builds the module in a target directory of its own: in the shared one, another build with other features writes
//! to the same file.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The module as it is installed, but for the profile.
pub(crate) fn module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| build("plain", &[]))
}

/// The module that panics if its line says `panic`.
pub(crate) fn panicking_module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| build("panic-probe", &["--features", "panic-probe"]))
}

fn build(name: &str, features: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--lib",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .arg("--target-dir")
        .arg(&target)
        .args(features)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    target.join("debug/libpam_otp.so")
}
