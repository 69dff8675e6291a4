//! This box's clock, as a daemon sees it: moved while it runs, by libfaketime. Phones keep the real time.

use std::fs;
use std::path::PathBuf;

use crate::Testbed;

/// The clock of a daemon.
pub struct BoxClock(PathBuf);

impl BoxClock {
    /// Starts the daemon of this system with a clock that is so many seconds ahead of the real time.
    ///
    /// # Panics
    /// libfaketime is not installed, or otpd does not start.
    #[must_use]
    pub fn start(bed: &mut Testbed, ahead: i64) -> Self {
        let clock = Self(bed.path("faketime"));
        clock.set(ahead);
        let preload = format!("LD_PRELOAD={}", library().display());
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.0.display());
        let monotonic = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"];
        bed.start_under(&["env", &preload, &file, "FAKETIME_NO_CACHE=1", monotonic[0], monotonic[1]]);
        clock
    }

    /// Sets it.
    pub fn set(&self, ahead: i64) {
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{ahead:+}")).and_then(|()| fs::rename(&new, &self.0)).expect("written");
    }
}

fn library() -> PathBuf {
    let all = fs::read_dir("/usr/lib").expect("/usr/lib").filter_map(Result::ok);
    let mut found = all.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.exists()).expect("libfaketime is installed")
}
