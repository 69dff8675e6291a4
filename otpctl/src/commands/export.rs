//! `export`: keys out of the seal, into a file of another module.

use std::path::Path;

use otpd_core::code::Code;
use otpd_core::import::oath;
use otpd_core::key::Key;
use otpd_core::time::Step;
use otpd_core::totp::Algorithm;
use otpd_core::totp::Generator;
use otpd_core::totp::Parameters;
use otpd_proto::admin;
use otpd_proto::admin::ExportEntry;
use otpd_proto::admin::ExportParameters;
use otpd_proto::admin::Exported;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Session;
use super::count;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::new_file::NewFile;
use crate::output::Output;
use crate::when::Clock;

/// Writes a users file for pam_oath.
pub(crate) fn oath(session: &Session, typed: &cli::ExportOath) -> Result<Exit, Failure> {
    let mut target = Target::choose(session, typed.output.as_deref())?;
    let clock = Clock::read();
    let (mut written, mut after) = (Written::default(), None);
    loop {
        let page: Exported = session.calls.call(admin::EXPORT, &ExportParameters { after: after.clone() })?;
        target.write(&session.output, &written.add(page.entries, &clock)?)?;
        match page.next {
            None => break,
            Some(next) if after.is_some_and(|after| next <= after) => return Err(super::endless("keys")),
            next => after = next,
        }
    }
    let file = target.finish()?;
    for left in &written.left_out {
        session.output.remark(&format!("{} {:?} is left out: {}.", left.user, left.device, left.say))?;
    }
    let (devices, accounts) =
        (count(written.devices, "key", "keys"), count(written.accounts, "account", "accounts"));
    session.output.remark(&format!(
        "{devices} of {accounts} left the seal of otpd: whoever reads them can make every code of these devices. \
         Keep them like passwords, and delete them once they have served."
    ))?;
    if let Some(file) = file {
        session.output.result(&written, || vec![format!("Written to {file}.").into()])?;
    }
    Ok(Exit::Ok)
}

/// What was written, which is the result, and what was not.
#[derive(Default, Serialize)]
struct Written {
    devices: u32,
    accounts: u32,
    left_out: Vec<LeftOut>,
    #[serde(skip)]
    last: String,
}

/// A device that pam_oath could not use.
#[derive(Serialize)]
struct LeftOut {
    user: String,
    device: String,
    say: String,
}

impl Written {
    /// The lines of a page.
    fn add(&mut self, page: Vec<ExportEntry>, clock: &Clock) -> Result<Zeroizing<Vec<u8>>, Failure> {
        // Room for all at once: a vector that grows leaves a copy of the keys behind.
        let mut lines = Zeroizing::new(Vec::with_capacity(page.len().saturating_mul(512)));
        for entry in page {
            match line(&entry, clock)? {
                Ok(line) => {
                    lines.extend_from_slice(line.as_bytes());
                    self.devices = self.devices.saturating_add(1);
                    if self.last != entry.user {
                        self.accounts = self.accounts.saturating_add(1);
                        self.last = entry.user;
                    }
                }
                Err(why) => {
                    let ExportEntry { user, device, .. } = entry;
                    self.left_out.push(LeftOut { user, device, say: why.to_string() });
                }
            }
        }
        Ok(lines)
    }
}

/// An entry as a line, with its newest spent code: what was used here is not to work there.
fn line(entry: &ExportEntry, clock: &Clock) -> Result<Result<Zeroizing<String>, oath::CannotWrite>, Failure> {
    let key = Key::from_base32(entry.key.expose_secret()).map_err(odd)?;
    let algorithm: Algorithm = entry.algorithm.parse().map_err(odd)?;
    let parameters = Parameters::with_period(algorithm, entry.digits, entry.period).map_err(odd)?;
    let generator = Generator::new(&key, parameters).map_err(odd)?;
    let spent = entry.last_step.map(Step).and_then(|step| {
        let begun = if parameters.counts() { clock.now() } else { step.begins(entry.period).0 };
        let at = clock.liboath(begun.min(clock.now()));
        Some((step, Code::parse(&generator.code_at(step)).ok()?, at))
    });
    let last = spent.as_ref().map(|(step, code, time)| oath::Last { step: *step, code, time });
    Ok(oath::write(&entry.user, &key, parameters, last))
}

fn odd(error: impl std::error::Error) -> Failure {
    Failure::new(
        Exit::Unreachable,
        "broken",
        format!("otpd sent a device that is none ({error}). Is it newer?"),
    )
}

/// Where the lines go.
enum Target<'a> {
    /// Somewhere that root directed standard output to.
    StandardOutput,
    /// A new file; it goes away again unless all is written.
    File(NewFile<'a>),
}

impl<'a> Target<'a> {
    /// Makes the file, before a key is asked for.
    fn choose(session: &Session, path: Option<&'a Path>) -> Result<Self, Failure> {
        let path = path.filter(|path| *path != Path::new("-")).ok_or(path.is_some());
        match path {
            Ok(path) => NewFile::create(path).map(Self::File),
            Err(_) if session.output.is_json() => {
                Err(Failure::usage("keys and JSON do not go together: name a new file with --output FILE"))
            }
            Err(wanted) if wanted || !session.output.is_terminal() => Ok(Self::StandardOutput),
            Err(_) => Err(Failure::usage(
                "keys are not shown on a terminal. Name a new file with --output FILE, or - if you mean it",
            )),
        }
    }

    fn write(&mut self, output: &Output, lines: &[u8]) -> Result<(), Failure> {
        match self {
            Self::StandardOutput => Ok(output.keys(lines)?),
            Self::File(file) => file.write(lines),
        }
    }

    /// Keeps the file, and names it.
    fn finish(self) -> Result<Option<String>, Failure> {
        match self {
            Self::StandardOutput => Ok(None),
            Self::File(file) => file.keep().map(Some),
        }
    }
}
