//! The examples of a manual page, to be run as they stand there.

use std::path::Path;

/// The examples below the heading `title` (`.SS`, or `.SH` up to its first `.SS`) of `packaging/man/PAGE`, in order.
///
/// # Panics
/// There is none.
#[must_use]
pub fn examples(page: &str, title: &str) -> Vec<String> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man")).join(page);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let headings =
        [".SS", ".SH"].map(|sign| [format!("\n{sign} \"{title}\"\n"), format!("\n{sign} {title}\n")]);
    let section = headings.iter().flatten().find_map(|heading| Some(text.split_once(heading)?.1));
    let section = section.unwrap_or_else(|| panic!("{page} has no {title:?}"));
    let section = section.split("\n.S").next().unwrap_or_default();
    let blocks = section.split(".EX\n").skip(1).filter_map(|block| Some(block.split_once(".EE")?.0));
    let found: Vec<String> = blocks.map(plain).collect();
    assert!(!found.is_empty(), "{page} has no example below {title:?}");
    found
}

/// `shipped`, a PAM file of the distribution, with each line of `example` that names the module where it stands there:
/// behind the line before it, or before the line behind it.
///
/// # Panics
/// Neither is in the file.
#[must_use]
pub fn follow(example: &str, shipped: &str) -> String {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines: Vec<&str> = shipped.lines().collect();
    let wanted: Vec<&str> = example.lines().filter(|line| !line.starts_with('#')).collect();
    for (number, line) in wanted.iter().enumerate() {
        if !line.contains("pam_otp.so") {
            continue;
        }
        let find = |neighbour: Option<&&str>| {
            let neighbour = words(neighbour?);
            lines.iter().position(|line| words(line) == neighbour)
        };
        let behind = number.checked_sub(1).and_then(|before| find(wanted.get(before)));
        let place = behind.map(|at| at + 1).or_else(|| find(wanted.get(number + 1)));
        lines.insert(place.unwrap_or_else(|| panic!("where does {line:?} go?")), line);
    }
    lines.join("\n")
}

/// roff's signs as a reader sees them.
fn plain(block: &str) -> String {
    block.replace("\\-", "-").replace("\\&", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_where_the_example_has_them() {
        let shipped = "auth requisite a.so\nauth   required b.so\naccount required c.so";
        let example = "# a comment\nauth required b.so\nauth required pam_otp.so\n...\n# more\naccount required pam_otp.so\naccount required c.so";
        let followed = follow(example, shipped);
        let expected = "auth requisite a.so\nauth   required b.so\nauth required pam_otp.so\naccount required pam_otp.so\naccount required c.so";
        assert_eq!(followed, expected);
    }
}
