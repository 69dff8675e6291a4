//! A real mail server (exim4) between otpd-mail and a mailbox: an address is proven and an account recovered with what
//! lies in the mailbox, once by SMTP with STARTTLS and a login, once through the program that stands in for `sendmail`.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use otpd_tests::Exim;
use otpd_tests::Testbed;
use otpd_tests::mailed_code;
use otpd_tests::make_certificates;
use serde_json::Value;
use serde_json::json;

/// alice, who has a mailbox in nas.example.
fn bed() -> (Testbed, Exim) {
    let mut bed = Testbed::new();
    bed.user("alice");
    make_certificates(&bed.path(""));
    let exim = Exim::install(&bed, &bed.path(""));
    (bed, exim)
}

/// The settings for an exim that listens, with this password.
fn by_smtp(bed: &Testbed, port: u16, password: &str) -> String {
    let file = bed.path("smtp-password");
    std::fs::write(&file, password).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ca = bed.path("ca.pem");
    format!(
        "transport = \"smtp\"\nfrom = \"otpd@nas.example\"\n[smtp]\nhost = \"localhost\"\nport = {port}\n\
         tls = \"starttls\"\nuser = \"nas\"\npassword_file = {file:?}\nca_file = {ca:?}\n"
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until otpd-mail is there.
fn until_there(bed: &Testbed) {
    let status = || bed.daemon().account("org.otpd.Admin.MailStatus", &json!({})).unwrap();
    while !status()["transport"].is_string() {
        std::thread::yield_now();
    }
}

fn answer(bed: &Testbed, answer: &str) -> Value {
    let login = json!({"user": "alice", "service": "sshd", "rhost": "192.0.2.7"});
    let call = json!({"login": login, "answer": answer});
    bed.daemon().login("org.otpd.Login.Answer", &call).unwrap()["step"].clone()
}

/// Proves alice's address, binds a phone, and logs in without it.
fn prove_and_recover(bed: &Testbed, exim: &Exim) {
    until_there(bed);
    let add = json!({"user": "alice", "address": "alice@nas.example"});
    bed.daemon().account("org.otpd.Account.AddEmail", &add).unwrap();
    let mail = exim.mail("alice", "Confirm this address");
    let content = mail["content"].as_str().unwrap();
    for header in
        ["Return-path: <otpd@nas.example>", "Envelope-to: alice@nas.example", "To: alice@nas.example"]
    {
        assert!(content.lines().any(|line| line == header), "no {header} in {content}");
    }
    assert!(!content.contains("\nSender: "), "{content}");
    let confirm = json!({"user": "alice", "code": mailed_code(&mail)});
    bed.daemon().account("org.otpd.Account.ConfirmEmail", &confirm).unwrap();
    bed.bind("alice", "phone");
    let said = answer(bed, "mail");
    assert!(said["prompt"].as_str().unwrap().starts_with("A code is on its way"), "{said}");
    let code = mailed_code(&exim.mail("alice", "Your login code"));
    assert_eq!(answer(bed, &code)["device"], "mailed code");
    exim.mail("alice", "Login without a device");
}

#[test]
fn a_recovery_by_smtp_with_starttls_and_a_login() {
    let (mut bed, mut exim) = bed();
    let port = free_port();
    exim.listen(&bed, port);
    bed.start_mail_by(&by_smtp(&bed, port, "right"));
    prove_and_recover(&bed, &exim);
    let log = exim.log();
    let taken = log.lines().filter(|line| line.contains(" <= otpd@nas.example ")).collect::<Vec<_>>();
    assert!(taken.len() >= 3, "{log}");
    for line in taken {
        assert!(line.contains("P=esmtpsa X=TLS1.3") && line.contains(" A=plain:nas "), "{line}");
    }
}

#[test]
fn a_recovery_through_the_program_in_place_of_sendmail() {
    let (mut bed, exim) = bed();
    bed.start_mail_by(&format!(
        "transport = \"sendmail\"\nfrom = \"otpd@nas.example\"\n[sendmail]\nprogram = {:?}\n",
        Exim::PROGRAM
    ));
    prove_and_recover(&bed, &exim);
    let log = exim.log();
    let taken = log.lines().filter(|line| line.contains(" <= otpd@nas.example ")).collect::<Vec<_>>();
    assert!(taken.len() >= 3, "{log}");
    assert!(taken.iter().all(|line| line.contains(" U=otpd-mail P=local ")), "{log}");
}

#[test]
fn what_it_refuses_is_told_in_its_own_words() {
    let (mut bed, mut exim) = bed();
    let port = free_port();
    exim.listen(&bed, port);
    for (password, address, said) in [
        ("right", "nobody-here@nas.example", "550 Unrouteable address"),
        ("right", "jane@example.org", "550 Relay not permitted"),
        ("wrong", "alice@nas.example", "535 Incorrect authentication data"),
    ] {
        bed.start_mail_by(&by_smtp(&bed, port, password));
        until_there(&bed);
        let tested = bed.run("otpctl", &["mail", "test", address]);
        assert!(tested.code == 1 && tested.stdout.contains(said), "{tested:?}");
        bed.take_mailer().stop();
    }
    assert!(!exim.log().contains(" <= "), "{}", exim.log());
}
