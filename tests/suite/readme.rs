//! The table of `tests/README.md` names tests that exist, and every rule has one.

use std::fs;
use std::path::Path;

/// The rules and their tests: `path::name` in backticks, several with commas between them.
fn rows(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    let (_, tables) = text.split_once(FIRST_TABLE).unwrap();
    let cells =
        tables.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    cells
        .filter(|(rule, _)| *rule != "Rule")
        .map(|(rule, tests)| (rule, tests.split(", ").map(|test| test.trim_matches('`')).collect()))
}

/// Whether the file has the test: a `#[test]` of Rust, or a function of a shell script.
fn has(file: &str, name: &str) -> bool {
    let mut is_test = false;
    file.lines().map(str::trim).any(|line| {
        let found = line == format!("{name}() {{") || is_test && line == format!("fn {name}() {{");
        is_test = line == "#[test]" || is_test && line.starts_with("#[");
        found
    })
}

#[test]
fn every_rule_has_a_test_and_every_test_exists() {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let readme = fs::read_to_string(workspace.join("tests/README.md")).unwrap();
    let mut rules = 0;
    for (rule, tests) in rows(&readme) {
        rules += 1;
        for test in tests {
            let (path, name) =
                test.split_once("::").unwrap_or_else(|| panic!("{rule:?}: {test:?} is no test"));
            let file =
                fs::read_to_string(workspace.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(has(&file, name), "{rule:?}: {path} has no test {name}");
        }
    }
    assert!(rules > 80, "{rules} rules: the table is not read");
}

const FIRST_TABLE: &str = "## What a PAM module owes";
