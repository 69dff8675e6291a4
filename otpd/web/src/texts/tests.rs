//! The catalogue: complete in both languages, and nothing in it that nobody says.

use super::*;
use std::collections::BTreeSet;
use std::path::Path;

/// Every file that says something.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    let mut folders = vec![root.join("templates"), root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|it| it.to_str()) {
                None => folders.push(path),
                Some("html" | "txt" | "rs") => all.push_str(&std::fs::read_to_string(path).unwrap()),
                Some(_) => {}
            }
        }
    }
    all
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0).collect()
}

#[test]
fn both_languages_say_the_same_things_with_the_same_placeholders() {
    assert!(ENGLISH.len() > 100, "the file is read");
    assert_eq!(ENGLISH.keys().collect::<Vec<_>>(), CHINESE.keys().collect::<Vec<_>>());
    for (key, english) in &*ENGLISH {
        assert_eq!(placeholders(english), placeholders(&CHINESE[key]), "{key}");
        assert!(!english.trim().is_empty() && !CHINESE[key].trim().is_empty(), "{key}");
    }
}

#[test]
fn every_text_that_a_page_says_is_there_and_every_text_is_said() {
    let sources = sources();
    let said: BTreeSet<&str> = sources
        .split(['"', '`'])
        .filter(|word| {
            let mut parts = word.split('.');
            let part = |part: Option<&str>| {
                part.is_some_and(|it| {
                    !it.is_empty() && it.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                })
            };
            part(parts.next()) && part(parts.next()) && parts.next().is_none()
        })
        .collect();
    let files = [".html", ".txt"];
    let sections: BTreeSet<&str> = ENGLISH.keys().filter_map(|key| key.split('.').next()).collect();
    for key in &said {
        let section = key.split('.').next().unwrap();
        let is_file = files.iter().any(|ending| key.ends_with(ending));
        let is_text = sections.contains(section) && !is_file;
        assert!(!is_text || ENGLISH.contains_key(*key), "{key} is said and not there");
    }
    // Found by words of otpd, of paths and of PAM.
    let by_word = ["reason.", "service.", "done.", "way.", "lane.", "event.", "verdict."];
    for key in ENGLISH.keys() {
        let is_said = said.contains(key.as_str()) || by_word.iter().any(|prefix| key.starts_with(prefix));
        assert!(is_said, "nobody says {key}");
    }
    for word in ["done.gone", "done.expired", "done.turned_off", "done.device_added_clock", "reason.closed"] {
        assert!(ENGLISH.contains_key(word), "{word}");
    }
}

#[test]
fn chinese_has_chinese_punctuation() {
    for (key, text) in &*CHINESE {
        assert!(!text.contains([',', '?', ';', '!', '(']), "{key}: {text}");
    }
}

#[test]
fn placeholders_are_filled_once_and_what_is_put_in_is_not_filled_again() {
    assert_eq!(fill("a {x} b {y}", &[("x", "{y}"), ("y", "z")]), "a {y} b z");
    assert_eq!(fill("{unknown} {", &[("x", "1")]), "{unknown} {");
}
