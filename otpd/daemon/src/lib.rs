//! What `otpd`, `otpd-mail`, `otpd-web` and `otpd-login` do alike as they start: read files that are root's to write,
//! become a user of their own, log to stderr. No protocol, no network, no thread. Not for `pam_otp`, which does none of it.

#![forbid(unsafe_code)]

pub mod privileges;
mod stderr_log;
pub mod trusted;

pub use stderr_log::StderrLog;
