//! `org.otpd.Session` on one connection: `Open`, then an `Answer` for each question. Anything else ends it, but for what
//! every Varlink service says of itself. Knows nothing of PAM.

use otpd_proto::Secret;
use otpd_proto::message::Call;
use otpd_proto::message::encode_error;
use otpd_proto::message::encode_reply;
use otpd_proto::service;
use otpd_proto::session;
use otpd_proto::session::Next;
use otpd_proto::session::OpenParameters;
use otpd_proto::session::Step;
use otpd_proto::session::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;

use crate::channel::Channel;
use crate::channel::Ended;

/// One login, as `otpd-web` sees it.
pub struct Session<C> {
    channel: C,
}

impl<C: Channel> Session<C> {
    /// On a connection on which nothing has been said yet.
    pub fn new(channel: C) -> Self {
        Self { channel }
    }

    /// Waits for the call that says who logs in.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn opened(&mut self) -> Result<OpenParameters, Ended> {
        self.expect(session::OPEN, true)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn ask(&mut self, texts: Vec<Text>, prompt: String, echo: bool) -> Result<Secret, Ended> {
        self.reply(&Step { step: Next::Ask { texts, prompt, echo } })?;
        let given: session::AnswerParameters = self.expect(session::ANSWER, false)?;
        Ok(given.answer)
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// [`Ended::Gone`]: nobody heard it.
    pub fn end(mut self, step: Next) -> Result<(), Ended> {
        self.reply(&Step { step })
    }

    /// The parameters of `method`, which must be the next call.
    fn expect<P: DeserializeOwned>(&mut self, method: &str, first: bool) -> Result<P, Ended> {
        loop {
            let message = self.channel.receive(first)?;
            let call = read(&message).ok_or(Ended::Misused)?;
            if call.upgrade {
                return self.misused(service::METHOD_NOT_IMPLEMENTED, &json!({"method": &*call.method}));
            }
            if call.oneway {
                // Its caller waits for nothing, and there is nothing else to do here than to answer.
                return Err(Ended::Misused);
            }
            match &*call.method {
                "org.varlink.service.GetInfo" => self.reply(&info())?,
                "org.varlink.service.GetInterfaceDescription" => self.describe(call.parameters)?,
                called if called == method => {
                    return match parameters(call.parameters) {
                        Ok(parameters) => Ok(parameters),
                        Err(what) => self.misused(service::INVALID_PARAMETER, &json!({"parameter": what})),
                    };
                }
                called => return self.out_of_place(called),
            }
        }
    }

    fn describe(&mut self, raw: Option<&RawValue>) -> Result<(), Ended> {
        let wanted: service::DescribeParameters = match parameters(raw) {
            Ok(wanted) => wanted,
            Err(what) => return self.misused(service::INVALID_PARAMETER, &json!({"parameter": what})),
        };
        let served = |name: &str| INTERFACES.contains(&name) && name == wanted.interface;
        match service::DESCRIPTIONS.iter().find(|(name, _)| served(name)) {
            Some((_, text)) => self.reply(&service::Description { description: (*text).to_owned() }),
            None => self.misused(service::INTERFACE_NOT_FOUND, &json!({"interface": wanted.interface})),
        }
    }

    fn out_of_place<T>(&mut self, method: &str) -> Result<T, Ended> {
        let (interface, name) = method.rsplit_once('.').unwrap_or(("", method));
        match method {
            session::OPEN | session::ANSWER => self.misused(service::PERMISSION_DENIED, &json!({})),
            _ if INTERFACES.contains(&interface) => {
                self.misused(service::METHOD_NOT_FOUND, &json!({"method": name}))
            }
            _ => self.misused(service::INTERFACE_NOT_FOUND, &json!({"interface": interface})),
        }
    }

    fn misused<T>(&mut self, error: &str, parameters: &impl Serialize) -> Result<T, Ended> {
        if let Ok(message) = encode_error(error, parameters) {
            self.channel.send(&message)?;
        }
        Err(Ended::Misused)
    }

    fn reply(&mut self, result: &impl Serialize) -> Result<(), Ended> {
        match encode_reply(result) {
            Ok(message) => self.channel.send(&message),
            Err(problem) => {
                log::error!("a reply could not be made: {problem}");
                Err(Ended::Gone)
            }
        }
    }
}

/// A call, if the message is one. serde would take a list for an object.
fn read(message: &[u8]) -> Option<Call<'_>> {
    let text = std::str::from_utf8(message).ok()?;
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// What is wrong is said without what was sent, which may be a password.
fn parameters<P: DeserializeOwned>(raw: Option<&RawValue>) -> Result<P, &'static str> {
    let text = raw.map_or("{}", RawValue::get);
    if !text.starts_with('{') {
        return Err("parameters: an object is expected");
    }
    serde_json::from_str(text).map_err(|_| "one is missing, unknown or of the wrong type")
}

fn info() -> service::Info {
    service::Info {
        vendor: "otpd".into(),
        product: "otpd-login".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        url: "man:otpd-login(8)".into(),
        interfaces: INTERFACES.iter().map(|name| (*name).to_owned()).collect(),
    }
}

const INTERFACES: &[&str] = &[service::INTERFACE, session::INTERFACE];

#[cfg(test)]
mod tests;
