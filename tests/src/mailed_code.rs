//! The code out of a mail, as a person finds it: on a line of its own.

use serde_json::Value;

/// The code of a mail that a server took.
///
/// # Panics
/// There is none in it.
#[must_use]
pub fn mailed_code(mail: &Value) -> String {
    let content = mail["content"].as_str().expect("a mail has a content");
    let found = content.lines().map(str::trim).find(|line| is_code(line));
    found.unwrap_or_else(|| panic!("no code in {content}")).to_owned()
}

fn is_code(line: &str) -> bool {
    let symbol = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    matches!(line.as_bytes(), [first @ .., b'-', _, _, _, _] if first.len() == 4)
        && line.bytes().filter(|byte| symbol(byte)).count() == 8
}
