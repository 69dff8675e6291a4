//! A phone: computes codes with `oathtool`, which shares no code with us.

use std::process::Command;
use std::time::SystemTime;

/// A device's key, as a phone has it.
#[derive(Debug, Clone)]
pub struct Token {
    key: String,
    digits: u8,
}

impl Token {
    /// From base32; codes of six digits.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self { key: key.to_owned(), digits: 6 }
    }

    /// The same key with codes of another length.
    #[must_use]
    pub fn with_digits(self, digits: u8) -> Self {
        Self { digits, ..self }
    }

    /// The code of the step that is `steps` from now.
    ///
    /// # Panics
    /// oathtool is not installed.
    #[must_use]
    pub fn code(&self, steps: i64) -> String {
        self.code_at(now().saturating_add(steps.saturating_mul(30)))
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

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tests play the phone, which has a clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_secs()).expect("a clock of this era")
}
