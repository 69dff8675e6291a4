//! otpd-mail's delivery against mail servers: real ones with and without TLS and login, and every fault a server or the
//! way to it can have. A deadline here is as short as a test can wait; in the configuration it is 5 s at least.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use otpd_mail::address::Address;
use otpd_mail::compose::Mail;
use otpd_mail::config::Config;
use otpd_mail::setup::Setup;
use otpd_mail::verdict::Verdict;
use otpd_proto::mail::Outcome;
use otpd_tests::SmtpServer;
use otpd_tests::make_certificates;
use serde_json::json;

/// For servers that answer.
const AMPLE: Duration = Duration::from_secs(30);
/// For those that do not.
const SHORT: Duration = Duration::from_secs(2);

/// A directory with certificates, and passwords.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        make_certificates(directory.path());
        for name in ["right", "wrong"] {
            let path = directory.path().join(name);
            std::fs::write(&path, name).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn server(&self, behaviour: &str, certificate: &str) -> SmtpServer {
        SmtpServer::with_certificate(behaviour, self.0.path(), certificate)
    }

    /// The lines that trust the authority and log in.
    fn login(&self, password: &str) -> String {
        let (ca, password) = (self.path("ca.pem"), self.path(password));
        format!("ca_file = {ca:?}\nuser = \"nas\"\npassword_file = {password:?}")
    }
}

fn mail() -> Mail {
    let address = |text| Address::parse(text).unwrap();
    let content = b"Subject: hello\r\n\r\nA line\r\n.\r\n..with dots\r\nFrom here\r\n".to_vec();
    Mail { from: address("nas@example.org"), to: address("jane@example.org"), content: content.into() }
}

fn deliver(port: u16, tls: &str, more: &str, deadline: Duration) -> Verdict {
    let text = format!(
        "transport = \"smtp\"\nfrom = \"nas@example.org\"\n[smtp]\nhost = \"localhost\"\nport = {port}\n\
         tls = \"{tls}\"\n{more}\n"
    );
    let config = Config::parse(&text).unwrap();
    let setup = Setup::resolve(&config, Path::new("mail.toml"), None, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(setup.transport.deliver(&mail(), deadline))
}

#[track_caller]
fn check(verdict: &Verdict, outcome: Outcome, answer: &str, advice: &str) {
    assert_eq!(verdict.outcome, outcome, "{verdict:?}");
    assert!(verdict.answer.contains(answer), "{verdict:?}");
    assert!(verdict.advice.clone().unwrap_or_default().contains(advice), "{verdict:?}");
    assert_eq!(verdict.advice.is_none(), advice.is_empty(), "{verdict:?}");
}

/// A verdict from a server that would take mail, and took none.
#[track_caller]
fn check_nothing_sent(server: &SmtpServer, verdict: &Verdict, answer: &str, advice: &str) {
    check(verdict, Outcome::Later, answer, advice);
    assert!(server.has_no_more_mail());
}

#[test]
fn a_mail_arrives_as_it_was_written() {
    let server = SmtpServer::start("plain");
    let verdict = deliver(server.port(), "none", "", AMPLE);
    check(&verdict, Outcome::Delivered, "250 2.0.0 Ok: queued as 4F1A2B", "");
    let content = "Subject: hello\r\n\r\nA line\r\n.\r\n..with dots\r\nFrom here\r\n";
    assert_eq!(
        server.mail(),
        json!({"from": "nas@example.org", "to": ["jane@example.org"], "user": null, "content": content})
    );
}

#[test]
fn a_mail_goes_out_after_starttls_and_a_login() {
    let files = Files::new();
    let server = files.server("starttls", "good");
    let verdict = deliver(server.port(), "starttls", &files.login("right"), AMPLE);
    check(&verdict, Outcome::Delivered, "250 2.0.0 Ok", "");
    assert_eq!(server.mail()["user"], "nas");
}

#[test]
fn a_mail_goes_out_through_tls_from_the_first_byte() {
    let files = Files::new();
    let server = files.server("implicit", "good");
    let verdict = deliver(server.port(), "required", &files.login("right"), AMPLE);
    check(&verdict, Outcome::Delivered, "250 2.0.0 Ok", "");
    assert_eq!(server.mail()["user"], "nas");
}

#[test]
fn a_wrong_password_is_for_later_and_says_what_to_check() {
    let files = Files::new();
    for (behaviour, tls) in [("starttls", "starttls"), ("implicit", "required")] {
        let server = files.server(behaviour, "good");
        let verdict = deliver(server.port(), tls, &files.login("wrong"), AMPLE);
        check_nothing_sent(&server, &verdict, "535 5.7.8", "smtp.user and the password");
    }
}

#[test]
fn a_server_that_wants_a_login_says_so() {
    let files = Files::new();
    let server = files.server("starttls", "good");
    let trust = format!("ca_file = {:?}", files.path("ca.pem"));
    let verdict = deliver(server.port(), "starttls", &trust, AMPLE);
    check_nothing_sent(&server, &verdict, "530 5.7.0", "set smtp.user");
}

#[test]
fn a_server_without_a_login_is_not_told_the_password() {
    let files = Files::new();
    let server = SmtpServer::start("plain");
    let verdict = deliver(server.port(), "none", &files.login("right"), AMPLE);
    check_nothing_sent(&server, &verdict, "no login by PLAIN or LOGIN", "smtp.user");
}

#[test]
fn a_certificate_that_is_not_good_keeps_the_mail_here() {
    let files = Files::new();
    for (behaviour, tls) in [("starttls", "starttls"), ("implicit", "required")] {
        let server = files.server(behaviour, "good");
        // The system's authorities know nothing of ours.
        let verdict = deliver(server.port(), tls, "", AMPLE);
        check_nothing_sent(&server, &verdict, "TLS: invalid peer certificate: UnknownIssuer", "smtp.ca_file");
        for (certificate, advice) in [
            ("expired", "expired"),
            ("other", "smtp.host"),
            ("authority", "CA:TRUE"),
            ("self", "smtp.ca_file"),
        ] {
            let server = files.server(behaviour, certificate);
            let verdict = deliver(server.port(), tls, &files.login("right"), AMPLE);
            check_nothing_sent(&server, &verdict, "TLS: invalid peer certificate", advice);
        }
    }
}

#[test]
fn a_certificate_that_signs_itself_can_be_trusted_by_name() {
    let files = Files::new();
    let server = files.server("implicit", "self");
    let login = files.login("right").replace("ca.pem", "self.pem");
    check(&deliver(server.port(), "required", &login, AMPLE), Outcome::Delivered, "250 2.0.0 Ok", "");
}

#[test]
fn a_server_whose_starttls_was_taken_out_gets_nothing() {
    let server = SmtpServer::start("no-starttls");
    let verdict = deliver(server.port(), "starttls", "", AMPLE);
    check_nothing_sent(&server, &verdict, "does not offer STARTTLS", "smtp.tls = \"required\" with port 465");
}

/// The flaw of CVE-2011-0411: answers in the clear, taken for those from behind the encryption.
#[test]
fn answers_that_were_sent_before_tls_began_make_up_no_delivery() {
    let files = Files::new();
    let server = files.server("injects", "good");
    let trust = format!("ca_file = {:?}", files.path("ca.pem"));
    let verdict = deliver(server.port(), "starttls", &trust, AMPLE);
    check(&verdict, Outcome::Later, "TLS: ", "TLS");
}

#[test]
fn a_server_on_the_port_of_the_other_kind_of_tls_is_told_apart() {
    let files = Files::new();
    let server = files.server("starttls", "good");
    let verdict = deliver(server.port(), "required", &files.login("right"), AMPLE);
    check_nothing_sent(&server, &verdict, "TLS: ", "smtp.tls = \"starttls\" with port 587");
    let server = files.server("implicit", "good");
    let verdict = deliver(server.port(), "starttls", &files.login("right"), SHORT);
    check_nothing_sent(
        &server,
        &verdict,
        "greeting: not done within 2 s",
        "with port 465 set smtp.tls = \"required\"",
    );
}

#[test]
fn a_refused_connection_is_for_later() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for tls in ["none", "starttls", "required"] {
        let verdict = deliver(port, tls, "", AMPLE);
        check(
            &verdict,
            Outcome::Later,
            "Connection refused (os error 111)",
            "connection refused at localhost:",
        );
    }
}

#[test]
fn a_name_that_does_not_resolve_is_for_later() {
    let text = "transport = \"smtp\"\nfrom = \"nas@example.org\"\n[smtp]\nhost = \"mail.invalid\"\n";
    let setup = Setup::resolve(&Config::parse(text).unwrap(), Path::new("mail.toml"), None, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let verdict = runtime.block_on(setup.transport.deliver(&mail(), AMPLE));
    check(&verdict, Outcome::Later, "looking up mail.invalid: ", "mail.invalid does not resolve");
}

#[test]
fn silence_and_a_byte_a_second_end_at_the_deadline() {
    for behaviour in ["silent", "drip"] {
        for tls in ["none", "starttls", "required"] {
            let server = SmtpServer::start(behaviour);
            let began = now();
            let verdict = deliver(server.port(), tls, "", SHORT);
            let took = began.elapsed();
            assert!(took >= SHORT || tls == "required", "{behaviour}, {tls}: {took:?}");
            assert!(took < 5 * SHORT, "{behaviour}, {tls}: {took:?}");
            assert_eq!(verdict.outcome, Outcome::Later, "{verdict:?}");
            assert!(verdict.advice.is_some(), "{verdict:?}");
        }
    }
}

#[test]
fn a_server_that_floods_fills_no_memory() {
    let server = SmtpServer::start("floods");
    let verdict = deliver(server.port(), "none", "", AMPLE);
    check(
        &verdict,
        Outcome::Later,
        "the server sent more than 262144 bytes",
        "does not greet as a mail server",
    );
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_mail_is_tried_again() {
    let server = SmtpServer::start("dies");
    let verdict = deliver(server.port(), "none", "", AMPLE);
    check(&verdict, Outcome::Later, "sending the mail: ", "");
}

#[test]
fn a_greylisted_mail_goes_out_at_the_next_try() {
    let server = SmtpServer::start("greylist");
    let verdict = deliver(server.port(), "none", "", AMPLE);
    check_nothing_sent(&server, &verdict, "451 4.7.1 Greylisted, come back later", "");
    check(&deliver(server.port(), "none", "", AMPLE), Outcome::Delivered, "250", "");
    let _ = server.mail();
}

#[test]
fn a_refusal_of_the_recipient_or_the_mail_is_for_good_and_one_of_us_is_not() {
    for (behaviour, outcome, answer, advice) in [
        ("no-user", Outcome::Failed, "550 5.1.1 User unknown", "check the address"),
        ("too-spammy", Outcome::Failed, "554 5.7.1 This looks like spam", "the mail itself"),
        ("no-relay", Outcome::Later, "554 5.7.1 Relay access denied", "set smtp.user"),
        ("no-sender", Outcome::Later, "553 5.7.1 Sender address rejected", "set from"),
    ] {
        let server = SmtpServer::start(behaviour);
        check(&deliver(server.port(), "none", "", AMPLE), outcome, answer, advice);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a delivery takes is what is tested")]
fn now() -> Instant {
    Instant::now()
}
