//! What otpd says of itself, read by somebody else's Varlink client: Python's `varlink`.

use otpd_tests::Testbed;
use otpd_tests::python;
use serde_json::Value;

#[test]
fn another_varlink_client_reads_calls_and_checks_every_interface() {
    let mut bed = Testbed::without_daemon();
    bed.user("alice");
    bed.user("bob");
    bed.configure("[policy]\nrequire_groups = [\"bob\"]\n");
    bed.start();
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/introspect.py");
    let socket = |name| format!("unix:{}/{name}", otpd_proto::RUNTIME_DIR);
    let (account, login) = (socket(otpd_proto::ACCOUNT_SOCKET), socket(otpd_proto::LOGIN_SOCKET));
    let output = bed.run(&python(), &[tool, &account, &login, "alice", "bob"]).ok();
    let seen = output.json();
    // What is served while otpd is stopped, is on no socket; otpctl calls it in the suite `backup`. Sessions are otpd-login's.
    let elsewhere = [otpd_proto::offline::INTERFACE, otpd_proto::session::INTERFACE];
    let on_sockets = |(name, _): &&(&str, &str)| !elsewhere.contains(name);
    for (name, text) in otpd_proto::service::DESCRIPTIONS.iter().filter(on_sockets) {
        assert_eq!(seen["described"][*name], *text, "{name} is not described as in its file");
        let declared: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("method ")?.split('(').next()).collect();
        let called = &seen["called"][*name];
        for method in declared {
            let found = called.as_array().is_some_and(|called| called.contains(&Value::from(method)));
            assert!(found, "{name}.{method} was not called: {called}");
        }
    }
}
