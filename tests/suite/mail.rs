//! Mail from end to end with otpd-mail and otpd as they are: whatever a mail server does, no login waits for it and nobody is
//! told what is not so; and whoever is killed at whatever moment, no code works twice and no mail is lost that was promised.

#[path = "mail/killed.rs"]
mod killed;

use otpd_tests::SmtpServer;
use otpd_tests::Testbed;
use otpd_tests::Token;
use otpd_tests::mailed_code;
use serde_json::Value;
use serde_json::json;

/// The first step of a login from afar, or what follows from an answer.
fn login(bed: &Testbed, user: &str, answer: Option<&str>) -> Value {
    let login = json!({"user": user, "service": "sshd", "rhost": "192.0.2.7"});
    let call =
        |method: &str, parameters: Value| bed.daemon().login(method, &parameters).unwrap()["step"].clone();
    match answer {
        None => call("org.otpd.Login.Start", json!({"login": login})),
        Some(answer) => call("org.otpd.Login.Answer", json!({"login": login, "answer": answer})),
    }
}

fn mail_status(bed: &Testbed) -> Value {
    bed.daemon().account("org.otpd.Admin.MailStatus", &json!({})).unwrap()
}

/// Waits until the state of mail is as wanted.
fn until(bed: &Testbed, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let status = mail_status(bed);
        if wanted(&status) {
            return status;
        }
        std::thread::yield_now();
    }
}

/// Whether a mail went to an address.
fn is_to(mail: &Value, address: &str) -> bool {
    mail["to"].to_string().contains(address)
}

/// Gives users who exist a secure email each.
fn confirm_emails(bed: &Testbed, server: &SmtpServer, users: &[String]) {
    until(bed, |status| status["problem"].is_null());
    for user in users {
        let address = format!("{user}@example.org");
        let add = json!({"user": user, "address": address});
        bed.daemon().account("org.otpd.Account.AddEmail", &add).unwrap();
        // On a machine so slow that a mail is sent again, it comes twice.
        let mail = std::iter::repeat_with(|| server.mail()).find(|mail| is_to(mail, &address)).unwrap();
        let confirm = json!({"user": user, "code": mailed_code(&mail)});
        bed.daemon().account("org.otpd.Account.ConfirmEmail", &confirm).unwrap();
        server.mail();
    }
}

/// alice with a phone and a secure email, and otpd-mail stopped again.
fn prepared() -> Testbed {
    let mut bed = Testbed::new();
    bed.user("alice");
    let server = SmtpServer::start("plain");
    bed.start_mail(server.port(), "");
    confirm_emails(&bed, &server, &["alice".to_owned()]);
    bed.bind("alice", "phone");
    server.mail();
    until(&bed, |status| status["waiting"] == 0);
    bed.take_mailer().stop();
    bed
}

#[test]
fn whatever_the_server_does_a_login_does_not_wait_for_it() {
    let mut bed = prepared();
    for behaviour in ["silent", "drip", "dies", "floods", "greylist", "no-user", "no-relay", "too-spammy"] {
        let server = SmtpServer::start(behaviour);
        bed.start_mail(server.port(), "deadline_seconds = 5");
        until(&bed, |status| status["transport"].is_string());
        let before = mail_status(&bed)["waiting"].as_u64().unwrap();
        // A mail of its own, so that quotas do not count: the server has it now and does not let go of it.
        bed.daemon().account("org.otpd.Admin.MailTest", &json!({"address": "test@example.org"})).unwrap();
        assert_eq!(login(&bed, "alice", None)["next"], "ask", "{behaviour}");
        assert_eq!(login(&bed, "alice", Some("999999"))["next"], "refuse", "{behaviour}");
        if matches!(behaviour, "silent" | "drip" | "floods") {
            assert!(mail_status(&bed)["waiting"].as_u64().unwrap() > before, "{behaviour} took it after all");
        }
        bed.take_mailer().kill();
        bed.daemon().account("org.otpd.Account.Unlock", &json!({"user": "alice"})).unwrap();
    }
}

#[test]
fn a_server_that_takes_nothing_now_gets_the_mail_later_and_the_prompt_says_so() {
    let mut bed = prepared();
    // Nobody listens there any more.
    let port = SmtpServer::start("plain").port();
    bed.start_mail(port, "");
    until(&bed, |status| status["transport"].is_string());
    assert!(
        login(&bed, "alice", Some("mail"))["prompt"].as_str().unwrap().starts_with("A code is on its way")
    );
    let status = until(&bed, |status| status["problem"].is_string());
    let answer = status["last_trouble"]["answer"].as_str().unwrap();
    assert!(answer.to_lowercase().contains("refused"), "{status}");
    assert!(status["last_trouble"]["advice"].is_string(), "{status}");
    let said = login(&bed, "alice", Some("mail"));
    assert!(said["prompt"].as_str().unwrap().starts_with("The mail server takes nothing now;"), "{said}");
    let told = bed.run_as("alice", "otpctl", &["status"]).ok();
    assert!(told.stdout.contains("no mail goes out"), "{}", told.stdout);
    let tested = bed.run("otpctl", &["mail", "status"]);
    assert!(tested.code == 1 && tested.stdout.contains("does not work"), "{tested:?}");
    // Now there is one, elsewhere.
    let server = SmtpServer::start("plain");
    bed.take_mailer().stop();
    bed.start_mail(server.port(), "");
    let codes = [mailed_code(&server.mail()), mailed_code(&server.mail())];
    assert_ne!(codes[0], codes[1]);
    assert_eq!(login(&bed, "alice", Some(&codes[0]))["device"], "mailed code");
    until(&bed, |status| status["problem"].is_null());
}

#[test]
fn a_test_mail_tells_what_the_server_answered() {
    let mut bed = prepared();
    for (behaviour, code, said) in [
        ("plain", 0, "250 2.0.0 Ok: queued as 4F1A2B"),
        ("no-user", 1, "550 5.1.1 User unknown"),
        ("greylist", 1, "451 4.7.1 Greylisted, come back later"),
    ] {
        let server = SmtpServer::start(behaviour);
        bed.start_mail(server.port(), "");
        until(&bed, |status| status["transport"].is_string());
        let tested = bed.run("otpctl", &["mail", "test", "jane@example.org"]);
        assert_eq!(tested.code, code, "{behaviour}: {tested:?}");
        assert!(tested.stdout.contains(said), "{behaviour}: {tested:?}");
        bed.take_mailer().kill();
    }
    let doctor = bed.run("otpctl", &["doctor", "--json"]).json();
    let checks = doctor["checks"].as_array().unwrap();
    let mail = checks.iter().find(|check| check["check"] == "mail").unwrap();
    assert_eq!(mail["verdict"], "fail", "{mail}");
}

#[test]
fn the_first_binding_leads_a_user_through_a_secure_email() {
    let mut bed = Testbed::new();
    let uid = bed.user("alice");
    let server = SmtpServer::start("plain");
    bed.start_mail(server.port(), "");
    until(&bed, |status| status["problem"].is_null());
    let [mailed, shown] = ["mailed", "shown"].map(|name| {
        let pipe = bed.path(name);
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::chown(&pipe, Some(uid), None).unwrap();
        pipe
    });
    let steps = json!([
        {"Address:": "jane@example.org"},
        {"Code from the mail:": format!("@{}", mailed.display())},
        {"Code from the new device:": format!("@{}", shown.display())},
    ]);
    let key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let command = ["otpctl", "bind", "--name", "phone", "--key", key];
    let bound = std::thread::scope(|scope| {
        let bind = scope.spawn(|| bed.drive(&steps, Some("alice"), &command));
        let mail = server.mail();
        assert_eq!(mail["to"], json!(["jane@example.org"]));
        std::fs::write(&mailed, mailed_code(&mail) + "\n").unwrap();
        std::fs::write(&shown, Token::new(key).code(0) + "\n").unwrap();
        bind.join().unwrap()
    })
    .ok();
    assert!(bound.stdout.contains("a code comes to jane@example.org"), "{}", bound.stdout);
    let said = login(&bed, "alice", Some("mail"));
    assert!(said["prompt"].as_str().unwrap().starts_with("A code is on its way to j***@e***.org"), "{said}");
    let code = loop {
        let mail = server.mail();
        if mail["content"].as_str().unwrap().contains("Subject: Your login code") {
            break mailed_code(&mail);
        }
    };
    assert_eq!(login(&bed, "alice", Some(&code))["device"], "mailed code");
}
