//! The interpreter with the packages of independent clients (asyncssh, schemathesis, varlink).

/// Its path, as `tests/run.sh` made it.
///
/// # Panics
/// The tests were not started by `tests/run.sh`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how tests/run.sh says where it is")]
pub fn python() -> String {
    std::env::var("OTPD_TESTS_PYTHON").expect("OTPD_TESTS_PYTHON is not set: run the tests with tests/run.sh")
}
