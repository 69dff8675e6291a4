//! A disk that takes nothing and a user database that fails or hangs, for a daemon, switched on and off while it runs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::Testbed;

/// The faults of a daemon.
pub struct Faults(PathBuf);

impl Faults {
    /// Starts the daemon of this system without any.
    ///
    /// # Panics
    /// There is no C compiler, or otpd does not start.
    #[must_use]
    pub fn start(bed: &mut Testbed) -> Self {
        let (library, file) = (bed.path("lib/faults.so"), bed.path("faults"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/faults.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
        assert!(compiled.expect("a C compiler").success(), "{source} does not compile");
        let faults = Self(file);
        faults.clear();
        let preload = format!("LD_PRELOAD={}", library.display());
        let told = format!("OTPD_FAULTS={}", faults.0.display());
        bed.start_under(&["env", &preload, &told]);
        faults
    }

    /// Nothing can be written to files: this errno.
    pub fn disk(&self, errno: i32) {
        self.set(&format!("disk {errno}"));
    }

    /// Users other than root cannot be looked up: this errno.
    pub fn users(&self, errno: i32) {
        self.set(&format!("users {errno}"));
    }

    /// There is no answer about users other than root.
    pub fn users_hang(&self) {
        self.set("users hang");
    }

    /// All is well.
    pub fn clear(&self) {
        self.set("none");
    }

    fn set(&self, text: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, text).and_then(|()| fs::rename(&new, &self.0)).expect("written");
    }
}
