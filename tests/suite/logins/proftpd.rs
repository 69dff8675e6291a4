//! proftpd's mod_sftp: keyboard-interactive like sshd's.

use std::fs;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;

use crate::programs::STACK;
use crate::programs::Try;
use crate::programs::bed;
use crate::programs::six_cases;
use crate::ssh::Sshd;
use crate::ssh::free_port;

/// Starts it on loopback, with its files in the private system.
fn start(bed: &Testbed) -> Sshd<'_> {
    let (key, config, port) = (bed.path("proftpd.key"), bed.path("proftpd.conf"), free_port());
    if !key.exists() {
        let path = key.to_str().unwrap();
        bed.run("ssh-keygen", &["-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-f", path]).ok();
    }
    let text = format!(
        "ServerType standalone\nDefaultAddress 127.0.0.1\nSocketBindTight on\nUseIPv6 off\nPort {port}\n\
         User nobody\nGroup nogroup\nPidFile {pid}\nScoreboardFile {board}\nDelayTable none\nWtmpLog off\n\
         TransferLog none\nSystemLog none\nUseReverseDNS off\nModulePath /usr/lib/proftpd\n\
         LoadModule mod_sftp.c\nLoadModule mod_sftp_pam.c\nAuthOrder mod_auth_pam.c* mod_auth_unix.c\n\
         SFTPEngine on\nSFTPHostKey {key}\nSFTPAuthMethods keyboard-interactive\n\
         SFTPPAMEngine on\nSFTPPAMServiceName proftpd\nSFTPPAMOptions NoTTY\n",
        pid = bed.path("proftpd.pid").display(),
        board = bed.path("proftpd.scoreboard").display(),
        key = key.display(),
    );
    fs::write(&config, text).unwrap();
    let mut command = bed.command("proftpd");
    command.arg("--nodaemon").arg("--config").arg(config);
    Sshd::run(bed, command, port, "STARTUP")
}

#[test]
fn proftpds_sftp_asks_and_accepts_once() {
    let mut bed = bed();
    bed.stack("proftpd", STACK);
    let login = |bed: &Testbed, user: &str, code: Option<&str>| {
        let answers: Vec<&str> = std::iter::once(PASSWORD).chain(code).collect();
        let output = start(bed).sftp(user, &answers, "pwd\n");
        Try { inside: output.stdout.contains(&format!("/home/{user}")), text: output.stderr }
    };
    six_cases(&mut bed, &login);
}
