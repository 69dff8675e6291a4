//! Real programs ask for a code and accept it once: sshd, sudo, su, login, and a caller that is not root. Each with
//! the right code, a wrong one, the same again, locked, the daemon stopped, and for a user without protection.

#[path = "logins/network.rs"]
mod network;
#[path = "logins/programs.rs"]
mod programs;
#[path = "logins/ssh.rs"]
mod ssh;
#[path = "logins/sshd.rs"]
mod sshd;
