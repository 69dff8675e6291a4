//! What pages say, in English and Chinese: one TOML file a language, the same keys in both.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// en
    #[default]
    English,
    /// zh-Hans
    Chinese,
}

impl Language {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// For the cookie, the path of the switch, and mails.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// BCP 47.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hans",
        }
    }

    /// In itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// By its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }

    /// The one that a browser likes best (RFC 9110, 12.5.4).
    #[must_use]
    pub fn accepted(list: &str) -> Self {
        let mut best = (Self::English, 0.0);
        for part in list.split(',') {
            let (tag, rest) = part.split_once(';').unwrap_or((part, ""));
            let quality = rest.trim().strip_prefix("q=").map_or(1.0, |q| q.parse().unwrap_or(0.0));
            let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            if let Some(language) = Self::from_word(&primary)
                && quality > best.1
            {
                best = (language, quality);
            }
        }
        best.0
    }

    /// The text of a key. A key that is not there shows itself; a test sees that none is missing.
    #[must_use]
    pub fn say(self, key: &'static str) -> &'static str {
        self.find(key).unwrap_or(key)
    }

    /// The text of a key, if there is one.
    #[must_use]
    pub fn find(self, key: &str) -> Option<&'static str> {
        let catalogue = match self {
            Self::English => &*ENGLISH,
            Self::Chinese => &*CHINESE,
        };
        catalogue.get(key).map(String::as_str)
    }

    /// The text of a key, with `{name}` replaced.
    #[must_use]
    pub fn with(self, key: &'static str, values: &[(&str, &str)]) -> String {
        fill(self.say(key), values)
    }

    /// A moment, by this box's clock and time zone.
    #[must_use]
    pub fn time(self, at: i64) -> String {
        let zoned = zoned(at);
        match self {
            Self::English => zoned.strftime("%-d %b %Y, %H:%M").to_string(),
            Self::Chinese => zoned.strftime("%Y年%-m月%-d日 %H:%M").to_string(),
        }
    }

    /// The same to the second, without the date.
    #[must_use]
    pub fn clock(self, at: i64) -> String {
        zoned(at).strftime("%H:%M:%S").to_string()
    }
}

/// Replaces each `{name}` that is given, once and in order: what is put in is not looked at again.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, after)| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, after))
        });
        match known {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn zoned(at: i64) -> jiff::Zoned {
    jiff::Timestamp::from_second(at).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system())
}

static ENGLISH: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| flat(include_str!("texts/en.toml")));
static CHINESE: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| flat(include_str!("texts/zh.toml")));

/// `[section] key = "text"` as `section.key`. The files are part of the program, and tests read them.
fn flat(toml: &str) -> BTreeMap<String, String> {
    let sections: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(toml).unwrap_or_default();
    let texts = sections.into_iter().flat_map(|(section, texts)| {
        texts.into_iter().map(move |(key, text)| (format!("{section}.{key}"), text))
    });
    texts.collect()
}

#[cfg(test)]
mod tests;
