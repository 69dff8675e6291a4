//! A storm: everybody connects before anybody is served, and all have the right code.

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::ensure;
use otpd_proto::client::Client;
use otpd_proto::login;
use serde_json::Value;
use serde_json::json;

use crate::accounts;
use crate::accounts::Number;
use crate::clock;
use crate::estate::Estate;

/// Lets `callers` accounts log in at once, and says how it went. An error if one of them was refused or had no answer in
/// the time that the module gives it.
pub fn measure(estate: &Estate, callers: u32) -> anyhow::Result<String> {
    ensure!(callers <= estate.accounts, "--accounts: a storm of {callers} needs as many");
    let (socket, before) = (estate.socket(), estate.resident()?);
    let gate = Barrier::new(usize::try_from(callers)?);
    // So that nobody's step ends in the middle.
    clock::wait_past(clock::step());
    let begun = clock::instant();
    let refused = thread::scope(|scope| {
        let caller = |number: Number| {
            let (socket, gate) = (&socket, &gate);
            let work = move || log_in(socket, number, gate);
            thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)
        };
        let threads = (0..callers).map(caller).collect::<Result<Vec<_>, _>>()?;
        let results = threads.into_iter().map(|thread| thread.join().expect("no panic in a caller"));
        anyhow::Ok(results.filter_map(Result::err).collect::<Vec<_>>())
    })?;
    if let Some(why) = refused.first() {
        anyhow::bail!("{} of {callers} were refused, the first: {why:#}", refused.len());
    }
    let took = begun.elapsed().as_secs_f64();
    let (after, peak) = (estate.resident()?, estate.peak()?);
    Ok(format!(
        "{callers} at once, all let in, the last after {took:.2} s; otpd resident {before} KiB before, at most {peak} KiB, \
         {after} KiB after\n"
    ))
}

fn log_in(socket: &Path, number: Number, gate: &Barrier) -> anyhow::Result<()> {
    let first = Client::connect(socket, FOR_START).context("connecting");
    gate.wait();
    let login = json!({"user": accounts::name(number), "service": "sshd", "rhost": "192.0.2.1"});
    let asked: Value = first?.call(login::START, &json!({"login": login})).context("Start")?;
    ensure!(asked["step"]["next"] == "ask", "Start: {asked}");
    let answer = accounts::code(number, clock::step());
    let second = Client::connect(socket, FOR_ANSWER);
    let said: Value =
        second?.call(login::ANSWER, &json!({"login": login, "answer": answer})).context("Answer")?;
    ensure!(said["step"]["next"] == "accept", "Answer: {said}");
    Ok(())
}

/// As pam_otp.so waits.
const FOR_START: Duration = Duration::from_secs(5);
const FOR_ANSWER: Duration = Duration::from_secs(30);
const STACK: usize = 128 * 1024;
