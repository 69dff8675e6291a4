//! `clock-reset`: what it gives up, and the time it goes by, are shown before anything changes.

use serde_json::json;

use crate::support::AtTerminal;
use crate::support::Daemon;
use crate::support::reply;

/// Two pages.
fn daemon(synchronised: Option<bool>) -> Daemon {
    Daemon::new(move |_, parameters| {
        let (accounts, next) = match parameters["after"].as_str() {
            None => (vec!["alice"], Some("bob")),
            Some("bob") => (vec!["carol"], None),
            other => panic!("{other:?}"),
        };
        reply(&json!({"accounts": accounts, "devices": 2, "next": next, "now": 1_700_000_000,
            "clock_synchronised": synchronised}))
    })
}

#[test]
fn what_is_given_up_and_the_time_are_shown_and_a_no_changes_nothing() {
    let daemon = daemon(Some(false));
    let mut terminal = AtTerminal::start(daemon.otpctl(&["clock-reset"]));
    terminal.wait_for("Is that the right time? [y/N]");
    terminal.enter("");
    let (code, shown) = terminal.finish();
    let shown: Vec<&str> = shown.split_whitespace().collect();
    let shown = shown.join(" ");
    for words in ["4 devices of alice, carol to be set back", "could be used again", "NOT synchronised"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert_eq!(code, 1);
    assert!(daemon.calls().iter().all(|(_, parameters)| parameters["dry_run"] == true));
}

#[test]
fn a_yes_does_it_for_all_pages() {
    let daemon = daemon(Some(true));
    let ended = daemon.run(&["clock-reset", "--yes"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "4 devices of 2 accounts set back.\n"));
    let changing = daemon.calls().iter().filter(|(_, parameters)| parameters["dry_run"] == false).count();
    assert_eq!((changing, daemon.calls().len()), (2, 4));
}

#[test]
fn without_a_terminal_a_yes_is_needed_and_nothing_to_do_is_said() {
    let ended = daemon(None).run(&["clock-reset"]);
    assert!(ended.code == 2 && ended.err.contains("--yes"), "{ended:?}");
    let none = json!({"accounts": [], "devices": 0, "next": null, "now": 1, "clock_synchronised": null});
    let ended = Daemon::saying(reply(&none)).run(&["clock-reset", "alice"]);
    assert!(ended.code == 0 && ended.out.starts_with("Nothing to do: "), "{ended:?}");
}
