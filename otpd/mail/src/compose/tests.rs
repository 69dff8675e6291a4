//! Every mail in both languages, and hostile values in each of its fields. After a wanted change:
//! `OTPD_MAIL_BLESS=1 cargo test -p otpd-mail`.

use std::path::PathBuf;

use otpd_proto::Secret;
use otpd_proto::mail::Kind;
use otpd_proto::mail::Outcome;

use super::*;

/// 2026-11-22 06:12:30 UTC.
const AT: i64 = 1_795_327_950;

const NOTICES: &[&str] = &[
    "protection_on",
    "protection_off",
    "device_bound",
    "device_removed",
    "recovery_used",
    "codes_new",
    "email_added",
    "email_removed",
    "lane_closed",
    "lane_opened",
    "code_reused",
    "no_code",
    "reset",
    "a_word_from_the_future",
];

fn message(kind: Kind, language: &str) -> Message {
    let is_login = matches!(kind, Kind::Code | Kind::Notice);
    Message {
        id: "17-a".into(),
        kind,
        to: "alice@example.org".into(),
        language: Some(language.into()),
        user: "alice".into(),
        host: "nas".into(),
        at: AT,
        code: matches!(kind, Kind::Confirm | Kind::Code).then(|| Secret::new("7KQM-2VXA".into())),
        expires: AT + 600,
        notice: None,
        service: is_login.then(|| "sshd".into()),
        address: is_login.then(|| "203.0.113.7".into()),
        device: None,
        detail: None,
    }
}

fn notice(word: &str, language: &str) -> Message {
    let (service, address, device, detail) = match word {
        "recovery_used" => (Some("sshd"), Some("2001:db8::17"), Some("recovery code 3"), None),
        "device_bound" | "device_removed" => (None, None, Some("Alice's phone"), None),
        "code_reused" => (Some("sudo"), None, Some("Tablet"), None),
        "email_added" | "email_removed" => (None, None, None, Some("j•••@e•••.org")),
        "lane_closed" | "lane_opened" => (Some("sshd"), None, None, Some("unknown addresses")),
        "no_code" => (Some("cockpit"), Some("203.0.113.7"), None, None),
        _ => (None, None, None, None),
    };
    Message {
        notice: Some(word.into()),
        service: service.map(Into::into),
        address: address.map(Into::into),
        device: device.map(Into::into),
        detail: detail.map(Into::into),
        ..message(Kind::Notice, language)
    }
}

fn all(language: &str) -> Vec<Message> {
    let kinds = [Kind::Confirm, Kind::Code, Kind::Test].into_iter().map(|kind| message(kind, language));
    kinds.chain(NOTICES.iter().map(|word| notice(word, language))).collect()
}

fn letter<'a>(message: &'a Message, catalogues: &Catalogues) -> Letter<'a> {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    Letter::new(message, catalogues.best(message.language.as_deref()), &zone).unwrap()
}

fn sender() -> Sender {
    Sender { address: Address::parse("nas@example.org").unwrap(), name: String::new() }
}

fn compose(message: &Message, sender: &Sender) -> String {
    let catalogues = Catalogues::shipped().unwrap();
    let mail = Mail::compose(message, sender, &catalogues, &TimeZone::UTC).unwrap();
    String::from_utf8(mail.content.to_vec()).unwrap()
}

/// The header lines, unfolded.
fn headers(mail: &str) -> Vec<String> {
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
}

#[track_caller]
fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("OTPD_MAIL_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name} differs; expected:\n{expected}\nfound:\n{found}");
}

#[test]
fn the_plain_texts_are_as_they_were() {
    let catalogues = Catalogues::shipped().unwrap();
    for language in ["en", "zh"] {
        let mut texts = String::new();
        for message in all(language) {
            let letter = letter(&message, &catalogues);
            let text = text::write(&letter).replace("\r\n", "\n").replace("-- \n", "--\n");
            texts.push_str(&format!("Subject: {}\n\n{text}\n{}\n\n", letter.subject, "=".repeat(72)));
        }
        compare(&format!("{language}.txt"), &texts);
    }
}

#[test]
fn the_html_is_as_it_was() {
    let catalogues = Catalogues::shipped().unwrap();
    for language in ["en", "zh"] {
        for (name, message) in
            [("code", message(Kind::Code, language)), ("recovery_used", notice("recovery_used", language))]
        {
            let html = html::write(&letter(&message, &catalogues));
            compare(&format!("{name}.{language}.html"), &html);
        }
    }
}

#[test]
fn every_known_word_has_a_text_of_its_own() {
    let catalogues = Catalogues::shipped().unwrap();
    for language in ["en", "zh"] {
        let mut titles: Vec<String> =
            all(language).iter().map(|message| letter(message, &catalogues).title).collect();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), 3 + NOTICES.len());
    }
}

#[test]
fn a_code_stands_in_the_body_and_nowhere_else() {
    for kind in [Kind::Confirm, Kind::Code] {
        let mail = compose(&message(kind, "en"), &sender());
        assert!(!headers(&mail).iter().any(|line| line.contains("7KQM")));
        assert_eq!(mail.matches("7KQM-2VXA").count(), 2, "text and HTML");
    }
    for kind in [Kind::Notice, Kind::Test] {
        let message = Message { code: Some(Secret::new("7KQM-2VXA".into())), ..message(kind, "en") };
        assert!(!compose(&message, &sender()).contains("7KQM"));
    }
    let without = Message { code: None, ..message(Kind::Code, "en") };
    let refused =
        Mail::compose(&without, &sender(), &Catalogues::shipped().unwrap(), &TimeZone::UTC).unwrap_err();
    assert_eq!(refused.outcome, Outcome::Failed);
}

#[test]
fn the_headers_say_who_it_is_from_and_that_nobody_answers() {
    let mail = compose(&message(Kind::Code, "zh-CN"), &sender());
    let headers = headers(&mail);
    for wanted in [
        "From: nas <nas@example.org>",
        "To: alice@example.org",
        "Date: Sun, 22 Nov 2026 06:12:30 +0000",
        "Message-ID: <otpd.17-a@example.org>",
        "Auto-Submitted: auto-generated",
        "Content-Language: zh-Hans",
        "MIME-Version: 1.0",
    ] {
        assert!(headers.iter().any(|line| line == wanted), "{wanted}: {headers:#?}");
    }
    assert!(headers.iter().any(|line| line.starts_with("Content-Type: multipart/alternative;")));
    assert!(mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains('\n')));
}

#[test]
fn nothing_is_loaded_from_anywhere_and_nothing_is_a_link() {
    let catalogues = Catalogues::shipped().unwrap();
    for message in all("en").iter().chain(&all("zh")) {
        let html = html::write(&letter(message, &catalogues));
        for forbidden in ["http", "src=", "href=", "url(", "<img", "<script", "@import"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
    }
}

#[test]
fn hostile_values_add_no_header_no_line_and_no_markup() {
    let catalogues = Catalogues::shipped().unwrap();
    let long = "ü".repeat(100_000);
    for evil in [
        "x\r\nBcc: eve@example.org\r\n\r\nhello",
        "x\nBcc: eve@example.org",
        "x\rBcc: eve@example.org",
        "\0\u{1b}[2J\u{7f}\u{85}\u{2028}\u{202e}",
        "<script>alert(1)</script><img src=x onerror=\"y\">&amp;'",
        "{user}{box}{until}{nothing",
        "\"a\\\" <eve@example.org>, ",
        "=?utf-8?q?x?=",
        "小明 🏴 é\u{301}",
        "",
        "   ",
        long.as_str(),
    ] {
        for template in all("en").into_iter().chain(all("zh")) {
            let value = || Some(evil.to_owned());
            let message = Message {
                id: evil.into(),
                user: evil.into(),
                host: evil.into(),
                service: value(),
                address: value(),
                device: value(),
                detail: value(),
                ..template
            };
            let letter = letter(&message, &catalogues);
            let known = text::write(&letter).lines().count();
            assert!(known < 40, "{known}");
            let html = html::write(&letter);
            assert!(!html.contains("<script") && !html.contains("<img"), "{}", html.as_str());
            assert!(html.len() < 24_000 && letter.subject.chars().count() < 200);
            let sender = Sender { name: evil.into(), ..sender() };
            let mail = compose(&message, &sender);
            let headers = headers(&mail);
            assert!(!headers.iter().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{headers:#?}");
            assert_eq!(headers.len(), 10, "{headers:#?}");
        }
    }
}

#[test]
fn a_value_that_looks_like_a_placeholder_is_none() {
    let message = Message { user: "{box}".into(), ..message(Kind::Code, "en") };
    let letter = letter(&message, &Catalogues::shipped().unwrap());
    assert!(letter.facts.iter().any(|(_, value)| value == "{box} on nas"), "{:?}", letter.facts);
}

#[test]
fn values_are_cut_at_their_limit_and_not_before() {
    assert_eq!(clean(&"ü".repeat(64), 64), "ü".repeat(64));
    assert_eq!(clean(&"ü".repeat(65), 64), format!("{}…", "ü".repeat(63)));
    assert_eq!(clean(" a \t\n b ", 64), "a b");
}

#[test]
fn a_recipient_that_is_no_address_is_refused_for_good() {
    let catalogues = Catalogues::shipped().unwrap();
    for to in ["", "alice", "-oX@example.org", "a@b\r\nBcc: c@d", "älice@example.org", &"a".repeat(100_000)]
    {
        let message = Message { to: to.into(), ..message(Kind::Code, "en") };
        let refused = Mail::compose(&message, &sender(), &catalogues, &TimeZone::UTC).unwrap_err();
        assert_eq!(refused.outcome, Outcome::Failed, "{to:?}");
        assert!(refused.answer.contains("recipient"), "{}", refused.answer);
    }
}

#[test]
fn times_outside_the_calendar_do_no_harm() {
    for at in [i64::MIN, -1, 0, 253_402_300_799, 253_402_300_800, i64::MAX] {
        let message = Message { at, expires: at, ..message(Kind::Code, "en") };
        assert!(compose(&message, &sender()).contains("\r\nDate: "), "{at}");
    }
}

#[test]
fn the_message_id_is_the_same_at_every_try_and_another_for_another_mail() {
    assert_eq!(message_id("17-a"), "otpd.17-a");
    let ids = ["a", "b", "A", "a.b", "a b", "<x>", "", "ü", "-"].map(message_id);
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    assert!(ids.iter().all(|id| id.is_ascii() && !id.contains(['<', '>', ' ', '@'])));
}
