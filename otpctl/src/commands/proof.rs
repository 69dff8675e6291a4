//! The code that a change may need. Whether it does is the daemon's to say: it knows about root, administrators and
//! recovery logins; so it is asked first, and the person only if it wants a code.

use otpd_proto::Secret;

use super::Session;
use crate::cli::Proof;
use crate::failure::Failure;
use crate::prompt;

/// The code given with `--code`, read from standard input if it is `-`.
pub(crate) fn given(session: &Session, proof: &Proof) -> Result<Option<Secret>, Failure> {
    prompt::or_standard_input(proof.code.clone(), "Code", &session.output)
}

/// Makes a change: with the code that was `given`, or without; if the daemon wants one then and somebody is there,
/// asks for it.
pub(crate) fn with_proof<R>(
    session: &Session,
    given: Option<Secret>,
    mut change: impl FnMut(Option<Secret>) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let mut failure = match change(given) {
        Err(failure) if failure.is_code_needed() => failure,
        outcome => return outcome,
    };
    if !prompt::is_possible() {
        return Err(advise(failure));
    }
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            session.output.remark(&failure.message)?;
        }
        let Some(code) = prompt::code(&session.output, QUESTION)? else { return Err(failure) };
        failure = match change(Some(code)) {
            Err(failure) if failure.asks_for_another_code() => failure,
            outcome => return outcome,
        };
    }
    Err(failure)
}

fn advise(failure: Failure) -> Failure {
    if failure.message.contains("--code") { failure } else { failure.advise("Pass one with --code CODE.") }
}

/// As many as are free of a wait.
const ATTEMPTS: u32 = 3;

const QUESTION: &str = "Code from one of your devices:";
