//! How far a long work is: one line on a terminal, drawn anew only when it changes, gone at the end.

use std::io;
use std::io::Write;

/// A bar. Cleared when dropped.
pub(crate) struct Progress {
    work: &'static str,
    whole: u64,
    is_shown: bool,
    drawn: Option<u64>,
}

impl Progress {
    pub(super) fn new(work: &'static str, whole: u64, is_shown: bool) -> Self {
        Self { work, whole, is_shown, drawn: None }
    }

    /// Shows that so much of the whole is done.
    pub(crate) fn reach(&mut self, done: u64) {
        let percent = done.min(self.whole).saturating_mul(100).checked_div(self.whole).unwrap_or(0);
        if self.is_shown && self.drawn != Some(percent) {
            self.drawn = Some(percent);
            self.write(&bar(self.work, percent));
        }
    }

    /// Over what stood there. A terminal that is gone is no reason to stop.
    fn write(&self, line: &str) {
        let mut stderr = io::stderr();
        let _ = write!(stderr, "\r{line}").and_then(|()| stderr.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let blank = " ".repeat(bar(self.work, 100).chars().count());
            self.write(&format!("{blank}\r"));
        }
    }
}

fn bar(work: &str, percent: u64) -> String {
    let full = usize::try_from(percent / 4).unwrap_or(0).min(WIDTH);
    let empty = WIDTH.saturating_sub(full);
    format!("{work:<8} [{}{}] {percent:>3} %", "#".repeat(full), ".".repeat(empty))
}

const WIDTH: usize = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_at_the_end_and_never_changes_its_width() {
        assert_eq!(bar("Checking", 0), "Checking [.........................]   0 %");
        assert_eq!(bar("Binding", 50), "Binding  [############.............]  50 %");
        assert_eq!(bar("Binding", 100), "Binding  [#########################] 100 %");
    }
}
