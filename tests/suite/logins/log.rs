//! What the module tells the system's log, in the name of the program it runs in.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::programs::bed;

/// A /dev with a log of the test's own.
const DEVICES: &str = r#"
    set -e
    mkdir "$1/dev"
    mount -t tmpfs -o mode=755 tmpfs "$1/dev"
    cp -a /dev/null /dev/zero /dev/random /dev/urandom /dev/tty "$1/dev"
    ln -s "$1/devlog" "$1/dev/log"
    mount --bind "$1/dev" /dev"#;

#[test]
fn a_typo_is_an_error_and_an_unchecked_login_an_alert() {
    let mut bed = bed();
    bed.bind("alice", "phone");
    let log = UnixDatagram::bind(bed.path("devlog")).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    bed.run("sh", &["-c", DEVICES, "sh", bed.path("").to_str().unwrap()]).ok();
    let line = || {
        let mut buffer = [0; 2048];
        let length = log.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    bed.stack("typo", "auth required @otp nulok\nauth required pam_permit.so");
    assert_eq!(bed.run("pamtester", &["typo", "alice", "authenticate"]).code, 1);
    let said = line();
    // LOG_AUTHPRIV and LOG_ERR, then LOG_ALERT.
    assert!(
        said.starts_with("<83>") && said.contains(" pamtester: pam_otp(typo:auth): unknown option"),
        "{said}"
    );
    bed.take_daemon().stop();
    bed.stack("open", "auth required @otp unavailable=ignore\nauth required pam_permit.so");
    bed.run("pamtester", &["open", "alice", "authenticate"]).ok();
    let said = line();
    assert!(
        said.starts_with("<81>") && said.contains("pam_otp(open:auth): LET THROUGH WITHOUT A CODE"),
        "{said}"
    );
}
