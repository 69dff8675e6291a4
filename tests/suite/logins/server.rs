//! Private servers of IMAP and FTP, and a client that gives one password.

use std::fs;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use otpd_tests::Output;
use otpd_tests::Testbed;

use crate::ssh::free_port;

/// A running server. Ended, with all of its processes, when dropped.
pub(crate) struct Server<'a> {
    bed: &'a Testbed,
    child: Child,
    protocol: &'static str,
    port: u16,
    log: String,
}

impl<'a> Server<'a> {
    /// dovecot, with one process for all that PAM does.
    pub(crate) fn dovecot(bed: &'a Testbed) -> Self {
        let (config, port, log) = (bed.path("dovecot.conf"), free_port(), bed.path("dovecot.log"));
        let text = format!(
            "protocols = imap\nlisten = 127.0.0.1\nbase_dir = /run/dovecot\nstate_dir = {state}\nlog_path = {log}\n\
             ssl = no\ndisable_plaintext_auth = no\nmail_location = maildir:~/Maildir\n\
             auth_worker_max_count = 1\nauth_failure_delay = 0\n\
             passdb {{\n driver = pam\n args = max_requests=1000 dovecot\n}}\nuserdb {{\n driver = passwd\n}}\n\
             service imap-login {{\n inet_listener imap {{\n  port = {port}\n }}\n\
             \x20inet_listener imaps {{\n  port = 0\n }}\n}}\n\
             service anvil {{\n unix_listener anvil-auth-penalty {{\n  mode = 0\n }}\n}}\n",
            state = bed.path("dovecot").display(),
            log = log.display(),
        );
        fs::write(&config, text).unwrap();
        let mut command = bed.command("dovecot");
        command.arg("-F").arg("-c").arg(config);
        Self::run(bed, command, "imap", port, log.to_str().unwrap())
    }

    /// vsftpd, which gives each of its processes 200 MB of address space.
    pub(crate) fn vsftpd(bed: &'a Testbed) -> Self {
        let (config, port, log) = (bed.path("vsftpd.conf"), free_port(), bed.path("vsftpd.log"));
        let empty = bed.path("empty");
        fs::create_dir_all(&empty).unwrap();
        let text = format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n\
             anonymous_enable=NO\nlocal_enable=YES\npam_service_name=vsftpd\nsecure_chroot_dir={empty}\n\
             vsftpd_log_file={log}\ndelay_failed_login=0\n",
            empty = empty.display(),
            log = log.display(),
        );
        fs::write(&config, text).unwrap();
        let mut command = bed.command(otpd_tests::vsftpd());
        command.arg(config);
        Self::run(bed, command, "ftp", port, log.to_str().unwrap())
    }

    /// proftpd without mod_sftp.
    pub(crate) fn proftpd(bed: &'a Testbed) -> Self {
        let (config, port, log) = (bed.path("proftpd.conf"), free_port(), bed.path("proftpd.log"));
        let text = format!(
            "ServerType standalone\nDefaultAddress 127.0.0.1\nSocketBindTight on\nUseIPv6 off\nPort {port}\n\
             User nobody\nGroup nogroup\nPidFile {pid}\nScoreboardFile {board}\nDelayTable none\nWtmpLog off\n\
             TransferLog none\nSystemLog {log}\nUseReverseDNS off\nRequireValidShell off\n\
             AuthPAMConfig proftpd\nAuthOrder mod_auth_pam.c* mod_auth_unix.c\n",
            pid = bed.path("proftpd.pid").display(),
            board = bed.path("proftpd.scoreboard").display(),
            log = log.display(),
        );
        fs::write(&config, text).unwrap();
        let mut command = bed.command("proftpd");
        command.arg("--nodaemon").arg("--config").arg(config).stderr(Stdio::null());
        Self::run(bed, command, "ftp", port, log.to_str().unwrap())
    }

    fn run(bed: &'a Testbed, mut command: Command, protocol: &'static str, port: u16, log: &str) -> Self {
        let child = command.spawn().unwrap();
        Self { bed, child, protocol, port, log: log.to_owned() }
    }

    /// The client, which stays logged in until the end of its standard input.
    pub(crate) fn client(&self, user: &str, password: &str) -> Command {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/one_password.py");
        let mut command = self.bed.command("python3");
        command.args([tool, self.protocol, &self.port.to_string(), user, password]);
        command
    }

    /// Logs in and out again. Whether that was possible.
    #[track_caller]
    pub(crate) fn lets_in(&self, user: &str, password: &str) -> bool {
        let output = self.client(user, password).output().unwrap();
        let output = Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let inside = output.stdout == "in\n";
        let log = || fs::read_to_string(&self.log);
        assert!(inside || output.stderr.contains("refused: "), "{output:?} {:?}", log());
        assert_eq!(inside, output.code == 0, "{output:?} {:?}", log());
        inside
    }

    /// The processes that it started and that these did.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(parent) = found.get(next) {
            let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
            found.extend(
                children.unwrap_or_default().split_whitespace().map(|pid| pid.parse::<u32>().unwrap()),
            );
            next += 1;
        }
        found
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // dovecot ends its processes when it is told to end, not when it is killed.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
