//! The texts of the mails, one TOML file a language. English and Chinese are in the program; a package or an
//! administrator adds others, or replaces these, in [`DIRECTORY`].

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use anyhow::bail;
use otpd_daemon::trusted;
use serde::Deserialize;

/// The texts in one language. What each is for stands in the shipped `en.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) tag: String,
    pub(crate) time: String,
    pub(crate) clock: String,
    pub(crate) good_until: String,
    pub(crate) not_you: String,
    pub(crate) footer: String,
    pub(crate) labels: Labels,
    pub(crate) services: BTreeMap<String, String>,
    pub(crate) confirm: Text,
    pub(crate) code: Text,
    pub(crate) test: Text,
    pub(crate) notice: Notices,
}

/// What stands before each fact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Labels {
    pub(crate) account: String,
    pub(crate) account_value: String,
    pub(crate) time: String,
    pub(crate) service: String,
    pub(crate) address: String,
    pub(crate) device: String,
    pub(crate) used: String,
    pub(crate) detail: String,
    pub(crate) event: String,
    pub(crate) recovery_code: String,
    pub(crate) mailed_code: String,
    pub(crate) enrol_code: String,
}

/// The texts of one kind of mail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Text {
    pub(crate) subject: String,
    pub(crate) title: String,
    /// Paragraphs; with a code, it follows the last one.
    pub(crate) body: Vec<String>,
    /// Paragraphs below the code.
    #[serde(default)]
    pub(crate) after: Vec<String>,
    pub(crate) not_you: String,
}

/// The notices, by the word that otpd has for them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notices {
    protection_on: Text,
    protection_off: Text,
    device_bound: Text,
    device_removed: Text,
    recovery_used: Text,
    codes_new: Text,
    email_added: Text,
    email_removed: Text,
    lane_closed: Text,
    lane_opened: Text,
    code_reused: Text,
    no_code: Text,
    reset: Text,
    other: Text,
}

impl Notices {
    /// The text for this word, `None` for an unknown one.
    pub(crate) fn named(&self, word: &str) -> Option<&Text> {
        Some(match word {
            "protection_on" => &self.protection_on,
            "protection_off" => &self.protection_off,
            "device_bound" => &self.device_bound,
            "device_removed" => &self.device_removed,
            "recovery_used" => &self.recovery_used,
            "codes_new" => &self.codes_new,
            "email_added" => &self.email_added,
            "email_removed" => &self.email_removed,
            "lane_closed" => &self.lane_closed,
            "lane_opened" => &self.lane_opened,
            "code_reused" => &self.code_reused,
            "no_code" => &self.no_code,
            "reset" => &self.reset,
            _ => return None,
        })
    }

    /// For words that this program does not know.
    pub(crate) fn other(&self) -> &Text {
        &self.other
    }
}

impl Catalogue {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let catalogue: Self = toml::from_str(text)?;
        let mut wrong = None;
        each_string(&toml::Value::Table(toml::from_str(text)?), &mut |text| {
            wrong = wrong.take().or_else(|| unknown_placeholder(text));
        });
        if let Some(wrong) = wrong {
            bail!("{wrong} is no placeholder; there are {{{}}}", PLACEHOLDERS.join("}, {"));
        }
        for (key, pattern) in [("time", &catalogue.time), ("clock", &catalogue.clock)] {
            jiff::fmt::strtime::format(pattern, &jiff::Zoned::default())
                .with_context(|| format!("{key}: {pattern:?} is no pattern of strftime(3)"))?;
        }
        Ok(catalogue)
    }
}

/// All languages there are.
#[derive(Debug, Clone)]
pub struct Catalogues {
    /// By file name without its ending, in lower case.
    by_language: BTreeMap<String, Catalogue>,
    english: Catalogue,
}

impl Catalogues {
    /// The languages in the program.
    ///
    /// # Errors
    /// Never, since they are tested; a program that has lost them must not start.
    pub fn shipped() -> anyhow::Result<Self> {
        let english = Catalogue::parse(include_str!("catalogue/en.toml")).context("en.toml")?;
        let chinese = Catalogue::parse(include_str!("catalogue/zh.toml")).context("zh.toml")?;
        let by_language = BTreeMap::from([("en".into(), english.clone()), ("zh".into(), chinese)]);
        Ok(Self { by_language, english })
    }

    /// Adds the files `LANGUAGE.toml` of a directory, and returns what is wrong with those that it skipped.
    #[must_use]
    pub fn add(&mut self, directory: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        let mut skipped = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            let Some(language) = language_of(&path) else { continue };
            match trusted::read(&path).and_then(|text| Catalogue::parse(&text)) {
                Ok(catalogue) if language == "en" => self.english = catalogue,
                Ok(catalogue) => drop(self.by_language.insert(language, catalogue)),
                Err(error) => skipped.push(format!("{} is not used: {error:#}", path.display())),
            }
        }
        skipped
    }

    /// The best one for a language as its user chose it, as `zh-CN` or `zh_CN.UTF-8`: the whole, else without its last
    /// part, and so on; else English.
    pub(crate) fn best(&self, language: Option<&str>) -> &Catalogue {
        let language = language.unwrap_or_default().split('.').next().unwrap_or_default();
        let mut wanted = language.replace('_', "-").to_ascii_lowercase();
        loop {
            match (self.by_language.get(&wanted), wanted.rfind('-')) {
                _ if wanted == "en" => return &self.english,
                (Some(found), _) => return found,
                (None, Some(end)) => wanted.truncate(end),
                (None, None) => return &self.english,
            }
        }
    }
}

fn language_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".toml")?;
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.split('-').all(is_part).then(|| name.to_ascii_lowercase())
}

fn each_string(value: &toml::Value, see: &mut impl FnMut(&str)) {
    match value {
        toml::Value::String(text) => see(text),
        toml::Value::Array(values) => values.iter().for_each(|value| each_string(value, see)),
        toml::Value::Table(table) => table.values().for_each(|value| each_string(value, see)),
        _ => {}
    }
}

/// The first `{...}` that nothing would be put in for.
fn unknown_placeholder(text: &str) -> Option<String> {
    text.split('{').skip(1).find_map(|rest| {
        let name = rest.split_once('}').map_or(rest, |(name, _)| name);
        let known = rest.contains('}') && PLACEHOLDERS.contains(&name);
        (!known).then(|| format!("{{{name}}}"))
    })
}

/// Where further languages are.
pub const DIRECTORY: &str = "/usr/share/otpd/mail";

/// What every mail has a value for.
pub(crate) const PLACEHOLDERS: &[&str] = &["user", "box", "time", "until", "to"];

#[cfg(test)]
mod tests;
