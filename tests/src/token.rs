//! A phone: computes codes with `oathtool`, which shares no code with us.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// A device's key, as a phone has it.
#[derive(Debug, Clone)]
pub struct Token {
    key: String,
    digits: u8,
    /// When the code of a present step was last made.
    read: Arc<AtomicI64>,
}

impl Token {
    /// From base32; codes of six digits.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), digits: 6, read: Arc::default() }
    }

    /// Its key, in base32.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The same key with codes of another length.
    #[must_use]
    pub fn with_digits(self, digits: u8) -> Self {
        Self { digits, ..self }
    }

    /// The code of the step that is `steps` from now. If the step went by since `code(0)`, a later one counts from
    /// that: where it was accepted late, this phone is slow from then on.
    ///
    /// # Panics
    /// oathtool is not installed.
    #[must_use]
    pub fn code(&self, steps: i64) -> String {
        let now = now();
        let read = match steps {
            0 => {
                self.read.store(now, Ordering::Relaxed);
                now
            }
            1.. => self.read.load(Ordering::Relaxed),
            _ => now,
        };
        let from = if now / STEP - read / STEP == 1 { read } else { now };
        self.code_at(from.saturating_add(steps.saturating_mul(STEP)))
    }

    /// What `code(0)` said last, whatever step it is by now.
    ///
    /// # Panics
    /// oathtool is not installed.
    #[must_use]
    pub fn same_code(&self) -> String {
        self.code_at(self.read.load(Ordering::Relaxed))
    }

    /// The code at a moment.
    ///
    /// # Panics
    /// oathtool is not installed.
    #[must_use]
    pub fn code_at(&self, seconds: i64) -> String {
        let output = Command::new("oathtool")
            .args(["--totp", "--base32", &format!("--digits={}", self.digits)])
            .args([&format!("--now=@{seconds}"), &self.key])
            .output()
            .expect("oathtool is installed");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("digits").trim().to_owned()
    }
}

const STEP: i64 = 30;

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tests play the phone, which has a clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock of this era")
}
