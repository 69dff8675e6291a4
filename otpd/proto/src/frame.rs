//! Framing: one JSON object and a NUL byte, at most [`MAX_MESSAGE`] bytes with it. A longer message is refused
//! before it is buffered past that.

use zeroize::Zeroize;
use zeroize::Zeroizing;

/// The most bytes of one message, its NUL included.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Bytes received so far, cut into messages. Wiped when dropped, since codes pass through it.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// So many bytes are known to have no NUL: whoever sends one at a time must not have all of them searched each time.
    searched: usize,
}

/// More than [`MAX_MESSAGE`] bytes came without a NUL among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Inbox {
    /// How many more bytes may be received now; never more than a message's limit.
    #[must_use]
    pub fn room(&self) -> usize {
        MAX_MESSAGE.saturating_sub(self.bytes.len())
    }

    /// Adds what was received.
    ///
    /// # Errors
    /// [`TooLong`] if the message would pass [`MAX_MESSAGE`]; nothing is added then.
    pub fn push(&mut self, received: &[u8]) -> Result<(), TooLong> {
        if received.len() > self.room() {
            return Err(TooLong);
        }
        self.grow(received.len());
        self.bytes.extend_from_slice(received);
        if self.room() == 0 && !self.bytes.contains(&0) {
            return Err(TooLong);
        }
        Ok(())
    }

    /// Takes the oldest whole message, without its NUL, or `None` while it is incomplete.
    pub fn take(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let new = self.bytes.get(self.searched..)?;
        let Some(end) = new.iter().position(|byte| *byte == 0) else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched.saturating_add(end);
        self.searched = 0;
        let message = Zeroizing::new(self.bytes.get(..end)?.to_vec());
        let rest = self.bytes.get(end.saturating_add(1)..)?.to_vec();
        self.bytes.zeroize();
        self.bytes = rest;
        Some(message)
    }

    /// Whether nothing is waiting, not even half a message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// `Vec` would leave an unwiped copy behind when it grows, so it grows by hand.
    fn grow(&mut self, more: usize) {
        let needed = self.bytes.len().saturating_add(more);
        if needed > self.bytes.capacity() {
            let mut larger = Vec::with_capacity(needed.max(1024).next_power_of_two());
            larger.extend_from_slice(&self.bytes);
            self.bytes.zeroize();
            self.bytes = larger;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_message_is_not_a_message() {
        let mut inbox = Inbox::default();
        inbox.push(b"{\"a\"").unwrap();
        assert!(inbox.take().is_none());
        inbox.push(b":1}\0{").unwrap();
        assert_eq!(inbox.take().unwrap().as_slice(), b"{\"a\":1}");
        assert!(inbox.take().is_none());
        assert!(!inbox.is_empty());
    }

    #[test]
    fn two_messages_in_one_read_come_out_in_order() {
        let mut inbox = Inbox::default();
        inbox.push(b"1\0\x002\0").unwrap();
        assert_eq!(inbox.take().unwrap().as_slice(), b"1");
        assert_eq!(inbox.take().unwrap().as_slice(), b"");
        assert_eq!(inbox.take().unwrap().as_slice(), b"2");
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_message_may_come_byte_by_byte() {
        let mut inbox = Inbox::default();
        for _ in 0..2 {
            for byte in b"{\"a\":1}" {
                inbox.push(&[*byte]).unwrap();
                assert!(inbox.take().is_none());
            }
            inbox.push(b"\0\0x").unwrap();
            assert_eq!(inbox.take().unwrap().as_slice(), b"{\"a\":1}");
            assert_eq!(inbox.take().unwrap().as_slice(), b"");
            assert!(inbox.take().is_none());
            inbox.push(b"\0").unwrap();
            assert_eq!(inbox.take().unwrap().as_slice(), b"x");
        }
        assert!(inbox.is_empty());
    }

    #[test]
    fn a_message_of_exactly_the_limit_passes() {
        let mut message = vec![b'x'; MAX_MESSAGE - 1];
        message.push(0);
        let mut inbox = Inbox::default();
        inbox.push(&message).unwrap();
        assert_eq!(inbox.take().unwrap().len(), MAX_MESSAGE - 1);
    }

    #[test]
    fn a_byte_over_the_limit_is_refused() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.push(&vec![b'x'; MAX_MESSAGE]), Err(TooLong));
        let mut inbox = Inbox::default();
        inbox.push(&vec![b'x'; MAX_MESSAGE - 1]).unwrap();
        assert_eq!(inbox.push(b"xx"), Err(TooLong));
    }
}
