//! One file of /etc/pam.d, line by line, as libpam reads it: comments, continued lines, arguments in brackets, `-` in
//! front of the type, `@include`. Nothing is looked up here.

use super::control::Control;

/// Which question of the application a line answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Auth,
    Account,
    Password,
    Session,
}

impl Phase {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "auth" => Self::Auth,
            "account" => Self::Account,
            "password" => Self::Password,
            "session" => Self::Session,
            _ => return None,
        })
    }
}

/// One line that says something, with the number of its first physical line, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    /// How many physical lines it takes.
    pub(crate) height: usize,
    /// For which phase; none means for all (`@include`).
    pub(crate) phase: Option<Phase>,
    pub(crate) body: Body,
    /// Its words as written, brackets and all.
    pub(crate) words: Vec<String>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// Ask a module.
    Module(Module),
    /// The lines of another file, as if they stood here.
    Include(String),
    /// The lines of another file, which ends alone.
    Substack(String),
    /// libpam does not understand it, and fails there; why.
    Broken(String),
}

/// A module as a line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) control: Control,
    /// The control as written.
    pub(crate) control_word: String,
    /// As written: a name, or a path.
    pub(crate) path: String,
    pub(crate) arguments: Vec<String>,
}

impl Module {
    /// The file's name without its directory.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it has this very argument.
    pub(crate) fn has(&self, argument: &str) -> bool {
        self.arguments.iter().any(|found| found == argument)
    }
}

/// The lines of a file that say something.
pub(crate) fn parse(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut physical = text.lines().zip(1_usize..);
    while let Some((first, number)) = physical.next() {
        let mut whole = without_comment(first).to_owned();
        let mut height = 1_usize;
        while let Some(before) = whole.strip_suffix('\\').map(str::to_owned) {
            let Some((next, _)) = physical.next() else { break };
            height = height.saturating_add(1);
            whole = format!("{before} {}", without_comment(next));
        }
        let words = words(&whole);
        if !words.is_empty() {
            let (phase, body) = understand(&words);
            lines.push(Line { number, height, phase, body, words });
        }
    }
    lines
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim_end()
}

/// Words between spaces; one in brackets may have spaces in it, and `\]` for a bracket.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('[') {
            Some(inner) => closing(inner).map_or(rest.len(), |at| at.saturating_add(2)),
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

/// Where the bracket that closes is.
fn closing(inner: &str) -> Option<usize> {
    inner
        .match_indices(']')
        .map(|(at, _)| at)
        .find(|at| !inner.get(..*at).is_some_and(|before| before.ends_with('\\')))
}

fn understand(words: &[String]) -> (Option<Phase>, Body) {
    let word = |index: usize| words.get(index).map(String::as_str).unwrap_or_default();
    if word(0).eq_ignore_ascii_case("@include") {
        let name = word(1).to_owned();
        return (
            None,
            if name.is_empty() { Body::Broken("@include names no file".into()) } else { Body::Include(name) },
        );
    }
    let Some(phase) = Phase::parse(word(0).strip_prefix('-').unwrap_or(word(0))) else {
        // libpam takes such a line for one of auth that fails.
        return (
            Some(Phase::Auth),
            Body::Broken(format!("{:?} is neither auth, account, password nor session", word(0))),
        );
    };
    let body = match (word(1), word(2)) {
        ("", _) => Body::Broken("the line has no control".into()),
        (_, "") => Body::Broken("the line names no module".into()),
        (control, name) if control.eq_ignore_ascii_case("include") => Body::Include(name.to_owned()),
        (control, name) if control.eq_ignore_ascii_case("substack") => Body::Substack(name.to_owned()),
        (control, path) => match Control::parse(control) {
            Ok(parsed) => Body::Module(Module {
                control: parsed,
                control_word: control.to_owned(),
                path: path.to_owned(),
                arguments: words.iter().skip(3).map(|word| argument(word)).collect(),
            }),
            Err(why) => Body::Broken(why),
        },
    };
    (Some(phase), body)
}

/// An argument without its brackets.
fn argument(word: &str) -> String {
    let inner = word.strip_prefix('[').map(|rest| rest.strip_suffix(']').unwrap_or(rest).replace("\\]", "]"));
    inner.unwrap_or_else(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Module {
        match parse(text).pop().unwrap().body {
            Body::Module(module) => module,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn comments_blank_lines_and_numbers() {
        let lines = parse("# auth required pam_otp.so\n\n  \nauth required pam_unix.so # nullok\n");
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].number, lines[0].phase), (4, Some(Phase::Auth)));
        assert_eq!(module("auth required pam_unix.so nullok # x").arguments, ["nullok"]);
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash() {
        let lines = parse("auth \\\n  required \\\n  pam_unix.so nullok\naccount required pam_unix.so\n");
        assert_eq!((lines.len(), lines[0].height, lines[1].number), (2, 3, 4));
        assert_eq!(module("auth required pam_unix.so a \\\nb").arguments, ["a", "b"]);
    }

    #[test]
    fn brackets_keep_words_together() {
        let found = module("auth [success=1 default=ignore] pam_otp.so [prompt=Your \\] code: ] debug");
        assert_eq!(found.arguments, ["prompt=Your ] code: ", "debug"]);
        assert_eq!(found.control_word, "[success=1 default=ignore]");
    }

    #[test]
    fn a_dash_a_path_and_capitals_are_understood() {
        assert_eq!(parse("-AUTH Optional pam_x.so")[0].phase, Some(Phase::Auth));
        assert_eq!(module("auth required /opt/lib/pam_otp.so").name(), "pam_otp.so");
    }

    #[test]
    fn three_ways_to_name_another_file() {
        assert_eq!(parse("@include common-auth")[0].body, Body::Include("common-auth".into()));
        assert_eq!(parse("@include common-auth")[0].phase, None);
        assert_eq!(parse("auth include x")[0].body, Body::Include("x".into()));
        assert_eq!(parse("auth substack x")[0].body, Body::Substack("x".into()));
    }

    #[test]
    fn what_libpam_does_not_understand_is_told() {
        for wrong in [
            "auht required pam_unix.so",
            "auth",
            "auth required",
            "auth must pam_unix.so",
            "@include",
            "auth [x] y",
        ] {
            assert!(matches!(parse(wrong)[0].body, Body::Broken(_)), "{wrong}");
        }
    }
}
