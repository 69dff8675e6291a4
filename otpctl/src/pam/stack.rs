//! A service's stack for one phase: its file with everything that it includes, in the order in which libpam asks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::line;
use super::line::Body;
use super::line::Module;
use super::line::Phase;
use super::text;

/// Where stacks are read from, and files that are to be imagined otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stacks {
    directories: Vec<PathBuf>,
    imagined: BTreeMap<PathBuf, String>,
}

impl Stacks {
    /// Those of this machine.
    pub(crate) fn of_this_machine() -> Self {
        Self::in_directories(&LIBPAMS.map(Path::new))
    }

    /// In directories of which the first that has a file counts.
    pub(crate) fn in_directories(directories: &[&Path]) -> Self {
        Self { directories: directories.iter().map(|path| path.to_path_buf()).collect(), ..Self::default() }
    }

    /// The same with another text in one file.
    pub(crate) fn imagine(&self, file: &Path, text: &str) -> Self {
        let mut other = self.clone();
        other.imagined.insert(file.to_owned(), text.to_owned());
        other
    }

    /// Where the administrator's file of a service is, or would be. libpam wants small letters.
    pub(crate) fn own_file(&self, service: &str) -> PathBuf {
        self.directories.first().cloned().unwrap_or_default().join(service.to_ascii_lowercase())
    }

    /// A service's file, and its text.
    pub(crate) fn read(&self, name: &str) -> Option<(PathBuf, String)> {
        let candidates = self.directories.iter().map(|directory| directory.join(name));
        for path in candidates {
            if let Some(text) = self.imagined.get(&path) {
                return Some((path, text.clone()));
            }
            if let Ok(bytes) = fs::read(&path) {
                return Some((path, text::of(&bytes)));
            }
        }
        None
    }

    /// Every service that has a file, by name.
    pub(crate) fn services(&self) -> Vec<String> {
        let entries = self.directories.iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten();
        let files = entries.filter_map(Result::ok).filter(|entry| entry.path().is_file());
        let mut names: Vec<String> =
            files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        // Left by editors and package managers; no program asks for them.
        names.retain(|name| {
            !name.ends_with('~')
                && !name.contains(".dpkg-")
                && !name.contains(".rpm")
                && !name.starts_with('.')
        });
        names.sort();
        names.dedup();
        names
    }

    /// The stack of a service: that of `other` where it has no line for the phase.
    pub(crate) fn resolve(&self, service: &str, phase: Phase) -> Stack {
        let service = service.to_ascii_lowercase();
        for name in [service.as_str(), OTHER] {
            let mut stack = Stack::default();
            if let Some((path, text)) = self.read(name) {
                self.gather(&path, &text, phase, 0, 0, &mut stack);
            }
            if !stack.steps.is_empty() {
                return stack;
            }
        }
        Stack::default()
    }

    /// Whether a file has lines of a phase, by itself or by what it includes.
    pub(crate) fn names_phase(&self, name: &str, phase: Phase) -> bool {
        let mut stack = Stack::default();
        if let Some((path, text)) = self.read_included(name) {
            self.gather(&path, &text, phase, 0, 0, &mut stack);
        }
        !stack.steps.is_empty()
    }

    /// Whether a login through the service reads a file.
    pub(crate) fn reads(&self, service: &str, file: &Path) -> bool {
        let reads = |phase| self.resolve(service, phase).steps.iter().any(|step| step.place.file == file);
        reads(Phase::Auth) || reads(Phase::Account)
    }

    fn gather(&self, path: &Path, text: &str, phase: Phase, level: usize, depth: usize, stack: &mut Stack) {
        for found in line::parse(text) {
            if found.phase.is_some_and(|found| found != phase) {
                continue;
            }
            let place = Place { file: path.to_owned(), line: found.number };
            let call = match found.body {
                Body::Module(module) => Call::Ask(module),
                Body::Broken(why) => Call::Fail(why),
                Body::Include(name) | Body::Substack(name) if depth >= DEEPEST => {
                    Call::Fail(format!("{name} is included too deep"))
                }
                Body::Include(name) => match self.read_included(&name) {
                    Some((path, text)) => {
                        self.gather(&path, &text, phase, level, depth.saturating_add(1), stack);
                        continue;
                    }
                    None => Call::Fail(format!("{name} is included and does not exist")),
                },
                Body::Substack(name) => match self.read_included(&name) {
                    Some((path, text)) => {
                        stack.steps.push(Step { place, level, call: Call::Enter });
                        let (level, depth) = (level.saturating_add(1), depth.saturating_add(1));
                        self.gather(&path, &text, phase, level, depth, stack);
                        continue;
                    }
                    None => Call::Fail(format!("{name} is included and does not exist")),
                },
            };
            stack.steps.push(Step { place, level, call });
        }
    }

    fn read_included(&self, name: &str) -> Option<(PathBuf, String)> {
        let path = Path::new(name);
        if path.is_relative() {
            return self.read(name);
        }
        let imagined = self.imagined.get(path).cloned();
        imagined
            .or_else(|| fs::read(path).ok().map(|bytes| text::of(&bytes)))
            .map(|text| (path.to_owned(), text))
    }
}

/// What libpam asks, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) steps: Vec<Step>,
}

impl Stack {
    /// The modules that are asked, with their places.
    pub(crate) fn modules(&self) -> impl Iterator<Item = (&Place, &Module)> {
        self.steps.iter().filter_map(|step| match &step.call {
            Call::Ask(module) => Some((&step.place, module)),
            _ => None,
        })
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) place: Place,
    /// How many substacks it stands in.
    pub(crate) level: usize,
    pub(crate) call: Call,
}

/// What happens there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// A module is asked.
    Ask(Module),
    /// A substack begins: the steps behind it of a higher level.
    Enter,
    /// It fails in any case; why.
    Fail(String),
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The directory is always the same and says nothing.
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        write!(f, "{name}:{}", self.line)
    }
}

/// Where the administrator's stacks are.
pub(crate) const ADMINISTRATORS: &str = "/etc/pam.d";
/// Where libpam looks, in its order.
const LIBPAMS: [&str; 3] = [ADMINISTRATORS, "/usr/lib/pam.d", "/usr/etc/pam.d"];
/// The stack of services without one.
const OTHER: &str = "other";
/// libpam's own limit is 16 substacks; nobody has that many includes on purpose.
const DEEPEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// `auth` steps as `level:module@place`.
    fn shown(stacks: &Stacks, service: &str, phase: Phase) -> Vec<String> {
        let steps = stacks.resolve(service, phase).steps;
        let show = |step: &Step| match &step.call {
            Call::Ask(module) => format!("{}:{}@{}", step.level, module.name(), step.place),
            Call::Enter => format!("{}:enter@{}", step.level, step.place),
            Call::Fail(_) => format!("{}:fail@{}", step.level, step.place),
        };
        steps.iter().map(show).collect()
    }

    fn stacks(files: &[(&str, &str)]) -> Stacks {
        let mut stacks = Stacks::in_directories(&[Path::new("/p")]);
        for (name, text) in files {
            stacks = stacks.imagine(&Path::new("/p").join(name), text);
        }
        stacks
    }

    #[test]
    fn includes_and_substacks_are_followed() {
        let files = [
            ("sshd", "@include common\nauth substack sub\nauth required pam_c.so\naccount include common\n"),
            ("common", "auth required pam_a.so\naccount required pam_d.so\n"),
            ("sub", "auth required pam_b.so\n"),
        ];
        let stacks = stacks(&files);
        let auth = ["0:pam_a.so@common:1", "0:enter@sshd:2", "1:pam_b.so@sub:1", "0:pam_c.so@sshd:3"];
        assert_eq!(shown(&stacks, "sshd", Phase::Auth), auth);
        assert_eq!(shown(&stacks, "SSHD", Phase::Account), ["0:pam_d.so@common:2", "0:pam_d.so@common:2"]);
    }

    #[test]
    fn other_stands_in_for_a_service_or_a_phase_that_is_missing() {
        let stacks = stacks(&[
            ("other", "auth required pam_deny.so\naccount required pam_deny.so"),
            ("x", "auth required pam_a.so"),
        ]);
        assert_eq!(shown(&stacks, "none", Phase::Auth), ["0:pam_deny.so@other:1"]);
        assert_eq!(shown(&stacks, "x", Phase::Account), ["0:pam_deny.so@other:2"]);
        assert_eq!(shown(&stacks, "x", Phase::Session), [""; 0]);
    }

    #[test]
    fn a_missing_include_and_one_of_itself_fail() {
        let stacks = stacks(&[("a", "@include nowhere"), ("b", "auth include b")]);
        assert_eq!(shown(&stacks, "a", Phase::Auth), ["0:fail@a:1"]);
        assert_eq!(shown(&stacks, "b", Phase::Auth), ["0:fail@b:1"]);
    }

    #[test]
    fn the_administrators_file_covers_the_vendors() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("etc"), directory.path().join("usr"));
        for path in [&first, &second] {
            fs::create_dir(path).unwrap();
        }
        fs::write(second.join("polkit"), "auth required pam_a.so").unwrap();
        let stacks = Stacks::in_directories(&[&first, &second]);
        assert_eq!(shown(&stacks, "polkit", Phase::Auth), ["0:pam_a.so@polkit:1"]);
        fs::write(first.join("polkit"), "auth required pam_b.so").unwrap();
        fs::write(first.join("polkit.dpkg-old"), "").unwrap();
        assert_eq!(shown(&stacks, "polkit", Phase::Auth), ["0:pam_b.so@polkit:1"]);
        assert_eq!(stacks.services(), ["polkit"]);
    }

    #[test]
    fn of_two_vendors_files_libpams_is_taken() {
        // A name that this machine has no file of.
        let file = |directory: &str| Path::new(directory).join("no-such-service");
        let stacks = Stacks::of_this_machine()
            .imagine(&file("/usr/etc/pam.d"), "auth required pam_a.so")
            .imagine(&file("/usr/lib/pam.d"), "auth required pam_b.so");
        assert_eq!(shown(&stacks, "no-such-service", Phase::Auth), ["0:pam_b.so@no-such-service:1"]);
    }
}
