//! Whole messages at both sockets: no Varlink is no reply, and all else is answered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_fuzz::Caller;
use otpd_fuzz::send;

fuzz_target!(|input: (u8, &[u8])| {
    let (caller, message) = input;
    let reply = send(Caller::of(caller), message);
    let call: Option<serde_json::Value> =
        serde_json::from_slice(message).ok().filter(serde_json::Value::is_object);
    assert!(reply.is_none() || call.is_some(), "an answer to what is no call");
});
