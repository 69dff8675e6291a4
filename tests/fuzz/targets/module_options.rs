//! The words of the module's line in a service file: what is accepted keeps its limits and means the same in any order.

#![no_main]

use std::ffi::CStr;
use std::ffi::CString;
use std::path::Path;

use libfuzzer_sys::fuzz_target;

use options::FirstPass;
use options::ForwardPass;
use options::Options;
use options::Unavailable;

// The module is a C library, so its parts are taken one by one.
#[path = "../../../pam_otp/src/line.rs"]
mod line;
#[path = "../../../pam_otp/src/options.rs"]
mod options;

fuzz_target!(|data: &[u8]| {
    let words: Vec<CString> =
        data.split(|byte| *byte == 0).take(16).map(|word| CString::new(word).expect("no NUL")).collect();
    let mut words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    let default = Path::new("/run/otpd/login.sock");
    let parsed = Options::parse(&words, default);
    words.reverse();
    let reversed = Options::parse(&words, default);
    assert_eq!(parsed.is_ok(), reversed.is_ok());
    match parsed {
        Ok(options) => {
            assert_eq!(Ok(&options), reversed.as_ref());
            check(&options, default);
        }
        Err(error) => assert!(!line::Line::new(&error.to_string()).as_str().contains(char::is_control)),
    }
});

fn check(options: &Options, default: &Path) {
    assert!((1..=30).contains(&options.timeout.as_secs()) && options.timeout.subsec_nanos() == 0);
    assert!(options.socket.is_absolute() && options.socket.as_os_str().len() <= 107);
    let prompt = options.prompt.as_ref().map(|prompt| prompt.as_str());
    assert!(prompt.is_none_or(|prompt| (1..=200).contains(&prompt.len()) && prompt.is_ascii()));
    // Written out and read again.
    let unavailable = if options.unavailable == Unavailable::Ignore { "ignore" } else { "deny" };
    let mut words = vec![
        format!("socket={}", options.socket.display()),
        format!("timeout={}", options.timeout.as_secs()),
        format!("unavailable={unavailable}"),
    ];
    words.extend(prompt.map(|prompt| format!("prompt={prompt}")));
    words.extend(match options.first_pass {
        FirstPass::Ignored => None,
        FirstPass::Used => Some("use_first_pass".to_owned()),
        FirstPass::Tried => Some("try_first_pass".to_owned()),
    });
    words.extend(match options.forward_pass {
        ForwardPass::Off => None,
        ForwardPass::Checked => Some("forward_pass".to_owned()),
        ForwardPass::Unchecked => Some("forward_pass=unchecked".to_owned()),
    });
    words.extend(options.debug.then(|| "debug".to_owned()));
    let words: Vec<CString> = words.into_iter().map(|word| CString::new(word).expect("no NUL")).collect();
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    assert_eq!(Options::parse(&words, default).as_ref(), Ok(options));
}
