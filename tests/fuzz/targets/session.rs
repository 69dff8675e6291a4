//! `org.otpd.Session` without PAM: whatever comes, `Open` is first, each question takes one `Answer`, and the first message
//! that has no place is the last one that is looked at.

#![no_main]

use std::cell::Cell;
use std::rc::Rc;

use libfuzzer_sys::fuzz_target;
use otpd_login::channel::Channel;
use otpd_login::channel::Ended;
use otpd_login::session::Session;
use otpd_proto::frame::MAX_MESSAGE;
use otpd_proto::session::ANSWER;
use otpd_proto::session::Next;
use otpd_proto::session::OPEN;
use otpd_proto::session::Reason;
use serde_json::Value;
use zeroize::Zeroizing;

fuzz_target!(|data: &[u8]| {
    let messages: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    let seen = Rc::new(Cell::new(0));
    let mut session = Session::new(Pipe { messages: &messages, seen: Rc::clone(&seen), errors: 0 });
    let last = || messages[seen.get() - 1];
    match session.opened() {
        Ok(open) => {
            let sent = sent(last(), OPEN);
            assert_eq!(sent["user"], open.user);
            assert_eq!(sent["password"], open.password.expose_secret());
            assert_eq!(sent["address"].as_str(), open.address.as_deref());
            assert_eq!(sent["renew"].as_str(), open.renew.as_ref().map(|ticket| ticket.expose_secret()));
        }
        Err(end) => return assert!(end == Ended::Misused || seen.get() == messages.len()),
    }
    loop {
        match session.ask(Vec::new(), "Code: ".into(), false) {
            Ok(answer) => assert_eq!(sent(last(), ANSWER)["answer"], answer.expose_secret()),
            Err(Ended::Misused) => break,
            Err(end) => {
                assert!(end == Ended::Gone && seen.get() == messages.len());
                break;
            }
        }
    }
    let _ = session.end(Next::Refuse { texts: Vec::new(), reason: Reason::Failed });
});

/// The parameters of a message, as another reader has them.
fn sent(message: &[u8], method: &str) -> Value {
    let mut call: Value = serde_json::from_slice(message).expect("JSON");
    assert_eq!(call["method"], method);
    call["parameters"].take()
}

/// The messages, and then nothing.
struct Pipe<'a> {
    messages: &'a [&'a [u8]],
    seen: Rc<Cell<usize>>,
    errors: usize,
}

impl Channel for Pipe<'_> {
    fn receive(&mut self, _first: bool) -> Result<Zeroizing<Vec<u8>>, Ended> {
        assert_eq!(self.errors, 0, "more is read after a message that has no place");
        let message = self.messages.get(self.seen.get()).ok_or(Ended::Gone)?;
        self.seen.set(self.seen.get() + 1);
        Ok(Zeroizing::new(message.to_vec()))
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Ended> {
        assert!(message.len() <= MAX_MESSAGE);
        let (last, json) = message.split_last().expect("a reply");
        assert!(*last == 0 && !json.contains(&0));
        let reply: Value = serde_json::from_slice(json).expect("JSON");
        assert!(reply["parameters"].is_object(), "{reply}");
        self.errors += usize::from(reply.get("error").is_some());
        Ok(())
    }
}
