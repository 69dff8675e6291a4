//! What modules and daemons of released versions say to each other: an upgrade leaves an old module in a running sshd
//! with a new daemon, or the other way round. `wire/VERSION.txt` has each message of that version on a line.
//!
//! A released version's file is never changed. That of this version is written by `OTPD_WIRE_BLESS=1 cargo test`.

#![expect(clippy::unwrap_used, reason = "an integration test, all of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use otpd_proto::Secret;
use otpd_proto::login;
use otpd_proto::login::Next;
use otpd_proto::message;
use otpd_proto::service;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

/// One message: who says it for what, how it is said today, and how today's types read it and say it again.
struct Sample {
    name: &'static str,
    said: String,
    again: fn(&str) -> String,
}

fn samples() -> Vec<Sample> {
    let whole = login::Login {
        user: "alice".into(),
        service: "sshd".into(),
        tty: Some("ssh".into()),
        ruser: Some("bob".into()),
        rhost: Some("192.0.2.7".into()),
        ssh_connection: Some("192.0.2.7 50022 192.0.2.1 22".into()),
        ssh_auth_info: Some("publickey ssh-ed25519 AAAA".into()),
    };
    let short = login::Login { user: "alice".into(), service: "sudo".into(), ..login::Login::default() };
    let start = |login: &login::Login| login::LoginParameters { login: login.clone() };
    let answer =
        |given| login::AnswerParameters { login: short.clone(), answer: Secret::new("123456".into()), given };
    let step = |step| login::Step { step };
    vec![
        call("start", login::START, &start(&whole)),
        call("start of little", login::START, &start(&short)),
        call("account", login::ACCOUNT, &start(&whole)),
        call("answer", login::ANSWER, &answer(login::Given::Typed)),
        call("answer at another prompt", login::ANSWER, &answer(login::Given::FirstPass)),
        call("answer behind a password", login::ANSWER, &answer(login::Given::Tail)),
        reply("ask", &step(Next::Ask { prompt: "One-time code: ".into(), echo: false, digits: Some(6) })),
        reply("ask for anything", &step(Next::Ask { prompt: "Code: ".into(), echo: true, digits: None })),
        reply(
            "accept",
            &step(Next::Accept { device: "phone".into(), notice: Some("Hello.".into()), digits: Some(6) }),
        ),
        reply(
            "accept without a word",
            &step(Next::Accept { device: "phone".into(), notice: None, digits: None }),
        ),
        reply(
            "not required",
            &step(Next::NotRequired { why: "no device".into(), notice: Some("Soon.".into()) }),
        ),
        reply("refuse", &step(Next::Refuse { say: "Wrong code.".into() })),
        reply("locked", &step(Next::Locked { say: "Locked.".into(), until: Some(1_800_000_000) })),
        reply("closed", &step(Next::Locked { say: "Closed.".into(), until: None })),
        error("unavailable", login::UNAVAILABLE, &service::Unavailable { say: "Disk full.".into() }),
    ]
}

fn call<P: Serialize + DeserializeOwned>(name: &'static str, method: &'static str, parameters: &P) -> Sample {
    fn again<P: Serialize + DeserializeOwned>(line: &str) -> String {
        let call: message::Call<'_> = serde_json::from_str(line).unwrap();
        let parameters: P = serde_json::from_str(call.parameters.unwrap().get()).unwrap();
        text(&message::encode_call(&call.method, &parameters).unwrap())
    }
    Sample { name, said: text(&message::encode_call(method, parameters).unwrap()), again: again::<P> }
}

fn reply<T: Serialize + DeserializeOwned>(name: &'static str, parameters: &T) -> Sample {
    Sample { name, said: text(&message::encode_reply(parameters).unwrap()), again: reply_again::<T> }
}

fn error<T: Serialize + DeserializeOwned>(name: &'static str, error: &str, parameters: &T) -> Sample {
    Sample { name, said: text(&message::encode_error(error, parameters).unwrap()), again: reply_again::<T> }
}

fn reply_again<T: Serialize + DeserializeOwned>(line: &str) -> String {
    let reply: message::Reply<'_> = serde_json::from_str(line).unwrap();
    let parameters: T = serde_json::from_str(reply.parameters.unwrap().get()).unwrap();
    match reply.error {
        None => text(&message::encode_reply(&parameters).unwrap()),
        Some(error) => text(&message::encode_error(&error, &parameters).unwrap()),
    }
}

/// A message without its NUL.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap()).unwrap().to_owned()
}

fn file(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(format!("{version}.txt"))
}

/// Version and messages by name.
fn released() -> Vec<(String, BTreeMap<String, String>)> {
    let files = std::fs::read_dir(file("x").parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let lines = std::fs::read_to_string(&path).unwrap();
            let messages = lines.lines().map(|line| line.split_once('\t').unwrap());
            let messages = messages.map(|(name, said)| (name.to_owned(), said.to_owned())).collect();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), messages)
        })
        .collect()
}

/// Whether all that `old` says stands in `new` too.
fn has_all_of(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| has_all_of(new, old)))
        }
        (new, old) => new == old,
    }
}

#[test]
fn this_version_says_what_its_file_says() {
    let version = env!("CARGO_PKG_VERSION");
    let said: String = samples().iter().map(|sample| format!("{}\t{}\n", sample.name, sample.said)).collect();
    if std::env::var_os("OTPD_WIRE_BLESS").is_some() {
        std::fs::write(file(version), &said).unwrap();
    }
    let written = std::fs::read_to_string(file(version)).unwrap_or_default();
    assert_eq!(written, said, "changed on the wire since {version} was written down");
}

#[test]
fn what_a_released_version_says_is_read_whole() {
    for (version, messages) in released() {
        for sample in samples() {
            let Some(said) = messages.get(sample.name) else { continue };
            let again = (sample.again)(said);
            let (old, new) = (serde_json::from_str(said).unwrap(), serde_json::from_str(&again).unwrap());
            assert!(has_all_of(&new, &old), "{version}, {}: {said} became {again}", sample.name);
        }
    }
}

#[test]
fn what_a_released_version_expects_is_still_said() {
    for (version, messages) in released() {
        let samples = samples();
        for (name, said) in messages {
            let Some(sample) = samples.iter().find(|sample| sample.name == name) else {
                panic!("{version} says {name:?}, and nobody looks whether it is understood");
            };
            let (old, new) =
                (serde_json::from_str(&said).unwrap(), serde_json::from_str(&sample.said).unwrap());
            assert!(has_all_of(&new, &old), "{version}, {name}: {said} is now {}", sample.said);
        }
    }
}

#[test]
fn the_comparison_sees_what_is_gone() {
    assert!(has_all_of(&json!({"a": {"b": 1, "c": 2}}), &json!({"a": {"b": 1}})));
    assert!(!has_all_of(&json!({"a": {"c": 2}}), &json!({"a": {"b": 1}})));
    assert!(!has_all_of(&json!({"a": 2}), &json!({"a": 1})));
}
