//! Without root: a daemon of one's own, the built module on the real libpam, and one's own account.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use otpd_tests::Daemon;
use otpd_tests::Programs;
use otpd_tests::Token;
use otpd_tests::pam;
use otpd_tests::pam::Transaction;
use serde_json::json;

/// A private daemon and a directory of PAM stacks.
struct Own {
    directory: tempfile::TempDir,
    daemon: Daemon,
    user: String,
}

impl Own {
    fn start(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (name, mode) in [("run", 0o755), ("state", 0o700), ("pam.d", 0o755)] {
            fs::create_dir(at(name)).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let uid = nix::unistd::geteuid();
        let user =
            nix::unistd::User::from_uid(uid).unwrap().expect("the user who runs the tests has a name").name;
        // Started by root, otpd becomes somebody else; here it is somebody who can reach the test's files.
        let becomes = if uid.is_root() { "daemon" } else { &user };
        if uid.is_root() {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
            let daemon = nix::unistd::User::from_name(becomes).unwrap().unwrap();
            nix::unistd::chown(&at("state"), Some(daemon.uid), Some(daemon.gid)).unwrap();
        }
        let config = format!(
            "user = {becomes:?}\n{settings}\n[paths]\nstate = {:?}\nruntime = {:?}\nsyslog = \"/nonexistent\"\n",
            at("state"),
            at("run")
        );
        fs::write(at("otpd.toml"), config).unwrap();
        let mut command = Command::new(&Programs::build().otpd);
        command.arg("--config").arg(at("otpd.toml"));
        let daemon = Daemon::start(command, &at("run")).unwrap_or_else(|said| panic!("{said}"));
        let line =
            format!("{} socket={}", Programs::build().pam_otp.display(), at("run/login.sock").display());
        let stack = format!("auth required {line}\naccount required {line}\n");
        fs::write(at("pam.d/own"), &stack).unwrap();
        fs::write(at("pam.d/xlock"), stack).unwrap();
        fs::write(at("pam.d/both"), format!("auth required {line} forward_pass\n")).unwrap();
        Self { directory, daemon, user }
    }

    fn bind(&self, name: &str) -> Token {
        let begun = self.daemon.account("org.otpd.Account.Begin", &json!({"name": name})).unwrap();
        let token = Token::new(begun["key"].as_str().unwrap());
        let confirm = json!({"device": name, "code": token.code(-1)});
        self.daemon.account("org.otpd.Account.Confirm", &confirm).unwrap();
        token
    }

    fn stacks(&self) -> std::path::PathBuf {
        self.directory.path().join("pam.d")
    }

    fn login(&self, service: &str, typed: Option<&str>) -> Transaction {
        let typed = typed.map(ToOwned::to_owned);
        Transaction::start(&self.stacks(), service, &self.user, Box::new(move |_| typed.clone()))
    }
}

fn authenticate(stacks: &Path, user: &str, code: &str) -> i32 {
    let code = code.to_owned();
    Transaction::start(stacks, "own", user, Box::new(move |_| Some(code.clone()))).authenticate()
}

#[test]
fn a_code_lets_in_once_and_the_account_phase_knows_it() {
    let own = Own::start("");
    let phone = own.bind("phone");
    let code = phone.code(0);
    let mut login = own.login("own", Some(&code));
    assert_eq!(login.authenticate(), pam::SUCCESS);
    assert_eq!(login.account(), pam::SUCCESS);
    assert_eq!(login.set_credentials(), pam::SUCCESS);
    assert!(login.shown()[0].ends_with(&format!("One-time code for {}: ", own.user)), "{:?}", login.shown());
    let mut again = own.login("own", Some(&code));
    assert_eq!(again.authenticate(), pam::AUTH_ERR);
    assert_eq!(again.account(), pam::PERM_DENIED, "the mark of another login, or of a failed one");
    assert_eq!(own.login("own", None).account(), pam::PERM_DENIED, "no code was given at all");
}

#[test]
fn what_cannot_be_a_code_is_refused_and_not_counted() {
    let own = Own::start("");
    own.bind("phone");
    for typed in
        [None, Some(""), Some("hello"), Some("12345"), Some("+123456"), Some("\u{8}\n\r\u{7f}INCORRECT")]
    {
        assert_eq!(own.login("own", typed).authenticate(), pam::AUTH_ERR, "{typed:?}");
    }
    let status = own.daemon.account("org.otpd.Account.Status", &json!({})).unwrap();
    assert_eq!(status["lanes"], json!([]));
}

#[test]
fn a_code_behind_a_password_lets_in_once_and_what_ends_in_none_is_not_counted() {
    let own = Own::start("");
    let phone = own.bind("phone");
    let code = phone.code(0);
    for typed in [None, Some(""), Some("hunter2"), Some(code.as_str()), Some("\u{8}\n\r\u{7f}INCORRECT")] {
        assert_eq!(own.login("both", typed).authenticate(), pam::AUTH_ERR, "{typed:?}");
    }
    let both = format!("hunter2{code}");
    let mut login = own.login("both", Some(&both));
    assert_eq!(login.authenticate(), pam::SUCCESS);
    assert_eq!(login.shown(), ["Password and one-time code: "]);
    let mut again = own.login("both", Some(&both));
    assert_eq!(again.authenticate(), pam::AUTH_ERR);
    assert_eq!(again.shown(), ["Password and one-time code: "], "not a word of what was wrong");
    let status = own.daemon.account("org.otpd.Account.Status", &json!({})).unwrap();
    assert_eq!(status["lanes"], json!([]));
}

#[test]
fn four_wrong_codes_lock_and_a_recovery_of_the_daemon_forgets_nothing() {
    let own = Own::start("");
    let phone = own.bind("phone");
    for _ in 0..4 {
        assert_eq!(own.login("own", Some("99999999")).authenticate(), pam::AUTH_ERR);
    }
    let code = phone.code(0);
    assert_eq!(own.login("own", Some(&code)).authenticate(), pam::MAXTRIES);
    let status = own.daemon.account("org.otpd.Account.Status", &json!({})).unwrap();
    assert_eq!(
        (status["lanes"][0]["lane"].as_str(), status["lanes"][0]["failures"].as_i64()),
        (Some("local"), Some(4))
    );
}

#[test]
fn without_protection_the_module_leaves_the_decision_to_the_others() {
    let own = Own::start("");
    // Every module of the stack said IGNORE, which libpam ends in PERM_DENIED: nothing here said yes.
    let mut login = own.login("own", None);
    assert_eq!(login.authenticate(), pam::PERM_DENIED);
    assert_eq!(login.shown(), [] as [String; 0]);
}

#[test]
fn a_screen_locker_that_cannot_ask_is_not_asked() {
    let own = Own::start("");
    own.bind("phone");
    let mut login = own.login("xlock", None);
    assert_eq!(login.authenticate(), pam::PERM_DENIED);
    assert_eq!(login.shown(), [] as [String; 0]);
    drop(own);
    let own = Own::start("[service.xlock]\nask = \"always\"\n");
    own.bind("phone");
    let mut login = own.login("xlock", None);
    assert_eq!(login.authenticate(), pam::AUTH_ERR);
    assert_eq!(login.shown().len(), 1);
}

#[test]
fn a_stopped_daemon_lets_nobody_in() {
    let own = Own::start("");
    let phone = own.bind("phone");
    let (code, stacks, user) = (phone.code(0), own.stacks(), own.user.clone());
    let Own { directory, daemon, .. } = own;
    daemon.stop();
    assert_eq!(authenticate(&stacks, &user, &code), pam::AUTHINFO_UNAVAIL);
    drop(directory);
}

#[test]
fn otpd_may_restart_while_a_person_types() {
    let own = Own::start("");
    let code = own.bind("phone").code(0);
    let Own { directory, daemon, user } = own;
    let (stacks, runtime) = (directory.path().join("pam.d"), directory.path().join("run"));
    let mut command = Command::new(&Programs::build().otpd);
    command.arg("--config").arg(directory.path().join("otpd.toml"));
    let (mut stopped, started) = (Some((daemon, command)), Rc::new(RefCell::new(None)));
    let kept = Rc::clone(&started);
    let restart = move |_: &str| {
        let (daemon, command) = stopped.take()?;
        daemon.stop();
        *kept.borrow_mut() = Daemon::start(command, &runtime).ok();
        Some(code.clone())
    };
    assert_eq!(Transaction::start(&stacks, "own", &user, Box::new(restart)).authenticate(), pam::SUCCESS);
    assert!(started.borrow().is_some());
}

#[test]
fn of_eight_threads_with_one_code_one_gets_in() {
    let own = Own::start("");
    for round in 0..10 {
        let code = own.bind(&format!("phone {round}")).code(0);
        let (stacks, user) = (own.stacks(), own.user.clone());
        let verdicts: Vec<i32> = std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| authenticate(&stacks, &user, &code))).collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == pam::SUCCESS).count(), 1, "{verdicts:?}");
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == pam::AUTH_ERR).count(), 7, "{verdicts:?}");
    }
}
