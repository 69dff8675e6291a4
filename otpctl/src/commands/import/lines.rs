//! A file of keys line by line, in a buffer that is wiped, however long the file is.

use std::fs::File;
use std::io;
use std::io::Read;

use otpd_core::import::LONGEST_LINE;
use zeroize::Zeroizing;

/// The lines of a file.
pub(super) struct Lines {
    file: File,
    buffer: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
    read: u64,
    number: usize,
    is_over: bool,
}

impl Lines {
    pub(super) fn of(file: File) -> Self {
        let buffer = Zeroizing::new(vec![0; BUFFER]);
        Self { file, buffer, start: 0, end: 0, read: 0, number: 0, is_over: false }
    }

    /// The next line with its number, from 1, without its end. One that is too long is the last: what follows it is
    /// no such file.
    pub(super) fn next(&mut self) -> io::Result<Option<(usize, &[u8])>> {
        loop {
            let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(length) = waiting.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.take(length, 1)));
            }
            let length = waiting.len();
            if length > LONGEST_LINE || (self.is_over && length > 0) {
                self.is_over = true;
                return Ok(Some(self.take(length, 0)));
            }
            if self.is_over {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Bytes of the lines so far.
    pub(super) fn bytes(&self) -> u64 {
        self.read
    }

    fn take(&mut self, length: usize, end: usize) -> (usize, &[u8]) {
        let start = self.start;
        self.start = start.saturating_add(length).saturating_add(end);
        self.read = self.read.saturating_add(u64::try_from(length.saturating_add(end)).unwrap_or(0));
        self.number = self.number.saturating_add(1);
        (self.number, self.buffer.get(start..start.saturating_add(length)).unwrap_or_default())
    }

    /// Moves what is left to the front and reads more.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        let read = self.file.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
        self.end = self.end.saturating_add(read);
        self.is_over = read == 0;
        Ok(())
    }
}

const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lines(text: &[u8]) -> Vec<(usize, usize)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut lines = Lines::of(file);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push((number, line.len()));
        }
        found
    }

    #[test]
    fn lines_are_numbered_and_the_last_needs_no_end() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"ab\n\nc"), [(1, 2), (2, 0), (3, 1)]);
        assert_eq!(lines(b"ab\n"), [(1, 2)]);
    }

    #[test]
    fn lines_over_the_edge_of_the_buffer_are_whole() {
        let text = [vec![b'x'; 4000], vec![b'\n']].concat().repeat(100);
        let found = lines(&text);
        assert!(found.len() == 100 && found.iter().all(|(_, length)| *length == 4000), "{found:?}");
    }

    #[test]
    fn a_line_that_is_too_long_is_the_last() {
        let long = |length: usize| [vec![b'x'; length], b"\nabc\n".to_vec()].concat();
        assert_eq!(lines(&long(LONGEST_LINE)), [(1, LONGEST_LINE), (2, 3)]);
        let found = lines(&long(1 << 20));
        assert!(found.len() == 1 && found[0].1 > LONGEST_LINE, "{found:?}");
    }
}
