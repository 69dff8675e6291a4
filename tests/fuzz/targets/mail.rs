//! `org.otpd.Mail`: only otpd-mail gets anything, and only what was posted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_fuzz::Caller;
use otpd_fuzz::calls;

fuzz_target!(|data: &[u8]| {
    for call in calls("org.otpd.Mail", data) {
        let Some(reply) = call.send() else { continue };
        if reply.get("error").is_some() {
            continue;
        }
        assert!(call.caller == Caller::Mailer, "{:?}: {reply}", call.caller);
        assert!(reply["parameters"]["message"].is_null(), "nobody posted a mail: {reply}");
    }
});
