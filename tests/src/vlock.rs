//! vlock, the screen locker, which as a package would be set-uid root.

/// The path of the program that locks, as `tests/run.sh` unpacked it.
///
/// # Panics
/// The tests were not started by `tests/run.sh`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how tests/run.sh says where it is")]
pub fn vlock() -> String {
    std::env::var("OTPD_TESTS_VLOCK").expect("OTPD_TESTS_VLOCK is not set: run the tests with tests/run.sh")
}
