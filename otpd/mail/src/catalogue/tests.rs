//! Languages: the shipped ones, further ones, and broken ones.

use super::*;

const ENGLISH: &str = include_str!("en.toml");

#[track_caller]
fn refused(text: &str, with: &str) {
    let error = format!("{:#}", Catalogue::parse(text).unwrap_err());
    assert!(error.contains(with), "{error}");
}

#[test]
fn the_shipped_languages_say_the_same_things() {
    let shipped = Catalogues::shipped().unwrap();
    let services = |language| shipped.best(Some(language)).services.keys().cloned().collect::<Vec<_>>();
    assert_eq!(services("zh"), services("en"));
    let (en, zh) = (shipped.best(Some("en")), shipped.best(Some("zh")));
    for (english, chinese) in [(&en.code, &zh.code), (&en.confirm, &zh.confirm), (&en.test, &zh.test)] {
        assert_eq!(
            (english.body.len(), english.after.len()),
            (chinese.body.len(), chinese.after.len()),
            "{}",
            english.title
        );
    }
}

#[test]
fn chinese_has_chinese_punctuation() {
    let chinese: toml::Value = toml::from_str(include_str!("zh.toml")).unwrap();
    each_string(&chinese, &mut |text| {
        assert!(!text.contains([',', '?', ';', '!', '(']), "{text}");
        assert!(text.contains('%') || !text.contains(':'), "{text}");
    });
}

#[test]
fn the_nearest_language_is_taken_and_english_for_the_unknown() {
    let shipped = Catalogues::shipped().unwrap();
    for (wanted, tag) in [
        (Some("zh"), "zh-Hans"),
        (Some("zh-CN"), "zh-Hans"),
        (Some("zh-Hans-CN"), "zh-Hans"),
        (Some("ZH_cn.UTF-8"), "zh-Hans"),
        (Some("en-GB"), "en"),
        (Some("C.UTF-8"), "en"),
        (Some("tlh"), "en"),
        (Some("zhx"), "en"),
        (Some(""), "en"),
        (Some("../../etc/passwd"), "en"),
        (None, "en"),
    ] {
        assert_eq!(shipped.best(wanted).tag, tag, "{wanted:?}");
    }
}

#[test]
fn a_missing_key_an_unknown_one_and_an_unknown_placeholder_are_errors() {
    assert!(Catalogue::parse(ENGLISH).is_ok());
    refused(&ENGLISH.replace("[notice.reset]", "[notice.rest]"), "rest");
    refused(&ENGLISH.replacen("title = ", "tittle = ", 1), "tittle");
    refused(&ENGLISH.replacen("good_until = ", "#", 1), "good_until");
    refused(&ENGLISH.replace("{user}", "{usr}"), "{usr}");
    refused(&ENGLISH.replace("{user}", "{user"), "placeholder");
    refused(&ENGLISH.replacen("%H:%M:%S", "%H:%M:%!", 1), "time:");
}

#[test]
fn a_further_language_is_found_and_a_broken_one_skipped_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("de.toml", &ENGLISH.replacen("tag = \"en\"", "tag = \"de\"", 1));
    write("zh-TW.toml", &ENGLISH.replacen("tag = \"en\"", "tag = \"zh-Hant\"", 1));
    write("en.toml", &ENGLISH.replacen("tag = \"en\"", "tag = \"en-GB\"", 1));
    write("zh.toml", "tag = \"zh\"\n");
    write("fr.toml", "\u{0}");
    write("README", "not a language");
    write("x..toml", "not a language");
    let mut catalogues = Catalogues::shipped().unwrap();
    let mut skipped = catalogues.add(directory.path());
    skipped.sort();
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert!(skipped[0].contains("fr.toml is not used") && skipped[1].contains("zh.toml is not used"));
    for (wanted, tag) in [
        ("de-AT", "de"),
        ("zh-TW", "zh-Hant"),
        ("zh-CN", "zh-Hans"),
        ("fr", "en-GB"),
        ("en", "en-GB"),
        ("en-US", "en-GB"),
    ] {
        assert_eq!(catalogues.best(Some(wanted)).tag, tag, "{wanted}");
    }
}

#[test]
fn a_directory_that_is_not_there_has_no_languages() {
    assert!(Catalogues::shipped().unwrap().add(Path::new("/nonexistent")).is_empty());
}
