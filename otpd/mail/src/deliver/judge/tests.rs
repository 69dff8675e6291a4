//! What each answer at each step comes to.

use otpd_proto::Secret;
use otpd_proto::mail::Outcome;
use zeroize::Zeroizing;

use super::*;
use crate::address::Address;
use crate::deliver::Login;

fn judge(step: Step, logged_in: bool, trouble: impl FnOnce(&Judge<'_>) -> Verdict) -> Verdict {
    let login = || Login { user: "nas".into(), password: Secret::new("hunter2".into()) };
    let server = Smtp {
        host: "mail.example.org".into(),
        port: 587,
        encryption: Encryption::None,
        login: logged_in.then(login),
        hello: Default::default(),
    };
    let address = |text| Address::parse(text).unwrap();
    let mail = Mail {
        from: address("nas@example.org"),
        to: address("jane@example.org"),
        content: Zeroizing::default(),
    };
    trouble(&Judge { server: &server, mail: &mail, step })
}

#[track_caller]
fn reply(step: Step, code: u16, text: &str, outcome: Outcome, advice: &str) {
    let verdict = judge(step, false, |judge| judge.reply(code, text));
    assert_eq!((verdict.outcome, verdict.answer), (outcome, format!("{code} {text}")));
    assert!(verdict.advice.clone().unwrap_or_default().contains(advice), "{:?}", verdict.advice);
}

#[test]
fn a_4yz_is_for_later_at_every_step() {
    for step in
        [Step::Greeting, Step::Tls, Step::Login, Step::Sender, Step::Recipient, Step::Data, Step::Content]
    {
        reply(step, 450, "4.2.0 greylisted", Outcome::Later, "");
        reply(step, 421, "busy", Outcome::Later, "");
    }
}

#[test]
fn a_5yz_about_the_recipient_or_the_mail_is_for_good() {
    reply(Step::Recipient, 550, "5.1.1 no such user", Outcome::Failed, "check the address");
    reply(Step::Recipient, 552, "5.2.2 mailbox full", Outcome::Failed, "check the address");
    reply(Step::Data, 554, "no valid recipients", Outcome::Failed, "check the address");
    reply(Step::Content, 554, "5.7.1 spam", Outcome::Failed, "the mail itself");
}

#[test]
fn a_5yz_about_this_box_or_its_configuration_loses_no_mail() {
    reply(Step::Greeting, 554, "go away", Outcome::Later, "smtp.ehlo");
    reply(Step::Tls, 502, "no", Outcome::Later, "STARTTLS");
    reply(Step::Login, 535, "5.7.8 bad", Outcome::Later, "smtp.user and the password");
    reply(Step::Sender, 553, "5.7.1 not owned by user", Outcome::Later, "set from");
    reply(Step::Sender, 530, "5.7.0 log in first", Outcome::Later, "smtp.user");
    reply(Step::Recipient, 554, "5.7.1 Relay access denied", Outcome::Later, "smtp.user");
    reply(Step::Recipient, 550, "relay not permitted", Outcome::Later, "smtp.user");
    reply(Step::Recipient, 530, "Authentication required", Outcome::Later, "smtp.user");
}

#[test]
fn one_who_is_logged_in_is_not_told_to_log_in() {
    let verdict = judge(Step::Recipient, true, |judge| judge.reply(554, "Relay access denied"));
    assert!(verdict.advice.unwrap().contains("ask the provider"));
}

#[test]
fn an_error_on_the_way_says_what_was_being_done_and_what_to_change() {
    let refused = || Trouble::Io(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    let verdict = judge(Step::Connect, false, |judge| judge.verdict(refused()));
    assert_eq!(verdict.outcome, Outcome::Later);
    assert_eq!(verdict.answer, "connecting to mail.example.org:587: Connection refused (os error 111)");
    assert!(verdict.advice.unwrap().starts_with("connection refused at mail.example.org:587"));
    let late = judge(Step::Content, false, |judge| judge.verdict(Trouble::Late(Duration::from_secs(60))));
    assert_eq!(late.answer, "sending the mail: not done within 60 s");
    assert_eq!(late.outcome, Outcome::Later);
}

#[test]
fn every_fault_of_a_certificate_has_its_advice() {
    for (error, advice) in [
        (CertificateError::UnknownIssuer, "smtp.ca_file"),
        (CertificateError::Expired, "clock"),
        (CertificateError::NotValidYet, "clock"),
        (CertificateError::NotValidForName, "smtp.host"),
        (CertificateError::Revoked, "administrator"),
    ] {
        let error = io::Error::other(rustls::Error::InvalidCertificate(error));
        let verdict = judge(Step::Tls, false, |judge| judge.broken(&error));
        assert_eq!(verdict.outcome, Outcome::Later);
        assert!(verdict.answer.starts_with("TLS: "), "{}", verdict.answer);
        assert!(verdict.advice.clone().unwrap().contains(advice), "{:?}", verdict.advice);
    }
}
