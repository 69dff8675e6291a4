//! What `otpd` says at a login and of this box's health, in the language and the words of a page: it speaks English, and to people at a terminal.
//! What is not known here is shown as it came.

use crate::texts::Language;

/// A text, and whether it is still in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text.
    pub text: String,
    /// Its language.
    pub tag: &'static str,
    /// Whether it is bad news.
    pub is_error: bool,
}

impl Said {
    /// In this language, as far as it is known.
    #[must_use]
    pub fn new(language: Language, text: &str, is_error: bool) -> Self {
        let text = text.trim();
        let known = KNOWN.iter().find_map(|(pattern, key)| {
            let values = matched(pattern, text)?;
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, *value)).collect();
            Some(language.with(key, &values))
        });
        match known {
            Some(text) => Self { text, tag: language.tag(), is_error },
            None => Self { text: text.to_owned(), tag: Language::English.tag(), is_error },
        }
    }
}

/// What stands for each `{name}` of a pattern, if the text has its form.
fn matched<'a>(pattern: &'static str, text: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
    let (before, mut pattern) = pattern.split_once('{').unwrap_or((pattern, ""));
    let mut text = text.strip_prefix(before)?;
    let mut values = Vec::new();
    while !pattern.is_empty() {
        let (name, rest) = pattern.split_once('}')?;
        let (literal, next) = rest.split_once('{').unwrap_or((rest, ""));
        let end = if literal.is_empty() { text.len() } else { text.find(literal)? };
        values.push((name, text.get(..end)?));
        text = text.get(end..)?.strip_prefix(literal)?;
        pattern = next;
    }
    text.is_empty().then_some(values)
}

/// The forms of `otpd/src/service/{prompt,mailed,recover,post,typed}.rs`, and of what is checked there.
const KNOWN: &[(&str, &str)] = &[
    ("Wrong code (it is {time} here).", "said.wrong"),
    ("Wrong code (it is {time} here; a token pressed often needs otpctl resync).", "said.wrong_token"),
    ("That code was used already; the next one comes in {seconds} s.", "said.used"),
    ("That code was used already; take the next one.", "said.used_now"),
    ("The present code is used; the next one comes in {seconds} s.", "said.spent"),
    ("The present code is used; take the next one.", "said.used_now"),
    ("A code is on its way to {address}, good until {time}.", "said.mailed"),
    (
        "The mail server takes nothing now; if it does, a code comes to {address}, good until {time}.",
        "said.mail_waits",
    ),
    ("There is no secure email to mail a code to. {rest}", "said.no_email"),
    ("The secure email is too new for that. {rest}", "said.email_held"),
    ("This box cannot send mail now. {rest}", "said.no_mail"),
    ("Several codes were mailed; the next one can be at {time}.", "said.many_mails"),
    ("If a code can be mailed, it is on its way.", "said.maybe_mailed"),
    ("That code is wrong, used or too old; it is good for 10 minutes.", "said.mailed_wrong"),
    ("That is no code. {rest}", "said.no_code"),
    ("Locked until {time} after {count} wrong codes.{rest}", "said.locked"),
    ("Closed after {count} wrong codes; {rest}", "said.closed"),
    ("{count} recovery codes are left.{rest}", "said.codes_left"),
    ("Login protection was turned on {when}; not you? {rest}", "said.turned_on"),
    ("Login protection was turned off {when}; not you? {rest}", "said.turned_off"),
    ("A device was bound {when}; not you? {rest}", "said.device_bound"),
    ("A device was removed {when}; not you? {rest}", "said.device_removed"),
    ("A recovery code was used {when}; not you? {rest}", "said.recovery_used"),
    ("A mailed code was used {when}; not you? {rest}", "said.mailed_used"),
    ("An enrol code was used {when}; not you? {rest}", "said.enrol_used"),
    ("New recovery codes were made {when}; not you? {rest}", "said.codes_new"),
    ("A secure email was added {when}; not you? {rest}", "said.email_added"),
    ("A secure email was removed {when}; not you? {rest}", "said.email_removed"),
    ("Too many wrong codes were given {when}; not you? {rest}", "said.lane_closed"),
    ("Logins with a code were opened again {when}; not you? {rest}", "said.lane_opened"),
    ("A used code was given again, from elsewhere, {when}; not you? {rest}", "said.code_reused"),
    ("Your password was given, and no code after it, {when}; not you? {rest}", "said.no_code_given"),
    ("An administrator removed every device {when}; not you? {rest}", "said.reset"),
    ("intact", "said.registry_intact"),
    ("damaged: {damage}; restore it from a backup", "said.registry_damaged"),
    ("in use as last read", "said.configuration"),
    ("the last reload was refused, and otpd will not start with it: {why}", "said.configuration_refused"),
    ("the last one was made on {date}", "said.backup_made"),
    (
        "none is known: without one, a lost registry means that every device is bound anew. Make one: otpctl backup FILE",
        "said.backup_none",
    ),
    ("it says {time}: it was never set; set it", "said.clock_unset"),
    ("it is {time}: {off}. Set it, then run: otpctl clock-reset", "said.clock_off"),
    ("synchronised; it is {time}", "said.clock_synchronised"),
    ("not synchronised; it is {time}. Codes are wrong if it is off: run an NTP client", "said.clock_free"),
    ("the kernel does not say whether it is synchronised; it is {time}", "said.clock_unknown"),
    ("{count} used in the last 7 days, too few that agree to compare clocks", "said.devices_few"),
    ("{count} used in the last 7 days, and none is off by itself", "said.devices_right"),
    ("{devices}: to be set to automatic time", "said.devices_off"),
    ("{left} MiB left for the registry, and 16 in reserve", "said.disk_room"),
    (
        "only {left} MiB left, and 16 in reserve; logins with a code stop when they are used up",
        "said.disk_little",
    ),
    (
        "only {left} MiB left and nothing in reserve; logins with a code stop when they are used up. Make room: with 32 MiB free, otpd sets 16 aside by itself",
        "said.disk_none",
    ),
    ("{error}; logins with a code stop until it can be written", "said.disk_error"),
    ("by {how}; try it with otpctl mail test ADDRESS", "said.mail_works"),
    ("{problem}: nobody gets a code or a notice by mail. See otpd-mail(8)", "said.mail_off"),
    (
        "{groups}. If that is not meant to be required any more: otpctl policy release NUMBER",
        "said.policy_odd",
    ),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_known_is_said_in_the_words_of_the_page_and_the_rest_as_it_came() {
        let said = |language, text| Said::new(language, text, false);
        let used = "That code was used already; the next one comes in 16 s.";
        assert!(said(Language::Chinese, used).text.contains("16"));
        assert_eq!(said(Language::Chinese, used).tag, "zh-Hans");
        let told = r#"Login protection was turned on 2026-11-22 11:16:12 ("Phone"); not you? Tell an administrator."#;
        assert!(said(Language::Chinese, told).text.contains(r#"2026-11-22 11:16:12 ("Phone")"#));
        let left = "9 recovery codes are left. Until 10:00:00 no other code is needed: otpctl bind";
        assert!(!said(Language::English, left).text.contains("otpctl"));
        for unknown in ["Your mailbox is full.", "Wrong code (it is 10:00:00 here). And more", ""] {
            assert_eq!(
                said(Language::Chinese, unknown),
                Said { text: unknown.to_owned(), tag: "en", is_error: false }
            );
        }
    }

    /// Words that otpd no longer says would go untranslated, and nobody would see it.
    #[test]
    fn otpd_still_says_every_word_of_these_forms() {
        let otpd = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = vec![otpd.join("core/src/notice.rs")];
        files.extend(fs::read_dir(otpd.join("src/service")).unwrap().map(|entry| entry.unwrap().path()));
        let source: String = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
        // A long text is one, on however many lines it is written.
        let source = source.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
        for (pattern, _) in KNOWN {
            let literals = pattern.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
            for words in literals.flat_map(|literal| literal.split(';')) {
                assert!(source.contains(words.trim()), "{pattern}: nothing says {words:?}");
            }
        }
    }

    #[test]
    fn every_placeholder_of_a_text_is_one_of_its_pattern() {
        for (pattern, key) in KNOWN {
            for language in Language::ALL {
                let text = language.find(key).unwrap_or_else(|| panic!("{key}"));
                for part in text.split('{').skip(1) {
                    let name = part.split_once('}').unwrap().0;
                    assert!(pattern.contains(&format!("{{{name}}}")), "{key}: {name}");
                }
            }
        }
    }
}
