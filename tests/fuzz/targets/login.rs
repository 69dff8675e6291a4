//! `org.otpd.Login`: nobody gets in by a code here, since no device's key is known.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_fuzz::Caller;
use otpd_fuzz::calls;

fuzz_target!(|data: &[u8]| {
    for call in calls("org.otpd.Login", data) {
        let Some(reply) = call.send() else { continue };
        let step = &reply["parameters"]["step"];
        match step["next"].as_str() {
            Some("ask") => assert!(step["prompt"].as_str().is_some_and(|prompt| prompt.len() <= 511)),
            Some("refuse" | "locked") => assert!(call.method != "org.otpd.Login.Start"),
            // Nobody is required to have a device.
            Some("not_required") => assert!(call.caller != Caller::Root, "root has a socket of its own"),
            Some(other) => panic!("{}: {other}", call.method),
            None => assert!(reply["error"].is_string(), "{reply}"),
        }
    }
});
