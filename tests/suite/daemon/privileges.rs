//! What the running daemon could do if it were taken over: nothing that its user could not, and no core of it is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use otpd_tests::Daemon;
use otpd_tests::Testbed;

use crate::OTPD;
use crate::proc_of;
use crate::refusal;

/// The status of every thread, by field.
pub(crate) fn threads(daemon: &Daemon) -> Vec<BTreeMap<String, String>> {
    let status = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(field, value)| (field.to_owned(), value.trim().to_owned())).collect()
    };
    fs::read_dir(proc_of(daemon, "task")).unwrap().map(status).collect()
}

/// Asserts that no thread has more rights than the user otpd has.
pub(crate) fn assert_unprivileged(daemon: &Daemon) {
    let threads = threads(daemon);
    assert!(threads.len() > 36, "the workers do not run: {} threads", threads.len());
    let ids = [OTPD; 4].map(|id| id.to_string()).join("\t");
    for thread in threads {
        for (field, expected) in [("Uid", ids.as_str()), ("Gid", &ids), ("Groups", ""), ("NoNewPrivs", "1")] {
            assert_eq!(thread[field], expected, "{field} of {}", thread["Name"]);
        }
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(thread[set], "0000000000000000", "{set} of {}", thread["Name"]);
        }
    }
}

#[test]
fn every_thread_runs_as_otpd_and_can_gain_nothing() {
    let bed = Testbed::new();
    assert_unprivileged(bed.daemon());
}

#[test]
fn another_process_of_otpd_cannot_read_its_memory() {
    let bed = Testbed::new();
    let as_otpd = |program: &str, argument: &str| bed.run_as("otpd", program, &[argument]);
    as_otpd("cat", &proc_of(bed.daemon(), "status").display().to_string()).ok();
    for file in ["environ", "mem", "maps", "auxv", "fd/3", "stack"] {
        let path = proc_of(bed.daemon(), file).display().to_string();
        let output = as_otpd("cat", &path);
        assert_ne!(output.code, 0, "{file}: {output:?}");
        assert!(output.stderr.contains("denied") || output.stderr.contains("not permitted"), "{output:?}");
    }
}

#[test]
fn it_holds_only_its_sockets_its_registry_and_its_lock() {
    let mut bed = Testbed::without_daemon();
    // A syslog that is there: to one that is not, otpd makes a socket for each line, and is rid of it at once.
    let log = UnixDatagram::bind(bed.path("log")).unwrap();
    fs::set_permissions(bed.path("log"), fs::Permissions::from_mode(0o666)).unwrap();
    bed.configure("");
    bed.start();
    log.recv(&mut [0; 1024]).unwrap();
    bed.daemon().account("org.otpd.Admin.Doctor", &serde_json::json!({})).unwrap();
    let local = fs::read_to_string(proc_of(bed.daemon(), "net/unix")).unwrap();
    for entry in fs::read_dir(proc_of(bed.daemon(), "fd")).unwrap() {
        let path = entry.unwrap().path();
        let number: i32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let Ok(target) = fs::read_link(&path) else { continue };
        // The standard ones, and what the runner of this test leaked to all its children.
        let inherited = fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|ours| ours == target);
        if number <= 2 || inherited {
            continue;
        }
        let target = target.to_str().unwrap();
        let state = bed.path("state").display().to_string();
        let below = target.strip_prefix(&state).unwrap_or_default();
        let files = ["/lock", "/registry.db", "/registry.db-wal", "/registry.db-shm", "/ballast"];
        let file = files.contains(&below);
        let event = ["anon_inode:[eventpoll]", "anon_inode:[eventfd]"].contains(&target);
        let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        let socket = inode.is_some_and(|inode| local.contains(inode));
        assert!(file || event || socket, "descriptor {number} is {target}");
        // The ballast is open only while it is made.
        let info = fs::read_to_string(proc_of(bed.daemon(), "fdinfo").join(number.to_string()));
        let Ok(info) = info else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        let flags = i32::from_str_radix(flags, 8).unwrap();
        assert_ne!(flags & libc::O_CLOEXEC, 0, "descriptor {number}, {target}, would pass to a child");
    }
}

#[test]
fn it_refuses_to_run_as_root_by_any_name() {
    let mut bed = Testbed::without_daemon();
    bed.etc("passwd", "toor:x:0:0::/root:/bin/sh");
    for user in ["root", "toor"] {
        bed.configure(&format!("user = {user:?}"));
        let said = refusal(&mut bed);
        assert!(said.contains(&format!("the configured user {user:?} is root")), "{said}");
        assert!(said.contains("user = ..."), "{said}");
        assert!(!bed.path("state").exists());
    }
}

#[test]
fn it_refuses_a_user_that_does_not_exist_and_says_how_to_make_one() {
    let mut bed = Testbed::without_daemon();
    bed.configure("user = \"nobody-here\"");
    let said = refusal(&mut bed);
    assert!(said.contains("there is no user \"nobody-here\"") && said.contains("useradd --system"), "{said}");
    assert!(!bed.path("state").exists());
}
