//! Varlink's envelopes: `{"method", "parameters"}` one way, `{"parameters"}` or `{"error", "parameters"}` back.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::frame::MAX_MESSAGE;

/// A call, its parameters not yet read.
#[derive(Debug, Deserialize)]
pub struct Call<'a> {
    /// `interface.Method`.
    #[serde(borrow)]
    pub method: std::borrow::Cow<'a, str>,
    /// The parameters as they came; absent means `{}`.
    #[serde(borrow)]
    pub parameters: Option<&'a RawValue>,
    /// The caller wants no reply.
    #[serde(default)]
    pub oneway: bool,
    /// The caller would take several replies; every method here gives one.
    #[serde(default)]
    pub more: bool,
    /// The caller wants to leave Varlink; never granted.
    #[serde(default)]
    pub upgrade: bool,
}

/// A reply, its parameters not yet read.
#[derive(Debug, Deserialize)]
pub struct Reply<'a> {
    /// Set if the call failed: `interface.ErrorName`.
    #[serde(borrow)]
    pub error: Option<std::borrow::Cow<'a, str>>,
    /// The result, or the error's details.
    #[serde(borrow)]
    pub parameters: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct CallOut<'a, P> {
    method: &'a str,
    parameters: &'a P,
}

#[derive(Serialize)]
struct ReplyOut<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    parameters: &'a P,
}

/// Why a message could not be made.
#[derive(Debug)]
pub enum EncodeError {
    /// It would pass [`MAX_MESSAGE`].
    TooLong,
    /// A value that JSON cannot express.
    Json(serde_json::Error),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the message is too long"),
            Self::Json(error) => error.fmt(f),
        }
    }
}

/// A call as bytes, NUL included.
///
/// # Errors
/// [`EncodeError`]; nothing was sent.
pub fn encode_call<P: Serialize>(method: &str, parameters: &P) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    encode(&CallOut { method, parameters })
}

/// A successful reply as bytes, NUL included.
///
/// # Errors
/// [`EncodeError`]; nothing was sent.
pub fn encode_reply<P: Serialize>(parameters: &P) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    encode(&ReplyOut { error: None, parameters })
}

/// A failed call's reply as bytes, NUL included.
///
/// # Errors
/// [`EncodeError`]; nothing was sent.
pub fn encode_error<P: Serialize>(error: &str, parameters: &P) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    encode(&ReplyOut { error: Some(error), parameters })
}

fn encode<T: Serialize>(message: &T) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
    let mut out = Wiping(Vec::with_capacity(1024));
    serde_json::to_writer(&mut out, message).map_err(EncodeError::Json)?;
    out.append(&[0]);
    if out.0.len() > MAX_MESSAGE {
        return Err(EncodeError::TooLong);
    }
    Ok(Zeroizing::new(std::mem::take(&mut out.0)))
}

/// A buffer that leaves no copy behind when it grows.
struct Wiping(Vec<u8>);

impl Wiping {
    fn append(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.next_power_of_two());
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl std::io::Write for Wiping {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Wiping {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_back_as_it_was_written() {
        let bytes = encode_call("org.otpd.Login.Start", &serde_json::json!({"a": 1})).unwrap();
        let (last, json) = bytes.split_last().unwrap();
        assert_eq!(*last, 0);
        let call: Call<'_> = serde_json::from_slice(json).unwrap();
        assert_eq!(call.method, "org.otpd.Login.Start");
        assert_eq!(call.parameters.unwrap().get(), r#"{"a":1}"#);
        assert!(!call.oneway && !call.more && !call.upgrade);
    }

    #[test]
    fn a_message_over_the_limit_is_not_made() {
        let long = "x".repeat(MAX_MESSAGE);
        assert!(matches!(encode_reply(&long), Err(EncodeError::TooLong)));
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
        let deep = format!(r#"{{"method":"a.b.C","parameters":{}}}"#, "[".repeat(60_000));
        assert!(serde_json::from_slice::<Call<'_>>(deep.as_bytes()).is_err());
    }
}
