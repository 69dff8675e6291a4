//! One import, from its beginning to its end: entries in batches, what is wrong with them, and the bar.

use std::path::Path;

use otpd_core::import::Token;
use otpd_proto::Secret;
use otpd_proto::admin;
use otpd_proto::admin::ImportAddParameters;
use otpd_proto::admin::ImportAdded;
use otpd_proto::admin::ImportBegun;
use otpd_proto::admin::ImportEntry;
use otpd_proto::admin::ImportParameters;
use otpd_proto::admin::ImportProgress;
use otpd_proto::admin::ImportSize;
use serde_json::json;

use super::super::Session;
use super::super::count;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::failure::Problem;
use crate::output::progress::Progress;

/// Where an entry stands.
pub(super) struct Place {
    file: String,
    line: Option<usize>,
}

impl Place {
    /// A line of a file, from 1.
    pub(super) fn line(path: &Path, line: usize) -> Self {
        Self { file: path.display().to_string(), line: Some(line) }
    }

    /// A file as a whole.
    pub(super) fn file(path: &Path) -> Self {
        Self { file: path.display().to_string(), line: None }
    }
}

/// An import. Dropped before its end, nothing of it stays.
pub(super) struct Transfer<'a> {
    session: &'a Session,
    import: i64,
    is_over: bool,
    batch: Vec<(Place, ImportEntry)>,
    bytes: usize,
    is_empty: bool,
    problems: Vec<Problem>,
    more_problems: u32,
    scratch_codes: u32,
    progress: Progress,
}

impl<'a> Transfer<'a> {
    pub(super) fn begin(session: &'a Session) -> Result<Self, Failure> {
        let begun: ImportBegun = session.calls.call(admin::IMPORT_BEGIN, &json!({}))?;
        Ok(Self {
            session,
            import: begun.import,
            is_over: false,
            batch: Vec::new(),
            bytes: 0,
            is_empty: true,
            problems: Vec::new(),
            more_problems: 0,
            scratch_codes: 0,
            progress: session.output.progress("Checking", 0),
        })
    }

    /// Says how much there is to read.
    pub(super) fn expect(&mut self, whole: u64) {
        self.progress = self.session.output.progress("Checking", whole);
    }

    /// Shows that so much was read.
    pub(super) fn reach(&mut self, done: u64) {
        self.progress.reach(done);
    }

    /// Adds a token.
    pub(super) fn add(&mut self, place: Place, user: String, token: &Token) -> Result<(), Failure> {
        let entry = ImportEntry {
            user,
            key: Secret::new(token.key.expose_base32().to_string()),
            algorithm: token.parameters.algorithm().to_string(),
            digits: token.parameters.digits(),
            period: token.parameters.period(),
            drift: token.drift,
            last_step: token.last_step.map(|step| step.0),
            name: None,
        };
        self.bytes = self.bytes.saturating_add(size(&entry));
        self.batch.push((place, entry));
        self.is_empty = false;
        if self.batch.len() >= admin::IMPORT_ENTRIES || self.bytes > ROOM {
            self.send()?;
        }
        Ok(())
    }

    /// Notes what is wrong, in words that are no sentence yet.
    pub(super) fn object(&mut self, place: Place, what: &str) {
        self.note(place, sentence(what));
    }

    fn note(&mut self, place: Place, say: String) {
        if self.problems.len() < SHOWN {
            self.problems.push(Problem { file: place.file, line: place.line, say });
        } else {
            self.more_problems = self.more_problems.saturating_add(1);
        }
    }

    /// Notes scratch codes that stay where they are.
    pub(super) fn leave_behind(&mut self, codes: u32) {
        self.scratch_codes = self.scratch_codes.saturating_add(codes);
    }

    pub(super) fn scratch_codes(&self) -> u32 {
        self.scratch_codes
    }

    /// Decides the import and sees it through; or drops it, if something is wrong or that was all that was wanted.
    /// Returns what it was, and how many devices became impossible meanwhile.
    pub(super) fn end(mut self, dry_run: bool) -> Result<(ImportSize, u32), Failure> {
        self.send()?;
        if !self.problems.is_empty() {
            return Err(self.refusal());
        }
        let this = ImportParameters { import: self.import };
        if dry_run || self.is_empty {
            self.is_over = true;
            return Ok((self.session.calls.call(admin::IMPORT_DROP, &this)?, 0));
        }
        let size: ImportSize = self.session.calls.call(admin::IMPORT_COMMIT, &this)?;
        self.is_over = true;
        self.progress = self.session.output.progress("Binding", size.devices.into());
        loop {
            let step: Result<ImportProgress, Failure> = self.session.calls.call(admin::IMPORT_STEP, &this);
            let step = step.map_err(|failure| failure.advise(DECIDED))?;
            if step.left == 0 {
                return Ok((size, step.skipped));
            }
            self.reach(size.devices.saturating_sub(step.left).into());
        }
    }

    fn send(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (places, entries): (Vec<Place>, Vec<ImportEntry>) =
            std::mem::take(&mut self.batch).into_iter().unzip();
        self.bytes = 0;
        let call = ImportAddParameters { import: self.import, entries };
        let added: ImportAdded = self.session.calls.call(admin::IMPORT_ADD, &call)?;
        let mut problems = added.problems.into_iter().peekable();
        for (index, place) in (0..).zip(places) {
            if let Some(problem) = problems.next_if(|problem| problem.index == index) {
                self.note(place, problem.say);
            }
        }
        // What is wrong with an entry that was never sent is wrong all the same.
        match problems.next() {
            Some(odd) => Err(Failure::new(Exit::Unreachable, "broken", odd.say)),
            None => Ok(()),
        }
    }

    fn refusal(&mut self) -> Failure {
        let problems = std::mem::take(&mut self.problems);
        let shown = u32::try_from(problems.len()).unwrap_or(u32::MAX);
        let all = count(shown.saturating_add(self.more_problems), "problem", "problems");
        let first = if self.more_problems > 0 {
            format!(", of which the first {shown} are shown")
        } else {
            String::new()
        };
        let message = format!("{all}{first}; nothing was changed");
        Failure { problems, ..Failure::new(Exit::Refused, "import_has_problems", message) }
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // Should this fail, otpd drops it by itself.
            let this = ImportParameters { import: self.import };
            let _: Result<ImportSize, Failure> = self.session.calls.call(admin::IMPORT_DROP, &this);
        }
    }
}

fn sentence(what: &str) -> String {
    let mut letters = what.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let stop = if what.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// At most so many bytes as JSON: of a name each may become two.
fn size(entry: &ImportEntry) -> usize {
    entry.user.len().saturating_mul(2).saturating_add(entry.key.expose_secret().len()).saturating_add(160)
}

/// Problems.
const SHOWN: usize = 20;
/// Bytes after which a batch is sent; one more entry fits into a message then.
const ROOM: usize = 48 * 1024;

const DECIDED: &str = "The import is decided: otpd completes it by itself as soon as it runs.";
