use clap::FromArgMatches;

use super::*;

fn parse(words: &[&str]) -> Result<Command, clap::Error> {
    let words = ["otpctl"].iter().chain(words);
    command()
        .try_get_matches_from(words)
        .and_then(|found| Cli::from_arg_matches(&found))
        .map(|cli| cli.command)
}

#[test]
fn the_parser_is_sound() {
    command().debug_assert();
}

#[test]
fn a_leading_user_is_told_by_the_number_of_words() {
    let Ok(Command::Rename(own)) = parse(&["rename", "1", "Phone"]) else { panic!() };
    assert_eq!(own.parts(), Some((None, "1".into(), "Phone".into())));
    let Ok(Command::Rename(other)) = parse(&["rename", "alice", "1", "Phone"]) else { panic!() };
    assert_eq!(other.parts(), Some((Some("alice".into()), "1".into(), "Phone".into())));
    let Ok(Command::Unbind(own)) = parse(&["unbind", "Phone"]) else { panic!() };
    assert_eq!(own.parts(), Some((None, "Phone".into())));
    let Ok(Command::Unbind(other)) = parse(&["unbind", "alice", "Phone", "--code", "1"]) else { panic!() };
    assert_eq!(other.parts(), Some((Some("alice".into()), "Phone".into())));
    let Ok(Command::Confirm(other)) = parse(&["confirm", "alice", "3", "-"]) else { panic!() };
    let (user, device, code) = other.parts().unwrap();
    assert_eq!((user.as_deref(), device.as_str(), code.expose_secret()), (Some("alice"), "3", "-"));
}

#[test]
fn numbers_outside_their_range_are_usage_errors() {
    for (option, wrong, right) in
        [("--digits", ["5", "9"], ["6", "8"]), ("--period", ["14", "121"], ["15", "120"])]
    {
        for value in wrong {
            assert!(parse(&["bind", option, value]).is_err(), "{option} {value}");
        }
        for value in right {
            assert!(parse(&["bind", option, value]).is_ok(), "{option} {value}");
        }
    }
    assert!(parse(&["audit", "-n", "0"]).is_err() && parse(&["audit", "-n", "201"]).is_err());
    assert!(parse(&["audit", "-n", "200"]).is_ok());
}

#[test]
fn every_command_has_a_page_of_help() {
    let whole = Cli::command();
    let commands: Vec<String> = whole
        .get_subcommands()
        .flat_map(|sub| {
            let below = sub.get_subcommands().map(|below| format!("{} {}", sub.get_name(), below.get_name()));
            let below: Vec<String> = below.collect();
            if below.is_empty() { vec![sub.get_name().to_owned()] } else { below }
        })
        .collect();
    let pages: Vec<&str> = help::PAGES.iter().map(|page| page.command).collect();
    assert_eq!(commands, pages);
}

#[test]
fn secrets_do_not_show_in_debug() {
    let parsed = parse(&["bind", "--key", "JBSWY3DPEHPK3PXP", "--code", "123456"]).unwrap();
    let shown = format!("{parsed:?}");
    assert!(!shown.contains("JBSW") && !shown.contains("123456"), "{shown}");
}
