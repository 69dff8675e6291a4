//! `confirm`: proves a pending device, and says what follows from it.

use otpd_proto::account;
use otpd_proto::account::ConfirmParameters;
use otpd_proto::account::Confirmed;

use super::Session;
use super::codes;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::prompt;
use crate::when::Clock;

/// Proves a device.
pub(crate) fn confirm(session: &Session, typed: cli::Confirm) -> Result<Exit, Failure> {
    let (user, device, code) = typed.parts().ok_or_else(|| Failure::usage("name a device and a code"))?;
    let code = prompt::or_standard_input(Some(code), "Code", &session.output)?
        .ok_or_else(|| Failure::usage("name a code"))?;
    let confirmed: Confirmed =
        session.calls.call(account::CONFIRM, &ConfirmParameters { user: user.clone(), device, code })?;
    session.output.result(&confirmed, || text(&confirmed, user.as_deref(), &Clock::read()))?;
    Ok(Exit::Ok)
}

/// What a person needs to know now; `user` is `None` for the caller's own account.
pub(crate) fn text(confirmed: &Confirmed, user: Option<&str>, clock: &Clock) -> Vec<Line> {
    let mut lines = vec![Line::new().then(Tone::Good, format!("\"{}\" is bound.", confirmed.device.name))];
    if let Some(retired) = &confirmed.retired {
        lines.push(format!("It replaces \"{retired}\", whose codes no longer work.").into());
    }
    lines.extend(about_clocks(confirmed, clock));
    if confirmed.first {
        let account = user.map_or_else(|| "your account".to_owned(), str::to_owned);
        let argument = user.map(|user| format!(" {user}")).unwrap_or_default();
        lines.extend([
            Line::new(),
            Line::new()
                .plain("Login protection is ")
                .then(Tone::Good, "on")
                .plain(format!(" for {account}.")),
            "Logins with pam_otp in their PAM stack now ask for a code after the password.".into(),
            "Try one in a second session before closing this.".into(),
            Line::new(),
        ]);
        if let Some(codes) = &confirmed.recovery_codes {
            lines.extend(codes::sheet(codes, &account));
            lines.push(Line::new());
        }
        lines.extend([
            format!("  Add a second device, in case this one is lost:  otpctl bind{argument}").into(),
            format!("  Turn protection off again:                      otpctl off{argument}").into(),
        ]);
    }
    lines
}

/// Which clock is off, if one is: the person at the other end cannot see this machine's.
fn about_clocks(confirmed: &Confirmed, clock: &Clock) -> Vec<Line> {
    if confirmed.offset == 0 {
        return Vec::new();
    }
    let (phone, here, apart) =
        if confirmed.offset < 0 { ("slow", "fast", "old") } else { ("fast", "slow", "early") };
    let by = confirmed.offset.unsigned_abs();
    let seen =
        format!("The code was about {by} s {apart} by this machine's clock, {}.", clock.full(confirmed.now));
    let verdict = match confirmed.clock_synchronised {
        Some(true) if confirmed.offset < 0 => {
            format!("That clock is synchronised, so the phone's is {phone}, unless you typed the code late.")
        }
        Some(true) => {
            format!("That clock is synchronised, so the phone's is {phone}: set it to automatic time.")
        }
        Some(false) if confirmed.offset < 0 => {
            format!(
                "That clock is not synchronised and may be {here}, unless you typed the code late. Try: timedatectl"
            )
        }
        Some(false) => {
            format!("That clock is not synchronised and is likely the one that is {here}. Try: timedatectl")
        }
        None => format!("Compare the two: either the phone's clock is {phone}, or this machine's is {here}."),
    };
    vec![Line::new(), Line::new().then(Tone::Warn, seen), verdict.into()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(offset: i64, clock_synchronised: Option<bool>) -> String {
        let device = json!({"id": 1, "name": "Phone", "state": "active", "kind": "totp", "algorithm": "SHA1",
            "digits": 6, "period": 30, "created": 0, "created_by": "alice"});
        let device = serde_json::from_value(device).unwrap();
        let now = 1_795_296_960;
        let confirmed = Confirmed {
            device,
            offset,
            first: false,
            recovery_codes: None,
            retired: None,
            now,
            clock_synchronised,
        };
        let lines = text(&confirmed, None, &Clock::at(now));
        lines.iter().flat_map(Line::spans).map(|(_, words)| words + " ").collect()
    }

    #[test]
    fn a_punctual_code_says_nothing_of_clocks() {
        assert_eq!(said(0, Some(false)), "\"Phone\" is bound. ");
    }

    #[test]
    fn the_clock_that_nobody_sets_is_the_suspect() {
        assert!(said(30, Some(true)).contains("so the phone's is fast"));
        assert!(said(-30, Some(true)).contains("so the phone's is slow, unless you typed the code late"));
        assert!(said(30, Some(false)).contains("not synchronised and is likely the one that is slow"));
        assert!(
            said(-30, Some(false))
                .contains("not synchronised and may be fast, unless you typed the code late")
        );
        assert!(said(-30, None).contains("either the phone's clock is slow, or this machine's is fast"));
    }

    #[test]
    fn the_distance_and_this_machines_time_are_told() {
        assert!(said(-30, None).contains("about 30 s old by this machine's clock, 2026-11-21 21:36:00."));
        assert!(said(i64::MIN, None).contains("9223372036854775808 s old"));
    }
}
