//! `otpd-login`: the PAM application behind the web login. One process, as root, for one login of one person.
//!
//! `otpd-web` opens a connection and posts a user and a password; this asks libpam, relays what else the modules want to
//! know, and on success asks `otpd` for a ticket. It has no network, parses no HTTP, and ends with the login, with
//! the connection, or after 10 minutes, whatever a module does.

pub mod channel;
mod conversation;
mod libpam;
pub mod listen;
mod login;
pub mod process;
pub mod session;
mod slots;
mod text;
mod ticket;
mod verdict;
mod watch;

pub use login::serve;
