//! A peer that says what a test has written down, and keeps what it is told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::Value;
use serde_json::json;
use zeroize::Zeroizing;

use super::Channel;
use super::Ended;

type Says = VecDeque<Result<Vec<u8>, Ended>>;

/// The peer. A clone is the same one.
#[derive(Clone, Default)]
pub(crate) struct Script {
    says: Rc<RefCell<Says>>,
    told: Rc<RefCell<Vec<Value>>>,
}

impl Script {
    /// Says the messages, then is gone.
    pub(crate) fn of(messages: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let script = Self::default();
        script.says.borrow_mut().extend(messages.into_iter().map(Ok));
        script
    }

    /// Answers each question, then ends like this.
    pub(crate) fn answering(answers: &[&str], then: Ended) -> Self {
        let script = Self::of(
            answers.iter().map(|answer| call("org.otpd.Session.Answer", &json!({"answer": answer}))),
        );
        script.says.borrow_mut().push_back(Err(then));
        script
    }

    /// What it was told, each message's `parameters`, or the whole if it is an error.
    pub(crate) fn told(&self) -> Vec<Value> {
        self.told.borrow().clone()
    }

    /// Whether it has said everything.
    pub(crate) fn is_used_up(&self) -> bool {
        self.says.borrow().is_empty()
    }
}

impl Channel for Script {
    fn receive(&mut self, _first: bool) -> Result<Zeroizing<Vec<u8>>, Ended> {
        self.says.borrow_mut().pop_front().unwrap_or(Err(Ended::Gone)).map(Zeroizing::new)
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Ended> {
        let (last, json) = message.split_last().unwrap();
        assert_eq!(*last, 0);
        let mut reply: Value = serde_json::from_slice(json).unwrap();
        let told = if reply.get("error").is_some() { reply } else { reply["parameters"].take() };
        self.told.borrow_mut().push(told);
        Ok(())
    }
}

/// A call as bytes, without its NUL.
pub(crate) fn call(method: &str, parameters: &Value) -> Vec<u8> {
    json!({"method": method, "parameters": parameters}).to_string().into_bytes()
}
