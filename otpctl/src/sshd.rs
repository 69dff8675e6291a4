//! sshd's configuration as files: read as sshd reads it, and judged by whether its logins can be asked for a code, or
//! can do without. Nothing here runs sshd.

pub(crate) mod config;
pub(crate) mod judge;
