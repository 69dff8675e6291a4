//! Accounts whose users are renamed, renumbered, made anew or gone; users with odd names; a user database that fails or
//! hangs. Through the real otpctl.

use std::fs;
use std::process::Command;

use otpd_tests::Faults;
use otpd_tests::Output;
use otpd_tests::Testbed;
use otpd_tests::Token;
use serde_json::Value;
use serde_json::json;

/// A system with alice (61000) and bob (61001), each with a phone.
fn bed() -> (Testbed, Token, Token) {
    let mut bed = Testbed::new();
    bed.user("alice");
    bed.user("bob");
    let (alices, bobs) = (bed.bind("alice", "phone"), bed.bind("bob", "phone"));
    (bed, alices, bobs)
}

/// Changes a line of /etc/passwd in place, since the file is mounted there; an empty one goes.
fn passwd(bed: &Testbed, from: &str, to: &str) {
    let path = bed.path("etc/passwd");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "no {from} in {text}");
    let line = |line: &str| match line.strip_prefix(from) {
        Some(_) if to.is_empty() => String::new(),
        Some(rest) => format!("{to}{rest}\n"),
        None => format!("{line}\n"),
    };
    fs::write(&path, text.lines().map(line).collect::<String>()).unwrap();
}

/// The system's own usermod, on the files of this system. It makes a new one; the one that is mounted gets its contents.
fn usermod(bed: &Testbed, arguments: &[&str]) {
    let prefix = bed.path("").display().to_string();
    let mut command = Command::new("usermod");
    let done = command.args(["--prefix", prefix.trim_end_matches('/')]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    bed.run("cp", &[&bed.path("etc/passwd").display().to_string(), "/etc/passwd"]).ok();
}

/// What the daemon says to a code.
fn answer(bed: &Testbed, user: &str, code: &str) -> Value {
    let answer = json!({"login": {"user": user, "service": "sshd"}, "answer": code});
    bed.daemon().login("org.otpd.Login.Answer", &answer).unwrap()["step"].take()
}

fn root(bed: &Testbed, arguments: &[&str]) -> Output {
    let mut all = vec!["--json"];
    all.extend(arguments);
    bed.run("otpctl", &all)
}

/// Reason and words of a refusal.
#[track_caller]
fn refused(output: &Output) -> (String, String) {
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    let error: Value = serde_json::from_str(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
    let word = |key: &str| error["error"][key].as_str().unwrap().to_owned();
    (word("reason"), word("message"))
}

#[test]
fn a_renumbered_user_keeps_the_devices_once_root_has_said_so() {
    let (bed, phone, _) = bed();
    passwd(&bed, "alice:x:61000", "alice:x:61777");
    let step = answer(&bed, "alice", &phone.code(0));
    assert!(step["say"].as_str().unwrap().contains("otpctl adopt alice"), "{step}");
    let look = root(&bed, &["adopt", "alice", "--dry-run"]).ok().json();
    assert_eq!(
        (&look["was_uid"], &look["uid"], &look["changed"]),
        (&json!(61_000), &json!(61_777), &json!(true))
    );
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "refuse", "it was only looked at");
    let said = bed.run("otpctl", &["adopt", "alice", "--dry-run"]).ok().stdout;
    assert_eq!(
        said,
        "The account of alice (uid 61000), with 1 active device, never used, becomes that of alice (uid 61777).\n"
    );
    let asked = bed.run("otpctl", &["adopt", "alice"]);
    assert!(asked.code == 2 && asked.stderr.contains("--yes"), "{asked:?}");
    let done = bed.run("otpctl", &["adopt", "alice", "--yes"]).ok().stdout;
    assert_eq!(done, "The account is now that of alice (uid 61777).\n");
    let event = bed.last_event("alice");
    assert_eq!(
        (&event["event"], &event["detail"]),
        (&json!("adopt"), &json!("was alice (uid 61000), is alice (uid 61777)"))
    );
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "accept");
    assert_eq!(root(&bed, &["adopt", "alice", "--yes"]).ok().json()["changed"], false);
}

#[test]
fn a_renamed_user_keeps_the_devices_once_root_has_said_so() {
    let (bed, phone, _) = bed();
    passwd(&bed, "alice:x", "alicia:x");
    assert_eq!(answer(&bed, "alicia", &phone.code(0))["next"], "refuse");
    assert_eq!(bed.last_event("alicia")["reason"], "identity_conflict");
    let done = root(&bed, &["adopt", "alicia", "--yes"]).ok().json();
    assert_eq!((&done["was_user"], &done["user"]), (&json!("alice"), &json!("alicia")));
    assert_eq!(answer(&bed, "alicia", &phone.code(0))["next"], "accept");
    assert_eq!(refused(&root(&bed, &["adopt", "alice", "--yes"])).0, "no_such_user");
}

#[test]
fn usermod_itself_renumbers_and_renames() {
    let (bed, phone, _) = bed();
    for (step, arguments, name) in
        [(0, ["-u", "61777", "alice"], "alice"), (1, ["-l", "alicia", "alice"], "alicia")]
    {
        usermod(&bed, &arguments);
        assert_eq!(answer(&bed, name, &phone.code(step))["next"], "refuse", "{name}");
        root(&bed, &["adopt", name, "--yes"]).ok();
        let uid = bed.run("id", &["-u", name]).ok().stdout;
        assert_eq!((uid.trim(), &bed.last_event(name)["uid"]), ("61777", &json!(61_777)));
        assert_eq!(answer(&bed, name, &phone.code(step))["next"], "accept", "{name}");
    }
}

#[test]
fn somebody_new_with_an_old_name_is_refused_and_reset_gives_them_a_new_account() {
    let (bed, phone, _) = bed();
    passwd(&bed, "alice:x:61000", "");
    bed.etc("passwd", "alice:x:61500:61500::/home/alice:/bin/sh");
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "refuse");
    root(&bed, &["reset", "alice", "--yes"]).ok();
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "not_required");
    bed.bind("alice", "new");
}

#[test]
fn of_two_who_swapped_their_numbers_nobody_guesses_and_the_remedy_works() {
    let (bed, phone, bobs) = bed();
    passwd(&bed, "alice:x:61000", "alice:x:9");
    passwd(&bed, "bob:x:61001", "bob:x:61000");
    passwd(&bed, "alice:x:9", "alice:x:61001");
    for user in ["alice", "bob"] {
        let (reason, say) = refused(&root(&bed, &["adopt", user, "--yes"]));
        assert_eq!(reason, "ambiguous");
        assert!(say.contains("alice (uid 61000)") && say.contains("bob (uid 61001)"), "{say}");
        assert_eq!(bed.last_event(user)["reason"], "ambiguous");
    }
    let (_, say) = refused(&root(&bed, &["adopt", "alice", "--dry-run"]));
    assert!(say.contains("otpctl reset alice, then for the other: otpctl adopt bob"), "{say}");
    root(&bed, &["reset", "alice", "--yes"]).ok();
    root(&bed, &["adopt", "bob", "--yes"]).ok();
    assert_eq!(answer(&bed, "bob", &bobs.code(0))["next"], "accept");
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "not_required");
}

#[test]
fn who_got_the_uid_of_somebody_renumbered_does_not_get_the_account() {
    let (bed, phone, _) = bed();
    passwd(&bed, "alice:x:61000", "alice:x:61777");
    bed.etc("passwd", "carol:x:61000:61000::/home/carol:/bin/sh");
    let (reason, say) = refused(&root(&bed, &["adopt", "carol", "--yes"]));
    assert!(reason == "ambiguous" && say.contains("otpctl adopt alice"), "{reason} {say}");
    root(&bed, &["adopt", "alice", "--yes"]).ok();
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "accept");
    assert_eq!(answer(&bed, "carol", &phone.code(0))["next"], "not_required");
    assert_eq!(refused(&root(&bed, &["adopt", "carol", "--yes"])).0, "no_such_account");
}

#[test]
fn two_names_for_one_uid_are_one_account_whichever_comes_first() {
    let (bed, phone, _) = bed();
    bed.etc("passwd", "also:x:61000:61000::/home/alice:/bin/sh");
    assert_eq!(answer(&bed, "also", &phone.code(0))["next"], "accept");
    passwd(&bed, "alice:x:61000", "first:x:61000");
    bed.etc("passwd", "alice:x:61000:61000::/home/alice:/bin/sh");
    assert_eq!(answer(&bed, "alice", &phone.code(1))["next"], "refuse");
    // The account follows the name that the number leads to.
    assert_eq!(root(&bed, &["adopt", "alice", "--yes"]).ok().json()["user"], "first");
    for (user, expected) in [("alice", "accept"), ("first", "refuse"), ("also", "refuse")] {
        assert_eq!(answer(&bed, user, &phone.code(1))["next"], expected, "{user}");
    }
}

#[test]
fn odd_names_are_names_like_any_other() {
    let mut bed = Testbed::new();
    let long = "a-name-of-more-than-thirty-two-bytes-as-directories-have-them";
    for name in ["Alice", "alice", "4711", "61002", long, "eve@example.org", "DOMAIN\\eve", "jürgen"] {
        let uid = bed.user(name);
        let phone = bed.bind(name, "phone");
        assert_eq!(answer(&bed, name, &phone.code(0))["next"], "accept", "{name}");
        assert_eq!(bed.last_event(name)["uid"], uid, "{name}");
        assert_eq!(root(&bed, &["status", name]).ok().json()["user"], name);
        passwd(&bed, &format!("{name}:x:{uid}"), &format!("{name}:x:{}", uid + 500));
        assert_eq!(answer(&bed, name, &phone.code(1))["next"], "refuse", "{name}");
        root(&bed, &["adopt", name, "--yes"]).ok();
        assert_eq!(answer(&bed, name, &phone.code(1))["next"], "accept", "{name}");
        passwd(&bed, &format!("{name}:x"), "");
        let gone = root(&bed, &["prune", "--yes"]).ok().json();
        assert_eq!((&gone["accounts"][0]["user"], &gone["pruned"]), (&json!(name), &json!(1)));
    }
    assert_eq!(root(&bed, &["accounts"]).ok().json()["accounts"], json!([]));
}

#[test]
fn prune_retires_who_is_gone_and_nobody_who_was_only_renamed() {
    let (mut bed, phone, _) = bed();
    bed.user("carol");
    bed.bind("carol", "phone");
    passwd(&bed, "bob:x:61001", "robert:x:61001");
    passwd(&bed, "carol:x:61002", "carol:x:61777");
    assert_eq!(root(&bed, &["prune", "--yes"]).ok().json()["accounts"], json!([]));
    passwd(&bed, "alice:x", "");
    let listed = bed.run("otpctl", &["prune", "--dry-run"]).ok().stdout;
    assert!(listed.contains("alice    61000  1        never"), "{listed}");
    let asked = bed.run("otpctl", &["prune"]);
    assert!(asked.code == 2 && asked.stderr.contains("--yes"), "{asked:?}");
    let said = bed.run("otpctl", &["prune", "--yes"]).ok().stdout;
    assert_eq!(said, "1 account pruned, 1 device retired.\n");
    let event = bed.last_event("alice");
    assert_eq!(
        (&event["event"], &event["verdict"], &event["uid"]),
        (&json!("prune"), &json!("accept"), &json!(61_000))
    );
    bed.etc("passwd", "alice:x:61000:61000::/home/alice:/bin/sh");
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "not_required");
    assert_eq!(bed.run("otpctl", &["prune"]).ok().stdout, "Nothing to prune: every account has its user.\n");
}

#[test]
fn who_is_back_when_it_comes_to_it_is_not_pruned() {
    let (bed, phone, _) = bed();
    let prune = |user: &str, uid: u32| {
        let parameters = json!({"user": user, "uid": uid});
        bed.daemon().account("org.otpd.Admin.Prune", &parameters).unwrap_err().to_string()
    };
    assert!(prune("alice", 61_000).contains("user_exists"));
    assert_eq!(bed.last_event("alice")["reason"], "user_exists");
    for (user, uid) in [("alice", 61_001), ("nobody-here", 61_000), ("", 1), ("alice", 65_534), ("a:b", 4)] {
        assert!(prune(user, uid).contains("no_such_account"), "{user} {uid}");
    }
    assert_eq!(answer(&bed, "alice", &phone.code(0))["next"], "accept");
}

#[test]
fn a_user_database_that_fails_or_hangs_never_means_that_somebody_is_gone() {
    let mut bed = Testbed::without_daemon();
    bed.configure("");
    let faults = Faults::start(&mut bed);
    bed.user("alice");
    let phone = bed.bind("alice", "phone");
    // Some modules say "not found" while their server is away.
    for errno in [libc::ENOENT, libc::ESRCH, libc::EIO, libc::ECONNREFUSED, libc::EAGAIN] {
        faults.users(errno);
        let gone = root(&bed, &["prune", "--yes"]);
        assert!(gone.code == 3 && gone.stderr.contains("user database"), "{errno}: {gone:?}");
    }
    faults.users_hang();
    let gone = bed.run("timeout", &["10", "otpctl", "--json", "prune", "--yes"]);
    assert!(gone.code == 3 && gone.stderr.contains("does not answer"), "{gone:?}");
    let adopted = root(&bed, &["adopt", "alice", "--yes"]);
    assert!(adopted.code == 3 && adopted.stderr.contains("does not answer"), "{adopted:?}");
    let login = json!({"login": {"user": "alice", "service": "sshd"}, "answer": phone.code(1)});
    let unanswered = bed.daemon().login("org.otpd.Login.Answer", &login).unwrap_err().to_string();
    assert!(unanswered.contains("org.otpd.Login.Unavailable"), "{unanswered}");
    faults.clear();
    assert_eq!(answer(&bed, "alice", &phone.code(1))["next"], "accept");
}

#[test]
fn only_root_adopts_and_prunes() {
    let (bed, _, _) = bed();
    bed.join("otpadmin", "bob");
    for user in ["alice", "bob"] {
        for words in [vec!["adopt", "alice", "--yes"], vec!["prune", "--yes"], vec!["prune", "--dry-run"]] {
            let ended = bed.run_as(user, "otpctl", &words);
            assert_eq!(ended.code, 5, "{user} {words:?}: {ended:?}");
        }
    }
}
