//! What `otpd` and its callers agree on: the Varlink interfaces, their messages, framing, limits, and the
//! blocking client. The only crate that every other program of the project shares, `pam_otp.so` included, so it
//! must never pull in an async runtime, TLS, HTTP or SQLite.
//!
//! The `.varlink` files in `interface/` are the contract; the types here are tested against them.

#![forbid(unsafe_code)]

pub mod account;
pub mod admin;
pub mod client;
pub mod frame;
pub mod login;
pub mod mail;
pub mod message;
pub mod offline;
mod secret;
pub mod service;
pub mod session;
pub mod web;

pub use secret::Secret;

/// The directory of every socket, unless a configuration names another.
pub const RUNTIME_DIR: &str = "/run/otpd";

/// The socket of root's callers (PAM modules in sshd, sudo, login), mode 0600.
pub const LOGIN_SOCKET: &str = "login.sock";

/// The socket of everybody, for their own account.
pub const ACCOUNT_SOCKET: &str = "account.sock";

/// The socket of `otpd-mail`, which belongs to it, mode 0600.
pub const MAIL_SOCKET: &str = "mail.sock";

/// The socket of `otpd-web`, which belongs to it, mode 0600.
pub const WEB_SOCKET: &str = "web.sock";

/// The socket on which each connection of `otpd-web` gets an `otpd-login`, mode 0600.
pub const SESSION_SOCKET: &str = "session.sock";
