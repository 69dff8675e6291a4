//! `doctor`: what can be seen from outside (the directory, the sockets, an answer), then what the daemon says of
//! itself.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;
use nix::unistd::User;
use otpd_proto::admin;
use otpd_proto::admin::Check;
use otpd_proto::service;
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::output::line::Tone;
use crate::output::line::wrap;
use crate::site::Site;

mod stacks;
mod ways_back;

/// Runs every check; fails if one does.
pub(crate) fn doctor(session: &Session) -> Result<Exit, Failure> {
    let directory = session.calls.directory();
    let mut checks = vec![
        check_directory(directory),
        check_socket(directory, otpd_proto::ACCOUNT_SOCKET, Access::Everybody),
        check_socket(directory, otpd_proto::LOGIN_SOCKET, Access::Root),
    ];
    let answer = check_answer(session);
    let answers = answer.verdict != FAIL;
    checks.push(answer);
    checks.push(check_stacks(Path::new(STACKS)));
    let site = Site::of_this_machine();
    checks.extend(stacks::checks(&site));
    checks.extend(ways_back::checks(&site.stacks));
    if answers {
        checks.extend(ask_daemon(session));
    }
    session.output.result(&json!({ "checks": checks }), || text(&checks, session.output.size()))?;
    Ok(if checks.iter().any(|check| is_failure(&check.verdict)) { Exit::Refused } else { Exit::Ok })
}

/// Who may use a socket.
#[derive(Clone, Copy)]
enum Access {
    Everybody,
    Root,
}

fn check_directory(directory: &Path) -> Check {
    let at = directory.display();
    let name = "runtime directory";
    match std::fs::metadata(directory) {
        Err(error) => {
            check(name, FAIL, format!("{at}: {}. Start otpd: systemctl start otpd", reason(&error)))
        }
        Ok(found) if !found.is_dir() => check(name, FAIL, format!("{at} is no directory")),
        Ok(found) if !is_trusted(found.uid()) => check(
            name,
            FAIL,
            format!("{at} belongs to uid {}, not to root. Try: chown root {at}", found.uid()),
        ),
        Ok(found) if found.mode() & 0o022 != 0 => {
            check(name, FAIL, format!("{at} can be written by others. Try: chmod go-w {at}"))
        }
        Ok(found) => check(name, OK, format!("{at} belongs to {}", owner(found.uid()))),
    }
}

fn check_socket(directory: &Path, name: &str, access: Access) -> Check {
    let path = directory.join(name);
    let at = path.display();
    let found = match std::fs::symlink_metadata(&path) {
        Ok(found) => found,
        Err(error) => {
            return check(name, FAIL, format!("{at}: {}. Start otpd: systemctl start otpd", reason(&error)));
        }
    };
    let mode = found.mode() & 0o777;
    let (is_right, wanted) = match access {
        Access::Everybody => (mode & 0o666 == 0o666, "0666"),
        Access::Root => (mode & 0o077 == 0, "0600"),
    };
    if !found.file_type().is_socket() {
        check(name, FAIL, format!("{at} is no socket. Remove it and restart otpd"))
    } else if !is_trusted(found.uid()) {
        check(
            name,
            FAIL,
            format!("{at} belongs to {}, neither root nor otpd. Restart otpd", owner(found.uid())),
        )
    } else if !is_right {
        check(name, FAIL, format!("{at} has mode {mode:04o}; it must be {wanted}. Restart otpd"))
    } else {
        check(name, OK, format!("mode {mode:04o}, belongs to {}", owner(found.uid())))
    }
}

/// Which files name our module at all; `stacks` walks what they make up.
fn check_stacks(directory: &Path) -> Check {
    let name = "PAM";
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return check(name, WARN, format!("{}: {}", directory.display(), reason(&error))),
    };
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let (mut services, mut unjudged) = (Vec::new(), Vec::new());
    for entry in entries.filter_map(Result::ok) {
        let text = read(&entry.path());
        let name = entry.file_name().to_string_lossy().into_owned();
        if splits_only(&text) {
            unjudged.push(name.clone());
        }
        if our_lines(&text).next().is_some() {
            services.push(name);
        }
    }
    services.sort();
    unjudged.sort();
    if !unjudged.is_empty() {
        let say = format!(
            "forward_pass=unchecked, but no pam_otp.so with use_first_pass below it, so no code is judged: {}. See \
             pam_otp(8)",
            unjudged.join(", ")
        );
        return check(name, FAIL, say);
    }
    if services.is_empty() {
        let at = directory.display();
        return check(
            name,
            WARN,
            format!("no file in {at} names pam_otp.so, so no login asks. See pam_otp(8)"),
        );
    }
    check(name, OK, format!("pam_otp.so stands in {}", services.join(", ")))
}

fn our_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#') && line.contains("pam_otp.so"))
}

/// Whether a line puts codes aside and none below it has them judged.
fn splits_only(text: &str) -> bool {
    let has = |word: &'static str| move |line: &str| line.split_whitespace().any(|found| found == word);
    let mut lines = our_lines(text);
    lines.any(has("forward_pass=unchecked")) && !lines.any(has("use_first_pass"))
}

/// Root, otpd, or whoever asks: nobody else may stand between.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == Uid::effective().as_raw() || owner(uid) == "otpd"
}

fn owner(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}

fn check_answer(session: &Session) -> Check {
    match session.calls.call::<_, service::Info>(GET_INFO, &json!({})) {
        Err(failure) => check("answer", FAIL, failure.message),
        Ok(info) if info.version != env!("CARGO_PKG_VERSION") => {
            let ours = env!("CARGO_PKG_VERSION");
            let say = format!("otpd is {}, otpctl {ours}. Try: systemctl restart otpd", info.version);
            check("answer", WARN, say)
        }
        Ok(info) => check("answer", OK, format!("{} {}", info.product, info.version)),
    }
}

fn ask_daemon(session: &Session) -> Vec<Check> {
    match session.calls.call::<_, admin::Doctor>(admin::DOCTOR, &json!({})) {
        Ok(doctor) => doctor.checks,
        Err(failure) if failure.exit == Exit::NotPermitted => {
            let say = "only root and the administrators see otpd's own checks. Try: sudo otpctl doctor";
            vec![check("otpd", WARN, say.to_owned())]
        }
        Err(failure) => vec![check("otpd", FAIL, failure.message)],
    }
}

fn check(check: &str, verdict: &str, say: String) -> Check {
    Check { check: check.to_owned(), verdict: verdict.to_owned(), say }
}

/// A verdict that is not known is no good sign.
fn is_failure(verdict: &str) -> bool {
    !matches!(verdict, OK | WARN)
}

fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn text(checks: &[Check], size: Option<(usize, usize)>) -> Vec<Line> {
    let names = checks.iter().map(|check| Line::from(check.check.as_str()).width()).max().unwrap_or(0);
    let indent = VERDICT.saturating_add(names).saturating_add(2);
    let width = size.map_or(usize::MAX, |(columns, _)| columns.saturating_sub(indent).max(30));
    let mut lines = Vec::new();
    for check in checks {
        let tone = match check.verdict.as_str() {
            OK => Tone::Good,
            WARN => Tone::Warn,
            _ => Tone::Bad,
        };
        let head = Line::new().then(tone, &check.verdict).padded(VERDICT).plain(&check.check).padded(indent);
        for (index, words) in wrap(&check.say, width).into_iter().enumerate() {
            let start = if index == 0 { head.clone() } else { Line::new().padded(indent) };
            lines.push(start.plain(words));
        }
    }
    lines
}

const STACKS: &str = "/etc/pam.d";
const OK: &str = "ok";
const WARN: &str = "warn";
const FAIL: &str = "fail";
/// Columns of a verdict.
const VERDICT: usize = 6;
const GET_INFO: &str = "org.varlink.service.GetInfo";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_ask_are_named_and_comments_do_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("su", "# auth required pam_otp.so\nauth required pam_unix.so\n");
        let none = check_stacks(directory.path());
        assert_eq!(none.verdict, WARN, "{}", none.say);
        write("sudo", "auth required /opt/pam_otp.so debug\n");
        write("sshd", "auth required pam_otp.so\naccount required pam_otp.so\n");
        let some = check_stacks(directory.path());
        assert_eq!((some.verdict.as_str(), some.say.as_str()), (OK, "pam_otp.so stands in sshd, sudo"));
    }

    #[test]
    fn a_code_that_is_put_aside_and_never_judged_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let verdict = |lines: &[&str]| {
            std::fs::write(directory.path().join("dovecot"), lines.join("\n")).unwrap();
            let found = check_stacks(directory.path());
            assert!(found.say.contains("dovecot"), "{}", found.say);
            found.verdict
        };
        let split = "auth required pam_otp.so forward_pass=unchecked";
        let judge = "auth required pam_otp.so use_first_pass";
        let password = "auth requisite pam_unix.so use_first_pass";
        assert_eq!(verdict(&[split, password, judge]), OK);
        for wrong in [
            &[split, password][..],
            &[judge, password, split],
            &[split, password, "#auth required pam_otp.so use_first_pass"],
            &[split, password, "account required pam_otp.so"],
            &["auth required pam_otp.so forward_pass=unchecked use_first_pass"],
        ] {
            assert_eq!(verdict(wrong), FAIL, "{wrong:?}");
        }
    }
}
