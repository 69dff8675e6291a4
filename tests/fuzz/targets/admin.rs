//! `org.otpd.Admin`: an ordinary user gets nothing at all; lists stay within their limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_fuzz::Caller;
use otpd_fuzz::calls;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    for call in calls("org.otpd.Admin", data) {
        let Some(reply) = call.send() else { continue };
        if reply.get("error").is_some() {
            continue;
        }
        assert!(call.caller == Caller::Root, "{:?}: {reply}", call.caller);
        for (list, most) in [("events", 200), ("accounts", 100), ("problems", 100)] {
            let entries = reply["parameters"][list].as_array().map_or(0, Vec::len);
            assert!(entries <= most, "{list}: {entries}");
        }
        if call.method == "org.otpd.Admin.VerifyAudit" && has_no_walk(call.parameters) {
            assert_eq!(reply["parameters"]["flaws"], Value::Array(Vec::new()), "the log is whole");
        }
    }
});

/// Whether a check begins, with nothing to look for.
fn has_no_walk(parameters: &[u8]) -> bool {
    let parameters: Value = serde_json::from_slice(parameters).unwrap_or_default();
    parameters["walk"].is_null() && parameters["known"].is_null()
}
