use serde_json::Value;
use serde_json::json;

use super::*;
use crate::channel::script::Script;

fn of(script: &Script) -> Conversation<Script> {
    Conversation::new(Session::new(script.clone()), Secret::new("correct horse".into()))
}

fn message(style: MessageStyle, text: &str) -> Message<'_> {
    Message { style, text: text.as_bytes() }
}

fn hidden(text: &str) -> [Message<'_>; 1] {
    [message(MessageStyle::Hidden, text)]
}

/// What a module gets, in words.
fn got(answers: Result<Vec<Option<Secret>>, Unanswered>) -> Result<Vec<Option<String>>, Unanswered> {
    Ok(answers?.into_iter().map(|answer| Some(answer?.expose_secret().to_owned())).collect())
}

fn one(text: &str) -> Result<Vec<Option<String>>, Unanswered> {
    Ok(vec![Some(text.to_owned())])
}

fn ask(told: &Value) -> (&Value, &Value, &Value) {
    (&told["step"]["texts"], &told["step"]["prompt"], &told["step"]["echo"])
}

#[test]
fn the_first_hidden_prompt_gets_the_password_and_every_other_the_person() {
    let script = Script::answering(&["alice", "123456"], Ended::Gone);
    let mut conversation = of(&script);
    assert_eq!(got(conversation.converse(&[message(MessageStyle::Echoed, "Realm: ")])), one("alice"));
    assert_eq!(got(conversation.converse(&hidden("Password: "))), one("correct horse"));
    assert_eq!(got(conversation.converse(&hidden("Code: "))), one("123456"));
    let told = script.told();
    assert_eq!(ask(&told[0]), (&json!([]), &json!("Realm: "), &json!(true)));
    assert_eq!(ask(&told[1]), (&json!([]), &json!("Code: "), &json!(false)));
    assert_eq!(told.len(), 2);
}

#[test]
fn texts_go_with_the_next_question_in_order() {
    let script = Script::answering(&["1", "2"], Ended::Gone);
    let mut conversation = of(&script);
    let said = [message(MessageStyle::Info, "密码将过期"), message(MessageStyle::Error, "Zu kurz\n")];
    assert_eq!(got(conversation.converse(&said)), Ok(vec![None, None]));
    assert_eq!(got(conversation.converse(&hidden("Password: "))), one("correct horse"));
    assert_eq!(got(conversation.converse(&hidden("New: "))), one("1"));
    assert_eq!(got(conversation.converse(&hidden("Again: "))), one("2"));
    let _ = conversation.converse(&[message(MessageStyle::Info, "Bye")]);
    let texts = json!([{"style": "info", "text": "密码将过期"}, {"style": "error", "text": "Zu kurz"}]);
    let told = script.told();
    assert_eq!(ask(&told[0]), (&texts, &json!("New: "), &json!(false)));
    assert_eq!(ask(&told[1]), (&json!([]), &json!("Again: "), &json!(false)));
    let (left, _) = conversation.finish();
    assert_eq!(left, [Text { style: Style::Info, text: "Bye".into() }]);
}

#[test]
fn several_messages_of_one_call_are_answered_in_order() {
    let script = Script::answering(&["new", "again"], Ended::Gone);
    let all = [
        message(MessageStyle::Hidden, "Current: "),
        message(MessageStyle::Info, "Choose well"),
        message(MessageStyle::Hidden, "New: "),
        message(MessageStyle::Hidden, "Again: "),
    ];
    let answers = got(of(&script).converse(&all)).unwrap();
    assert_eq!(answers, [Some("correct horse".into()), None, Some("new".into()), Some("again".into())]);
    assert_eq!(script.told()[0]["step"]["texts"][0]["text"], "Choose well");
    assert_eq!(script.told()[1]["step"]["texts"], json!([]));
}

#[test]
fn a_binary_prompt_is_a_conversation_error() {
    let script = Script::answering(&["x"], Ended::Gone);
    assert_eq!(got(of(&script).converse(&[message(MessageStyle::Other, "")])), Err(Unanswered));
    assert!(!script.is_used_up() && script.told().is_empty());
}

#[test]
fn who_is_gone_or_late_is_not_asked_again() {
    for end in [Ended::Gone, Ended::Late, Ended::Misused] {
        let script = Script::answering(&[], end);
        let mut conversation = of(&script);
        assert_eq!(conversation.ended(), None);
        assert_eq!(got(conversation.converse(&hidden("Password: "))), one("correct horse"));
        assert_eq!(got(conversation.converse(&hidden("Code: "))), Err(Unanswered));
        assert_eq!(got(conversation.converse(&hidden("Code: "))), Err(Unanswered));
        assert_eq!(conversation.ended(), Some(end));
        assert_eq!(script.told().len(), 1);
    }
}

#[test]
fn what_pam_cannot_take_is_no_answer_and_does_not_end_it() {
    let longest = "x".repeat(511);
    let script = Script::answering(&["a\0b", &"x".repeat(512), &longest], Ended::Gone);
    let mut conversation = of(&script);
    assert_eq!(got(conversation.converse(&hidden("Password: "))), one("correct horse"));
    assert_eq!(got(conversation.converse(&hidden("Code: "))), Err(Unanswered));
    assert_eq!(got(conversation.converse(&hidden("Code: "))), Err(Unanswered));
    assert_eq!(got(conversation.converse(&hidden("Code: "))), one(&longest));
    assert_eq!(conversation.ended(), None);
}
