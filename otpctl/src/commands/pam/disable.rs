//! `pam disable`: takes our lines out. Nobody is locked out by that, unless a jump counted on them: then it is refused.

use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use super::Session;
use super::diff;
use super::plan;
use crate::cli::pam::Disable;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::line::Line;
use crate::pam::authselect;
use crate::pam::authselect::Authselect;
use crate::pam::edit;
use crate::site::Site;
use crate::switch::EVERYTHING;
use crate::switch::FileChange;
use crate::switch::Records;
use crate::switch::file;
use crate::switch::profile;
use crate::switch::profile::Switch;
use crate::when::Clock;

/// Disables what was named.
pub(super) fn disable(session: &Session, records: &Records, typed: &Disable) -> Result<Exit, Failure> {
    let site = Site::of_this_machine();
    let (services, left) =
        if typed.all { without_the_web(&site) } else { (typed.services.clone(), Vec::new()) };
    let has_profile = typed.all && profile::is_there();
    let mut files = Vec::new();
    for service in services.iter().map(|service| service.to_ascii_lowercase()) {
        // pam-auth-update writes these itself.
        if !(has_profile && service.starts_with("common-")) {
            files.extend(change(&site, &service, typed.all)?);
        }
    }
    let common = site.stacks.own_file(plan::COMMON);
    if has_profile
        && let Some((_, before)) = site.stacks.read(plan::COMMON).filter(|(_, text)| has_line(text))
    {
        refuse_jumps(&site, plan::COMMON, &common)?;
        let after = profile::preview(Switch::Off)?;
        files.extend(plan::changed(common.clone(), before, after)?);
    }
    if !session.output.is_json() {
        let shown = files.iter().flat_map(|changed| {
            diff::lines(&changed.file, changed.before.as_deref().unwrap_or_default(), &changed.after)
        });
        session.output.lines(&shown.collect::<Vec<_>>())?;
    }
    let mut backups = Vec::new();
    if !typed.dry_run {
        let _lock = records.lock()?;
        plan::refuse_edited(&files)?;
        let names = if typed.all { vec![EVERYTHING.to_owned()] } else { services.clone() };
        let stamp = Clock::read().full(Clock::read().now()).replace(' ', "T");
        backups = records.keep_copies(&files, &stamp)?;
        if has_profile {
            profile::ensure(Switch::Off, None)?;
        }
        // What pam-auth-update has written is there already.
        for changed in files.iter().filter(|changed| !has_profile || changed.file != common) {
            file::replace(&changed.file, &changed.after)?;
        }
        for pending in
            records.pending()?.into_iter().filter(|pending| typed.all || names.contains(&pending.name))
        {
            records.end(&pending.name, &format!("{}: disabled by root.", pending.name))?;
        }
    }
    report(session, &files, &left, &backups, typed.dry_run)
}

fn change(site: &Site, service: &str, is_one_of_many: bool) -> Result<Option<FileChange>, Failure> {
    let Some((path, before)) = site.stacks.read(service).filter(|_| !service.contains('/')) else {
        return Err(refused(format!("there is no stack {service} in /etc/pam.d")));
    };
    let after = edit::unguarded(&before);
    let file = site.stacks.own_file(service);
    let then = site.with(site.stacks.imagine(&file, &after));
    // With its account line gone, keys alone would be asked for no code.
    if then.judge(service).asks && !is_one_of_many {
        return Err(refused(format!(
            "{service} asks because of a file that it includes. For all that include it: otpctl pam disable --all"
        )));
    }
    if after == before {
        return Ok(None);
    }
    if let Some(target) = authselect::owned(&file) {
        let command = Authselect::command_to_disable();
        return Err(refused(format!(
            "{} is {}, which authselect writes. Run: {command}",
            file.display(),
            target.display()
        )));
    }
    refuse_jumps(site, service, &path)?;
    if !then.lets_anybody_in(service) && site.lets_anybody_in(service) {
        let say = format!(
            "without our lines nobody would get in through {service}: a control in {} counts on them",
            path.display()
        );
        return Err(refused(say));
    }
    if then.lets_everybody_in(service) && !site.lets_everybody_in(service) {
        let say = format!(
            "without our lines anybody would get in through {service}, since a code is all that it asks for. Write a line \
             that asks for the password together with taking them out"
        );
        return Err(refused(say));
    }
    Ok(Some(FileChange { file, before: Some(before), after, added: Vec::new() }))
}

fn refuse_jumps(site: &Site, service: &str, file: &Path) -> Result<(), Failure> {
    match edit::jump_that_counts_on(&site.stacks, service, file) {
        Some(jump) => Err(refused(format!(
            "{jump}, and would leave out another line without them. Write that control anew together with taking out \
             the lines"
        ))),
        None => Ok(()),
    }
}

fn refused(say: String) -> Failure {
    Failure::new(Exit::Refused, "no_place", format!("nothing was changed: {say}"))
}

/// Every service, and apart from them those of the web pages with lines of their own: without a code otpd takes no
/// sign-in there.
fn without_the_web(site: &Site) -> (Vec<String>, Vec<String>) {
    site.stacks.services().into_iter().partition(|service| {
        !service.starts_with("otpd-web") || site.stacks.read(service).is_none_or(|(_, text)| !has_line(&text))
    })
}

fn has_line(text: &str) -> bool {
    edit::unguarded(text) != text
}

fn report(
    session: &Session,
    files: &[FileChange],
    left: &[String],
    backups: &[PathBuf],
    is_dry: bool,
) -> Result<Exit, Failure> {
    let removed =
        |changed: &FileChange| diff::added(&changed.after, changed.before.as_deref().unwrap_or_default());
    let list: Vec<_> =
        files.iter().map(|changed| json!({ "file": changed.file, "removed": removed(changed) })).collect();
    session.output.result(&json!({ "files": list, "left": left, "backups": backups }), || {
        let left = left.iter().map(|service| {
            Line::from(format!(
                "{service} keeps its lines, since the web pages take no sign-in without a code. To have them out: otpctl pam \
                 disable {service}"
            ))
        });
        if files.is_empty() {
            let none = if left.len() == 0 { "No line of ours is there." } else { "No other line of ours is there." };
            return left.chain([none.into()]).collect();
        }
        let kept =
            backups.iter().map(|path| Line::from(format!("What it was is kept in {}.", path.display())));
        let said = if is_dry { None } else { Some("No code is asked for there any more.".into()) };
        kept.chain(said).chain(left).collect()
    })?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::modules::Modules;
    use crate::pam::stack::Stacks;

    const COMMON_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n";

    fn site(files: &[(&str, &str)]) -> Site {
        let files =
            [&[("common-auth", COMMON_AUTH), ("common-account", "account required pam_unix.so\n")], files]
                .concat();
        let stacks = files.iter().fold(Stacks::in_directories(&[Path::new("/p")]), |stacks, (name, text)| {
            stacks.imagine(&Path::new("/p").join(name), text)
        });
        Site::new(stacks, Modules::complete(), Path::new("/nowhere"))
    }

    #[test]
    fn a_line_that_a_jump_counts_on_stays() {
        let lan = "@include common-auth\nauth [success=1 default=ignore] pam_access.so\nauth required pam_otp.so\n\
                   @include common-account\n";
        let refused = change(&site(&[("x", lan)]), "x", false).unwrap_err();
        assert!(refused.message.contains("pam_access.so (x:2)"), "{}", refused.message);
        let plain = "@include common-auth\nauth required pam_otp.so\n@include common-account\n";
        let found = change(&site(&[("x", plain)]), "x", false).unwrap().unwrap();
        assert_eq!(found.after, "@include common-auth\n@include common-account\n");
    }

    #[test]
    fn a_code_that_is_all_that_is_asked_for_stays() {
        let alone = "auth required pam_otp.so\nauth required pam_permit.so\n@include common-account\n";
        let refused = change(&site(&[("x", alone)]), "x", false).unwrap_err();
        assert!(refused.message.contains("anybody would get in through x"), "{}", refused.message);
    }

    #[test]
    fn who_is_asked_by_an_included_file_keeps_the_account_line() {
        let common = format!("{COMMON_AUTH}auth required pam_otp.so\n");
        let sshd = "@include common-auth\naccount required pam_otp.so\n@include common-account\n";
        let site = site(&[("common-auth", &common), ("sshd", sshd)]);
        let refused = change(&site, "sshd", false).unwrap_err();
        assert!(refused.message.contains("otpctl pam disable --all"), "{}", refused.message);
        assert!(change(&site, "sshd", true).unwrap().is_some());
    }

    #[test]
    fn all_leaves_the_web_pages_alone() {
        let directory = tempfile::tempdir().unwrap();
        let asks = "auth requisite pam_unix.so\nauth required pam_otp.so\n";
        for (name, text) in [("otpd-web", asks), ("otpd-web-password", COMMON_AUTH), ("sshd", asks)] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let stacks = Stacks::in_directories(&[directory.path()]);
        let (services, left) =
            without_the_web(&Site::new(stacks, Modules::complete(), Path::new("/nowhere")));
        assert_eq!(
            (services, left),
            (vec!["otpd-web-password".into(), "sshd".into()], vec!["otpd-web".to_owned()])
        );
    }
}
