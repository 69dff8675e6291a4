//! Codes are switched on and off by `otpctl pam`, on a real sshd: kept when a login proves them, taken back when none
//! does, and not even begun where they would keep people out. Nobody is ever locked out.

#[path = "switching/all.rs"]
mod all;
#[path = "switching/authselect.rs"]
mod authselect;
#[path = "switching/proof.rs"]
mod proof;
#[path = "switching/site.rs"]
mod site;
#[path = "logins/ssh.rs"]
#[expect(dead_code, reason = "shared with the suite of logins, which needs more of it")]
mod ssh;
#[path = "switching/stopped.rs"]
mod stopped;
#[path = "switching/taken_back.rs"]
mod taken_back;
#[path = "switching/tried.rs"]
mod tried;
