//! What the module leaves in the memory of its host: no copy of what was typed. The login runs in a process of its
//! own, which searches itself; otpd, which is told the code, is in this one.

use std::ffi::c_int;
use std::fs;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use crate::libpam::AUTH_ERR;
use crate::libpam::Application;
use crate::libpam::Reply;
use crate::libpam::SUCCESS;
use crate::otpd::Otpd;
use crate::otpd::accept;
use crate::otpd::accept_of;
use crate::otpd::ask_for;
use crate::otpd::refuse;
use crate::stage::Stage;

#[test]
fn no_copy_of_a_code_is_left_in_memory() {
    let cases = [(&RIGHT[..], SUCCESS), (&WRONG, AUTH_ERR), (&UNSENT, AUTH_ERR)];
    watch("no_copy_of_a_code_is_left_in_memory", &Stage::new(""), 5, |services| log_in(services, &cases));
}

#[test]
fn no_copy_of_a_password_before_a_code_is_left_in_memory() {
    let cases = [(&BOTH_RIGHT[..], SUCCESS), (&BOTH_WRONG, AUTH_ERR), (&PASSWORD_ALONE, AUTH_ERR)];
    let test = "no_copy_of_a_password_before_a_code_is_left_in_memory";
    watch(test, &Stage::alone("forward_pass"), 5, |services| log_in(services, &cases));
}

#[test]
fn no_copy_of_a_code_put_aside_is_left_in_memory() {
    let cases = [(&BOTH_RIGHT[..], SUCCESS), (&BOTH_WRONG, AUTH_ERR), (&PASSWORD_ALONE, AUTH_ERR)];
    let test = "no_copy_of_a_code_put_aside_is_left_in_memory";
    watch(test, &Stage::around_nothing(), 8, |services| log_in(services, &cases));
}

/// Runs the logins in a process of their own, with an otpd here that must be called so often.
#[expect(clippy::disallowed_methods, reason = "how a test knows that it is the process that logs in")]
fn watch(test: &str, stage: &Stage, calls: usize, log_in: impl FnOnce(&Path)) {
    if let Ok(services) = std::env::var("PAM_OTP_TEST_SERVICES") {
        return log_in(Path::new(&services));
    }
    let otpd = Otpd::serving(&stage.socket(), |_, call| match call["parameters"]["answer"].as_str() {
        None => ask_for(8),
        Some(code) if code.starts_with("K7QX") => accept(),
        Some("13579135") => accept_of(8),
        Some(_) => refuse(),
    });
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("memory::{test}"), "--exact", "--nocapture"])
        .env("PAM_OTP_TEST_SERVICES", stage.services())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert_eq!(otpd.methods().len(), calls);
}

fn log_in(services: &Path, cases: &[(&'static [u8], c_int)]) {
    let marker: Vec<u8> = MARKER.iter().map(|byte| !byte).collect();
    assert_eq!(copies(&MARKER), 1);
    drop(marker);
    for (typed, code) in cases {
        let mut login = Application::start(services, "alice", [Reply::Unmasks(typed)]);
        assert_eq!(login.authenticate(0), *code);
        let left = || [typed, &typed[..PASSWORD], &typed[PASSWORD..]].map(copies);
        assert_eq!(left(), [0; 3], "before pam_end");
        drop(login);
        assert_eq!(left(), [0; 3], "after pam_end");
    }
}

/// How often the end of the text of which these are the changed bits is in memory that this process can write to.
#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
fn copies(masked: &[u8]) -> usize {
    let masked = &masked[masked.len().saturating_sub(END)..];
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    // One buffer, made before, so that no search finds what another one has read.
    let mut page = vec![0; 4096 + END - 1];
    let mut found = 0;
    for line in
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw")))
    {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        for at in (start..end).step_by(4096) {
            let length = page.len().min(usize::try_from(end - at).unwrap());
            let read = memory.read_at(&mut page[..length], at).unwrap_or(0);
            let is_it = |window: &[u8]| window.iter().zip(masked).all(|(byte, masked)| *byte == !masked);
            found += page[..read].windows(masked.len()).filter(|window| is_it(window)).count();
            page.fill(0);
        }
    }
    found
}

const MARKER: [u8; 28] = masked(b"a marker, which must be seen");
/// As long as an answer may be: of a block that was freed unwiped, malloc leaves the end.
const RIGHT: [u8; 60] = masked(b"K7QX-93MD-Z2PL-8RTV-X1AA-Q0CE-52NB-MW7U-E6JD-40SK-LPIO-9ZVY-");
const WRONG: [u8; 60] = masked(b"J4WN-56HB-T9CF-3YGS-OUT7-1KMR-BVX8-D2LZ-WQ6P-0HEJ-FN3I-AC5S-");
/// Not ASCII at its end, and so never sent.
const UNSENT: [u8; 60] = masked(b"V8ZR-27KP-M6XD-5LQT-Y3FB-HU0G-1WNC-J9EO-RA4S-IK72-ZD6M-PXLG\xff");
const BOTH_RIGHT: [u8; 60] = masked(b"T0HV-W8YB-4LNC-R6PE-1KUD-93XG-M5SQ-ZJ2A-OF7I-CB4W-6T13579135");
const BOTH_WRONG: [u8; 60] = masked(b"D3EL-P9ZK-U6RM-0XTF-7YVA-G2NB-HQ8S-5CWJ-I1OL-X4DE-8M24680246");
const PASSWORD_ALONE: [u8; 60] = masked(b"E6GA-1VBN-X3OT-K9LS-W5RZ-2JUF-C8PD-Y0MH-4QIX-7TEB-NLGUARDIAN");
/// How much of these stands before the code.
const PASSWORD: usize = 52;
/// How much of the end is searched for.
const END: usize = 28;

#[expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
const fn masked<const LENGTH: usize>(text: &[u8; LENGTH]) -> [u8; LENGTH] {
    let mut masked = [0; LENGTH];
    let mut index = 0;
    while index < LENGTH {
        masked[index] = !text[index];
        index += 1;
    }
    masked
}
