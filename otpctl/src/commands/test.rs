//! `test`: runs a service's real stack, with a witness in the place of each module, and tells which lines were reached,
//! what each answered, and which decided.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use nix::unistd::Uid;
use serde_json::Value;
use serde_json::json;

use super::Session;
use crate::cli::Test;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::pam::control::Action;
use crate::pam::control::Answer;
use crate::pam::flow::Flow;
use crate::pam::line::Module;
use crate::pam::line::Phase;
use crate::pam::stack::Call;
use crate::pam::stack::Place;
use crate::site::Site;
use crate::switch::Records;

mod witnessed;

use witnessed::Copied;
use witnessed::Report;

/// What became of one phase.
struct Told {
    phase: Phase,
    rows: Vec<Row>,
    verdict: Answer,
    decided: String,
}

/// A line, and what it answered if it was reached.
struct Row {
    place: Place,
    module: Module,
    answer: Option<Answer>,
}

/// Runs the stack.
pub(super) fn test(session: &Session, typed: &Test) -> Result<Exit, Failure> {
    if !Uid::effective().is_root() {
        let say = "only root can try how others log in. Try it with sudo";
        return Err(Failure::new(Exit::NotPermitted, "not_permitted", say));
    }
    let service = typed.service.to_ascii_lowercase();
    let site = Site::of_this_machine();
    if service.contains('/') || site.stacks.read(&service).is_none() {
        return Err(Failure::usage(format!("there is no stack {service} in /etc/pam.d")));
    }
    if Records::of_this_machine().pending()?.iter().any(|change| change.proven_by.contains(&service)) {
        let say = format!("{service} waits for a login that proves it, and this is none: log in through it");
        return Err(Failure::new(Exit::Refused, "pending", say));
    }
    let copied = Copied::make(&site)?;
    let report = run(&copied, &site, &service, typed)?;
    let told: Vec<Told> = [Phase::Auth, Phase::Account]
        .into_iter()
        .filter_map(|phase| Some(tell(&site, &service, phase, &report, report.verdict(phase)?)))
        .collect();
    if told.is_empty() {
        let say = format!("the stack of {service} ended without an answer: a module may have crashed");
        return Err(Failure::new(Exit::Refused, "no_answer", say));
    }
    let lets_in = told.len() == 2 && told.iter().all(|told| told.verdict == Answer::SUCCESS);
    let phases: Vec<Value> = told.iter().map(object).collect();
    session
        .output
        .result(&json!({ "phases": phases, "lets_in": lets_in }), || text(&told, lets_in, typed))?;
    Ok(if lets_in { Exit::Ok } else { Exit::Refused })
}

fn run(copied: &Copied, site: &Site, service: &str, typed: &Test) -> Result<Report, Failure> {
    let mut command = Command::new(witnessed::program("otpd-try")?);
    // sshd says so of every login.
    let tty = if site.is_sshd(service) { "ssh" } else { "" };
    command.arg(copied.directory()).args([service, &typed.user, tty]).args(&typed.from);
    let ran = command.stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let ran = ran.map_err(|error| Failure::cannot_read(Path::new("otpd-try"), &error))?;
    Ok(Report::parse(&String::from_utf8_lossy(&ran.stdout)))
}

fn tell(site: &Site, service: &str, phase: Phase, report: &Report, verdict: Answer) -> Told {
    let stack = site.stacks.resolve(service, phase);
    let mut answers = report.answers(phase).iter();
    let mut reached = vec![None; stack.steps.len()];
    let flow = Flow::new(&stack, phase, &site.modules);
    let way = flow.follow(|at| {
        let answer = answers.next().map_or(Answer::ABORT, |(_, answer)| *answer);
        if let Some(slot) = reached.get_mut(at) {
            *slot = Some(answer);
        }
        answer
    });
    let rows: Vec<Row> = stack
        .steps
        .iter()
        .zip(&reached)
        .filter_map(|(step, answer)| match &step.call {
            Call::Ask(module) => {
                Some(Row { place: step.place.clone(), module: module.clone(), answer: *answer })
            }
            _ => None,
        })
        .collect();
    // Told apart by the place, so that what was not understood shows.
    let is_as_read = way.verdict == verdict && is_in_order(&rows, report.answers(phase));
    let decided = if is_as_read {
        decider(&rows, verdict)
    } else {
        format!(
            "libpam took another way than these lines tell (they come to {}): please report it",
            way.verdict.name()
        )
    };
    Told { phase, rows, verdict, decided }
}

fn is_in_order(rows: &[Row], answers: &[(String, Answer)]) -> bool {
    let reached = rows.iter().filter(|row| row.answer.is_some()).map(|row| row.place.to_string());
    reached.eq(answers.iter().map(|(place, _)| place.clone()))
}

/// The first line that failed it, or the one that ended it, or all that counted.
fn decider(rows: &[Row], verdict: Answer) -> String {
    let effect = |row: &&Row| row.answer.map(|answer| row.module.control.of(answer));
    let named = |row: &Row| format!("{} ({})", row.module.name(), row.place);
    if verdict != Answer::SUCCESS {
        let failed = rows.iter().find(|row| matches!(effect(row), Some(Action::Bad | Action::Die)));
        return match failed {
            Some(row) => format!("{} failed it", named(row)),
            None => "no line stands for it, so libpam refuses".to_owned(),
        };
    }
    let ended =
        rows.iter().rev().find(|row| row.answer.is_some()).filter(|row| effect(row) == Some(Action::Done));
    match ended {
        Some(row) => format!("{} ended it", named(row)),
        None => "no line failed".to_owned(),
    }
}

/// What an answer did.
fn effect(row: &Row) -> Option<String> {
    Some(match row.module.control.of(row.answer?) {
        Action::Ignore => "counts for nothing".to_owned(),
        Action::Ok => "counts".to_owned(),
        Action::Done => "ends it".to_owned(),
        Action::Bad => "fails it".to_owned(),
        Action::Die => "fails it, and ends it".to_owned(),
        Action::Reset => "forgets what was before".to_owned(),
        Action::Jump(1) => "leaves out the next line".to_owned(),
        Action::Jump(lines) => format!("leaves out {lines} lines"),
    })
}

fn phase_name(phase: Phase) -> &'static str {
    if phase == Phase::Auth { "auth" } else { "account" }
}

fn object(told: &Told) -> Value {
    let lines: Vec<Value> = told
        .rows
        .iter()
        .map(|row| {
            json!({ "place": row.place.to_string(), "control": row.module.control_word, "module": row.module.name(),
                "answer": row.answer.map(Answer::name), "effect": effect(row) })
        })
        .collect();
    json!({ "phase": phase_name(told.phase), "lines": lines, "verdict": told.verdict.name(), "decided": told.decided })
}

fn text(told: &[Told], lets_in: bool, typed: &Test) -> Vec<Line> {
    let mut lines = Vec::new();
    for told in told {
        lines.push(Line::new().then(Tone::Strong, phase_name(told.phase)));
        let width = |of: fn(&Row) -> String| told.rows.iter().map(|row| of(row).len()).max().unwrap_or(0);
        let (places, modules) =
            (width(|row| row.place.to_string()), width(|row| row.module.name().to_owned()));
        for row in &told.rows {
            let head = Line::new().plain(format!(
                "  {:places$}  {:modules$}  ",
                row.place.to_string(),
                row.module.name()
            ));
            lines.push(match (row.answer, effect(row)) {
                (Some(answer), Some(effect)) => {
                    let tone = if answer == Answer::SUCCESS { Tone::Good } else { Tone::Warn };
                    head.then(tone, answer.name()).plain(format!(": {effect} ({})", row.module.control_word))
                }
                _ => head.then(Tone::Dim, "not reached"),
            });
        }
        lines.push(format!("  {}: {}.", told.verdict.name(), told.decided).into());
    }
    let (user, service) = (&typed.user, &typed.service);
    lines.push(if lets_in {
        Line::new().then(Tone::Good, format!("{service} lets {user} in."))
    } else {
        Line::new().then(Tone::Bad, format!("{service} does not let {user} in."))
    });
    lines
}
