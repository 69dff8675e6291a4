//! Real programs ask for a code and accept it once: sshd, sudo, su, login, doas, polkit, Cockpit, proftpd, and a caller
//! that is not root. Each with the right code, a wrong one, the same again, locked, the daemon stopped, and for a user
//! without protection. dovecot and vsftpd, which ask once, with all that password and code in one answer can be. Then
//! what is peculiar to one of them, or to a stack.

#[path = "logins/break_glass.rs"]
mod break_glass;
#[path = "logins/cockpit.rs"]
mod cockpit;
#[path = "logins/confined.rs"]
mod confined;
#[path = "logins/log.rs"]
mod log;
#[path = "logins/mailbox.rs"]
mod mailbox;
#[path = "logins/network.rs"]
mod network;
#[path = "logins/one_prompt.rs"]
mod one_prompt;
#[path = "logins/polkit.rs"]
mod polkit;
#[path = "logins/proftpd.rs"]
mod proftpd;
#[path = "logins/programs.rs"]
mod programs;
#[path = "logins/recipes.rs"]
mod recipes;
#[path = "logins/recovery.rs"]
mod recovery;
#[path = "logins/server.rs"]
mod server;
#[path = "logins/ssh.rs"]
mod ssh;
#[path = "logins/sshd.rs"]
mod sshd;
#[path = "logins/stacks.rs"]
mod stacks;
#[path = "logins/sudo.rs"]
mod sudo;
#[path = "logins/tokens.rs"]
mod tokens;
