//! `org.otpd.Account`: a user gets nothing that is somebody else's.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_fuzz::Caller;
use otpd_fuzz::calls;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    for call in calls("org.otpd.Account", data) {
        let Some(reply) = call.send() else { continue };
        if reply.get("error").is_some() {
            continue;
        }
        assert!(matches!(call.caller, Caller::Root | Caller::User), "the other sockets have it not: {reply}");
        let parameters: Value =
            serde_json::from_slice(call.parameters).expect("what was answered could be read");
        let user = parameters["user"].as_str();
        assert!(call.caller == Caller::Root || user.is_none_or(|user| user == Caller::USER), "{reply}");
    }
});
