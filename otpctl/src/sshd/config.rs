//! sshd_config: the first value that is found counts, `Include` stands for the files that it names, and what stands in
//! a `Match` block goes before the rest for whom it matches.

use std::path::Path;
use std::path::PathBuf;

/// A configuration: its lines in the order in which sshd reads them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    entries: Vec<Entry>,
    /// The condition of each `Match` block, in order.
    blocks: Vec<String>,
}

#[derive(Debug, Clone)]
struct Entry {
    keyword: String,
    value: String,
    /// Which block it stands in; none for everybody.
    block: Option<usize>,
}

/// For whom a setting counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Those whom no block matches.
    Everybody,
    /// Those whom this block matches, and no other.
    Block(usize),
}

impl Config {
    /// The file and everything that it includes; nothing if it is not there.
    pub(crate) fn read(file: &Path) -> Self {
        let mut config = Self::default();
        let text = std::fs::read(file).unwrap_or_default();
        config.gather(&String::from_utf8_lossy(&text), file.parent().unwrap_or(Path::new("/")), None, 0);
        config
    }

    /// Reads one file; returns the block that is open at its end.
    fn gather(&mut self, text: &str, directory: &Path, mut block: Option<usize>, depth: usize) {
        let outside = block;
        for line in text.lines() {
            let Some((keyword, value)) = split(line) else { continue };
            match keyword.as_str() {
                // A block of an included file ends with it.
                "match" if outside.is_some() => block = Some(self.open(&format!("{value} (included)"))),
                "match" => {
                    block = if value.eq_ignore_ascii_case("all") { None } else { Some(self.open(&value)) }
                }
                "include" if depth < DEEPEST => {
                    for path in
                        value.split_whitespace().flat_map(|pattern| matching(directory, &unquoted(pattern)))
                    {
                        let text = std::fs::read(path).unwrap_or_default();
                        self.gather(
                            &String::from_utf8_lossy(&text),
                            directory,
                            block,
                            depth.saturating_add(1),
                        );
                    }
                }
                _ => self.entries.push(Entry { keyword, value, block }),
            }
        }
    }

    fn open(&mut self, condition: &str) -> usize {
        self.blocks.push(condition.to_owned());
        self.blocks.len().saturating_sub(1)
    }

    /// Whether nothing is said at all, as where there is no sshd.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.blocks.is_empty()
    }

    /// Everybody, then each block.
    pub(crate) fn audiences(&self) -> Vec<For> {
        std::iter::once(For::Everybody).chain((0..self.blocks.len()).map(For::Block)).collect()
    }

    /// The condition of a block.
    pub(crate) fn condition(&self, audience: For) -> Option<&str> {
        match audience {
            For::Everybody => None,
            For::Block(index) => self.blocks.get(index).map(String::as_str),
        }
    }

    /// What counts for somebody; `None` where sshd's default does.
    pub(crate) fn value(&self, keyword: &str, audience: For) -> Option<&str> {
        let is_meant =
            |entry: &&Entry| entry.keyword == keyword || alias(keyword) == Some(entry.keyword.as_str());
        let in_block = |block: Option<usize>| {
            self.entries
                .iter()
                .filter(is_meant)
                .find(|entry| entry.block == block)
                .map(|entry| entry.value.as_str())
        };
        match audience {
            For::Everybody => in_block(None),
            For::Block(index) => in_block(Some(index)).or_else(|| in_block(None)),
        }
    }

    /// A yes or no.
    pub(crate) fn is_on(&self, keyword: &str, audience: For, default: bool) -> bool {
        match self.value(keyword, audience) {
            Some(value) => !value.eq_ignore_ascii_case("no"),
            None => default,
        }
    }
}

/// The name that a keyword had before.
fn alias(keyword: &str) -> Option<&'static str> {
    (keyword == "kbdinteractiveauthentication").then_some("challengeresponseauthentication")
}

/// Keyword in small letters and value, between which an equals sign may stand.
fn split(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end =
        line.find(|character: char| character.is_whitespace() || character == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at_checked(end)?;
    let rest = rest.trim_start();
    let value = rest.strip_prefix('=').unwrap_or(rest);
    // A comment may stand behind the value.
    let value = value.split(" #").next().unwrap_or_default();
    Some((keyword.to_ascii_lowercase(), unquoted(value.trim())))
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value).to_owned()
}

/// The files of an `Include`, in the order of their names.
fn matching(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = directory.join(pattern);
    let (parent, name) =
        (pattern.parent().unwrap_or(Path::new("/")), pattern.file_name().unwrap_or_default());
    let name = name.to_string_lossy();
    if !name.contains(['*', '?']) {
        return vec![pattern.clone()];
    }
    let entries = std::fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| fits(&name, &entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// A shell's pattern of `*` and `?`; a dot in front is matched by a dot alone.
fn fits(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some(('*', behind)), _) if rest(behind, name) => true,
            (Some(('*', _)), Some((_, behind))) => rest(pattern, behind),
            (Some(('?', pattern)), Some((_, name))) => rest(pattern, name),
            (Some((wanted, pattern)), Some((found, name))) => wanted == found && rest(pattern, name),
            _ => false,
        }
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    (name.first() != Some(&'.') || pattern.first() == Some(&'.')) && rest(&pattern, &name)
}

/// sshd's own limit.
const DEEPEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &[(&str, &str)]) -> Config {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("sshd_config.d")).unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        Config::read(&directory.path().join("sshd_config"))
    }

    #[test]
    fn the_first_value_counts_and_keywords_know_no_case() {
        let config = config(&[("sshd_config", "# UsePAM no\nusepam=yes\nUsePAM no\nPort \"22\" # x\n")]);
        assert_eq!(config.value("usepam", For::Everybody), Some("yes"));
        assert_eq!(config.value("port", For::Everybody), Some("22"));
        assert!(config.is_on("kbdinteractiveauthentication", For::Everybody, true));
    }

    #[test]
    fn drop_ins_come_in_the_order_of_their_names_where_they_are_included() {
        let files = [
            ("sshd_config", "Include sshd_config.d/*.conf\nUsePAM no\n"),
            ("sshd_config.d/20-b.conf", "UsePAM no\n"),
            ("sshd_config.d/10-a.conf", "UsePAM yes\n"),
            ("sshd_config.d/05-c.conf.bak", "UsePAM maybe\n"),
        ];
        assert_eq!(config(&files).value("usepam", For::Everybody), Some("yes"));
    }

    #[test]
    fn a_block_goes_before_the_rest_and_match_all_ends_it() {
        let text = "PasswordAuthentication no\nMatch User backup\n PasswordAuthentication yes\nMatch all\nUsePAM yes\n";
        let config = config(&[("sshd_config", text)]);
        assert_eq!(config.audiences(), [For::Everybody, For::Block(0)]);
        assert_eq!(config.condition(For::Block(0)), Some("User backup"));
        assert_eq!(config.value("passwordauthentication", For::Everybody), Some("no"));
        assert_eq!(config.value("passwordauthentication", For::Block(0)), Some("yes"));
        assert_eq!(config.value("usepam", For::Block(0)), Some("yes"));
    }

    #[test]
    fn a_block_of_an_included_file_ends_with_it() {
        let files = [
            ("sshd_config", "Include sshd_config.d/*.conf\nUsePAM yes\n"),
            ("sshd_config.d/a.conf", "Match User x\nUsePAM no\n"),
        ];
        let config = config(&files);
        assert_eq!(config.value("usepam", For::Everybody), Some("yes"));
        assert_eq!(config.value("usepam", For::Block(0)), Some("no"));
    }

    #[test]
    fn the_old_name_of_a_keyword_counts() {
        let config = config(&[("sshd_config", "ChallengeResponseAuthentication no\n")]);
        assert!(!config.is_on("kbdinteractiveauthentication", For::Everybody, true));
    }

    #[test]
    fn patterns_are_a_shells() {
        assert!(fits("*.conf", "a.conf") && fits("*", "x") && fits("a?b*", "axbcd"));
        assert!(!fits("*.conf", "a.conf~") && !fits("*.conf", ".a.conf") && !fits("?", ""));
    }
}
