//! Our lines in a service's file: where they go, and how they are taken out again.

use std::path::Path;

use super::control::Action;
use super::control::Answer;
use super::judge::Weight;
use super::judge::judge;
use super::line;
use super::line::Body;
use super::line::Line;
use super::line::Module;
use super::line::Phase;
use super::modules;
use super::modules::Kind;
use super::modules::Modules;
use super::stack::Call;
use super::stack::Place;
use super::stack::Stack;
use super::stack::Stacks;
use super::stack::Step;

/// What the lines say, as they stand in the file.
pub(crate) const AUTH_LINE: &str = "auth       required     pam_otp.so";
pub(crate) const ACCOUNT_LINE: &str = "account    required     pam_otp.so";

/// The service's text with the lines that it lacks: `auth` behind the password, `account` (if `keys_let_in`) in front.
///
/// # Errors
/// Why there is no place for them.
pub(crate) fn guarded(
    stacks: &Stacks,
    modules: &Modules,
    service: &str,
    keys_let_in: bool,
) -> Result<String, String> {
    let own = stacks.own_file(service);
    let Some((_, text)) = stacks.read(&service.to_ascii_lowercase()) else {
        return Err(format!("there is no stack {service} in {}", own.parent().unwrap_or(&own).display()));
    };
    let found = judge(stacks, modules, service, keys_let_in);
    let text = if keys_let_in && !found.guards_account { with_account_line(stacks, &text) } else { text };
    if found.asks {
        return Ok(text);
    }
    let stacks = stacks.imagine(&own, &text);
    let candidates = line::parse(&text).into_iter().filter(|line| is_of(line, Phase::Auth));
    let candidates = candidates.map(|line| insert(&text, below(&line), AUTH_LINE));
    let mut refused = None;
    let mut wanting = None;
    for candidate in candidates {
        let imagined = stacks.imagine(&own, &candidate);
        if !is_behind_the_password(&imagined, service) {
            continue;
        }
        let found = judge(&imagined, modules, service, keys_let_in);
        match found.weight() {
            None | Some(Weight::Note) => return Ok(candidate),
            Some(Weight::Warn) => wanting = wanting.or(Some(candidate)),
            Some(_) => {
                refused = refused.or_else(|| found.findings.into_iter().max_by_key(|finding| finding.weight));
            }
        }
    }
    let why = || match refused {
        Some(finding) => format!("there is no place for pam_otp.so in {service}: {}", finding.say),
        None => format!("no line of {service} asks for a password that pam_otp.so could stand behind"),
    };
    wanting.ok_or_else(why)
}

/// The text without lines of ours, of whatever control and options.
pub(crate) fn unguarded(text: &str) -> String {
    without_ours(text, |_| true)
}

/// The text without those lines of ours that ask; what guards the account phase stays.
pub(crate) fn unasked(text: &str) -> String {
    without_ours(text, |phase| phase == Some(Phase::Auth))
}

fn without_ours(text: &str, is_meant: impl Fn(Option<Phase>) -> bool) -> String {
    let ours = line::parse(text).into_iter().filter(|line| match &line.body {
        Body::Module(module) => module.name() == "pam_otp.so" && is_meant(line.phase),
        _ => false,
    });
    let gone: Vec<usize> = ours.flat_map(|line| line.number..below(&line)).collect();
    let kept = text.split_inclusive('\n').zip(1_usize..).filter(|(_, number)| !gone.contains(number));
    kept.map(|(line, _)| line).collect()
}

/// A line that jumps over lines of ours in `file`, or onto the last of a stack, in whatever service includes it: without
/// them it would leave out another line, or leave the stack. None if there is none.
pub(crate) fn jump_that_counts_on(stacks: &Stacks, service: &str, file: &Path) -> Option<String> {
    let services = stacks.services().into_iter().chain([service.to_owned()]);
    let mut all = services.flat_map(|service| {
        [Phase::Auth, Phase::Account, Phase::Password, Phase::Session]
            .map(|phase| (service.clone(), stacks.resolve(&service, phase)))
    });
    all.find_map(|(service, stack)| {
        let (place, module) = jump_over(&stack, file)?;
        let control = &module.control_word;
        Some(format!("{} ({place}) jumps by {control} over lines of pam_otp.so in {service}", module.name()))
    })
}

fn jump_over<'a>(stack: &'a Stack, file: &Path) -> Option<(&'a Place, &'a Module)> {
    let goes = |step: &Step| match &step.call {
        Call::Ask(module) => step.place.file == file && module.name() == "pam_otp.so",
        _ => false,
    };
    stack.steps.iter().enumerate().find_map(|(at, step)| {
        let Call::Ask(module) = &step.call else { return None };
        let behind = stack.steps.iter().skip(at.saturating_add(1));
        // A substack counts as the one line that it is called by.
        let same: Vec<bool> = behind
            .take_while(|other| other.level >= step.level)
            .filter(|other| other.level == step.level)
            .map(goes)
            .collect();
        let counts = |answer| match module.control.of(answer) {
            Action::Jump(lines) => same.split_at_checked(lines).is_some_and(|(over, onto)| {
                over.contains(&true) || (!onto.is_empty() && !onto.contains(&false))
            }),
            _ => false,
        };
        (!goes(step) && Answer::all().any(counts)).then_some((&step.place, module))
    })
}

/// The text without the very lines that were added.
pub(crate) fn without(text: &str, added: &[String]) -> String {
    exchange(text, added, |_| None)
}

/// The text with a line in the place of each that was added, of the same phase: the control and the module are given.
pub(crate) fn with_stand_ins(text: &str, added: &[String], control: &str) -> String {
    exchange(text, added, |line| {
        let phase = line.split_whitespace().next().unwrap_or_default();
        Some(format!("{phase:10} {control}\n"))
    })
}

fn exchange(text: &str, added: &[String], instead: impl Fn(&str) -> Option<String>) -> String {
    let mut left: Vec<&str> = added.iter().map(String::as_str).collect();
    let mut kept = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match left.iter().position(|wanted| *wanted == line.strip_suffix('\n').unwrap_or(line)) {
            Some(at) => kept.push_str(&instead(left.swap_remove(at)).unwrap_or_default()),
            None => kept.push_str(line),
        }
    }
    kept
}

/// In front of the first line that has to do with accounts.
fn with_account_line(stacks: &Stacks, text: &str) -> String {
    let lines = line::parse(text);
    let first = lines.iter().find(|line| match (&line.body, line.phase) {
        (_, Some(phase)) => phase == Phase::Account,
        (Body::Include(name), None) => stacks.names_phase(name, Phase::Account),
        _ => false,
    });
    match first {
        Some(line) => insert(text, line.number, ACCOUNT_LINE),
        None => insert(text, usize::MAX, ACCOUNT_LINE),
    }
}

fn is_of(line: &Line, phase: Phase) -> bool {
    line.phase.is_none_or(|found| found == phase)
}

fn is_behind_the_password(stacks: &Stacks, service: &str) -> bool {
    let stack = stacks.resolve(service, Phase::Auth);
    let kinds: Vec<Kind> = stack.modules().map(|(_, module)| modules::kind(module)).collect();
    let code = kinds.iter().position(|kind| *kind == Kind::Code);
    let password = kinds.iter().rposition(|kind| *kind == Kind::Password);
    password.is_some() && password < code
}

/// The number of the physical line below.
fn below(line: &Line) -> usize {
    line.number.saturating_add(line.height)
}

/// The text with a line that has this number then, or the last. Every other is as it was.
fn insert(text: &str, number: usize, line: &str) -> String {
    let lines = text.split_inclusive('\n');
    let mut above: String = lines.clone().take(number.saturating_sub(1)).collect();
    let below = lines.skip(number.saturating_sub(1)).collect::<String>();
    if !above.is_empty() && !above.ends_with('\n') {
        above.push('\n');
    }
    format!("{above}{line}\n{below}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
    const COMMON_ACCOUNT: &str = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
                                  account requisite pam_deny.so\naccount required pam_permit.so\n";

    fn stacks(name: &str, text: &str) -> Stacks {
        let files = [("common-auth", COMMON_AUTH), ("common-account", COMMON_ACCOUNT), (name, text)];
        files.iter().fold(Stacks::in_directories(&[Path::new("/p")]), |stacks, (name, text)| {
            stacks.imagine(&Path::new("/p").join(name), text)
        })
    }

    fn guard(name: &str, text: &str, keys: bool) -> Result<String, String> {
        guarded(&stacks(name, text), &Modules::complete(), name, keys)
    }

    #[test]
    fn debians_sshd_gets_the_lines_of_the_manual() {
        let before = "# Standard Un*x authentication.\n@include common-auth\n\naccount required pam_nologin.so\n@include common-account\n";
        let after = "# Standard Un*x authentication.\n@include common-auth\nauth       required     pam_otp.so\n\n\
                     account    required     pam_otp.so\naccount required pam_nologin.so\n@include common-account\n";
        assert_eq!(guard("sshd", before, true).unwrap(), after);
        assert_eq!(guard("sshd", after, true).unwrap(), after, "nothing is lacking");
        assert_eq!(unguarded(after), before);
        let added = [AUTH_LINE.to_owned(), ACCOUNT_LINE.to_owned()];
        assert_eq!(without(after, &added), before);
    }

    #[test]
    fn without_common_files_the_line_stands_behind_everything_that_jumps_over_it() {
        let text = format!(
            "auth optional pam_faildelay.so\n{COMMON_AUTH}auth optional pam_group.so\n@include common-account\n"
        );
        let found = guard("login", &text, false).unwrap();
        assert_eq!(found.lines().position(|line| line == AUTH_LINE), Some(3), "{found}");
        assert!(!found.contains(ACCOUNT_LINE));
    }

    #[test]
    fn a_stack_without_a_safe_place_is_refused_with_the_reason() {
        let text = "auth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n";
        let why = guard("x", text, false).unwrap_err();
        assert!(why.contains("pam_unix.so (x:1) answers success"), "{why}");
        let why = guard("x", "auth required pam_permit.so\n", false).unwrap_err();
        assert!(why.contains("asks for a password"), "{why}");
        assert!(guard("x", "", false).is_err());
        let nowhere = guarded(&stacks("x", ""), &Modules::complete(), "nowhere", false).unwrap_err();
        assert!(nowhere.contains("no stack nowhere"), "{nowhere}");
    }

    #[test]
    fn a_substack_where_no_better_place_is_gets_the_line_behind_it() {
        let sub = "auth substack common-auth\naccount include common-account\n";
        assert_eq!(guard("x", sub, false).unwrap().lines().nth(1), Some(AUTH_LINE));
    }

    #[test]
    fn lines_that_somebody_changed_are_left() {
        let text = format!("@include common-auth\n{AUTH_LINE} debug\n{ACCOUNT_LINE}\n");
        let left = without(&text, &[AUTH_LINE.to_owned(), ACCOUNT_LINE.to_owned()]);
        assert_eq!(left, format!("@include common-auth\n{AUTH_LINE} debug\n"));
    }

    #[test]
    fn other_lines_end_as_they_ended() {
        let before = "# a\r\n@include common-auth\r\n@include common-account";
        let after = guard("x", before, false).unwrap();
        assert_eq!(after, format!("# a\r\n@include common-auth\r\n{AUTH_LINE}\n@include common-account"));
        assert_eq!(unguarded(&after), before);
        assert_eq!(insert("a", usize::MAX, "b"), "a\nb\n");
    }

    #[test]
    fn a_jump_counts_on_the_lines_that_it_leaves_out() {
        let counts = |text: &str| jump_that_counts_on(&stacks("x", text), "x", Path::new("/p/x"));
        let lan = "auth [success=1 default=ignore] pam_access.so\n";
        let said = counts(&format!("@include common-auth\n{lan}{AUTH_LINE}\n")).unwrap();
        assert!(said.contains("pam_access.so (x:2)") && said.contains("in x"), "{said}");
        // Without the line it would leave the password out.
        assert!(counts(&format!("{lan}{AUTH_LINE}\nauth substack common-auth\n")).is_some());
        assert!(counts(&format!("auth [success=2 default=ignore] pam_access.so\nauth substack common-auth\n{AUTH_LINE}\nauth required pam_permit.so\n")).is_some());
        // It lands on our line and behind it is nothing.
        let last =
            format!("auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n{AUTH_LINE}\n");
        assert!(counts(&last).unwrap().contains("pam_unix.so (x:1)"));
        assert_eq!(counts(&format!("{last}auth required pam_permit.so\n")), None);
        assert_eq!(
            counts(&format!("@include common-auth\n{AUTH_LINE}\n{ACCOUNT_LINE}\n@include common-account\n")),
            None
        );
        let including = stacks("x", &format!("auth include lan\n{AUTH_LINE}\n"));
        let including = including.imagine(Path::new("/p/lan"), lan);
        assert!(jump_that_counts_on(&including, "x", Path::new("/p/x")).unwrap().contains("(lan:1)"));
        let elsewhere = jump_that_counts_on(&including, "x", Path::new("/p/sshd"));
        assert_eq!(elsewhere, None, "those lines stay");
    }
}
