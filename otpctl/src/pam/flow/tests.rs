use std::path::Path;

use super::*;
use crate::pam::stack::Stacks;

/// What libpam says if the modules `pam_NAME.so` answer as told, in order of the file.
fn verdict(files: &[(&str, &str)], answers: &[(&str, Answer)]) -> (Answer, Vec<String>) {
    let mut stacks = Stacks::in_directories(&[Path::new("/p")]);
    for (name, text) in files {
        stacks = stacks.imagine(&Path::new("/p").join(name), text);
    }
    let stack = stacks.resolve("x", Phase::Auth);
    let modules = Modules::complete();
    let flow = Flow::new(&stack, Phase::Auth, &modules);
    let mut asked = Vec::new();
    let way = flow.follow(|at| {
        let Call::Ask(module) = &stack.steps[at].call else { panic!() };
        asked.push(module.name().replace(".so", "").replace("pam_", ""));
        let found = answers.iter().find(|(name, _)| module.name() == format!("pam_{name}.so"));
        found.map_or(Answer::SUCCESS, |(_, answer)| *answer)
    });
    (way.verdict, asked)
}

fn one(text: &str, answers: &[(&str, Answer)]) -> (Answer, String) {
    let (verdict, asked) = verdict(&[("x", text)], answers);
    (verdict, asked.join(" "))
}

const BAD: Answer = Answer::AUTH_ERR;

#[test]
fn required_fails_late_and_requisite_at_once() {
    let text = "auth required pam_a.so\nauth requisite pam_b.so\nauth required pam_c.so";
    assert_eq!(one(text, &[("a", BAD)]), (BAD, "a b c".into()));
    assert_eq!(one(text, &[("b", BAD)]), (BAD, "a b".into()));
    assert_eq!(one(text, &[]), (Answer::SUCCESS, "a b c".into()));
    // The first failure is what the application hears.
    assert_eq!(one(text, &[("a", Answer::MAXTRIES), ("c", BAD)]).0, Answer::MAXTRIES);
}

#[test]
fn sufficient_ends_the_stack_unless_one_has_failed() {
    let text = "auth required pam_a.so\nauth sufficient pam_b.so\nauth required pam_c.so";
    assert_eq!(one(text, &[]), (Answer::SUCCESS, "a b".into()));
    assert_eq!(one(text, &[("b", BAD)]), (Answer::SUCCESS, "a b c".into()));
    assert_eq!(one(text, &[("a", BAD)]), (BAD, "a b c".into()));
}

#[test]
fn a_stack_in_which_all_ignore_is_refused() {
    let text = "auth required pam_a.so\nauth optional pam_b.so";
    assert_eq!(one(text, &[("a", Answer::IGNORE), ("b", Answer::IGNORE)]).0, Answer::PERM_DENIED);
    assert_eq!(one("", &[]).0, Answer::PERM_DENIED);
}

#[test]
fn a_jump_leaves_lines_out_and_counts_for_nothing() {
    let text = "auth [success=1 default=ignore] pam_a.so\nauth requisite pam_b.so\nauth required pam_c.so";
    assert_eq!(one(text, &[("b", BAD)]), (Answer::SUCCESS, "a c".into()));
    assert_eq!(one(text, &[("a", BAD), ("b", BAD)]), (BAD, "a b".into()));
    let alone = "auth [success=1 default=ignore] pam_a.so\nauth requisite pam_b.so";
    assert_eq!(one(alone, &[]), (Answer::PERM_DENIED, "a".into()), "nobody stands for it");
    let too_far = "auth required pam_a.so\nauth [success=2 default=ignore] pam_b.so\nauth required pam_c.so";
    assert_eq!(one(too_far, &[]), (Answer::PERM_DENIED, "a b".into()));
}

#[test]
fn a_substack_ends_alone_and_is_one_line_to_a_jump() {
    let outer = "auth [success=1 default=ignore] pam_a.so\nauth substack s\nauth required pam_c.so";
    let inner = ("s", "auth sufficient pam_b.so\nauth required pam_deny2.so");
    let run = |answers: &[(&str, Answer)]| verdict(&[("x", outer), inner], answers);
    assert_eq!(run(&[]).1, ["a", "c"]);
    assert_eq!(run(&[("a", BAD)]), (Answer::SUCCESS, vec!["a".into(), "b".into(), "c".into()]));
    let (said, asked) = run(&[("a", BAD), ("b", BAD), ("deny2", BAD)]);
    assert_eq!((said, asked.join(" ").as_str()), (BAD, "a b deny2 c"));
}

#[test]
fn die_in_a_substack_fails_the_whole_and_ends_the_substack_only() {
    let files = [
        ("x", "auth substack s\nauth required pam_c.so"),
        ("s", "auth requisite pam_a.so\nauth required pam_b.so"),
    ];
    assert_eq!(verdict(&files, &[("a", BAD)]), (BAD, vec!["a".into(), "c".into()]));
}

#[test]
fn reset_forgets_back_to_where_the_substack_began() {
    let text = "auth required pam_a.so\nauth [default=reset] pam_b.so\nauth required pam_c.so";
    assert_eq!(one(text, &[("a", BAD)]).0, Answer::SUCCESS);
    let files = [
        ("x", "auth required pam_a.so\nauth substack s"),
        ("s", "auth required pam_b.so\nauth [default=reset] pam_c.so"),
    ];
    assert_eq!(verdict(&files, &[("b", BAD)]).0, Answer::SUCCESS);
    assert_eq!(verdict(&files, &[("a", BAD), ("b", BAD)]).0, BAD);
}

#[test]
fn broken_lines_and_ignored_failures_fail() {
    assert_eq!(one("auht required pam_a.so\nauth required pam_b.so", &[]).0, Answer::PERM_DENIED);
    assert_eq!(
        one("auth [default=die] pam_a.so\nauth required pam_b.so", &[("a", Answer::IGNORE)]).0,
        Answer::PERM_DENIED
    );
}
