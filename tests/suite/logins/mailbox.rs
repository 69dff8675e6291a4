//! The phone is lost: the word `mail` at the prompt of a real sshd, a code in a real mailbox, and the new phone takes the
//! old one's place. Whoever lacks the password or the mailbox gets nothing.

use std::io::Write;
use std::path::Path;

use otpd_tests::Output;
use otpd_tests::PASSWORD;
use otpd_tests::SmtpServer;
use otpd_tests::Testbed;
use otpd_tests::Token;
use otpd_tests::mailed_code;
use serde_json::json;

use crate::ssh::STACK;
use crate::ssh::Sshd;

const JANE: &str = "jane@example.org";

/// alice and mallory, each with a phone and a secure email, and what is said of it read.
fn bed() -> (Testbed, SmtpServer) {
    let mut bed = Testbed::new();
    let server = SmtpServer::start("plain");
    bed.start_mail(server.port(), "");
    for (user, address) in [("alice", JANE), ("mallory", "mallory@example.net")] {
        bed.user(user);
        wait_for_mail(&bed);
        ctl(&bed, user, &["email", "add", address]).ok();
        let mail = server.mail();
        assert_eq!(mail["to"][0], address);
        ctl(&bed, user, &["email", "confirm", &mailed_code(&mail)]).ok();
        assert_eq!(server.mail()["to"][0], address, "the notice of the address");
    }
    bed.stack("sshd", STACK);
    (bed, server)
}

/// Until otpd knows that otpd-mail is there.
fn wait_for_mail(bed: &Testbed) {
    while bed.daemon().account("org.otpd.Admin.MailStatus", &json!({})).unwrap()["problem"].is_string() {
        std::thread::yield_now();
    }
}

/// otpctl as a user, with `--json`.
fn ctl(bed: &Testbed, user: &str, arguments: &[&str]) -> Output {
    bed.run_as(user, "otpctl", &[&["--json"], arguments].concat())
}

/// Binds a phone as its owner does.
fn bind(bed: &Testbed, user: &str, more: &[&str]) -> Token {
    let begun = ctl(bed, user, &[&["bind", "--begin"], more].concat()).ok().json();
    let phone = Token::new(begun["key"].as_str().unwrap());
    ctl(bed, user, &["confirm", &begun["device"].to_string(), &phone.code(-1)]).ok();
    phone
}

fn fifo(bed: &Testbed) -> std::path::PathBuf {
    let path = bed.path("from-the-mailbox");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    path
}

fn write(path: &Path, text: &str) {
    writeln!(std::fs::OpenOptions::new().write(true).open(path).unwrap(), "{text}").unwrap();
}

#[test]
fn the_word_mail_brings_a_code_that_lets_in_and_the_new_phone_replaces_the_lost_one() {
    let (bed, server) = bed();
    let lost = bind(&bed, "alice", &["--name", "phone"]);
    assert!(server.mail()["content"].as_str().unwrap().contains("alice"), "told of the protection");
    let sshd = Sshd::start(&bed, "");
    let pipe = fifo(&bed);
    // In one login: the word is typed, the mail is read, its code is typed at the prompt that follows.
    let typed = format!("@{}", pipe.display());
    let login = std::thread::scope(|scope| {
        let login = scope.spawn(|| sshd.login("alice", &[PASSWORD, "mail", &typed]));
        let mail = server.mail();
        assert_eq!(mail["to"], json!([JANE]));
        write(&pipe, &mailed_code(&mail));
        login.join().unwrap()
    });
    assert_eq!(login.stdout, "in as alice\n", "{login:?} {}", sshd.log());
    assert!(login.stderr.contains("A code is on its way to j***@e***.org, good until "), "{}", login.stderr);
    let event = bed.last_event("alice");
    assert_eq!((event["verdict"].as_str(), event["device"].as_str()), (Some("accept"), Some("mailed code")));
    let told = server.mail();
    assert!(told["content"].as_str().unwrap().contains("127.0.0.1"), "{told}");
    let status = ctl(&bed, "alice", &["status"]).ok().json();
    assert!(status["rebind_until"].is_i64(), "{status}");
    let new = bind(&bed, "alice", &["--replace", "phone"]);
    assert_ne!(sshd.login("alice", &[PASSWORD, &lost.code(0)]).code, 0);
    let login = sshd.login("alice", &[PASSWORD, &new.code(0)]);
    assert_eq!(login.stdout, "in as alice\n", "{login:?} {}", sshd.log());
}

#[test]
fn a_code_is_the_users_own_and_good_once_in_a_login_of_its_own_too() {
    let (bed, server) = bed();
    for user in ["alice", "mallory"] {
        bind(&bed, user, &["--name", "phone"]);
        server.mail();
    }
    let sshd = Sshd::start(&bed, "");
    assert_ne!(sshd.login("alice", &[PASSWORD, "mail", "000000"]).code, 0);
    let code = mailed_code(&server.mail());
    assert_ne!(sshd.login("mallory", &[PASSWORD, &code]).code, 0, "somebody else's");
    assert_ne!(sshd.login("alice", &[PASSWORD, "ABCD-EFGH"]).code, 0, "a wrong one");
    let login = sshd.login("alice", &[PASSWORD, &code]);
    assert_eq!(login.stdout, "in as alice\n", "{login:?} {}", sshd.log());
    server.mail();
    assert_ne!(sshd.login("alice", &[PASSWORD, &code]).code, 0, "used");
}

#[test]
fn the_mailbox_without_the_password_and_the_password_without_the_mailbox_are_nothing() {
    let (bed, server) = bed();
    bind(&bed, "alice", &["--name", "phone"]);
    server.mail();
    let sshd = Sshd::start(&bed, "");
    // A thief of the mailbox never gets to the word.
    let login = sshd.login("alice", &["guess", "mail"]);
    assert!(login.code != 0 && !login.stderr.contains("One-time code"), "{login:?}");
    assert!(server.has_no_more_mail());
    // A thief of the password has ten guesses at 40 bits, however many codes are mailed.
    assert_ne!(sshd.login("alice", &[PASSWORD, "mail", "AAAA-AAAA"]).code, 0);
    let code = mailed_code(&server.mail());
    for _ in 1..10 {
        assert_ne!(sshd.login("alice", &[PASSWORD, "ZZZZ-ZZZZ"]).code, 0);
    }
    assert_ne!(sshd.login("alice", &[PASSWORD, &code]).code, 0, "the right one after ten wrong ones");
    // The owner at the console is not touched by that.
    bed.stack("login", STACK);
    let console = json!({"user": "alice", "service": "login", "tty": "tty1"});
    let answer = |answer: &str| {
        let call = json!({"login": console, "answer": answer});
        bed.daemon().login("org.otpd.Login.Answer", &call).unwrap()["step"].clone()
    };
    assert_eq!(answer(&code)["next"], "accept");
}

#[test]
fn every_address_is_told_and_a_box_that_cannot_mail_promises_nothing() {
    let (mut bed, server) = bed();
    let phone = bind(&bed, "alice", &["--name", "phone"]);
    server.mail();
    ctl(&bed, "alice", &["email", "add", "jane@work.example", "--code", &phone.code(0)]).ok();
    ctl(&bed, "alice", &["email", "confirm", &mailed_code(&server.mail())]).ok();
    let mut told = [server.mail(), server.mail()].map(|mail| mail["to"][0].as_str().unwrap().to_owned());
    told.sort();
    assert_eq!(told, [JANE, "jane@work.example"]);
    bed.take_mailer().stop();
    let sshd = Sshd::start(&bed, "");
    // Nobody came for a mail since; but it is not long ago.
    let login = sshd.login("alice", &[PASSWORD, "?", "000000"]);
    assert!(login.stderr.contains("or mail to have a code mailed"), "{}", login.stderr);
    drop(sshd);
    bed.take_daemon().stop();
    bed.start();
    let sshd = Sshd::start(&bed, "");
    let login = sshd.login("alice", &[PASSWORD, "mail", "000000"]);
    assert!(login.stderr.contains("This box cannot send mail now."), "{}", login.stderr);
    let status = bed.run_as("alice", "otpctl", &["status"]).ok();
    assert!(
        status.stdout.contains("no mail goes out: this box is not set up to send any"),
        "{}",
        status.stdout
    );
}
