//! What is left of the system for this process: files it reads again, sockets that lead to programs of this box, and the
//! system calls of a server. Taken over, it can ask `otpd` what any browser could, and lie to the browsers that come.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreatedAttr;
use landlock::RulesetStatus;
use landlock::Scope;
use landlock::path_beneath_rules;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;

use crate::config::Config;

/// Shuts this thread in, and those that it starts.
///
/// # Errors
/// The kernel has it and refuses. A kernel without Landlock is logged, and the unit's walls are what there is then.
pub fn enter(config: &Config, path: &Path) -> anyhow::Result<()> {
    restrict_files(config, path).context("Landlock")?;
    seccompiler::apply_filter(&filter()?).context("seccomp")
}

/// Reading what may be read again; no TCP of its own, the doors being open; no signals and no abstract sockets of others.
fn restrict_files(config: &Config, path: &Path) -> anyhow::Result<()> {
    let named = [path, &config.tls.certificate, &config.tls.key];
    // Directories, since a new certificate comes by rename.
    let directories = named.iter().filter_map(|path| path.parent()).map(Path::to_owned);
    let zones = ["/etc/localtime", "/usr/share/zoneinfo"].map(PathBuf::from);
    let readable: Vec<PathBuf> = directories.chain(zones).filter(|path| path.is_absolute()).collect();
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(FILES))?
        .handle_access(AccessNet::from_all(FILES))?
        .scope(Scope::from_all(SCOPES))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::ReadFile | AccessFs::ReadDir))?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        log::warn!("this kernel has no Landlock; otpd-web runs without it");
    }
    Ok(())
}

/// Everything else is EPERM, which shows in a log, and not the end of the process.
fn filter() -> anyhow::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // To otpd, to systemd, and for signals: no network of its own.
    let unix = condition(0, SeccompCmpOp::Eq, libc::AF_UNIX)?;
    rules.insert(libc::SYS_socket, vec![SeccompRule::new(vec![unix.clone()])?]);
    rules.insert(libc::SYS_socketpair, vec![SeccompRule::new(vec![unix])?]);
    // No code but that of the program.
    let executable = u64::try_from(libc::PROT_EXEC)?;
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let data = condition(2, SeccompCmpOp::MaskedEq(executable), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![data])?]);
    }
    let refuse = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

fn condition(argument: u8, how: SeccompCmpOp, value: i32) -> anyhow::Result<SeccompCondition> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, u64::try_from(value)?)?)
}

/// Landlock as of Linux 6.10; older kernels do what they know of it.
const FILES: ABI = ABI::V5;
const SCOPES: ABI = ABI::V6;

/// What tokio, hyper, rustls, std and glibc call while this process serves.
const CALLS: &[i64] = &[
    libc::SYS_accept4,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_connect,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpeername,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_prctl,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::TcpListener;
    use std::net::TcpStream;
    use std::os::unix::net::UnixListener;
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    #[test]
    fn what_is_left_is_what_a_server_needs() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.toml");
        std::fs::write(&path, "").unwrap();
        let socket = directory.path().join("otpd.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        // Sandboxes are of threads: the test's own stays free.
        let shut_in = std::thread::spawn(move || {
            enter(&Config::default(), &path).unwrap();
            assert!(std::fs::read(&path).is_ok(), "the configuration");
            assert!(UnixStream::connect(&socket).is_ok(), "otpd");
            std::thread::spawn(|| assert!(getrandom::u64().is_ok())).join().unwrap();
            let refused = [
                ("a file of the system", std::fs::read("/etc/passwd").err()),
                ("a new file", std::fs::write(path.with_extension("new"), "").err()),
                ("the network", TcpStream::connect(somebody).err()),
                ("another door", TcpListener::bind("127.0.0.1:0").err()),
                ("a program", Command::new("/bin/true").status().err()),
            ];
            for (what, error) in refused {
                let error = error.unwrap_or_else(|| panic!("{what} is within reach"));
                assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
            }
        });
        shut_in.join().unwrap();
    }
}
