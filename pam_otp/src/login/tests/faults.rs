//! Logins that cannot be judged: silence, errors, and answers that are none.

use super::*;

#[test]
fn an_unreadable_item_is_not_an_absent_one_cve_2025_23013() {
    let mut pam = Pam::new("alice");
    pam.unreadable = Some(Fact::RemoteHost);
    let outcome = authenticate_with(&mut pam, &ScriptedDaemon::new([]), &options(&[c"unavailable=ignore"]));
    assert_eq!(outcome, Outcome::Unavailable);
}

#[test]
fn silence_denies_unless_the_line_says_otherwise() {
    let mut pam = Pam::new("alice");
    assert_eq!(authenticate(&mut pam, &ScriptedDaemon::new([Err(silence())])), Outcome::Unavailable);
    let mut pam = Pam::new("alice");
    let outcome =
        authenticate_with(&mut pam, &ScriptedDaemon::new([Err(silence())]), &options(&[c"unavailable=deny"]));
    assert_eq!(outcome, Outcome::Unavailable);
    assert_eq!(account(&mut Pam::new("alice"), &ScriptedDaemon::new([Err(silence())])), Outcome::Unavailable);
}

#[test]
fn silence_is_ignored_only_for_a_local_login() {
    let ignore = options(&[c"unavailable=ignore"]);
    for (rhost, outcome) in [
        (None, Outcome::LetThroughUnchecked),
        (Some(""), Outcome::LetThroughUnchecked),
        (Some("192.0.2.7"), Outcome::Unavailable),
        (Some("localhost"), Outcome::Unavailable),
        (Some(" "), Outcome::Unavailable),
    ] {
        let mut pam = Pam::new("alice");
        pam.facts = rhost.map(|rhost| (Fact::RemoteHost, rhost.to_owned())).into_iter().collect();
        let daemon = ScriptedDaemon::new([Err(silence()), Err(silence())]);
        assert_eq!(authenticate_with(&mut pam, &daemon, &ignore), outcome, "{rhost:?}");
        let mut phase =
            Phase { pam: &mut pam, daemon: &daemon, options: &ignore, silent: false, privileged: true };
        assert_eq!(phase.account(), outcome, "{rhost:?}");
        assert_eq!(
            pam.logged(Priority::Alert).contains("WITHOUT A CODE"),
            outcome == Outcome::LetThroughUnchecked
        );
    }
}

#[test]
fn silence_is_never_ignored_where_the_user_could_have_caused_it() {
    let ignore = options(&[c"unavailable=ignore"]);
    let mut pam = Pam::new("alice");
    let daemon = ScriptedDaemon::new([Err(silence()), Err(silence())]);
    let mut phase =
        Phase { pam: &mut pam, daemon: &daemon, options: &ignore, silent: false, privileged: false };
    assert_eq!(phase.authenticate(), Outcome::Unavailable);
    assert_eq!(phase.account(), Outcome::Unavailable);
}

#[test]
fn an_answer_that_is_no_step_is_not_silence_cve_2018_16838() {
    let ignore = options(&[c"unavailable=ignore"]);
    for fault in [
        Fault::Untrusted("its directory is writable by others".to_owned()),
        Fault::Error { name: "org.otpd.Login.Unavailable".to_owned(), say: None },
        Fault::Unknown,
    ] {
        let mut pam = Pam::new("alice");
        let daemon = ScriptedDaemon::new([Err(fault.clone()), Err(fault)]);
        assert_eq!(authenticate_with(&mut pam, &daemon, &ignore), Outcome::Unavailable);
        let mut phase =
            Phase { pam: &mut pam, daemon: &daemon, options: &ignore, silent: false, privileged: true };
        assert_eq!(phase.account(), Outcome::Unavailable);
    }
}

#[test]
fn silence_after_the_daemon_asked_is_never_ignored() {
    let ignore = options(&[c"unavailable=ignore"]);
    for (fault, hint) in [(later(), "may be spent"), (silence(), "cannot be checked")] {
        let mut pam = Pam::new("alice").typing(b"123456");
        let daemon = ScriptedDaemon::new([Ok(ask("Code: ")), Err(fault)]);
        assert_eq!(authenticate_with(&mut pam, &daemon, &ignore), Outcome::Unavailable);
        assert!(pam.shown[0].1.contains(hint), "{:?}", pam.shown);
    }
}

#[test]
fn an_error_of_the_daemon_is_told_and_logged() {
    let mut pam = Pam::new("alice");
    let fault = Fault::Error {
        name: "org.otpd.Login.Unavailable".to_owned(),
        say: Some("The registry cannot be read.".to_owned()),
    };
    assert_eq!(authenticate(&mut pam, &ScriptedDaemon::new([Err(fault)])), Outcome::Unavailable);
    assert_eq!(pam.shown, [(Tone::Error, "The registry cannot be read.".to_owned())]);
    let logged = pam.logged(Priority::Error);
    assert!(logged.contains("org.otpd.Login.Unavailable") && logged.contains("registry"), "{logged}");
}

#[test]
fn an_untrusted_server_is_an_alert() {
    let mut pam = Pam::new("alice");
    let daemon = ScriptedDaemon::new([Err(Fault::Untrusted("writable by others".to_owned()))]);
    assert_eq!(authenticate(&mut pam, &daemon), Outcome::Unavailable);
    assert!(pam.logged(Priority::Alert).contains("writable by others"));
}
