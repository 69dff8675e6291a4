//! Groups of which administrators require protection: required, demanded, released, and whom that may not lock out.
//! Through the real otpctl and the sockets that logins use.

use otpd_tests::BoxClock;
use otpd_tests::Output;
use otpd_tests::Testbed;
use serde_json::Value;
use serde_json::json;

/// alice and bob are the family; carol administers.
fn bed() -> Testbed {
    let mut bed = Testbed::without_daemon();
    for user in ["alice", "bob", "carol"] {
        bed.user(user);
    }
    bed.etc("group", "family:x:60990:alice,bob");
    bed.join("otpadmin", "carol");
    bed.configure("");
    bed
}

fn started() -> Testbed {
    let mut bed = bed();
    bed.start();
    bed
}

fn policy(bed: &Testbed, user: &str, words: &[&str]) -> Output {
    bed.run_as(user, "otpctl", &[&["--json", "policy"], words].concat())
}

/// How a refusal ended, and its reason and words.
#[track_caller]
fn refused(output: &Output) -> (i32, String, String) {
    assert_eq!(output.stdout, "", "{output:?}");
    let error: Value = serde_json::from_str(&output.stderr).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |key: &str| error["error"][key].as_str().unwrap().to_owned();
    (output.code, text("reason"), text("message"))
}

fn start(bed: &Testbed, user: &str) -> Value {
    let login = json!({"login": {"user": user, "service": "sshd"}});
    bed.daemon().login("org.otpd.Login.Start", &login).unwrap()["step"].take()
}

fn answer(bed: &Testbed, user: &str, code: &str) -> Value {
    let login = json!({"login": {"user": user, "service": "sshd"}, "answer": code});
    bed.daemon().login("org.otpd.Login.Answer", &login).unwrap()["step"]["next"].take()
}

#[test]
fn members_are_let_in_until_the_grace_is_over_and_need_a_device_then() {
    let mut bed = bed();
    let clock = BoxClock::start(&mut bed, 0);
    let done = policy(&bed, "root", &["require", "family", "--grace-days", "2"]).ok().json();
    assert_eq!(
        (&done["group"], &done["gid"], &done["locks_out"]),
        (&json!("family"), &json!(60990), &json!(0))
    );
    let step = start(&bed, "alice");
    assert_eq!((&step["next"], &step["why"]), (&json!("not_required"), &json!("grace")));
    assert!(step["notice"].as_str().unwrap().contains("otpctl bind"), "{step}");
    assert_eq!(start(&bed, "carol")["why"], "optional", "she is in no such group");
    let status = bed.run_as("alice", "otpctl", &["--json", "status"]).ok().json();
    assert_eq!(status["requirement"]["since"], done["from"]);
    let phone = bed.bind("alice", "phone");
    clock.set(2 * 86_400 + 60);
    assert_eq!(start(&bed, "bob")["next"], "ask");
    assert_eq!(answer(&bed, "bob", "123456"), "refuse");
    assert_eq!(answer(&bed, "alice", &phone.code(2 * 2880 + 2)), "accept");
    let report = policy(&bed, "root", &["report"]).ok().json();
    assert_eq!(
        (&report["required"][0]["group"], &report["required"][0]["by"]),
        (&json!("family"), &json!("root"))
    );
    assert_eq!(
        (&report["concerned"][0]["user"], &report["concerned"][0]["standing"]),
        (&json!("bob"), &json!("locked_out"))
    );
    let enrol = bed.run("otpctl", &["--json", "enrol-code", "bob"]).ok().json();
    assert_eq!(answer(&bed, "bob", enrol["enrol_code"].as_str().unwrap()), "accept");
    policy(&bed, "root", &["release", "family"]).ok();
    assert_eq!(start(&bed, "bob")["why"], "optional");
    assert_eq!(policy(&bed, "root", &["report"]).ok().json()["required"], json!([]));
}

#[test]
fn who_would_be_locked_out_has_to_be_known_by_number() {
    let bed = started();
    let now = ["require", "family", "--grace-days", "0"];
    let (code, reason, say) = refused(&policy(&bed, "root", &now));
    assert_eq!((code, reason.as_str()), (1, "locks_out"));
    assert!(say.contains("2 members") && say.contains("otpctl policy report"), "{say}");
    assert_eq!(start(&bed, "alice")["why"], "optional", "nothing was done");
    let dry = policy(&bed, "root", &[&now[..], &["--dry-run"]].concat()).ok().json();
    assert_eq!((&dry["locks_out"], &dry["required"]), (&json!(2), &json!([])));
    assert_eq!(refused(&policy(&bed, "root", &[&now[..], &["--locks-out", "1"]].concat())).1, "locks_out");
    bed.bind("alice", "phone");
    assert_eq!(refused(&policy(&bed, "root", &[&now[..], &["--locks-out", "2"]].concat())).1, "locks_out");
    let done = policy(&bed, "root", &[&now[..], &["--locks-out", "1"]].concat()).ok().json();
    assert_eq!(done["locks_out"], 1);
    assert_eq!(answer(&bed, "bob", "123456"), "refuse");
    assert_eq!(
        refused(&policy(&bed, "root", &["require", "root", "--grace-days", "0", "--locks-out", "1"])).1,
        "locks_out"
    );
    bed.bind("root", "phone");
    policy(&bed, "root", &["require", "root", "--grace-days", "0"]).ok();
}

#[test]
fn what_is_required_is_there_after_a_kill_and_comes_back_with_a_backup() {
    let mut bed = started();
    policy(&bed, "root", &["require", "family", "--grace-days", "0", "--locks-out", "2"]).ok();
    bed.take_daemon().kill();
    bed.start();
    assert_eq!(start(&bed, "alice")["next"], "ask");
    std::fs::write(bed.path("words"), "correct horse battery\n").unwrap();
    let path = |name: &str| bed.path(name).display().to_string();
    let (file, words, config) = (path("backup"), path("words"), path("otpd.toml"));
    bed.run("otpctl", &["backup", &file, "--passphrase-file", &words]).ok();
    policy(&bed, "root", &["release", "family"]).ok();
    assert_eq!(start(&bed, "alice")["why"], "optional");
    bed.take_daemon().stop();
    let restore = ["--offline", "--config", &config, "restore", &file, "--replace"];
    bed.run("otpctl", &[&restore[..], &["--passphrase-file", &words]].concat()).ok();
    bed.start();
    assert_eq!(start(&bed, "alice")["next"], "ask");
}

#[test]
fn administrators_give_a_code_and_nobody_else_may() {
    let bed = started();
    for words in [&["report"][..], &["require", "family"], &["release", "family"]] {
        let (code, reason, _) = refused(&policy(&bed, "alice", words));
        assert_eq!((code, reason.as_str()), (5, "not_permitted"), "{words:?}");
    }
    let token = bed.bind("carol", "phone");
    assert_eq!(refused(&policy(&bed, "carol", &["require", "family"])).1, "code_needed");
    policy(&bed, "carol", &["require", "family", "--code", &token.code(0)]).ok();
    let event = bed.last_event("carol");
    assert_eq!(
        (&event["event"], &event["verdict"], &event["actor"]),
        (&json!("require_group"), &json!("accept"), &json!("carol"))
    );
    assert!(event["detail"].as_str().unwrap().starts_with("of group family (60990), from "), "{event}");
    assert_eq!(refused(&policy(&bed, "carol", &["require", "root"])).1, "not_on_root");
    policy(&bed, "carol", &["release", "family"]).ok();
    assert_eq!(bed.last_event("carol")["event"], "release_group");
}

#[test]
fn what_otpd_toml_requires_is_roots_to_change_and_the_earlier_day_counts() {
    let mut bed = bed();
    bed.configure("[policy]\nrequire_groups = [\"family\"]\ngrace_days = 7\nexempt_users = [\"bob\"]");
    bed.start();
    let since = |bed: &Testbed| {
        let status = bed.run_as("alice", "otpctl", &["--json", "status"]).ok().json();
        (status["requirement"]["since"].as_i64().unwrap() - status["now"].as_i64().unwrap()) / 86_400
    };
    let (_, reason, say) = refused(&policy(&bed, "root", &["release", "family"]));
    assert!(reason == "group_not_required" && say.contains("otpd.toml"), "{say}");
    assert_eq!(refused(&policy(&bed, "root", &["release", "nobody-here"])).1, "no_such_group");
    assert_eq!(refused(&policy(&bed, "root", &["require", "nobody-here"])).1, "no_such_group");
    policy(&bed, "root", &["require", "family", "--grace-days", "30"]).ok();
    assert!(since(&bed) < 8);
    policy(&bed, "root", &["require", "family", "--grace-days", "3"]).ok();
    assert!(since(&bed) < 4);
    assert_eq!(start(&bed, "bob")["why"], "exempt");
    assert_eq!(policy(&bed, "root", &["release", "family"]).ok().json()["configured"], true);
    assert!(since(&bed) >= 6);
}

#[test]
fn whose_primary_group_it_is_counts_as_a_member() {
    let bed = started();
    let bobs = std::fs::read_to_string(bed.path("etc/passwd")).unwrap();
    let gid = bobs.lines().find(|line| line.starts_with("bob:")).unwrap().split(':').nth(3).unwrap();
    bed.etc("group", &format!("bobs-own:x:{gid}:"));
    let (_, reason, say) = refused(&policy(&bed, "root", &["require", gid, "--grace-days", "0"]));
    assert!(reason == "locks_out" && say.contains("--locks-out 1"), "{reason} {say}");
    policy(&bed, "root", &["require", gid, "--grace-days", "0", "--locks-out", "1"]).ok();
    assert_eq!(
        (start(&bed, "bob")["next"].as_str(), answer(&bed, "bob", "123456")),
        (Some("ask"), json!("refuse"))
    );
}

/// As with the disk in another box: what is required there keeps nobody out for ever.
#[test]
fn root_releases_a_group_while_otpd_is_stopped() {
    let mut bed = started();
    bed.bind("alice", "phone");
    policy(&bed, "root", &["require", "family", "--grace-days", "0", "--locks-out", "1"]).ok();
    bed.take_daemon().stop();
    let config = bed.path("otpd.toml").display().to_string();
    let offline = |words: &[&str]| bed.run("otpctl", &[&["--offline", "--config", &config], words].concat());
    let reset = offline(&["reset", "alice", "--yes"]).ok();
    assert!(reset.stdout.contains("policy release GROUP"), "{reset:?}");
    let report = offline(&["policy", "report"]).ok();
    assert!(report.stdout.contains("family"), "{report:?}");
    offline(&["policy", "release", "60990"]).ok();
    bed.start();
    assert_eq!(start(&bed, "alice")["next"], "not_required");
    assert_eq!(bed.last_event("root")["event"], "release_group");
}
