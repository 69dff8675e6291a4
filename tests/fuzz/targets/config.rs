//! The configuration: what is accepted keeps its limits, and no key that nobody knows is passed over.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd::config::Config;

fuzz_target!(|text: &str| {
    let Ok(config) = Config::parse(text) else { return };
    let limits = &config.limits;
    assert!((1..=256).contains(&limits.login_workers) && (1..=64).contains(&limits.account_workers));
    assert!((16..=16_384).contains(&limits.connections) && (1..=1024).contains(&limits.connections_per_user));
    assert!((1..=60_000).contains(&limits.calls_per_minute));
    assert!((1..=36_500).contains(&config.audit.keep_days) && config.policy.grace_days <= 3650);
    let paths = &config.paths;
    assert!([&paths.state, &paths.runtime, &paths.syslog].iter().all(|path| path.is_absolute()));
    assert!(config.key().is_absolute() && config.registry().is_absolute());
    assert!(config.issuer.chars().count() <= 32 && !config.issuer.contains(':') && !config.user.is_empty());
    // The same, with a table more.
    assert!(Config::parse(&format!("{text}\n[of-no-use]\n")).is_err());
});
