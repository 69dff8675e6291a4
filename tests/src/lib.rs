//! What the end-to-end suites share: the built programs, a private copy of the system's user and PAM files, a daemon
//! on it, and codes computed by an independent program.
//!
//! Nothing here touches the host's /etc, /home or /run: everything happens in a mount namespace of its own, which is
//! gone when the test is, however it ends.

mod box_clock;
mod build;
mod caller;
mod daemon;
mod exim;
mod faults;
mod mailed_code;
pub mod manual;
mod outbox;
pub mod pam;
mod proxies;
mod python;
mod smtp_server;
mod testbed;
mod token;
mod vlock;
mod vsftpd;

pub use box_clock::BoxClock;
pub use build::Programs;
pub use caller::Caller;
pub use daemon::Daemon;
pub use exim::Exim;
pub use faults::Faults;
pub use mailed_code::mailed_code;
pub use outbox::Outbox;
pub use proxies::caddy;
pub use proxies::nginx;
pub use python::python;
pub use smtp_server::SmtpServer;
pub use smtp_server::make_certificates;
pub use testbed::Output;
pub use testbed::PASSWORD;
pub use testbed::Testbed;
pub use token::Token;
pub use vlock::vlock;
pub use vsftpd::vsftpd;
