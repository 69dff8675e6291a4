use std::ffi::CString;

use super::*;

/// Answers each message with its own text, in brackets; refuses and panics on request.
struct Echo;

impl Converse for Echo {
    fn converse(&mut self, messages: &[Message<'_>]) -> Result<Vec<Option<Secret>>, Unanswered> {
        let answer = |message: &Message<'_>| {
            let text = String::from_utf8_lossy(message.text);
            match (message.style, &*text) {
                (_, "panic") => panic!("on purpose"),
                (_, "nul") => Ok(Some(Secret::new("a\0b".into()))),
                (MessageStyle::Hidden | MessageStyle::Echoed, text) => {
                    Ok(Some(Secret::new(format!("[{text}]"))))
                }
                (MessageStyle::Info | MessageStyle::Error, _) => Ok(None),
                (MessageStyle::Other, _) => Err(Unanswered),
            }
        };
        messages.iter().map(answer).collect()
    }
}

/// Calls the function as libpam does: the number it returns, and the texts of the responses, which are freed.
fn call(messages: &[(c_int, Option<&str>)]) -> (Code, Vec<Option<String>>) {
    let texts: Vec<Option<CString>> =
        messages.iter().map(|(_, text)| text.map(|text| CString::new(text).unwrap())).collect();
    let raw: Vec<RawMessage> = messages
        .iter()
        .zip(&texts)
        .map(|((style, _), text)| RawMessage {
            style: *style,
            text: text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()),
        })
        .collect();
    let mut pointers: Vec<*const RawMessage> = raw.iter().map(std::ptr::from_ref).collect();
    let mut out = std::ptr::null_mut();
    let mut echo = Echo;
    let count = c_int::try_from(pointers.len()).unwrap();
    let code = Code(converse::<Echo>(count, pointers.as_mut_ptr(), &raw mut out, (&raw mut echo).cast()));
    if code != Code::SUCCESS {
        assert!(out.is_null(), "nothing is handed over by a call that failed");
        return (code, Vec::new());
    }
    let mut responses = Responses { array: out, count: messages.len() };
    let read = |response: &RawResponse| {
        assert_eq!(response.code, 0);
        // SAFETY: null, or a C string that the function made.
        (!response.text.is_null())
            .then(|| unsafe { CStr::from_ptr(response.text) }.to_str().unwrap().to_owned())
    };
    let answers = responses.places().iter().map(read).collect();
    (code, answers)
}

#[test]
fn every_message_has_its_response_in_its_place() {
    let messages =
        [(1, Some("Password: ")), (4, Some("info")), (2, Some("名")), (3, Some("error")), (1, None)];
    let answers =
        ["[Password: ]", "", "[名]", "", "[]"].map(|text| (!text.is_empty()).then(|| text.to_owned()));
    assert_eq!(call(&messages), (Code::SUCCESS, answers.to_vec()));
}

#[test]
fn a_failure_in_the_middle_hands_nothing_over() {
    for last in [(7, Some("binary")), (1, Some("nul")), (5, None), (-1, Some("x"))] {
        assert_eq!(call(&[(1, Some("Password: ")), last]), (Code::CONV_ERR, vec![]));
    }
}

#[test]
fn a_panic_is_a_conversation_error_and_goes_no_further() {
    assert_eq!(call(&[(1, Some("Password: ")), (1, Some("panic"))]), (Code::CONV_ERR, vec![]));
}

#[test]
fn thirty_two_messages_are_taken_and_none_or_more_are_not() {
    assert_eq!(call(&[(4, Some("x")); 32]).0, Code::SUCCESS);
    assert_eq!(call(&[(4, Some("x")); 33]).0, Code::CONV_ERR);
    assert_eq!(call(&[]).0, Code::CONV_ERR);
}

#[test]
fn null_pointers_and_false_counts_are_conversation_errors() {
    let mut echo = Echo;
    let data: *mut c_void = (&raw mut echo).cast();
    let message = RawMessage { style: 1, text: c"x".as_ptr() };
    let mut messages = [&raw const message];
    let mut none = [std::ptr::null()];
    let mut out = std::ptr::null_mut();
    assert_eq!(converse::<Echo>(1, std::ptr::null_mut(), &raw mut out, data), Code::CONV_ERR.0);
    assert_eq!(converse::<Echo>(-1, messages.as_mut_ptr(), &raw mut out, data), Code::CONV_ERR.0);
    assert_eq!(converse::<Echo>(1, none.as_mut_ptr(), &raw mut out, data), Code::CONV_ERR.0);
    assert_eq!(converse::<Echo>(1, messages.as_mut_ptr(), std::ptr::null_mut(), data), Code::CONV_ERR.0);
    assert_eq!(
        converse::<Echo>(1, messages.as_mut_ptr(), &raw mut out, std::ptr::null_mut()),
        Code::CONV_ERR.0
    );
    assert!(out.is_null());
}
