//! What is wrong with a service's stacks: ways past the code, ways in for nobody, tries for strangers. Every sentence
//! comes from a way that [`Flow`] has found.

use std::collections::BTreeSet;

use super::control::Answer;
use super::flow::Flow;
use super::flow::Shown;
use super::flow::Way;
use super::line::Module;
use super::line::Phase;
use super::modules;
use super::modules::Kind;
use super::modules::Modules;
use super::stack::Call;
use super::stack::Place;
use super::stack::Stack;
use super::stack::Stacks;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// As it may be meant.
    Note,
    /// Worth a look.
    Warn,
    /// The code can be skipped.
    Skips,
    /// People cannot log in.
    LocksOut,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    pub(crate) say: String,
}

/// Whether a service asks, and what is wrong with how it does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judgement {
    /// A line of ours judges codes in the auth phase.
    pub(crate) asks: bool,
    /// One stands in the account phase.
    pub(crate) guards_account: bool,
    pub(crate) findings: Vec<Finding>,
}

impl Judgement {
    fn add(&mut self, weight: Weight, say: impl Into<String>) {
        self.findings.push(Finding { weight, say: say.into() });
    }

    /// The worst there is.
    pub(crate) fn weight(&self) -> Option<Weight> {
        self.findings.iter().map(|finding| finding.weight).max()
    }
}

/// Judges one service. `keys_let_in` says that its program takes keys and then runs the account phase alone.
pub(crate) fn judge(stacks: &Stacks, modules: &Modules, service: &str, keys_let_in: bool) -> Judgement {
    let auth = stacks.resolve(service, Phase::Auth);
    let account = stacks.resolve(service, Phase::Account);
    let mut found =
        Judgement { asks: has_code(&auth), guards_account: has_code(&account), findings: Vec::new() };
    if found.asks {
        judge_auth(&auth, modules, &mut found);
    } else if auth.modules().any(|(_, module)| modules::kind(module) == Kind::Splits) {
        found.add(Weight::Skips, "forward_pass=unchecked splits codes off, and no line judges them");
    }
    if found.guards_account {
        judge_account(&account, modules, service, &mut found);
    }
    if found.asks && keys_let_in && !found.guards_account {
        let say = "the code is skipped when somebody logs in by key, because that runs the account phase alone: put \
                   \"account required pam_otp.so\" before the other account lines";
        found.add(Weight::Skips, say);
    }
    found
}

/// Whether some answers of the modules let somebody in.
pub(crate) fn lets_anybody_in(stacks: &Stacks, modules: &Modules, service: &str) -> bool {
    [Phase::Auth, Phase::Account].into_iter().all(|phase| {
        let stack = stacks.resolve(service, phase);
        let lets_in = |way: &Way| way.verdict == Answer::SUCCESS;
        Flow::new(&stack, phase, modules).find(&BTreeSet::new(), lets_in).is_some()
    })
}

/// Whether some answers of the modules let somebody in who has shown neither a password nor a code, if otpd asks for one.
pub(crate) fn lets_everybody_in(stacks: &Stacks, modules: &Modules, service: &str) -> bool {
    let stack = stacks.resolve(service, Phase::Auth);
    let is_unasked = |way: &Way| {
        way.verdict == Answer::SUCCESS
            && way.password != Shown::Accepted
            && matches!(way.code, Shown::Nothing | Shown::Refused)
    };
    Flow::new(&stack, Phase::Auth, modules).find(&BTreeSet::new(), is_unasked).is_some()
}

fn has_code(stack: &Stack) -> bool {
    stack.modules().any(|(_, module)| modules::kind(module) == Kind::Code)
}

fn judge_auth(stack: &Stack, modules: &Modules, found: &mut Judgement) {
    let flow = Flow::new(stack, Phase::Auth, modules);
    let lets_in = |way: &Way| way.verdict == Answer::SUCCESS;
    skips(stack, &flow, lets_in, found);
    let gets_in = |code: Shown| flow.find(&BTreeSet::new(), |way| lets_in(way) && way.code == code).is_some();
    if flow.find(&BTreeSet::new(), lets_in).is_none() {
        found.add(Weight::LocksOut, format!("nobody gets in{}", obstacles(stack, modules)));
    } else if !gets_in(Shown::Accepted) && !skips_anything(found) {
        found.add(
            Weight::LocksOut,
            "nobody gets in with a right code: write required on the line of pam_otp.so",
        );
    } else if !gets_in(Shown::NotNeeded) && !skips_anything(found) {
        let say = "nobody without a device gets in, since pam_otp.so counts for nothing there: put \"auth required \
                   pam_permit.so\" below it";
        found.add(Weight::Warn, say);
    }
    if let Some(way) = flow.find(&BTreeSet::new(), |way| lets_in(way) && way.second_code) {
        let ours = way.answers.iter().filter_map(|(at, _)| asked(stack, *at));
        let ours = ours.filter(|(_, module)| modules::kind(module) == Kind::Code);
        let places: Vec<String> = ours.map(|(place, _)| place.to_string()).collect();
        let say = format!(
            "one login is asked for two codes, and no code counts twice: take one of the lines of pam_otp.so out ({})",
            places.join(", ")
        );
        found.add(Weight::LocksOut, say);
    }
    if flow.find(&BTreeSet::new(), |way| way.code_after_wrong_password).is_some() {
        let say = "a wrong password reaches the code, so a stranger can use up the tries of an account: make the \
                   password module requisite";
        found.add(Weight::Warn, say);
    }
    let alone = |way: &Way| lets_in(way) && way.code == Shown::Accepted && way.password == Shown::Refused;
    if flow.find(&BTreeSet::new(), alone).is_some() {
        found.add(
            Weight::Skips,
            "the password is skipped when the code is right: write required on the line of pam_otp.so",
        );
    }
}

fn judge_account(stack: &Stack, modules: &Modules, service: &str, found: &mut Judgement) {
    let flow = Flow::new(stack, Phase::Account, modules);
    // With an expired password the application goes on, and has it changed.
    let lets_in = |way: &Way| matches!(way.verdict, Answer::SUCCESS | Answer::NEW_AUTHTOK_REQD);
    if flow.find(&BTreeSet::new(), lets_in).is_none() {
        found.add(Weight::LocksOut, format!("the account phase lets nobody in{}", obstacles(stack, modules)));
    }
    skips(stack, &flow, lets_in, found);
    if ACCOUNT_ALONE.contains(&service) {
        let say = format!(
            "{service} runs the account phase without asking anybody, and protected accounts are refused there: take the \
             account line of pam_otp.so out"
        );
        found.add(Weight::LocksOut, say);
    }
}

/// Names each answer that leads past the code.
fn skips(stack: &Stack, flow: &Flow<'_>, lets_in: impl Fn(&Way) -> bool, found: &mut Judgement) {
    let is_past = |way: &Way| lets_in(way) && matches!(way.code, Shown::Nothing | Shown::Refused);
    let mut without = BTreeSet::new();
    while let Some(way) = flow.find(&without, is_past) {
        let Some((at, answer)) = decider(stack, &way) else { break };
        let Some((place, module)) = asked(stack, at) else { break };
        let (weight, say) = describe(place, module, answer);
        found.add(weight, say);
        if !without.insert((at, flow.effect(at, answer))) {
            break;
        }
    }
}

fn skips_anything(found: &Judgement) -> bool {
    found.findings.iter().any(|finding| finding.weight == Weight::Skips)
}

/// The answer that led past the code: that of the code's own line, or the last one after which it was behind us.
fn decider(stack: &Stack, way: &Way) -> Option<(usize, Answer)> {
    let is_code = |at: usize| asked(stack, at).is_some_and(|(_, module)| modules::kind(module) == Kind::Code);
    if let Some(own) = way.answers.iter().rev().find(|(at, _)| is_code(*at)) {
        return Some(*own);
    }
    let first = (0..stack.steps.len()).find(|at| is_code(*at))?;
    way.answers.iter().rev().find(|(at, _)| *at < first).copied()
}

fn asked(stack: &Stack, at: usize) -> Option<(&Place, &Module)> {
    let step = stack.steps.get(at)?;
    match &step.call {
        Call::Ask(module) => Some((&step.place, module)),
        _ => None,
    }
}

fn describe(place: &Place, module: &Module, answer: Answer) -> (Weight, String) {
    let (name, control) = (module.name(), &module.control_word);
    match (modules::kind(module), answer) {
        (Kind::Code, _) => {
            let say = format!(
                "the code is skipped when pam_otp.so ({place}) answers {}: {control} lets that pass, write required",
                answer.name()
            );
            (Weight::Skips, say)
        }
        (Kind::Root, _) => (Weight::Note, format!("no code for root itself ({name}, {place})")),
        (Kind::Condition, _) => {
            let words = [&[name.to_owned()], module.arguments.as_slice()].concat().join(" ");
            (Weight::Warn, format!("the code is skipped when {words} ({place}) answers {}", answer.name()))
        }
        (_, answer) => {
            let say = format!(
                "the code is skipped when {name} ({place}) answers {}: {control} goes past pam_otp.so",
                answer.name()
            );
            (Weight::Skips, say)
        }
    }
}

/// What stands in everybody's way.
fn obstacles(stack: &Stack, modules: &Modules) -> String {
    let broken = stack.steps.iter().filter_map(|step| match &step.call {
        Call::Fail(why) => Some(format!("{}: {why}", step.place)),
        Call::Ask(module) if !modules.has(module) => {
            Some(format!("{}: {} is not there", step.place, module.path))
        }
        _ => None,
    });
    let broken: Vec<String> = broken.collect();
    if broken.is_empty() { String::new() } else { format!(" ({})", broken.join("; ")) }
}

/// Programs that run the account phase for somebody whom they have not asked: they know them already, or are root.
const ACCOUNT_ALONE: [&str; 14] = [
    "sudo",
    "sudo-i",
    "su",
    "su-l",
    "cron",
    "crond",
    "atd",
    "systemd-user",
    "runuser",
    "runuser-l",
    "chfn",
    "chsh",
    "chpasswd",
    "polkit-1",
];

#[cfg(test)]
mod tests;
