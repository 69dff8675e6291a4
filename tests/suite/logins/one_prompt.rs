//! Programs that ask once, whose clients give password and code in one: dovecot (IMAP), vsftpd and proftpd (FTP), sshd's
//! password method, and a screen locker.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::process::Stdio;

use otpd_tests::PASSWORD;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::json;

use crate::programs::bed;
use crate::recipes::example;
use crate::server::Server;
use crate::ssh::Sshd;

/// The stack of the manual in which the code is judged first.
fn code_first_stack() -> String {
    stack("The code first")
}

/// The other one: the password is checked before the code.
fn password_first_stack() -> String {
    stack("The password first (recommended)")
}

/// An example of the manual. pam_unix would make libpam wait two seconds over every refusal, and its sessions are for a
/// whole system.
fn stack(title: &str) -> String {
    let stack = example(title, 0)
        .replace("pam_otp.so", "@otp")
        .replace("use_first_pass\n", "use_first_pass nodelay\n");
    stack
        .replace("@otp use_first_pass nodelay", "@otp use_first_pass")
        .replace("session    required     pam_unix.so", "session required pam_permit.so")
}

/// Of no device here, whatever its length.
const WRONG: &str = "99999999";

fn both(password: &str, code: &str) -> String {
    format!("{password}{code}")
}

/// Six digits that are no code of this phone for a while.
fn wrong_of_six(phone: &Token) -> String {
    let codes: Vec<String> = (-3..9).map(|steps| phone.code(steps)).collect();
    (0..).map(|number| format!("{number:06}")).find(|code| !codes.contains(code)).unwrap()
}

fn failures(bed: &Testbed, user: &str) -> serde_json::Value {
    let status = bed.run("otpctl", &["--json", "status", user]).ok().json();
    status["lanes"].as_array().unwrap().iter().map(|lane| lane["failures"].clone()).collect()
}

/// Whether alice's last code was accepted before her password was checked; it may be off by a step, too.
fn accepted_early(bed: &Testbed) -> bool {
    let event = bed.last_event("alice");
    assert_eq!(event["reason"], "ok");
    event["detail"].as_str().is_some_and(|detail| detail.starts_with("before the password was checked"))
}

/// Everything that password and code can be, right or wrong.
fn in_one_answer(bed: &Testbed, server: &Server<'_>) {
    let phone = bed.bind("alice", "phone");
    let (code, next) = (phone.code(0), phone.code(1));
    assert!(!server.lets_in("alice", &code), "a code alone");
    assert!(!server.lets_in("alice", PASSWORD), "a password alone");
    assert!(!server.lets_in("alice", ""), "nothing");
    assert_eq!(failures(bed, "alice"), json!([]), "none of these is a guess");
    assert!(server.lets_in("alice", &both(PASSWORD, &code)), "both");
    assert!(accepted_early(bed));
    assert!(!server.lets_in("alice", &both(PASSWORD, &code)), "the same again");
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
    assert!(!server.lets_in("alice", &both(PASSWORD, WRONG)), "a wrong code");
    assert_eq!(bed.last_event("alice")["reason"], "code_wrong");
    assert_eq!(failures(bed, "alice"), json!([1]));
    assert!(!server.lets_in("alice", &both("wrong horse", &next)), "a wrong password");
    assert_eq!(bed.last_event("alice")["reason"], "ok", "and the code is spent");
    assert!(!server.lets_in("alice", &both(PASSWORD, &next)), "the code that went with a wrong password");
    assert_eq!(bed.last_event("alice")["reason"], "code_used");
    // Without a device.
    assert!(server.lets_in("bob", PASSWORD));
    assert!(!server.lets_in("bob", &both(PASSWORD, WRONG)));
    assert!(!server.lets_in("bob", "wrong horse"));
    assert!(!server.lets_in("nobody-of-this-name", &both(PASSWORD, WRONG)));
}

#[test]
fn dovecot_takes_password_and_code_in_one_answer() {
    let bed = bed();
    bed.stack("dovecot", &code_first_stack());
    in_one_answer(&bed, &Server::dovecot(&bed));
}

#[test]
fn vsftpd_takes_password_and_code_in_one_answer() {
    let bed = bed();
    bed.stack("vsftpd", &code_first_stack());
    in_one_answer(&bed, &Server::vsftpd(&bed));
}

/// Strangers, who do not know the password, spend no code and no try.
fn password_first(bed: &Testbed, server: &Server<'_>) {
    let phone = bed.bind("alice", "phone");
    let (code, next) = (phone.code(0), phone.code(1));
    let before = bed.last_event("alice");
    assert!(!server.lets_in("alice", &code), "a code alone");
    assert!(!server.lets_in("alice", PASSWORD), "a password alone");
    assert!(!server.lets_in("alice", &both("wrong horse", &code)), "a wrong password");
    assert!(!server.lets_in("alice", &both("wrong horse", WRONG)), "nothing right");
    assert_eq!((bed.last_event("alice"), failures(bed, "alice")), (before, json!([])));
    assert!(server.lets_in("alice", &both(PASSWORD, &code)), "both");
    assert!(!accepted_early(bed));
    assert!(!server.lets_in("alice", &both(PASSWORD, &code)), "the same again");
    assert!(!server.lets_in("alice", &both(PASSWORD, &wrong_of_six(&phone))), "a wrong code");
    assert_eq!(failures(bed, "alice"), json!([1]));
    assert!(server.lets_in("alice", &both(PASSWORD, &next)), "the next one");
    assert!(server.lets_in("bob", PASSWORD));
    assert!(!server.lets_in("bob", "wrong horse"));
}

#[test]
fn dovecot_can_have_the_password_checked_before_the_code() {
    let bed = bed();
    bed.stack("dovecot", &password_first_stack());
    password_first(&bed, &Server::dovecot(&bed));
}

#[test]
fn vsftpd_can_have_the_password_checked_before_the_code() {
    let bed = bed();
    bed.stack("vsftpd", &password_first_stack());
    password_first(&bed, &Server::vsftpd(&bed));
}

/// pam_unix takes the password that ours hands on, though Debian's file does not say so.
#[test]
fn debians_common_auth_takes_the_password_in_either_stack() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    bed.stack("common-auth", &fs::read_to_string("/etc/pam.d/common-auth").unwrap());
    bed.stack(
        "vsftpd",
        "auth required @otp forward_pass\n@include common-auth\naccount required @otp\naccount required pam_unix.so",
    );
    bed.stack(
        "dovecot",
        "auth required @otp forward_pass=unchecked\n@include common-auth\nauth required @otp use_first_pass\n\
         account required @otp\naccount required pam_unix.so",
    );
    let (dovecot, vsftpd) = (Server::dovecot(&bed), Server::vsftpd(&bed));
    assert!(!dovecot.lets_in("alice", &both("wrong horse", &phone.code(0))));
    assert!(dovecot.lets_in("alice", &both(PASSWORD, &phone.code(0))));
    assert!(vsftpd.lets_in("alice", &both(PASSWORD, &phone.code(1))));
    assert!(!vsftpd.lets_in("alice", &both(PASSWORD, WRONG)));
    assert!(dovecot.lets_in("bob", PASSWORD) && vsftpd.lets_in("bob", PASSWORD));
}

#[test]
fn a_screen_locker_with_one_prompt_takes_both_as_the_user_it_runs_as() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    let unlock = |stack: &str, answer: &str| {
        bed.stack("locker", stack);
        let steps = json!([{"Password and one-time code: $": answer}]);
        let output = bed.drive(&steps, Some("alice"), &["pamtester", "locker", "alice", "authenticate"]);
        assert!(output.stdout.contains("Password and one-time code: "), "{output:?}");
        assert!(!output.stdout.contains("Wrong") && !output.stdout.contains("used already"), "{output:?}");
        output.stdout.contains("successfully authenticated")
    };
    let (code, next) = (both(PASSWORD, &phone.code(0)), both(PASSWORD, &phone.code(1)));
    assert!(!unlock(&code_first_stack(), &both(PASSWORD, WRONG)));
    assert!(unlock(&code_first_stack(), &code));
    assert!(!unlock(&code_first_stack(), &code));
    assert!(!unlock(&password_first_stack(), &both("wrong horse", &phone.code(1))));
    assert!(unlock(&password_first_stack(), &next));
}

#[test]
fn proftpds_ftp_takes_both_in_either_stack() {
    let bed = bed();
    bed.stack("proftpd", &code_first_stack());
    in_one_answer(&bed, &Server::proftpd(&bed));
    let bed = crate::programs::bed();
    bed.stack("proftpd", &password_first_stack());
    password_first(&bed, &Server::proftpd(&bed));
}

#[test]
fn sshds_password_method_takes_both_in_either_stack() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    for (stack, code) in [(&code_first_stack(), phone.code(0)), (&password_first_stack(), phone.code(1))] {
        bed.stack("sshd", stack);
        let sshd = Sshd::start(&bed, "AuthenticationMethods password");
        let login = |answer: &str| {
            let output = sshd.client("alice", &[answer], &["-o", "PreferredAuthentications=password"]);
            output.stdout == "in as alice\n"
        };
        assert!(!login(&code) && !login(PASSWORD));
        assert!(login(&both(PASSWORD, &code)), "{}", sshd.log());
        assert!(!login(&both(PASSWORD, &code)) && !login(&both(PASSWORD, WRONG)));
    }
}

#[test]
fn without_the_line_after_the_password_our_account_line_stops_the_login() {
    let bed = bed();
    let phone = bed.bind("alice", "phone");
    bed.stack(
        "dovecot",
        &password_first_stack().replace("auth       required     @otp use_first_pass\n", ""),
    );
    let server = Server::dovecot(&bed);
    assert!(!server.lets_in("alice", &both(PASSWORD, &phone.code(0))));
    assert_eq!(bed.last_event("alice")["reason"], "no_code_given");
    assert!(server.lets_in("bob", PASSWORD));
}

#[test]
fn vsftpds_address_space_is_enough() {
    let bed = bed();
    bed.stack("vsftpd", &code_first_stack());
    let phone = bed.bind("alice", "phone");
    let server = Server::vsftpd(&bed);
    let mut client = server.client("alice", &both(PASSWORD, &phone.code(0)));
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "in\n");
    let limits: Vec<String> = server.processes()[1..]
        .iter()
        .map(|pid| fs::read_to_string(format!("/proc/{pid}/limits")).unwrap())
        .flat_map(|limits| limits.lines().find(|line| line.starts_with("Max address")).map(str::to_owned))
        .collect();
    assert!(!limits.is_empty() && limits.iter().all(|line| line.contains(" 209715200 ")), "{limits:?}");
    drop(client.stdin.take());
    assert!(client.wait().unwrap().success());
}

/// What a process holds: descriptors, mappings, KiB of memory.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    pid: u32,
    descriptors: usize,
    mappings: usize,
    resident: usize,
}

impl Held {
    /// By the process of this dovecot in which PAM runs.
    fn by_worker(server: &Server<'_>) -> Self {
        let is_worker = |pid: &&u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.starts_with("dovecot/auth") && line.contains("-w")
        };
        let processes = server.processes();
        let workers: Vec<&u32> = processes.iter().filter(is_worker).collect();
        let [&pid] = workers[..] else { panic!("{workers:?}") };
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let status = read("status");
        let resident = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        Self {
            pid,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
            mappings: read("maps").lines().count(),
            resident: resident.split_whitespace().nth(1).unwrap().parse().unwrap(),
        }
    }
}

#[test]
fn sixty_logins_in_one_process_of_dovecot_leave_nothing_behind() {
    let mut bed = bed();
    bed.stack("dovecot", &code_first_stack());
    let users: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    for user in &users {
        bed.user(user);
    }
    let phones: Vec<_> = users.iter().map(|user| bed.bind(user, "phone")).collect();
    let server = Server::dovecot(&bed);
    let mut held = Vec::new();
    for (user, phone) in users.iter().zip(phones) {
        let right = both(PASSWORD, &phone.code(0));
        assert!(server.lets_in(user, &right));
        assert!(!server.lets_in(user, &right));
        let next = server.lets_in(user, &both(PASSWORD, &phone.code(1)));
        assert!(next, "{}", bed.last_event(user));
        held.push(Held::by_worker(&server));
    }
    // The first logins load what all need.
    let (before, after) = (&held[4], &held[19]);
    assert_eq!((after.pid, after.descriptors), (before.pid, before.descriptors), "{held:?}");
    assert!(after.mappings <= before.mappings + 2, "{held:?}");
    assert!(after.resident <= before.resident + 128, "{held:?}");
}

/// `horse12`, as crypt(5) has it.
const HASH_OF_HORSE12: &str =
    "$6$otpdtests$sWBP3B3iOAGgMHzM3jIxRPjdGUaaTKwnvyo1nKjjRd6QK62xmFDdRo1RTyeokVqatqVT2B6XLRwHRYSVmw6Aj/";

#[test]
fn a_password_that_ends_in_digits_is_told_from_codes_of_six_and_of_eight() {
    let mut bed = bed();
    bed.user("carol");
    let shadow = fs::read_to_string(bed.path("etc/shadow")).unwrap();
    let others: String =
        shadow.lines().filter(|line| !line.starts_with("carol:")).map(|l| format!("{l}\n")).collect();
    fs::write(bed.path("etc/shadow"), others).unwrap();
    bed.etc("shadow", &format!("carol:{HASH_OF_HORSE12}:20000:0:99999:7:::"));
    bed.stack("dovecot", &code_first_stack());
    let phone = bed.bind("carol", "phone");
    let token = bed.bind_with_digits("carol", "token", 8);
    let server = Server::dovecot(&bed);
    assert!(server.lets_in("carol", &both("horse12", &phone.code(0))), "six digits");
    assert!(server.lets_in("carol", &both("horse12", &token.code(0))), "eight digits");
    assert_eq!(failures(&bed, "carol"), json!([]), "neither was tried in vain");
    assert!(!server.lets_in("carol", &both("horse", &phone.code(1))), "a part of the password");
    assert!(!server.lets_in("carol", &both("horse12", WRONG)));
    assert_eq!(failures(&bed, "carol"), json!([1]), "wrong for both is one failure");
}
