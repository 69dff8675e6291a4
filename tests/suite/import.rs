//! Coming from another module: its files taken over whole or not at all, its codes spent, logins undisturbed, and what
//! is decided completed across `kill -9`. And the way back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use otpd_core::key::Key;
use otpd_tests::Caller;
use otpd_tests::Output;
use otpd_tests::Testbed;
use otpd_tests::Token;
use otpd_tests::pam;
use serde_json::Value;
use serde_json::json;

fn caller(bed: &Testbed) -> Caller {
    Caller::start(bed, env!("CARGO_BIN_EXE_pam_login"), "guarded")
}

fn bed() -> Testbed {
    let mut bed = Testbed::new();
    bed.stack("guarded", "auth required @otp\n");
    for user in ["alice", "bob"] {
        bed.user(user);
    }
    bed
}

/// The key of a number: as a users file has it, and in a phone.
fn key(number: u32) -> (String, Token) {
    let bytes: Vec<u8> = number.to_be_bytes().repeat(5);
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    (hex, Token::new(&Key::new(bytes.into()).unwrap().expose_base32()))
}

/// Writes a file in the system's own directory.
fn write(bed: &Testbed, name: &str, text: &str) -> String {
    let path = bed.path(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn import(bed: &Testbed, arguments: &[&str]) -> Output {
    bed.run("otpctl", &[&["--json", "import"], arguments].concat())
}

/// What is wrong, if anything: file names and lines, and what is said.
fn problems(output: &Output) -> Vec<(String, Value, String)> {
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    let problem = |problem: &Value| {
        let name = Path::new(problem["file"].as_str().unwrap()).file_name().unwrap();
        let say = problem["say"].as_str().unwrap().to_owned();
        (name.to_str().unwrap().to_owned(), problem["line"].clone(), say)
    };
    error["error"]["problems"].as_array().unwrap().iter().map(problem).collect()
}

/// Active devices of every account together.
fn active(bed: &Testbed) -> u64 {
    let accounts = bed.run("otpctl", &["--json", "accounts"]).ok().json()["accounts"].take();
    accounts.as_array().unwrap().iter().map(|account| account["active_devices"].as_u64().unwrap()).sum()
}

#[test]
fn keys_of_pam_oath_go_on_working_and_their_codes_once() {
    let bed = bed();
    let ((alices, phone), (bobs, other)) = (key(1), key(2));
    // pam_oath has accepted a code of bob's that was ahead.
    let spent = other.code(1);
    let file = write(
        &bed,
        "users.oath",
        &format!(
            "# ours\nHOTP/T30/6\talice\t-\t{alices}\nHOTP/T30\tbob\t+\t{bobs}\t7\t{spent}\t2026-11-21T21:36:02L\n"
        ),
    );
    let expected = |dry_run: bool| json!({"devices": 2, "accounts": 2, "skipped": 0, "scratch_codes": 0, "dry_run": dry_run});
    assert_eq!(import(&bed, &["oath", &file, "--dry-run"]).ok().json(), expected(true));
    assert_eq!(active(&bed), 0);
    assert_eq!(import(&bed, &["oath", &file]).ok().json(), expected(false));
    let mut caller = caller(&bed);
    for (user, phone, first) in [("alice", &phone, 1), ("bob", &other, 2)] {
        let login = json!({"login": {"user": user, "service": "guarded"}});
        let step = bed.daemon().login("org.otpd.Login.Start", &login).unwrap()["step"].clone();
        assert!(step["prompt"].as_str().unwrap().contains("turned on"), "{step}");
        // Up to the step that was used all are refused; the next one is accepted, once.
        for step in -1..first {
            assert_eq!(caller.log_in(user, &phone.code(step)), pam::AUTH_ERR, "{user} {step}");
        }
        if first == 1 {
            assert_eq!(caller.log_in(user, &phone.code(first)), pam::SUCCESS, "{user}");
        }
        assert_eq!(caller.log_in(user, &phone.code(first)), pam::AUTH_ERR, "{user}");
    }
    let devices = bed.run("otpctl", &["--json", "devices", "alice"]).ok().json()["devices"][0].clone();
    assert_eq!((&devices["created_by"], &devices["created_from"]), (&json!("root"), &json!("import")));
    let again = problems(&import(&bed, &["oath", &file]));
    assert_eq!((again.len(), again[0].1.clone()), (2, json!(2)), "{again:?}");
    assert!(again[0].2.contains("bound already"), "{again:?}");
}

#[test]
fn one_wrong_line_and_nothing_is_taken() {
    let bed = bed();
    let (hex, _) = key(1);
    let line = |user: &str| format!("HOTP/T30 {user} - {hex}\n");
    let text = format!("{}{}{}HOTP/T30 bob - 00\n", line("alice"), line("nosuchuser"), line("alice"));
    let found = problems(&import(&bed, &["oath", &write(&bed, "users.oath", &text)]));
    let at: Vec<&Value> = found.iter().map(|(_, line, _)| line).collect();
    assert_eq!(at, [4, 2, 3], "{found:?}");
    assert!(found[0].2.contains("too short") && found[1].2.contains("no user \"nosuchuser\""), "{found:?}");
    assert!(found[2].2.contains("comes twice for alice"), "{found:?}");
    assert_eq!(active(&bed), 0);
    // Whoever names root's file must be root.
    let refused = bed.run_as("alice", "otpctl", &["--json", "import", "oath", "/dev/null"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    let refused =
        bed.run_as("alice", "otpctl", &["--json", "export", "oath", "--output", "/home/alice/keys"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(!bed.path("home/alice/keys").exists());
}

#[test]
fn everybodys_google_authenticator_is_read_and_nobody_is_followed_astray() {
    let bed = bed();
    let homes = ["alice", "bob"].map(|user| bed.path("home").join(user).join(".google_authenticator"));
    let (_, phone) = key(3);
    let base32 = Key::new(3_u32.to_be_bytes().repeat(5).into()).unwrap().expose_base32();
    let text =
        format!("{}\n\" RATE_LIMIT 3 30\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n12345678\n", base32.as_str());
    for (home, uid) in homes.iter().zip([61_000, 61_001]) {
        fs::write(home, &text).unwrap();
        fs::set_permissions(home, fs::Permissions::from_mode(0o400)).unwrap();
        chown(home, Some(uid), Some(uid)).unwrap();
    }
    // bob's is not what it seems, in every way that is his to choose, and then some.
    let kept = bed.path("kept");
    fs::rename(&homes[1], &kept).unwrap();
    let refused = |expected: &str| {
        let found = problems(&import(&bed, &["google-authenticator", "--all-users"]));
        assert!(found.len() == 1 && found[0].2.contains(expected), "{expected}: {found:?}");
        let _ = fs::remove_file(&homes[1]);
    };
    symlink(&kept, &homes[1]).unwrap();
    refused("symbolic link");
    nix::unistd::mkfifo(&homes[1], nix::sys::stat::Mode::S_IRWXU).unwrap();
    chown(&homes[1], Some(61_001), None).unwrap();
    refused("not a regular file");
    fs::copy(&kept, &homes[1]).unwrap();
    refused("belongs to uid 0");
    fs::write(&homes[1], vec![b'x'; 65_537]).unwrap();
    chown(&homes[1], Some(61_001), None).unwrap();
    refused("more than 64 KiB");
    fs::copy(&kept, &homes[1]).unwrap();
    chown(&homes[1], Some(61_001), None).unwrap();
    fs::set_permissions(&homes[1], fs::Permissions::from_mode(0o622)).unwrap();
    refused("Others than its owner can write it");
    assert_eq!(active(&bed), 0);
    fs::rename(&kept, &homes[1]).unwrap();
    let seen_before = phone.code(0);
    let taken = import(&bed, &["google-authenticator", "--all-users"]).ok().json();
    assert_eq!(
        (&taken["devices"], &taken["scratch_codes"]),
        (&json!(2), &json!(2)),
        "one key may serve two accounts"
    );
    let mut caller = caller(&bed);
    for user in ["alice", "bob"] {
        assert_eq!(caller.log_in(user, &seen_before), pam::AUTH_ERR);
        assert_eq!(caller.log_in(user, &Token::new(phone.key()).code(1)), pam::SUCCESS, "{user}");
    }
}

#[test]
fn what_goes_out_comes_in_again() {
    let bed = bed();
    let (alices, phone) = key(4);
    import(&bed, &["oath", &write(&bed, "in", &format!("HOTP/T30/6\talice\t-\t{alices}\n"))]).ok();
    let mut caller = caller(&bed);
    let code = phone.code(1);
    assert_eq!(caller.log_in("alice", &code), pam::SUCCESS);
    let out = bed.path("out").display().to_string();
    let said = bed.run("otpctl", &["export", "oath", "--output", &out]).ok();
    assert!(said.stderr.contains("left the seal"), "{said:?}");
    let line = fs::read_to_string(&out).unwrap();
    assert!(line.starts_with(&format!("HOTP/T30/6\talice\t-\t{alices}\t0\t{code}\t20")), "{line}");
    assert_eq!(bed.last_event("root")["event"], "export");
    bed.run("otpctl", &["reset", "alice", "--yes"]).ok();
    import(&bed, &["oath", &out]).ok();
    assert_eq!(active(&bed), 1);
    assert_eq!(caller.log_in("alice", &code), pam::AUTH_ERR, "it is spent, there and here again");
}

/// The name of one of many users.
fn name(user: u32) -> String {
    format!("m{user:05}")
}

/// Makes so many users, beside alice and bob.
fn populate(bed: &Testbed, users: u32) {
    let line = |user: u32| {
        let uid = 70_000 + user;
        format!("{}:x:{uid}:{uid}::/nonexistent:/bin/sh\n", name(user))
    };
    let lines: String = (0..users).map(line).collect();
    bed.etc("passwd", lines.trim_end());
}

#[test]
fn what_is_decided_is_completed_whenever_the_daemon_is_killed() {
    const USERS: u32 = 1_000;
    let mut bed = bed();
    populate(&bed, USERS);
    let call = |bed: &Testbed, method: &str, parameters: &Value| {
        bed.daemon().account(&format!("org.otpd.Admin.{method}"), parameters).unwrap()
    };
    let entry = |user: u32| {
        let base32 = Key::new(user.to_be_bytes().repeat(5).into()).unwrap().expose_base32();
        json!({"user": name(user), "key": base32.as_str(), "algorithm": "SHA1", "digits": 6, "period": 30, "drift": 0,
            "last_step": null, "name": null})
    };
    let stage = |bed: &Testbed| {
        let import = call(bed, "ImportBegin", &json!({}))["import"].clone();
        for first in (0..USERS).step_by(100) {
            let entries: Vec<Value> = (first..first + 100).map(&entry).collect();
            assert_eq!(
                call(bed, "ImportAdd", &json!({"import": import, "entries": entries}))["problems"],
                json!([])
            );
        }
        import
    };
    // Killed before it is decided, nothing is left of it.
    stage(&bed);
    bed.take_daemon().kill();
    bed.start();
    assert_eq!(active(&bed), 0);
    let import = stage(&bed);
    let size = call(&bed, "ImportCommit", &json!({"import": import}));
    assert_eq!(size, json!({"devices": USERS, "accounts": USERS}));
    call(&bed, "ImportStep", &json!({"import": import}));
    // Killed after it, and while the next one completes it.
    for _ in 0..3 {
        bed.take_daemon().kill();
        bed.start();
    }
    while active(&bed) < u64::from(USERS) {}
    assert_eq!(active(&bed), u64::from(USERS));
    assert_eq!(call(&bed, "ImportStep", &json!({"import": import})), json!({"left": 0, "skipped": 0}));
    let accounts = bed.run("otpctl", &["--json", "accounts"]).ok().json()["accounts"].take();
    assert!(accounts.as_array().unwrap().iter().all(|account| account["active_devices"] == 1));
    let code = Token::new(&Key::new(7_u32.to_be_bytes().repeat(5).into()).unwrap().expose_base32()).code(1);
    assert_eq!(caller(&bed).log_in(&name(7), &code), pam::SUCCESS);
}

#[test]
fn logins_go_on_while_two_thousand_accounts_come_in() {
    const USERS: u32 = 2_000;
    let mut bed = bed();
    populate(&bed, USERS);
    let people: Vec<String> = (0..20).map(|number| format!("user{number}")).collect();
    let mut logins = Vec::new();
    for user in &people {
        bed.user(user);
        logins.extend((0..5).map(|phone| (user, bed.bind(user, &format!("phone {phone}")))));
    }
    let codes: Vec<(&String, String)> = logins.iter().map(|(user, phone)| (*user, phone.code(0))).collect();
    let lines: String =
        (0..USERS).map(|user| format!("HOTP/T30 {} - {}\n", name(user), key(user).0)).collect();
    let file = write(&bed, "users.oath", &lines);
    let mut caller = caller(&bed);
    let mut command = bed.command("otpctl");
    let mut import =
        command.args(["--json", "import", "oath", &file]).stdout(Stdio::piped()).spawn().unwrap();
    let mut meanwhile = 0;
    for (user, code) in codes {
        meanwhile += u32::from(import.try_wait().unwrap().is_none());
        assert_eq!(caller.log_in(user, &code), pam::SUCCESS, "{user}: {}", bed.last_event(user));
    }
    assert!(import.wait().unwrap().success());
    assert!(meanwhile >= 10, "only {meanwhile} logins while the import ran");
    assert_eq!(active(&bed), u64::from(USERS) + 100);
}
