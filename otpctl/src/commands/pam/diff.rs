//! The difference between two versions of a file, as `diff -u` shows it.

use std::path::Path;

use crate::output::line::Line;
use crate::output::line::Tone;
use crate::pam::text;

/// One line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    Same(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Line by line, by the longest common subsequence; PAM files are short.
pub(super) fn marks<'a>(before: &'a str, after: &'a str) -> Vec<Mark<'a>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    // Row by row from the end: how much the rests have in common.
    let mut table = vec![vec![0_usize; new.len().saturating_add(1)]];
    for was in old.iter().rev() {
        let below = table.last().cloned().unwrap_or_default();
        let mut row = vec![0_usize; new.len().saturating_add(1)];
        for (at, is) in new.iter().enumerate().rev() {
            let next = at.saturating_add(1);
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(0);
            let longest = if was == is {
                cell(&below, next).saturating_add(1)
            } else {
                cell(&below, at).max(cell(&row, next))
            };
            if let Some(slot) = row.get_mut(at) {
                *slot = longest;
            }
        }
        table.push(row);
    }
    table.reverse();
    let common = |old: usize, new: usize| table.get(old).and_then(|row| row.get(new)).copied().unwrap_or(0);
    let (mut at, mut marks) = ((0_usize, 0_usize), Vec::new());
    loop {
        let (down, right) = (at.0.saturating_add(1), at.1.saturating_add(1));
        match (old.get(at.0), new.get(at.1)) {
            (Some(was), Some(is)) if was == is => (marks.push(Mark::Same(was)), at = (down, right)).1,
            (Some(was), None) => (marks.push(Mark::Gone(was)), at = (down, at.1)).1,
            (Some(was), Some(_)) if common(down, at.1) >= common(at.0, right) => {
                (marks.push(Mark::Gone(was)), at = (down, at.1)).1
            }
            (_, Some(is)) => (marks.push(Mark::New(is)), at = (at.0, right)).1,
            (None, None) => return marks,
        }
    }
}

/// Changed lines with two unchanged ones on either side.
pub(super) fn lines(file: &Path, before: &str, after: &str) -> Vec<Line> {
    let marks = marks(before, after);
    let is_near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        marks
            .iter()
            .skip(from)
            .take(index.saturating_sub(from).saturating_add(AROUND).saturating_add(1))
            .any(|mark| !matches!(mark, Mark::Same(_)))
    };
    let mut lines = vec![Line::new().then(Tone::Strong, file.display().to_string())];
    let mut is_open = true;
    for (index, mark) in marks.iter().enumerate() {
        if !is_near(index) {
            is_open = false;
            continue;
        }
        if !is_open {
            lines.push(Line::new().then(Tone::Dim, "    ..."));
            is_open = true;
        }
        lines.push(match mark {
            Mark::Same(line) => Line::new().plain(format!("    {}", text::shown(line))),
            Mark::Gone(line) => Line::new().then(Tone::Bad, format!("  - {}", text::shown(line))),
            Mark::New(line) => Line::new().then(Tone::Good, format!("  + {}", text::shown(line))),
        });
    }
    lines
}

/// Lines that only the second has.
pub(super) fn added(before: &str, after: &str) -> Vec<String> {
    let new = |mark: Mark<'_>| if let Mark::New(line) = mark { Some(line.to_owned()) } else { None };
    marks(before, after).into_iter().filter_map(new).collect()
}

const AROUND: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_and_what_is_gone_is_told_apart() {
        assert_eq!(
            marks("a\nb\nc\n", "a\nx\nc\n"),
            [Mark::Same("a"), Mark::Gone("b"), Mark::New("x"), Mark::Same("c")]
        );
        assert_eq!(added("a\nb\n", "a\nnew\nb\nlast\n"), ["new", "last"]);
        assert_eq!(added("", "a\n"), ["a"]);
        assert_eq!(marks("a\n", ""), [Mark::Gone("a")]);
    }

    #[test]
    fn only_the_neighbourhood_of_a_change_is_shown() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let after = "1\n2\n3\n4\nnew\n5\n6\n7\n8\n";
        let shown: Vec<String> = lines(Path::new("/f"), before, after)
            .iter()
            .map(|line| line.spans().map(|(_, words)| words).collect())
            .collect();
        assert_eq!(shown, ["/f", "    ...", "    3", "    4", "  + new", "    5", "    6"]);
    }
}
