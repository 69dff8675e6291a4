//! Framing: whatever the pieces, the same messages come out, and nothing past the limit is kept.

#![no_main]

use libfuzzer_sys::fuzz_target;
use otpd_proto::frame::Inbox;
use otpd_proto::frame::MAX_MESSAGE;

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (padding, size, bytes) = input;
    // So that the limit is within reach.
    let sent: Vec<u8> = std::iter::repeat_n(b' ', padding.into()).chain(bytes.iter().copied()).collect();
    let mut inbox = Inbox::default();
    let (mut rest, mut received) = (sent.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(inbox.room()).min(usize::from(size) * 64 + 1));
        rest = behind;
        if inbox.push(piece).is_err() {
            let refused = sent.get(received.len()..).expect("what was received was sent");
            assert!(refused.iter().take(MAX_MESSAGE).all(|byte| *byte != 0), "a whole message was refused");
            return;
        }
        while let Some(message) = inbox.take() {
            assert!(message.len() < MAX_MESSAGE && !message.contains(&0));
            received.extend_from_slice(&message);
            received.push(0);
        }
        assert!(inbox.room() > 0);
    }
    let whole = sent.iter().rposition(|byte| *byte == 0).map_or(0, |last| last + 1);
    assert_eq!(Some(received.as_slice()), sent.get(..whole));
    assert_eq!(inbox.is_empty(), whole == sent.len());
});
