//! libpam's way through a stack, for every answer that its modules can give. What `pam_dispatch.c` does, without
//! running anything: each control is applied to what the stack has come to so far.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;

use super::control::Action;
use super::control::Answer;
use super::line::Module;
use super::line::Phase;
use super::modules;
use super::modules::Kind;
use super::modules::Modules;
use super::stack::Call;
use super::stack::Stack;

/// What the stack has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Impression {
    Undefined,
    Positive,
    Negative,
}

/// What a person has shown on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    /// Nobody asked.
    Nothing,
    /// Asked, and it was not right.
    Refused,
    /// otpd said that no code is needed.
    NotNeeded,
    /// Right.
    Accepted,
}

/// A place on the way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    at: usize,
    impression: Impression,
    status: Answer,
    /// What the stack had come to when each substack began.
    saved: Vec<(Impression, Answer)>,
    code: Shown,
    password: Shown,
    /// Whether a code was asked for after a password that was wrong.
    code_after_wrong_password: bool,
    /// Whether a code was asked for after one that was right.
    second_code: bool,
}

/// A whole way: who answered what, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// Steps of the stack with their answers, in order.
    pub(crate) answers: Vec<(usize, Answer)>,
    /// What the application gets.
    pub(crate) verdict: Answer,
    pub(crate) code: Shown,
    pub(crate) password: Shown,
    pub(crate) code_after_wrong_password: bool,
    pub(crate) second_code: bool,
}

/// A stack, and what its modules can say.
pub(crate) struct Flow<'a> {
    stack: &'a Stack,
    phase: Phase,
    modules: &'a Modules,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(stack: &'a Stack, phase: Phase, modules: &'a Modules) -> Self {
        Self { stack, phase, modules }
    }

    /// The most ordinary way for which `is_wanted` holds: that with the fewest answers other than success. `without`
    /// forbids answers by what they do at a step.
    pub(crate) fn find(
        &self,
        without: &BTreeSet<(usize, String)>,
        is_wanted: impl Fn(&Way) -> bool,
    ) -> Option<Way> {
        let mut seen = HashSet::new();
        let mut before: HashMap<State, (State, Answer)> = HashMap::new();
        let mut queue = VecDeque::from([START]);
        while let Some(state) = queue.pop_front() {
            if !seen.insert(state.clone()) {
                continue;
            }
            if state.at >= self.stack.steps.len() {
                let way = way_to(&state, &before);
                if is_wanted(&way) {
                    return Some(way);
                }
                continue;
            }
            for (answer, is_ordinary) in self.answers(state.at) {
                if without.contains(&(state.at, self.effect(state.at, answer))) {
                    continue;
                }
                let next = self.advance(&state, answer);
                if seen.contains(&next) {
                    continue;
                }
                if is_ordinary {
                    // Nothing shorter can come for a state that is reached at no cost.
                    before.insert(next.clone(), (state.clone(), answer));
                    queue.push_front(next);
                } else {
                    before.entry(next.clone()).or_insert_with(|| (state.clone(), answer));
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// The way that these answers take, asked for step by step.
    pub(crate) fn follow(&self, mut answer_at: impl FnMut(usize) -> Answer) -> Way {
        let mut state = START;
        let mut answers = Vec::new();
        while let Some(step) = self.stack.steps.get(state.at) {
            let answer = match step.call {
                Call::Ask(_) => answer_at(state.at),
                Call::Enter | Call::Fail(_) => MUST_FAIL,
            };
            answers.push((state.at, answer));
            state = self.advance(&state, answer);
        }
        let way = way_to(&state, &HashMap::new());
        Way { answers, ..way }
    }

    /// What an answer does at a step, as a word that tells two effects apart.
    pub(crate) fn effect(&self, at: usize, answer: Answer) -> String {
        match self.stack.steps.get(at).map(|step| &step.call) {
            Some(Call::Ask(module)) => format!("{:?}", module.control.of(answer)),
            _ => String::new(),
        }
    }

    /// The answers to try at a step, one for each thing that an answer can do, and whether it is the ordinary one.
    fn answers(&self, at: usize) -> Vec<(Answer, bool)> {
        let Some(step) = self.stack.steps.get(at) else { return Vec::new() };
        let module = match &step.call {
            Call::Ask(module) => module,
            Call::Enter | Call::Fail(_) => return vec![(MUST_FAIL, true)],
        };
        if !self.modules.has(module) {
            return vec![(Answer::MODULE_UNKNOWN, true)];
        }
        let possible = modules::answers(module, self.phase).unwrap_or_else(|| self.likely_first());
        let mut effects = Vec::new();
        let mut found = Vec::new();
        for answer in possible {
            // Our own answers differ in more than what they do to the stack.
            let effect = (module.control.of(answer), answer == Answer::SUCCESS || is_ours(module));
            let effect = (effect, if effect.1 { Some(answer) } else { None });
            if !effects.contains(&effect) {
                effects.push(effect);
                found.push((answer, found.is_empty()));
            }
        }
        found
    }

    /// Every answer, those first that a module of this phase really gives.
    fn likely_first(&self) -> Vec<Answer> {
        let first: &[Answer] = match self.phase {
            Phase::Account => &[
                Answer::SUCCESS,
                Answer::NEW_AUTHTOK_REQD,
                Answer::ACCT_EXPIRED,
                Answer::PERM_DENIED,
                Answer::USER_UNKNOWN,
                Answer::IGNORE,
            ],
            _ => &[
                Answer::SUCCESS,
                Answer::AUTH_ERR,
                Answer::USER_UNKNOWN,
                Answer::AUTHINFO_UNAVAIL,
                Answer::IGNORE,
            ],
        };
        let rest =
            Answer::all().filter(|answer| !first.contains(answer) && *answer != Answer::NEW_AUTHTOK_REQD);
        first.iter().copied().chain(rest).collect()
    }

    fn advance(&self, state: &State, answer: Answer) -> State {
        let mut next = State { at: state.at.saturating_add(1), ..state.clone() };
        let Some(step) = self.stack.steps.get(state.at) else { return next };
        next.saved.truncate(step.level);
        let module = match &step.call {
            Call::Ask(module) => module,
            Call::Enter => {
                next.saved.push((next.impression, next.status));
                return next;
            }
            Call::Fail(_) => {
                fail(&mut next, MUST_FAIL);
                return next;
            }
        };
        note(&mut next, module, answer);
        match module.control.of(answer) {
            Action::Ignore => {}
            Action::Ok => count(&mut next, answer),
            Action::Done => {
                count(&mut next, answer);
                // Where one has failed already, "done" does not end it.
                if next.impression == Impression::Positive {
                    next.at = self.end_of_level(state.at);
                }
            }
            Action::Bad => fail(&mut next, answer),
            Action::Die => {
                fail(&mut next, answer);
                next.at = self.end_of_level(state.at);
            }
            Action::Reset => {
                let (impression, status) =
                    next.saved.last().copied().unwrap_or((Impression::Undefined, MUST_FAIL));
                (next.impression, next.status) = (impression, status);
            }
            Action::Jump(lines) => match self.jump(state.at, lines) {
                (at, true) => next.at = at,
                (at, false) => {
                    (next.at, next.impression, next.status) = (at, Impression::Negative, MUST_FAIL);
                }
            },
        }
        next
    }

    fn level(&self, at: usize) -> usize {
        self.stack.steps.get(at).map_or(0, |step| step.level)
    }

    /// The first step behind the substack (or the stack) that `at` stands in.
    fn end_of_level(&self, at: usize) -> usize {
        let level = self.level(at);
        let mut next = at.saturating_add(1);
        while next < self.stack.steps.len() && self.level(next) >= level {
            next = next.saturating_add(1);
        }
        next
    }

    /// Where a jump lands, and whether there were so many lines; a substack counts as one.
    fn jump(&self, at: usize, lines: usize) -> (usize, bool) {
        let (level, end) = (self.level(at), self.stack.steps.len());
        let mut next = at.saturating_add(1);
        for _ in 0..lines {
            if next >= end || self.level(next) < level {
                return (next, false);
            }
            next = next.saturating_add(1);
            while next < end && self.level(next) > level {
                next = next.saturating_add(1);
            }
        }
        (next, true)
    }
}

fn is_ours(module: &Module) -> bool {
    matches!(modules::kind(module), Kind::Code | Kind::Splits)
}

/// Notes what the person has shown with this answer.
fn note(state: &mut State, module: &Module, answer: Answer) {
    match modules::kind(module) {
        Kind::Code => {
            let asks_first = module.has("forward_pass");
            if state.password == Shown::Refused && !asks_first {
                state.code_after_wrong_password = true;
            }
            state.second_code |= state.code == Shown::Accepted;
            state.code = match (answer, state.code) {
                (Answer::SUCCESS, _) | (_, Shown::Accepted) => Shown::Accepted,
                (Answer::IGNORE, _) | (_, Shown::NotNeeded) => Shown::NotNeeded,
                _ => Shown::Refused,
            };
        }
        Kind::Password if answer == Answer::SUCCESS => state.password = Shown::Accepted,
        Kind::Password if answer != Answer::IGNORE && state.password == Shown::Nothing => {
            state.password = Shown::Refused
        }
        _ => {}
    }
}

fn count(state: &mut State, answer: Answer) {
    let is_open = state.impression == Impression::Positive && state.status == Answer::SUCCESS;
    if state.impression == Impression::Undefined || is_open {
        (state.impression, state.status) = (Impression::Positive, answer);
    }
}

fn fail(state: &mut State, answer: Answer) {
    if state.impression != Impression::Negative {
        let status = if answer == Answer::IGNORE { MUST_FAIL } else { answer };
        (state.impression, state.status) = (Impression::Negative, status);
    }
}

fn way_to(end: &State, before: &HashMap<State, (State, Answer)>) -> Way {
    let mut answers = Vec::new();
    let mut state = end;
    while let Some((previous, answer)) = before.get(state) {
        answers.push((previous.at, *answer));
        state = previous;
    }
    answers.reverse();
    // Success that nobody stands for is none.
    let is_hollow = end.status == Answer::SUCCESS && end.impression != Impression::Positive;
    Way {
        answers,
        verdict: if is_hollow { MUST_FAIL } else { end.status },
        code: end.code,
        password: end.password,
        code_after_wrong_password: end.code_after_wrong_password,
        second_code: end.second_code,
    }
}

const START: State = State {
    at: 0,
    impression: Impression::Undefined,
    status: MUST_FAIL,
    saved: Vec::new(),
    code: Shown::Nothing,
    password: Shown::Nothing,
    code_after_wrong_password: false,
    second_code: false,
};

/// What libpam says where nothing else was said.
const MUST_FAIL: Answer = Answer::PERM_DENIED;

#[cfg(test)]
mod tests;
