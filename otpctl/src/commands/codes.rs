//! `codes`: the recovery codes of an account, which are shown once.

use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::ProofParameters;
use otpd_proto::account::RecoveryCodes;
use serde_json::json;

use super::Session;
use super::count;
use super::proof;
use super::protection::agree;
use super::status;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;

/// Shows or makes them.
pub(crate) fn codes(session: &Session, typed: cli::Codes) -> Result<Exit, Failure> {
    match typed {
        cli::Codes::Left(whose) => left(session, whose.user),
        cli::Codes::New(new) => make(session, new),
    }
}

fn left(session: &Session, user: Option<String>) -> Result<Exit, Failure> {
    let status = status::fetch(session, user)?;
    let numbers = &status.recovery_codes;
    session.output.result(&json!({"left": numbers}), || {
        let line = match numbers.as_slice() {
            [] => format!("No recovery codes are left for {}. Make some: otpctl codes new", status.user),
            left => {
                let listed: Vec<String> = left.iter().map(u8::to_string).collect();
                format!("{}: number {}", left_in_words(left.len()), listed.join(", "))
            }
        };
        vec![line.into()]
    })?;
    Ok(Exit::Ok)
}

fn make(session: &Session, typed: cli::NewCodes) -> Result<Exit, Failure> {
    let status = status::fetch(session, typed.user.clone())?;
    if !status.recovery_codes.is_empty() && !typed.yes {
        let left = left_in_words(status.recovery_codes.len());
        agree(session, &format!("{left} for {} and would no longer work.", status.user), "Make new ones?")?;
    }
    let code = proof::given(session, &typed.proof)?;
    let made: RecoveryCodes = proof::with_proof(session, code, |code| {
        session.calls.call(account::NEW_CODES, &ProofParameters { user: typed.user.clone(), code })
    })?;
    session.output.result(&made, || sheet(&made.codes, &status.user))?;
    Ok(Exit::Ok)
}

/// `7 recovery codes are left`.
pub(super) fn left_in_words(left: usize) -> String {
    count(u32::try_from(left).unwrap_or(u32::MAX), "recovery code is left", "recovery codes are left")
}

/// The codes, numbered, in two columns, and what to do with them.
pub(super) fn sheet(codes: &[Secret], whose: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![
        Line::new().then(Tone::Strong, format!("Recovery codes of {whose}")),
        "Each lets in once, typed in place of a code when every device is lost.".into(),
        Line::new(),
    ];
    let rows = codes.len().div_ceil(2);
    let cell = |index: usize| {
        let code = codes.get(index)?;
        let number = format!("  {:>2}  ", index.saturating_add(1));
        Some(Line::new().then(Tone::Dim, number).then(Tone::Strong, code.expose_secret()))
    };
    for row in 0..rows {
        let right = cell(row.saturating_add(rows)).unwrap_or_default();
        lines.extend(cell(row).map(|left| left.padded(COLUMN).append(right)));
    }
    lines.extend([
        Line::new(),
        Line::new()
            .then(Tone::Warn, "Write them down or print them now")
            .plain(": they are not shown again."),
        "Keep them away from the phone.".into(),
    ]);
    lines
}

/// Width of the left column.
const COLUMN: usize = 30;
