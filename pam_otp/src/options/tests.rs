//! Each option, both sides of each limit, and every way to get the line wrong.

use std::ffi::CString;

use super::*;

fn parse(words: &[&str]) -> Result<Options, OptionError> {
    let owned: Vec<CString> = words.iter().map(|word| CString::new(*word).unwrap()).collect();
    let words: Vec<&CStr> = owned.iter().map(CString::as_c_str).collect();
    Options::parse(&words, Path::new("/run/otpd/login.sock"))
}

fn malformed(word: &str) -> Option<&'static str> {
    match parse(&[word]) {
        Err(OptionError::Malformed { name, .. }) => Some(name),
        _ => None,
    }
}

#[test]
fn an_empty_line_denies_when_nobody_answers() {
    let options = parse(&[]).unwrap();
    assert_eq!(options.socket, Path::new("/run/otpd/login.sock"));
    assert_eq!(options.timeout, Duration::from_secs(5));
    assert_eq!(options.unavailable, Unavailable::Deny);
    assert_eq!(options.prompt, None);
    assert_eq!(options.first_pass, FirstPass::Ignored);
    assert_eq!(options.forward_pass, ForwardPass::Off);
    assert!(!options.debug);
}

#[test]
fn a_full_line_is_read_whole() {
    let line = [
        "socket=/run/x",
        "timeout=9",
        "unavailable=ignore",
        "prompt=Code=: ",
        "try_first_pass",
        "forward_pass",
        "debug",
    ];
    let options = parse(&line).unwrap();
    assert_eq!(options.socket, Path::new("/run/x"));
    assert_eq!(options.timeout, Duration::from_secs(9));
    assert_eq!(options.unavailable, Unavailable::Ignore);
    assert_eq!(options.prompt, Some(Line::new("Code=: ")));
    assert_eq!(options.first_pass, FirstPass::Tried);
    assert_eq!(options.forward_pass, ForwardPass::Checked);
    assert!(options.debug);
}

#[test]
fn the_first_pass_may_be_used_with_a_password_before_the_code_and_without() {
    for (line, forward_pass) in [
        (&["use_first_pass"][..], ForwardPass::Off),
        (&["forward_pass", "use_first_pass"], ForwardPass::Checked),
        (&["use_first_pass", "forward_pass=unchecked"], ForwardPass::Unchecked),
    ] {
        let options = parse(line).unwrap();
        assert_eq!((options.first_pass, options.forward_pass), (FirstPass::Used, forward_pass), "{line:?}");
    }
}

#[test]
fn options_that_contradict_each_other_are_errors_in_either_order() {
    for [one, other] in [["try_first_pass", "use_first_pass"], ["prompt=Code: ", "use_first_pass"]] {
        let name = one.split('=').next().unwrap();
        for line in [[one, other], [other, one]] {
            let error = parse(&line).unwrap_err();
            assert!(
                matches!(error, OptionError::Contradictory(a, b) if (a, b) == (name, other)),
                "{error:?}"
            );
        }
        assert!(matches!(parse(&[one, "forward_pass", other]), Err(OptionError::Contradictory(..))));
    }
}

#[test]
fn unknown_words_are_errors() {
    let words = [
        "nulok",
        "nullok",
        "Debug",
        "debug=1",
        "debug=",
        "socket",
        "timeout",
        "unavailable",
        "prompt",
        "",
        "=",
    ];
    for word in words.into_iter().chain(["use_first_pass=", "try_first_pas", "Forward_pass", " debug"]) {
        assert_eq!(parse(&[word]), Err(OptionError::Unknown(word.to_owned())));
    }
}

#[test]
fn a_word_that_is_not_utf8_is_an_error() {
    let result = Options::parse(&[c"socket=/run/\xff"], Path::new("/run/otpd/login.sock"));
    assert!(matches!(result, Err(OptionError::Unknown(_))));
}

#[test]
fn every_option_may_stand_once() {
    for (word, name) in [
        ("socket=/a", "socket"),
        ("timeout=5", "timeout"),
        ("unavailable=deny", "unavailable"),
        ("prompt=a", "prompt"),
        ("use_first_pass", "use_first_pass"),
        ("try_first_pass", "try_first_pass"),
        ("forward_pass", "forward_pass"),
        ("debug", "debug"),
    ] {
        assert!(parse(&[word]).is_ok());
        assert_eq!(parse(&[word, word]), Err(OptionError::Repeated(name)));
    }
}

#[test]
fn a_socket_is_an_absolute_path_that_the_kernel_takes() {
    for path in ["", "otpd.sock", "./otpd.sock", "@otpd", "~/otpd.sock"] {
        assert_eq!(malformed(&format!("socket={path}")), Some("socket"), "{path}");
    }
    assert!(parse(&[&format!("socket=/{}", "x".repeat(106))]).is_ok());
    assert_eq!(malformed(&format!("socket=/{}", "x".repeat(107))), Some("socket"));
}

#[test]
fn a_timeout_is_one_to_thirty_seconds_and_zero_never_means_for_ever() {
    for seconds in ["1", "30"] {
        assert!(parse(&[&format!("timeout={seconds}")]).is_ok(), "{seconds}");
    }
    for seconds in ["0", "31", "", "+5", "-5", "5s", "5.0", " 5", "0x5", "99999999999999999999"] {
        assert_eq!(malformed(&format!("timeout={seconds}")), Some("timeout"), "{seconds}");
    }
}

#[test]
fn unavailable_takes_two_words_only() {
    for what in ["", "Ignore", "allow", "deny,ignore", "ignore "] {
        assert_eq!(malformed(&format!("unavailable={what}")), Some("unavailable"), "{what}");
    }
}

#[test]
fn forward_pass_is_checked_unless_the_line_says_unchecked() {
    for what in ["", "checked", "Unchecked", "unchecked ", "yes", "no"] {
        assert_eq!(malformed(&format!("forward_pass={what}")), Some("forward_pass"), "{what}");
    }
    for line in [["forward_pass", "forward_pass=unchecked"], ["forward_pass=unchecked", "forward_pass"]] {
        assert_eq!(parse(&line), Err(OptionError::Repeated("forward_pass")));
    }
}

#[test]
fn a_prompt_is_short_and_printable() {
    assert!(parse(&[&format!("prompt={}", "x".repeat(200))]).is_ok());
    assert_eq!(malformed(&format!("prompt={}", "x".repeat(201))), Some("prompt"));
    for text in ["", "  ", "a\nb", "a\x1b[2J", "code\x7f", "Código: "] {
        assert_eq!(malformed(&format!("prompt={text}")), Some("prompt"), "{text:?}");
    }
}

#[test]
fn a_prompt_that_sudo_would_take_for_the_passwords_is_refused() {
    for text in ["Password:", "Password: ", "password:", "alice's Password:"] {
        assert_eq!(malformed(&format!("prompt={text}")), Some("prompt"), "{text:?}");
    }
    assert!(parse(&["prompt=One-time password: "]).is_ok());
}

#[test]
fn every_error_names_the_word_and_the_remedy() {
    for line in [&["nulok"][..], &["debug", "debug"], &["timeout=0"], &["try_first_pass", "use_first_pass"]] {
        let text = parse(line).unwrap_err().to_string();
        assert!(text.contains(line[0].split('=').next().unwrap()) && text.contains("service file"), "{text}");
    }
}
