//! Undoes a change of a PAM file without touching what somebody else has written since, and without making anything
//! worse by it: no line behind ours is passed over that was not before, nobody is locked out, and nobody gets in without
//! a password or a code who did not before.

use std::fs;
use std::io;
use std::path::Path;

use super::FileChange;
use super::file::replace;
use crate::failure::Failure;
use crate::pam::edit;
use crate::pam::text;
use crate::site::Site;

/// How a file was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undone {
    /// It says what it said before.
    Whole,
    /// Somebody has changed it since: our lines are gone, their change is not.
    LinesOnly,
    /// The same, and where our lines stood are lines that ask nobody, since a jump counts on them.
    StandIns,
    /// Lines of ours are left that somebody has changed, or without which the stack would be unsound.
    Left,
}

/// Takes a change back. `open` are the services that let in everybody before it.
///
/// # Errors
/// [`Failure`]; the file is as it was.
pub(crate) fn undo(change: &FileChange, open: &[String], site: &Site) -> Result<Undone, Failure> {
    let path = &change.file;
    let now = match fs::read(path) {
        Ok(now) => text::of(&now),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Undone::LinesOnly),
        Err(error) => return Err(Failure::cannot_read(path, &error)),
    };
    match &change.before {
        Some(before) if now == *before => Ok(Undone::Whole),
        // What was included may be another by now.
        Some(before) if now == change.after && is_sound(site, path, before, open) => {
            replace(path, before).map(|()| Undone::Whole)
        }
        None if now == change.after => {
            fs::remove_file(path).map(|()| Undone::Whole).map_err(|error| Failure::cannot_write(path, &error))
        }
        _ => undo_lines(change, &now, open, site),
    }
}

fn undo_lines(change: &FileChange, now: &str, open: &[String], site: &Site) -> Result<Undone, Failure> {
    let path = &change.file;
    let service = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let are_left = |text: &str| edit::unguarded(text) != text;
    let without = edit::without(now, &change.added);
    if without == now {
        return Ok(if are_left(now) { Undone::Left } else { Undone::LinesOnly });
    }
    let mut ways = Vec::new();
    if edit::jump_that_counts_on(&site.stacks, &service, path).is_none() {
        ways.push((without, Undone::LinesOnly));
    }
    // The former counts for nothing. Where ours was the one that let people in, only the latter does.
    for control in ["[default=ignore]  pam_deny.so", "required     pam_permit.so"] {
        ways.push((edit::with_stand_ins(now, &change.added, control), Undone::StandIns));
    }
    match ways.into_iter().find(|(then, _)| is_sound(site, path, then, open)) {
        Some((then, undone)) => {
            replace(path, &then).map(|()| if are_left(&then) { Undone::Left } else { undone })
        }
        None => Ok(Undone::Left),
    }
}

/// Whether each service that reads the file would let in somebody if it does now, and nobody unasked unless it does or
/// did.
fn is_sound(site: &Site, file: &Path, then: &str, open: &[String]) -> bool {
    let other = site.with(site.stacks.imagine(file, then));
    site.stacks.services().iter().filter(|service| site.stacks.reads(service, file)).all(|service| {
        (other.lets_anybody_in(service) || !site.lets_anybody_in(service))
            && (!other.lets_everybody_in(service)
                || open.contains(service)
                || site.lets_everybody_in(service))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::modules::Modules;
    use crate::pam::stack::Stacks;

    const OURS: &str = "auth required pam_otp.so";

    fn change(path: &Path, before: Option<&str>, after: &str, added: &[&str]) -> FileChange {
        let added = added.iter().map(|line| (*line).to_owned()).collect();
        FileChange {
            file: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.to_owned(),
            added,
        }
    }

    fn site(directory: &Path) -> Site {
        Site::new(Stacks::in_directories(&[directory]), Modules::complete(), Path::new("/nowhere"))
    }

    /// What becomes of sshd's file that says `now`, in which only our line is ours.
    fn undone(now: &str) -> (Undone, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sshd");
        let now = format!("{now}account required pam_permit.so\n");
        fs::write(&path, &now).unwrap();
        let how =
            undo(&change(&path, Some("a\n"), &format!("a\n{OURS}\n"), &[OURS]), &[], &site(directory.path()));
        let then = fs::read_to_string(&path).unwrap();
        (how.unwrap(), then.strip_suffix("account required pam_permit.so\n").unwrap().to_owned())
    }

    #[test]
    fn what_was_there_comes_back_and_what_was_not_goes() {
        let directory = tempfile::tempdir().unwrap();
        let (path, site) = (directory.path().join("sshd"), site(directory.path()));
        fs::write(&path, "a\nours\n").unwrap();
        let changed = change(&path, Some("a\n"), "a\nours\n", &["ours"]);
        assert_eq!(undo(&changed, &[], &site).unwrap(), Undone::Whole);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(undo(&changed, &[], &site).unwrap(), Undone::Whole, "twice does no harm");
        fs::write(&path, "ours\n").unwrap();
        assert_eq!(undo(&change(&path, None, "ours\n", &["ours"]), &[], &site).unwrap(), Undone::Whole);
        assert!(!path.exists());
        assert_eq!(undo(&changed, &[], &site).unwrap(), Undone::LinesOnly, "removed by somebody");
    }

    #[test]
    fn what_an_administrator_wrote_since_stays() {
        let unix = "auth requisite pam_unix.so\n";
        assert_eq!(
            undone(&format!("{unix}{OURS}\n# mine\n")),
            (Undone::LinesOnly, format!("{unix}# mine\n"))
        );
        let theirs = format!("{unix}{OURS} debug\n");
        assert_eq!(undone(&theirs), (Undone::Left, theirs.clone()));
    }

    #[test]
    fn what_is_not_utf_8_is_undone_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let (path, site) = (directory.path().join("sshd"), site(directory.path()));
        let before = text::of(b"# f\xfcr alle\r\n");
        let changed = change(&path, Some(&before), &format!("{before}{OURS}\n"), &[OURS]);
        fs::write(&path, [b"# f\xfcr alle\r\n", OURS.as_bytes(), b"\n"].concat()).unwrap();
        assert_eq!(undo(&changed, &[], &site).unwrap(), Undone::Whole);
        assert_eq!(fs::read(&path).unwrap(), b"# f\xfcr alle\r\n");
        fs::write(&path, [b"# f\xfcr \xe4lle\r\n", OURS.as_bytes(), b"\n"].concat()).unwrap();
        assert_eq!(undo(&changed, &[], &site).unwrap(), Undone::LinesOnly);
        assert_eq!(fs::read(&path).unwrap(), b"# f\xfcr \xe4lle\r\n");
    }

    #[test]
    fn a_jump_over_our_line_leaves_out_no_other() {
        // Without a line there, whoever comes from the network would be asked for no password.
        let lan = "auth [success=1 default=ignore] pam_access.so\n";
        let unix = "auth requisite pam_unix.so\n";
        let (how, then) = undone(&format!("{lan}{OURS}\n{unix}"));
        assert_eq!(how, Undone::StandIns);
        assert_eq!(then, format!("{lan}auth       [default=ignore]  pam_deny.so\n{unix}"));
    }

    #[test]
    fn a_jump_onto_our_line_that_let_people_in_still_does() {
        let unix = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n";
        let (how, then) = undone(&format!("{unix}{OURS}\n"));
        assert_eq!(how, Undone::StandIns);
        assert_eq!(then, format!("{unix}auth       required     pam_permit.so\n"));
    }

    #[test]
    fn a_code_that_was_all_that_was_asked_for_is_asked_for_still() {
        let alone = format!("{OURS}\nauth required pam_permit.so\n");
        assert_eq!(undone(&alone), (Undone::Left, alone.clone()));
        let optional = format!("auth optional pam_permit.so\n{OURS}\n");
        assert_eq!(undone(&optional), (Undone::Left, optional.clone()));
    }

    #[test]
    fn a_service_that_asked_nobody_asks_nobody_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sshd");
        let before = "auth required pam_permit.so\naccount required pam_permit.so\n";
        let after = format!("{OURS}\n{before}");
        let changed = change(&path, Some(before), &after, &[OURS]);
        let outcome = |open: &[String], text: &str| {
            fs::write(&path, text).unwrap();
            (undo(&changed, open, &site(directory.path())).unwrap(), fs::read_to_string(&path).unwrap())
        };
        assert_eq!(outcome(&["sshd".into()], &after), (Undone::Whole, before.into()));
        let edited = format!("{after}# mine\n");
        assert_eq!(outcome(&["sshd".into()], &edited), (Undone::LinesOnly, format!("{before}# mine\n")));
        assert_eq!(
            outcome(&["login".into()], &after),
            (Undone::Left, after.clone()),
            "what it includes is another"
        );
    }

    #[test]
    fn a_file_that_others_include_is_judged_with_them() {
        let directory = tempfile::tempdir().unwrap();
        let common = directory.path().join("common-auth");
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write(
            "sshd",
            "auth [success=1 default=ignore] pam_access.so\nauth include common-auth\nauth requisite pam_unix.so\n",
        );
        write("common-auth", &format!("{OURS}\n# mine\n"));
        let changed = change(&common, Some(""), &format!("{OURS}\n"), &[OURS]);
        assert_eq!(undo(&changed, &[], &site(directory.path())).unwrap(), Undone::StandIns);
    }
}
