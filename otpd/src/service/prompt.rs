//! What people are told at a login: one line, ASCII, short enough for every client. Texts after the last prompt are
//! lost in sshd, so what a person must know before typing stands in the prompt.

use otpd_core::account::Account;
use otpd_core::check::is_ahead;
use otpd_core::check::next_code;
use otpd_core::device::Device;
use otpd_core::throttle::Gate;
use otpd_core::throttle::Lane;
use otpd_core::time::UnixTime;

/// The prompt without any news.
pub(crate) fn plain(user: &str) -> String {
    // A name with a line break could pass for another prompt.
    let harmless = user.bytes().all(|byte| byte.is_ascii_graphic());
    if harmless && user.len() <= 64 {
        format!("One-time code for {user}: ")
    } else {
        "One-time code: ".into()
    }
}

/// The prompt for an account, with what its owner needs to know.
pub(crate) fn informed(account: &Account, lane: Lane, now: UnixTime) -> String {
    let user = account.identity.name.as_str();
    let failures = account.lane(lane).failures;
    let news = match account.lane(lane).look(now) {
        Gate::Closed => Some(format!(
            "Closed after {failures} wrong codes; an administrator can run otpctl unlock.{}",
            way_back(account, lane, now)
        )),
        Gate::Wait(until) => Some(format!(
            "Locked until {} after {failures} wrong codes.{}",
            clock(until),
            way_back(account, lane, now)
        )),
        Gate::Open => last_refusal(account, lane, now)
            .or_else(|| account.announce.as_deref().and_then(newest))
            .or_else(|| all_spent(account, now))
            .or_else(|| rebind_needed(account, now)),
    };
    match news {
        Some(news) => fit(&news, &plain(user)),
        None => plain(user),
    }
}

/// News and the question, as much of the news as there is room for.
pub(crate) fn fit(news: &str, question: &str) -> String {
    let room = LONGEST.saturating_sub(question.len()).saturating_sub(1);
    match news.get(room..) {
        Some(more) if !more.is_empty() => {
            let cut = news.get(..room.saturating_sub(CUT.len())).unwrap_or_default();
            format!("{cut}{CUT} {question}")
        }
        _ => format!("{news} {question}"),
    }
}

/// What gets in even now.
fn way_back(account: &Account, lane: Lane, now: UnixTime) -> &'static str {
    let has_code = account.recovery.left().next().is_some();
    match (lane == Lane::Own, has_code, account.emails.recovering(now).next().is_some()) {
        (true, ..) | (_, false, false) => "",
        (_, true, false) => " A recovery code still works.",
        (_, false, true) => " Type mail to have a code mailed.",
        (_, true, true) => " A recovery code still works, or type mail.",
    }
}

/// The last of the lines that a prompt has room for.
fn newest(told: &str) -> Option<String> {
    let newest = told.lines().rfind(|line| line.is_ascii())?;
    let more = told.lines().count().saturating_sub(1);
    Some(if more == 0 { newest.to_owned() } else { format!("{newest} {more} more after the login.") })
}

/// What the prompt did not tell of these lines, to be told after it.
pub(crate) fn untold(told: &str, prompt_told: bool) -> Option<String> {
    let newest = told.lines().rfind(|line| line.is_ascii()).filter(|_| prompt_told);
    let left: Vec<&str> = told.lines().filter(|line| Some(*line) != newest).collect();
    (!left.is_empty()).then(|| left.join(" "))
}

/// What somebody who got in without a device is still to do.
fn rebind_needed(account: &Account, now: UnixTime) -> Option<String> {
    let recovered = account.recovered?;
    Some(if account.may_rebind(now) {
        let until = clock(recovered.plus(Account::REBIND_FOR));
        format!("Bind a new device, until {until} without a code: otpctl bind.")
    } else {
        "A device was lost; bind a new one: otpctl bind.".to_owned()
    })
}

/// Why the last code of this lane was refused, if that is recent.
fn last_refusal(account: &Account, lane: Lane, now: UnixTime) -> Option<String> {
    let refusal =
        account.refusal(lane).filter(|refusal| refusal.at <= now && now.since(refusal.at) <= RECENT)?;
    if refusal.spent {
        let due = account.active().map(|device| next_code(device, now)).min()?;
        return Some(used(due, now));
    }
    Some(wrong(account.has_token(), now))
}

/// The refusal of a wrong code, with this box's time: a clock that is off is the usual cause, but not a token's.
pub(crate) fn wrong(has_token: bool, now: UnixTime) -> String {
    if has_token {
        format!("Wrong code (it is {} here; a token pressed often needs otpctl resync).", clock(now))
    } else {
        format!("Wrong code (it is {} here).", clock(now))
    }
}

/// Whether no device of the account can show a fresh code yet: the case of SSH and then sudo within 30 seconds.
fn all_spent(account: &Account, now: UnixTime) -> Option<String> {
    let spent = |device: &Device| {
        device.last_step.is_some_and(|last| last >= device.centre(now)) && !is_ahead(device, now)
    };
    if !account.active().all(spent) {
        return None;
    }
    let due = account.active().map(|device| next_code(device, now)).min()?;
    Some(wait_for("The present code is used", due, now))
}

/// The refusal of a spent code.
pub(crate) fn used(due: UnixTime, now: UnixTime) -> String {
    wait_for("That code was used already", due, now)
}

fn wait_for(what: &str, due: UnixTime, now: UnixTime) -> String {
    match due.since(now).as_secs() {
        0 => format!("{what}; take the next one."),
        seconds => format!("{what}; the next one comes in {seconds} s."),
    }
}

/// Local time of day.
pub(crate) fn clock(at: UnixTime) -> String {
    zoned(at).strftime("%H:%M:%S").to_string()
}

/// Local date.
pub(crate) fn date(at: UnixTime) -> String {
    zoned(at).strftime("%Y-%m-%d").to_string()
}

fn zoned(at: UnixTime) -> jiff::Zoned {
    jiff::Timestamp::from_second(at.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::system())
}

/// Bytes of a prompt: what every client shows.
const LONGEST: usize = 200;
const CUT: &str = "...";
const RECENT: std::time::Duration = std::time::Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_two_hundred_bytes_at_most_and_never_without_its_question() {
        let question = plain(&"x".repeat(64));
        for length in [0, 1, 113, 114, 115, 116, 500] {
            let prompt = fit(&"n".repeat(length), &question);
            assert!(prompt.len() <= LONGEST && prompt.ends_with(&question), "{length}: {prompt}");
            assert_eq!(prompt.contains(CUT), length + 1 + question.len() > LONGEST, "{length}: {prompt}");
        }
    }
}
