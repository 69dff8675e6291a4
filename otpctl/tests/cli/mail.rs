//! Whether mails arrive.

use serde_json::Value;
use serde_json::json;

use crate::support::Daemon;
use crate::support::reply;

fn status(changes: &Value) -> Value {
    let mut status = json!({"transport": "SMTP to mail.example.org:587", "problem": null, "waiting": 0,
        "oldest": null, "last_delivered": null, "last_trouble": null, "given_up": [], "test": null});
    status.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    status
}

fn tried(outcome: &str, answer: &str, advice: &Value) -> Value {
    json!({"at": 1_700_000_000, "outcome": outcome, "answer": answer, "advice": advice})
}

/// A daemon in which the test ends so, at the second look.
fn testing(end: Value) -> Daemon {
    let mut looks = 0;
    Daemon::new(move |method, parameters| match method {
        "Admin.MailTest" => reply(&json!({"id": "ab"})),
        _ if parameters["id"].is_null() => reply(&status(&json!({}))),
        _ => {
            looks += 1;
            reply(&status(&if looks == 2 { json!({"test": end}) } else { json!({}) }))
        }
    })
}

#[test]
fn a_test_tells_what_the_server_answered() {
    let ended = testing(tried("delivered", "250 2.0.0 queued as 4711", &json!(null))).run(&[
        "mail",
        "test",
        "jane@example.org",
    ]);
    let expected = "\
Sending to jane@example.org by SMTP to mail.example.org:587 ...
Taken by the mail server.
  Answer        250 2.0.0 queued as 4711
Look whether it came to jane@example.org, and not into the spam folder.
";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    let refused = tried("failed", "550 no such user", &json!("is the address right?"));
    let ended = testing(refused).run(&["mail", "test", "jane@example.org"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .out
            .contains("Refused.\n  Answer        550 no such user\n  Advice        is the address right?")
    );
    let later = tried("later", "451 greylisted", &json!(null));
    let ended = testing(later).run(&["mail", "test", "jane@example.org"]);
    assert!(ended.code == 1 && ended.out.contains("Not now; it is tried again"), "{ended:?}");
}

#[test]
fn without_otpd_mail_nothing_is_sent() {
    let gone = status(&json!({"transport": null, "problem": "otpd-mail is not running here"}));
    let daemon = Daemon::saying(reply(&gone));
    let ended = daemon.run(&["mail", "test", "jane@example.org"]);
    assert!(ended.code == 1 && ended.err.contains("systemctl start otpd-mail"), "{ended:?}");
    assert_eq!(daemon.calls().len(), 1);
}

#[test]
fn the_state_of_mail_is_told_with_what_to_change() {
    let ended = Daemon::saying(reply(&status(&json!({})))).run(&["mail", "status"]);
    let expected = "\
Mail works, as far as is known.

  Sent by       SMTP to mail.example.org:587
  Waiting       nothing
";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    let given_up =
        json!([{"kind": "code", "at": 1_700_000_000, "tries": 7, "answer": "it came past its use"}]);
    let broken = json!({"problem": "the last mail was not taken: 535 no", "waiting": 2, "oldest": 1_700_000_000,
        "last_trouble": tried("later", "535 no", &json!("check user and password")), "given_up": given_up});
    let ended = Daemon::saying(reply(&status(&broken))).run(&["mail", "status"]);
    assert_eq!(ended.code, 1);
    for part in [
        "does not work: the last mail",
        "2 mails, the oldest",
        "535 no",
        "check user and password",
        "code, 7 tries",
    ] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
}
