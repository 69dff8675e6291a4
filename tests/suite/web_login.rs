//! The login behind the web pages: `otpd-login` with the shipped stacks, on real libpam and the real daemon.

#[path = "web_login/limits.rs"]
mod limits;
#[path = "web_login/page.rs"]
mod page;
#[path = "web_login/process.rs"]
mod process;
#[path = "web_login/refusals.rs"]
mod refusals;
#[path = "web_login/signing_in.rs"]
mod signing_in;
