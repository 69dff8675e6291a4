//! vsftpd, which Debian does not install beside proftpd.

/// Its path, as `tests/run.sh` unpacked it.
///
/// # Panics
/// The tests were not started by `tests/run.sh`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how tests/run.sh says where it is")]
pub fn vsftpd() -> String {
    std::env::var("OTPD_TESTS_VSFTPD").expect("OTPD_TESTS_VSFTPD is not set: run the tests with tests/run.sh")
}
