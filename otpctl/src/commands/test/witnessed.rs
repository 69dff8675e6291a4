//! A copy of every stack in which a witness stands in the place of each module, and what the witnesses have said.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::pam::control::Answer;
use crate::pam::line;
use crate::pam::line::Body;
use crate::pam::line::Module;
use crate::pam::line::Phase;
use crate::pam::stack::Place;
use crate::site::Site;

/// The copy; gone when dropped.
pub(super) struct Copied(PathBuf);

impl Copied {
    /// Copies all stacks, since any may be included.
    ///
    /// # Errors
    /// [`Failure`].
    pub(super) fn make(site: &Site) -> Result<Self, Failure> {
        let witness = program("pam_otp_witness.so")?;
        // Root's alone: who could write there would decide what runs.
        let directory = PathBuf::from(format!("/run/otpctl-test-{}", std::process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&directory);
        made.map_err(|error| Failure::cannot_write(&directory, &error))?;
        let copied = Self(directory);
        for service in site.stacks.services() {
            let Some((file, text)) = site.stacks.read(&service) else { continue };
            let path = copied.0.join(&service);
            let written = fs::write(
                &path,
                rewrite(&text, &file, &copied.0, &witness, |module| site.modules.find(module)),
            );
            written.map_err(|error| Failure::cannot_write(&path, &error))?;
        }
        Ok(copied)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The text with the witness in front of each module of the phases that are run.
fn rewrite(
    text: &str,
    file: &Path,
    copies: &Path,
    witness: &Path,
    find: impl Fn(&Module) -> Option<PathBuf>,
) -> String {
    let mut lines = String::new();
    for found in line::parse(text) {
        let words = match &found.body {
            Body::Module(module) if matches!(found.phase, Some(Phase::Auth | Phase::Account)) => {
                let place = Place { file: file.to_owned(), line: found.number };
                let path = find(module).unwrap_or_else(|| PathBuf::from(&module.path));
                let own = [witness.display().to_string(), place.to_string(), path.display().to_string()];
                let (head, rest) = (found.words.iter().take(2), found.words.iter().skip(3));
                head.chain(&own).chain(rest).cloned().collect()
            }
            // libpam would take a relative one from /etc/pam.d.
            Body::Include(name) | Body::Substack(name) => {
                let copy = copies.join(name).display().to_string();
                found
                    .words
                    .iter()
                    .map(|word| if word == name { copy.clone() } else { word.clone() })
                    .collect()
            }
            _ => found.words,
        };
        lines.push_str(&words.join(" "));
        lines.push('\n');
    }
    lines
}

/// What `otpd-try` and the witnesses have written.
#[derive(Debug, Default)]
pub(super) struct Report {
    auth: Vec<(String, Answer)>,
    account: Vec<(String, Answer)>,
    verdicts: Vec<(String, Answer)>,
}

impl Report {
    /// From its lines; what else a module may have printed is left out.
    pub(super) fn parse(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (kind, name, number) = match words.as_slice() {
                [kind, name, number] => (*kind, (*name).to_owned(), number.parse().ok()),
                _ => continue,
            };
            let Some(answer) = number.and_then(Answer::from_number) else { continue };
            match kind {
                "answer" if report.verdicts.is_empty() => report.auth.push((name, answer)),
                "answer" => report.account.push((name, answer)),
                "verdict" => report.verdicts.push((name, answer)),
                _ => {}
            }
        }
        report
    }

    pub(super) fn answers(&self, phase: Phase) -> &[(String, Answer)] {
        if phase == Phase::Auth { &self.auth } else { &self.account }
    }

    /// What libpam said, if it came so far.
    pub(super) fn verdict(&self, phase: Phase) -> Option<Answer> {
        let wanted = super::phase_name(phase);
        self.verdicts.iter().find(|(name, _)| name == wanted).map(|(_, answer)| *answer)
    }
}

/// What was installed with us for this.
pub(super) fn program(name: &str) -> Result<PathBuf, Failure> {
    let ours = std::env::current_exe().unwrap_or_default();
    let beside = ours.parent().unwrap_or(Path::new("/"));
    let places = [
        beside.join(name),
        beside.join("../libexec/otpd").join(name),
        Path::new("/usr/libexec/otpd").join(name),
    ];
    let found = places.iter().find(|place| place.is_file()).and_then(|place| fs::canonicalize(place).ok());
    found.ok_or_else(|| {
        let named: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let say = format!("this needs {name}, and it is in none of these places: {}", named.join(", "));
        Failure::new(Exit::Refused, "not_installed", say)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_stands_before_each_module_and_nothing_else_changes() {
        let text = "# x\n@include common-auth\nauth [success=1 default=ignore] pam_unix.so [a b] \\\n c\nsession required pam_x.so\n";
        let rewritten =
            rewrite(text, Path::new("/etc/pam.d/sshd"), Path::new("/c"), Path::new("/w.so"), |_| {
                Some("/m.so".into())
            });
        let expected = "@include /c/common-auth\nauth [success=1 default=ignore] /w.so sshd:3 /m.so [a b] c\nsession required pam_x.so\n";
        assert_eq!(rewritten, expected);
    }

    #[test]
    fn answers_belong_to_the_phase_whose_verdict_follows() {
        let report = Report::parse(
            "answer a:1 0\nnoise\nverdict auth 0\nanswer b:2 12\nanswer c 99\nverdict account 12\n",
        );
        assert_eq!(report.answers(Phase::Auth), [("a:1".into(), Answer::SUCCESS)]);
        assert_eq!(report.answers(Phase::Account), [("b:2".into(), Answer::NEW_AUTHTOK_REQD)]);
        assert_eq!(report.verdict(Phase::Account), Some(Answer::NEW_AUTHTOK_REQD));
        assert_eq!(Report::parse("").verdict(Phase::Auth), None);
    }
}
