//! The plain text of a mail. Paragraphs are lines: programs wrap them to their window, and a phone's is narrow.

use zeroize::Zeroizing;

use super::letter::Letter;

/// Lays out a letter.
pub(super) fn write(letter: &Letter<'_>) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(4096));
    let mut add = |line: &str| {
        out.push_str(line);
        out.push_str("\r\n");
    };
    add(&letter.title);
    for paragraph in &letter.body {
        add("");
        add(&paragraph.replace('`', ""));
    }
    if let Some(code) = letter.code {
        add("");
        add(&Zeroizing::new(format!("    {}", code.expose_secret())));
    }
    for paragraph in &letter.after {
        add("");
        add(&paragraph.replace('`', ""));
    }
    add("");
    for (label, value) in &letter.facts {
        add(&format!("{label}: {value}"));
    }
    add("");
    add(&letter.not_you.0);
    add(&letter.not_you.1.replace('`', ""));
    add("");
    // Mail programs hide what follows this line, or show it in grey.
    add("-- ");
    add(&letter.footer);
    out
}
