//! Where the module must work, and whom it must not believe: callers that were stripped of what a process can have,
//! and servers of other people in otpd's place.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use otpd_tests::Testbed;
use serde_json::json;

use crate::programs::bed;

#[test]
fn a_caller_without_network_memory_privileges_or_a_disk_to_write_on_is_served() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    bed.stack("confined", "auth required @otp");
    let script = r#"
        mount -o remount,bind,ro / && ! touch /var/tmp/written 2>/dev/null || exit 9
        umask 077
        exec prlimit --as=209715200 setpriv --no-new-privs "$@""#;
    let unshare = ["unshare", "--mount", "--net", "sh", "-c", script, "sh"];
    let alice = ["--reuid", "alice", "--regid", "alice", "--init-groups"];
    for (as_user, code) in [(&[][..], phone.code(0)), (&alice, phone.code(1))] {
        let command = [&unshare[..], as_user, &["pamtester", "confined", "alice", "authenticate"]].concat();
        let output = bed.drive(&json!([{"One-time code.*: $": code}]), None, &command);
        assert!(output.stdout.contains("successfully authenticated"), "{as_user:?}: {output:?}");
    }
}

/// Whether a login of root's believes a server that listens as `uid` on a socket of root's in this directory, and
/// what the server was told.
fn believed(bed: &Testbed, directory: &str, uid: &str) -> (bool, String) {
    let socket = format!("{directory}/squatted-{uid}.sock");
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/squatter.py");
    let mut squatter = bed.command("python3");
    let mut squatter = squatter.args([tool, &socket, uid]).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(squatter.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n");
    bed.stack("squatted", &format!("auth requisite @otp socket={socket}\nauth required pam_permit.so"));
    let output = bed.run("pamtester", &["squatted", "alice", "authenticate"]);
    squatter.kill().unwrap();
    squatter.wait().unwrap();
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    (output.code == 0, rest)
}

#[test]
fn a_server_of_somebody_else_is_neither_told_nor_believed() {
    let bed = bed();
    let uid = "61000";
    let roots = bed.path("roots").to_str().unwrap().to_owned();
    bed.run("mkdir", &["-m", "755", &roots]).ok();
    let (believes, told) = believed(&bed, &roots, "0");
    assert!(believes && told.contains("org.otpd.Login.Start"), "{told}");
    let (believes, told) = believed(&bed, &roots, uid);
    assert!(!believes && !told.contains("alice"), "{told}");
    // A directory of the user's own.
    let home = bed.path("home/alice");
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (believes, told) = believed(&bed, "/home/alice", uid);
    assert!(!believes && !told.contains("alice"), "{told}");
}
