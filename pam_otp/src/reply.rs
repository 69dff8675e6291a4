//! What otpd said, read by hand: any JSON value is taken first and looked at afterwards. A reply that this module
//! does not know is then an answer of its own, not a broken connection that would count as silence. serde's derived
//! readers would also add a tenth to the module's size.

use std::fmt;

use otpd_proto::login::Next;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// A JSON value, as far as a reply needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `{..}`.
    Object(Vec<(String, Reply)>),
    /// `".."`.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// Anything else; `null` stands for an absent field.
    Other,
}

impl Reply {
    /// The step that a method of `org.otpd.Login` returned, or `None` if it is not one that this module knows.
    pub(crate) fn step(&self) -> Option<Next> {
        let step = self.field("step")?;
        Some(match step.text("next")?.as_str() {
            "ask" => Next::Ask {
                prompt: step.text("prompt")?,
                echo: step.field("echo")? == &Self::Bool(true),
                digits: step.digits(),
            },
            "accept" => Next::Accept {
                device: step.text("device")?,
                notice: step.text("notice"),
                digits: step.digits(),
            },
            "not_required" => Next::NotRequired { why: step.text("why")?, notice: step.text("notice") },
            "refuse" => Next::Refuse { say: step.text("say")? },
            "locked" => Next::Locked { say: step.text("say")?, until: step.number("until") },
            _ => return None,
        })
    }

    /// A text field of an object.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.field(name)? {
            Self::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn digits(&self) -> Option<u8> {
        u8::try_from(self.number("digits")?).ok()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Reply;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reply, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Reply::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Reply, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Reply::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Reply, E> {
        Ok(Reply::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Reply, E> {
        Ok(Reply::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Reply, E> {
        Ok(Reply::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Reply, E> {
        Ok(i64::try_from(number).map_or(Reply::Other, Reply::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Reply, E> {
        Ok(Reply::Other)
    }

    fn visit_unit<E>(self) -> Result<Reply, E> {
        Ok(Reply::Other)
    }
}

#[cfg(test)]
mod tests {
    use otpd_proto::login::Step;

    use super::*;

    fn read(json: &str) -> Option<Next> {
        serde_json::from_str::<Reply>(json).unwrap().step()
    }

    #[test]
    fn every_step_of_the_protocol_is_read_as_it_was_meant() {
        let (text, more) = (|| "text".to_owned(), || Some("more".to_owned()));
        for step in [
            Next::Ask { prompt: text(), echo: false, digits: None },
            Next::Ask { prompt: text(), echo: true, digits: Some(8) },
            Next::Accept { device: text(), notice: None, digits: None },
            Next::Accept { device: text(), notice: more(), digits: Some(6) },
            Next::NotRequired { why: text(), notice: None },
            Next::NotRequired { why: text(), notice: more() },
            Next::Refuse { say: text() },
            Next::Locked { say: text(), until: None },
            Next::Locked { say: text(), until: Some(1_900_000_000) },
            Next::Locked { say: text(), until: Some(-1) },
        ] {
            let json = serde_json::to_string(&Step { step: step.clone() }).unwrap();
            assert_eq!(read(&json), Some(step));
        }
    }

    #[test]
    fn null_is_absent_and_unknown_fields_are_skipped() {
        let json = r#"{"x":[1,[2.5]],"step":{"next":"accept","notice":null,"device":"phone","weight":1e300,"y":{}}}"#;
        assert_eq!(read(json), Some(Next::Accept { device: "phone".to_owned(), notice: None, digits: None }));
    }

    #[test]
    fn digits_that_are_no_small_number_are_none() {
        for digits in ["-1", "256", "6.0", "\"6\"", "[6]", "null", "99999999999999999999"] {
            let json = format!(r#"{{"step":{{"next":"ask","prompt":"","echo":false,"digits":{digits}}}}}"#);
            assert_eq!(
                read(&json),
                Some(Next::Ask { prompt: String::new(), echo: false, digits: None }),
                "{digits}"
            );
        }
    }

    #[test]
    fn what_is_no_step_is_none() {
        for json in [
            "{}",
            "7",
            "null",
            "[]",
            r#""accept""#,
            r#"{"step":{}}"#,
            r#"{"step":"accept"}"#,
            r#"{"step":{"next":"push"}}"#,
            r#"{"step":{"next":7,"device":"phone"}}"#,
            r#"{"step":{"next":"accept"}}"#,
            r#"{"step":{"next":"accept","device":null}}"#,
            r#"{"step":{"next":"ask","prompt":"Code: "}}"#,
            r#"{"step":{"next":"not_required"}}"#,
            r#"{"next":"accept","device":"phone"}"#,
            r#"{"step":[{"next":"accept","device":"phone"}]}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
        for open in ["[", r#"{"a":"#] {
            assert!(serde_json::from_str::<Reply>(&open.repeat(30_000)).is_err());
        }
    }
}
