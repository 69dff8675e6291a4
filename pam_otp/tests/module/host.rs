//! What the module may do to the program it runs in: nothing. Where a whole process must be watched, or is changed,
//! the test runs again as a process of its own.

#![expect(unsafe_code, reason = "sets a signal's action and closes the standard descriptors")]

use std::ffi::CString;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use nix::fcntl::FcntlArg;
use nix::sys::signal::SigHandler;
use nix::sys::signal::Signal;

use crate::built;
use crate::libpam::ABORT;
use crate::libpam::AUTH_ERR;
use crate::libpam::AUTHINFO_UNAVAIL;
use crate::libpam::PERM_DENIED;
use crate::libpam::Reply;
use crate::libpam::SUCCESS;
use crate::otpd::Otpd;
use crate::otpd::accept;
use crate::otpd::ask;
use crate::otpd::refuse;
use crate::stage::Stage;

const RIGHT: Reply = Reply::Types(b"123456");
const WRONG: Reply = Reply::Types(b"000000");

/// An otpd that knows one code.
fn knowing_one_code(stage: &Stage) -> Otpd {
    Otpd::serving(&stage.socket(), |_, call| match call["parameters"]["answer"].as_str() {
        None => ask(),
        Some("123456") => accept(),
        Some(_) => refuse(),
    })
}

/// Runs a test of this file in a process of its own, which must succeed and leave stderr empty: what it does to its
/// signals, descriptors and memory would disturb the others.
#[expect(clippy::disallowed_methods, reason = "how a test knows that it is alone")]
fn in_own_process(test: &str, alone: impl FnOnce()) {
    if std::env::var("PAM_OTP_TEST_ALONE").is_ok() {
        return alone();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("host::{test}"), "--exact", "--nocapture"])
        .stdin(Stdio::null())
        .env("RUST_BACKTRACE", "full")
        .env("PAM_OTP_TEST_ALONE", "yes")
        // One heap, so that mallinfo2 knows all of it.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{printed}\n{complained}", output.status);
    assert!(printed.contains("1 passed"), "{printed}");
    assert_eq!(complained, "");
}

#[test]
fn a_panic_is_pam_abort_and_prints_nothing() {
    in_own_process("a_panic_is_pam_abort_and_prints_nothing", panic_twice);
}

fn panic_twice() {
    let stage = Stage::panicking("panic");
    let file = tempfile::tempfile().unwrap();
    let stdout = nix::unistd::dup(std::io::stdout()).unwrap();
    let stderr = nix::unistd::dup(std::io::stderr()).unwrap();
    nix::unistd::dup2_stdout(&file).unwrap();
    nix::unistd::dup2_stderr(&file).unwrap();
    let mut login = stage.login("alice", []);
    let codes = [login.authenticate(0), login.account(), login.authenticate(0)];
    drop(login);
    nix::unistd::dup2_stdout(stdout).unwrap();
    nix::unistd::dup2_stderr(stderr).unwrap();
    assert_eq!(codes, [ABORT; 3]);
    assert_eq!(file.metadata().unwrap().len(), 0);
}

#[test]
fn a_module_that_can_panic_works_without_the_option() {
    let stage = Stage::panicking("");
    let otpd = knowing_one_code(&stage);
    assert_eq!(stage.login("alice", [RIGHT]).authenticate(0), SUCCESS);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn errno_is_as_it_was() {
    let stage = Stage::new("");
    let option = CString::new(format!("socket={}", stage.socket().display())).unwrap();
    let mut login = stage.login("alice", []);
    let unreachable = login.account_directly(&stage.module(), &option, libc::EXDEV);
    assert_eq!(unreachable, (AUTHINFO_UNAVAIL, libc::EXDEV));
    let otpd = Otpd::new(&stage.socket(), [refuse()]);
    assert_eq!(login.account_directly(&stage.module(), &option, libc::EXDEV), (PERM_DENIED, libc::EXDEV));
    assert_eq!(otpd.methods(), ["Account"]);
}

#[test]
fn closed_standard_descriptors_stay_free_for_the_host() {
    in_own_process("closed_standard_descriptors_stay_free_for_the_host", login_with_closed_descriptors);
}

fn login_with_closed_descriptors() {
    let stage = Stage::new("");
    let found = Arc::new(Mutex::new(Vec::new()));
    let otpd = Otpd::serving(&stage.socket(), {
        let found = Arc::clone(&found);
        move |stream, call| {
            let others = (0..3).filter(|number| *number != stream.as_raw_fd());
            found
                .lock()
                .unwrap()
                .extend(others.filter_map(|number| fs::read_link(format!("/proc/self/fd/{number}")).ok()));
            if call["parameters"]["answer"].is_null() { ask() } else { accept() }
        }
    });
    let kept =
        [0, 1, 2].map(|number| nix::fcntl::fcntl(standard(number), FcntlArg::F_DUPFD_CLOEXEC(10)).unwrap());
    (0..3).for_each(|number| nix::unistd::close(number).unwrap());
    let code = stage.login("alice", [RIGHT]).authenticate(0);
    let methods = otpd.methods();
    for (number, kept) in (0..3).zip(kept) {
        // SAFETY: plain descriptors, both this process's own.
        assert_eq!(unsafe { libc::dup2(kept, number) }, number);
    }
    assert_eq!(code, SUCCESS);
    assert_eq!(methods, ["Start", "Answer"]);
    assert_eq!(*found.lock().unwrap(), [] as [std::path::PathBuf; 0]);
}

fn standard(number: i32) -> BorrowedFd<'static> {
    // SAFETY: open since the process began, and closed by nobody but the caller, later.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Whether the module's write meets a closed connection is a race, so it is tried often.
#[test]
fn a_daemon_that_hangs_up_raises_no_sigpipe() {
    in_own_process("a_daemon_that_hangs_up_raises_no_sigpipe", meet_closed_connections);
}

fn meet_closed_connections() {
    // SAFETY: the default action, which su and screen lockers have.
    unsafe { nix::sys::signal::signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    let stage = Stage::new("");
    let listener = UnixListener::bind(stage.socket()).unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let mut login = stage.login("alice", []);
    for _ in 0..300 {
        assert_eq!(login.authenticate(0), AUTHINFO_UNAVAIL);
    }
}

#[test]
fn threads_with_two_handles_each_do_not_meet() {
    let stage = Stage::new("");
    let otpd = knowing_one_code(&stage);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut right = stage.login("alice", [RIGHT]);
                    let mut wrong = stage.login("bob", [WRONG, WRONG]);
                    assert_eq!(wrong.authenticate(0), AUTH_ERR);
                    assert_eq!(right.authenticate(0), SUCCESS);
                    assert_eq!(wrong.authenticate(0), AUTH_ERR);
                    assert_eq!(right.account(), SUCCESS);
                }
            });
        }
    });
    assert_eq!(otpd.finish().len(), 4 * 20 * 6);
}

#[test]
fn two_thousand_logins_leave_nothing_behind() {
    in_own_process("two_thousand_logins_leave_nothing_behind", log_in_two_thousand_times);
}

#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
fn log_in_two_thousand_times() {
    let stage = Stage::new("");
    answer_forgetfully(&stage);
    let mut logins = 0;
    let mut run = |until| {
        while logins < until {
            let reply = if logins % 2 == 0 { RIGHT } else { WRONG };
            let code = if logins % 2 == 0 { SUCCESS } else { AUTH_ERR };
            assert_eq!(stage.login("alice", [reply]).authenticate(0), code);
            logins += 1;
        }
    };
    run(200);
    let before = (descriptors(), allocated(), resident_kib());
    run(2_000);
    let after = (descriptors(), allocated(), resident_kib());
    assert_eq!(before.0, after.0);
    // The other thread may be closing its last connection: less than nine bytes a login.
    assert!(after.1 < before.1 + 16 * 1024, "{before:?} {after:?} bytes");
    assert!(after.2 < before.2 + 512, "{before:?} {after:?} KiB");
}

/// Like [`knowing_one_code`], but keeps no record of the calls, which would grow.
fn answer_forgetfully(stage: &Stage) {
    let listener = UnixListener::bind(stage.socket()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut call = Vec::new();
            stream.read_until(0, &mut call).unwrap();
            let holds = |text: &[u8]| call.windows(text.len()).any(|window| window == text);
            let reply: &[u8] = if !holds(b"answer") {
                b"{\"parameters\":{\"step\":{\"next\":\"ask\",\"prompt\":\"Code: \",\"echo\":false}}}\0"
            } else if holds(b"123456") {
                b"{\"parameters\":{\"step\":{\"next\":\"accept\",\"device\":\"phone\"}}}\0"
            } else {
                b"{\"parameters\":{\"step\":{\"next\":\"refuse\",\"say\":\"Wrong code.\"}}}\0"
            };
            stream.get_mut().write_all(reply).unwrap();
        }
    });
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Bytes.
fn allocated() -> usize {
    // SAFETY: has no conditions.
    unsafe { libc::mallinfo2() }.uordblks
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_program_started_during_a_call_inherits_no_socket_cve_2019_12210() {
    let stage = Stage::new("");
    let otpd = Otpd::serving(&stage.socket(), |_, _| {
        let listing = Command::new("ls")
            .args(["-l", "/proc/self/fd"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let listing = String::from_utf8(listing.unwrap().stdout).unwrap();
        assert!(listing.contains("/dev/null") && !listing.contains("socket:"), "{listing}");
        refuse()
    });
    assert_eq!(stage.login("alice", []).authenticate(0), AUTH_ERR);
    assert_eq!(otpd.methods(), ["Start"]);
}

/// Loading it is most of what a login would cost a host that lives on.
#[test]
fn the_library_is_mapped_once_and_stays() {
    let stage = Stage::new("");
    let otpd = knowing_one_code(&stage);
    let module = stage.module().display().to_string();
    let mapped = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let of_it = maps.lines().filter(|line| line.contains(&module));
        of_it.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(mapped(), [""; 0]);
    assert_eq!(stage.login("alice", [RIGHT]).authenticate(0), SUCCESS);
    let first = mapped();
    assert!(!first.is_empty());
    assert_eq!(stage.login("alice", [WRONG]).authenticate(0), AUTH_ERR);
    assert_eq!(mapped(), first);
    // An upgrade puts another file there. Who has the old one goes on with it.
    let new = stage.module().with_extension("new");
    fs::copy(stage.module(), &new).unwrap();
    fs::rename(&new, stage.module()).unwrap();
    assert_eq!(stage.login("alice", [RIGHT]).authenticate(0), SUCCESS);
    assert_eq!(mapped(), first);
    assert_eq!(otpd.methods().len(), 6);
}

#[test]
fn signals_and_umask_are_as_they_were() {
    let stage = Stage::new("");
    let otpd = knowing_one_code(&stage);
    let state = || {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let kept = |line: &&str| {
            ["Umask", "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "NoNewPrivs"]
                .iter()
                .any(|name| line.starts_with(name))
        };
        status.lines().filter(kept).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = state();
    assert_eq!(before.len(), 7, "{before:?}");
    assert_eq!(stage.login("alice", [RIGHT]).authenticate(0), SUCCESS);
    assert_eq!(state(), before);
    assert_eq!(otpd.methods(), ["Start", "Answer"]);
}

#[test]
fn exactly_the_six_entry_points_are_exported() {
    let symbols = run("nm", &["-D", "--defined-only"]);
    let mut names: Vec<&str> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
    names.sort_unstable();
    let expected = [
        "pam_sm_acct_mgmt",
        "pam_sm_authenticate",
        "pam_sm_chauthtok",
        "pam_sm_close_session",
        "pam_sm_open_session",
        "pam_sm_setcred",
    ];
    assert_eq!(names, expected);
}

/// What a module must leave to its host, to the other modules and to the daemon.
#[test]
fn nothing_is_called_that_is_not_ours_to_call() {
    let symbols = run("nm", &["-D", "--undefined-only"]);
    let names: Vec<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().last()?.split('@').next()).collect();
    assert!(names.contains(&"pam_syslog"), "{names:?}");
    let forbidden = [
        // Its identity in syslog, its streams, its user databases.
        "openlog",
        "closelog",
        "syslog",
        "printf",
        "puts",
        "getpw",
        "getgr",
        "getspnam",
        "getaddrinfo",
        // Its threads, processes, signals, rights, time.
        "pthread_create",
        "atexit",
        "fork",
        "exec",
        "system",
        "popen",
        "sigaction",
        "signal",
        "sigprocmask",
        "pthread_sigmask",
        "alarm",
        "umask",
        "setuid",
        "seteuid",
        "setre",
        "setgid",
        "setenv",
        "putenv",
        "sleep",
        "nanosleep",
        "clock_nanosleep",
        "usleep",
        // PAM's password, environment and delay; pam_set_item is there for forward_pass.
        "pam_get_authtok",
        "pam_putenv",
        "pam_fail_delay",
        "pam_prompt",
        "pam_vprompt",
    ];
    let called: Vec<&&str> =
        names.iter().filter(|name| forbidden.iter().any(|word| name.starts_with(word))).collect();
    assert!(called.is_empty(), "{called:?}");
}

#[test]
fn every_profile_unwinds_or_the_guard_against_panics_guards_nothing() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
    assert!(manifest.contains("[profile.release]"));
    assert!(!manifest.lines().any(|line| !line.starts_with('#') && line.contains("abort")), "{manifest}");
}

/// Scripting languages and databases do: libpam's symbols are then nobody else's.
#[test]
fn a_host_that_opened_libpam_for_itself_can_load_the_module() {
    let script = "import ctypes, os, sys; ctypes.CDLL('libpam.so.0', mode=os.RTLD_LOCAL | os.RTLD_NOW); \
                  print(ctypes.CDLL(sys.argv[1], mode=os.RTLD_LOCAL | os.RTLD_NOW).pam_sm_setcred is not None)";
    assert_eq!(run("python3", &["-c", script]), "True\n");
}

#[test]
fn no_thread_is_started() {
    in_own_process("no_thread_is_started", count_threads);
}

fn count_threads() {
    let threads = || fs::read_dir("/proc/self/task").unwrap().count();
    let stage = Stage::new("");
    let counted = Arc::new(Mutex::new(Vec::new()));
    let otpd = Otpd::serving(&stage.socket(), {
        let counted = Arc::clone(&counted);
        move |_, call| {
            counted.lock().unwrap().push(threads());
            if call["parameters"]["answer"].is_null() { ask() } else { accept() }
        }
    });
    let before = threads();
    assert_eq!(stage.login("alice", [RIGHT]).authenticate(0), SUCCESS);
    assert_eq!(threads(), before);
    assert_eq!(*counted.lock().unwrap(), [before, before]);
    drop(otpd.finish());
}

#[test]
fn libpam_is_linked_and_nothing_but_the_c_library_with_it() {
    let dynamic = run("readelf", &["-d"]);
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    let known = ["libpam.so.0", "libgcc_s.so.1", "libc.so.6", "ld-linux"];
    assert!(needed.iter().all(|line| known.iter().any(|name| line.contains(name))), "{needed:?}");
    assert!(needed.iter().any(|line| line.contains("libpam.so.0")), "{needed:?}");
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(built::module()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
