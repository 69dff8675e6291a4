//! `org.otpd.Web`: without a ticket there is nothing, and with one only what is its holder's. TICKET in a seed is one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_fuzz::Call;
use otpd_fuzz::Caller;
use otpd_fuzz::calls;
use otpd_fuzz::send;

fuzz_target!(|data: &[u8]| {
    let ticket = sign_in();
    for call in calls("org.otpd.Web", data) {
        let parameters = String::from_utf8_lossy(call.parameters).replace("TICKET", &ticket);
        let call = Call { caller: Caller::Web, method: call.method, parameters: parameters.as_bytes() };
        let Some(reply) = call.send() else { continue };
        if reply.get("error").is_some() {
            continue;
        }
        assert!(parameters.contains(&ticket), "{reply}");
        let result = &reply["parameters"];
        for user in [&result["user"], &result["parameters"]["user"]] {
            assert!(user.is_null() || user == Caller::USER, "{reply}");
        }
        assert!(result["parameters"]["accounts"].is_null(), "not an administrator: {reply}");
    }
});

/// The user's ticket.
fn sign_in() -> String {
    let login = format!(r#"{{"user":"{}","service":"otpd-web"}}"#, Caller::USER);
    let call = format!(r#"{{"method":"org.otpd.Login.IssueTicket","parameters":{{"login":{login}}}}}"#);
    let reply = send(Caller::Login, call.as_bytes()).expect("a reply");
    reply["parameters"]["ticket"].as_str().unwrap_or("TICKET").to_owned()
}
