//! Reverse proxies, which are not installed: as packages they would serve this machine.

/// The path of nginx, as `tests/run.sh` unpacked it.
///
/// # Panics
/// The tests were not started by `tests/run.sh`.
#[must_use]
pub fn nginx() -> String {
    named("OTPD_TESTS_NGINX")
}

/// The path of Caddy, as `tests/run.sh` unpacked it.
///
/// # Panics
/// The tests were not started by `tests/run.sh`.
#[must_use]
pub fn caddy() -> String {
    named("OTPD_TESTS_CADDY")
}

#[expect(clippy::disallowed_methods, reason = "how tests/run.sh says where they are")]
fn named(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with tests/run.sh"))
}
