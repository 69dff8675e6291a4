//! What would change, and what logins would be like then. Nothing is changed here.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::diff;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pam::authselect;
use crate::pam::authselect::Authselect;
use crate::pam::edit;
use crate::pam::line::Phase;
use crate::pam::modules;
use crate::pam::modules::Kind;
use crate::pam::text;
use crate::site::Site;
use crate::switch::EVERYTHING;
use crate::switch::FileChange;
use crate::switch::profile;
use crate::switch::profile::Switch;

/// A change that is not made yet.
pub(super) struct Plan {
    /// The service, or [`EVERYTHING`].
    pub(super) name: String,
    pub(super) files: Vec<FileChange>,
    pub(super) profile: bool,
    /// The services that ask because of it.
    pub(super) services: Vec<String>,
    /// Logins as they are then.
    pub(super) site: Site,
}

/// For one service.
///
/// # Errors
/// There is no such service, or no place in its stack.
pub(super) fn for_service(site: &Site, service: &str) -> Result<Plan, Failure> {
    let name = service.to_ascii_lowercase();
    if name.contains('/') || name.starts_with('.') || name == EVERYTHING || name.starts_with("common-") {
        let say = format!(
            "{service} is no service. Name one such as sshd, or say --all for what includes common-auth"
        );
        return Err(Failure::usage(say));
    }
    let (_, before) =
        site.stacks.read(&name).ok_or_else(|| no_place(format!("there is no stack {name} in /etc/pam.d")))?;
    let own = site.stacks.own_file(&name);
    refuse_authselects(&own)?;
    let keys_let_in = site.is_sshd(&name);
    let after = edit::guarded(&site.stacks, &site.modules, &name, keys_let_in).map_err(no_place)?;
    let site = site.with(site.stacks.imagine(&own, &after));
    Ok(Plan {
        files: changed(own, before, after)?.into_iter().collect(),
        profile: false,
        services: vec![name.clone()],
        site,
        name,
    })
}

/// For everything that includes common-auth.
///
/// # Errors
/// This system has no pam-auth-update, or it would not.
pub(super) fn for_everything(site: &Site) -> Result<Plan, Failure> {
    if !profile::is_there()
        && let Some(selected) = Authselect::of_this_machine()
    {
        return Err(by_authselect(&selected, "nothing was changed:"));
    }
    if !profile::is_there() {
        let say = "--all is Debian's pam-auth-update with otpd's profile, and one of them is not here. Name the services instead";
        return Err(Failure::new(Exit::Refused, "no_profile", say));
    }
    let common = site.stacks.own_file(COMMON);
    let (_, before) =
        site.stacks.read(COMMON).ok_or_else(|| no_place(format!("there is no {}", common.display())))?;
    let after = profile::preview(Switch::On)?;
    everything(site, common, before, after)
}

/// # Errors
/// The file is authselect's.
fn refuse_authselects(file: &Path) -> Result<(), Failure> {
    let Some(target) = authselect::owned(file) else { return Ok(()) };
    let say =
        format!("nothing was changed: {} is {}, which authselect writes;", file.display(), target.display());
    Err(match Authselect::of_this_machine() {
        Some(selected) => by_authselect(&selected, &say),
        None => Failure::new(Exit::Refused, "authselect", format!("{say} see authselect(8)")),
    })
}

fn by_authselect(selected: &Authselect, say: &str) -> Failure {
    let say = format!(
        "{say} what every service includes is authselect's here, and nothing takes that back by itself. Either name \
         services with files of their own, as sshd and login, or stay logged in as root and run what follows. To end it \
         again: {}",
        Authselect::command_to_disable()
    );
    let commands = selected.commands_to_enable();
    Failure { commands, ..Failure::new(Exit::Refused, "authselect", say) }
}

/// What becomes of the services once common-auth says `after`: none is asked for a second code by a line of its own, and
/// sshd, which lets in by key, has the account line.
fn everything(site: &Site, common: PathBuf, before: String, after: String) -> Result<Plan, Failure> {
    let asked = |site: &Site| -> Vec<String> {
        let services = site.stacks.services().into_iter().filter(|service| !service.starts_with("common-"));
        services.filter(|service| site.judge(service).asks).collect()
    };
    let already = asked(site);
    let mut imagined = site.with(site.stacks.imagine(&common, &after));
    let common_change = changed(common.clone(), before, after)?;
    let profile = common_change.is_some();
    let mut files: Vec<FileChange> = common_change.into_iter().collect();
    let mut services = Vec::new();
    for service in asked(&imagined) {
        let Some((path, text)) = site.stacks.read(&service) else { continue };
        let auth = imagined.stacks.resolve(&service, Phase::Auth);
        let asks_from = |file: &Path| {
            auth.modules().any(|(place, module)| place.file == file && modules::kind(module) == Kind::Code)
        };
        let own = site.stacks.own_file(&service);
        let mut then = text.clone();
        if asks_from(&common) && asks_from(&path) {
            if let Some(jump) = edit::jump_that_counts_on(&site.stacks, &service, &path) {
                let say = format!("{jump}. Take those lines out together with the jump, then try again");
                return Err(no_place(say));
            }
            then = edit::unasked(&text);
            imagined = imagined.with(imagined.stacks.imagine(&own, &then));
        }
        if site.is_sshd(&service) {
            then = edit::guarded(&imagined.stacks, &imagined.modules, &service, true).map_err(no_place)?;
            imagined = imagined.with(imagined.stacks.imagine(&own, &then));
        }
        let change = changed(own, text, then)?;
        if change.is_some() || !already.contains(&service) {
            services.push(service);
        }
        files.extend(change);
    }
    Ok(Plan { name: EVERYTHING.to_owned(), profile, files, services, site: imagined })
}

/// The change of a file, if it is one.
pub(super) fn changed(file: PathBuf, before: String, after: String) -> Result<Option<FileChange>, Failure> {
    if before == after {
        return Ok(None);
    }
    // Only these are taken out of a file that somebody has edited meanwhile.
    let mut added = diff::added(&before, &after);
    added.retain(|line| edit::unguarded(line) != *line);
    // What a vendor's file says is copied, and the copy goes again.
    let before = file.exists().then_some(before);
    Ok(Some(FileChange { file, before, after, added }))
}

/// Stops what was planned from files that say something else by now. Only under the lock.
///
/// # Errors
/// One of them was edited.
pub(super) fn refuse_edited(files: &[FileChange]) -> Result<(), Failure> {
    for FileChange { file, before, .. } in files {
        let now = fs::read(file).ok().map(|bytes| text::of(&bytes));
        if now.is_some() && now != *before {
            let say = format!(
                "nothing was changed: {} was edited by somebody else just now. Try again",
                file.display()
            );
            return Err(Failure::new(Exit::Refused, "edited", say));
        }
    }
    Ok(())
}

fn no_place(say: String) -> Failure {
    Failure::new(Exit::Refused, "no_place", format!("nothing was changed: {say}"))
}

/// What the profile changes.
pub(super) const COMMON: &str = "common-auth";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pam::modules::Modules;
    use crate::pam::stack::Stacks;

    const COMMON_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n";

    /// A system of these files, and the plan for all of it once common-auth has the line.
    fn everything_of(files: &[(&str, &str)]) -> Result<Plan, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let common = directory.path().join(COMMON);
        for (name, text) in [(COMMON, COMMON_AUTH), ("common-account", "account required pam_unix.so\n")] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let stacks = Stacks::in_directories(&[directory.path()]);
        let site = Site::new(stacks, Modules::complete(), Path::new("/nowhere"));
        let before = fs::read_to_string(&common).unwrap();
        let after = format!("{COMMON_AUTH}{}\n", edit::AUTH_LINE);
        let mut plan = everything(&site, common, before, after)?;
        for changed in &mut plan.files {
            changed.file = changed.file.strip_prefix(directory.path()).unwrap().to_owned();
        }
        let weights = plan.services.iter().map(|service| (service, plan.site.judge(service).weight()));
        assert!(weights.clone().all(|(_, weight)| weight.is_none()), "{:?}", weights.collect::<Vec<_>>());
        Ok(plan)
    }

    #[test]
    fn a_service_that_asks_by_itself_is_not_asked_twice() {
        let (auth, account) = (edit::AUTH_LINE, edit::ACCOUNT_LINE);
        let sshd = format!("@include common-auth\n{auth}\n{account}\n@include common-account\n");
        let su = format!("@include common-auth\n{auth} unavailable=ignore\n@include common-account\n");
        let alone = format!("auth requisite pam_unix.so\n{auth}\naccount required pam_unix.so\n");
        let sudo = "@include common-auth\n@include common-account\n";
        let plan = everything_of(&[("sshd", &sshd), ("su", &su), ("sudo", sudo), ("web", &alone)]).unwrap();
        let files: Vec<(&str, &str)> = plan
            .files
            .iter()
            .map(|changed| (changed.file.to_str().unwrap(), changed.after.as_str()))
            .collect();
        let common = format!("{COMMON_AUTH}{auth}\n");
        let then = format!("@include common-auth\n{account}\n@include common-account\n");
        assert_eq!(files, [(COMMON, common.as_str()), ("sshd", then.as_str()), ("su", sudo)]);
        assert_eq!((plan.services, plan.profile), (["sshd", "su", "sudo"].map(str::to_owned).to_vec(), true));
    }

    #[test]
    fn a_profile_that_is_enabled_is_not_taken_back_with_the_rest() {
        let common = format!("{COMMON_AUTH}{}\n", edit::AUTH_LINE);
        let plan =
            everything_of(&[(COMMON, &common), ("sshd", "@include common-auth\n@include common-account\n")]);
        let plan = plan.unwrap();
        assert_eq!((plan.services, plan.profile, plan.files.len()), (vec!["sshd".to_owned()], false, 1));
    }

    #[test]
    fn only_lines_of_ours_are_taken_out_again() {
        let after = format!("auth required pam_unix.so nullok\n\n# of a package\n{}\n", edit::AUTH_LINE);
        let change = changed("/nowhere".into(), "auth required pam_unix.so\n".into(), after).unwrap();
        assert_eq!(change.unwrap().added, [edit::AUTH_LINE]);
    }

    #[test]
    fn what_was_edited_since_it_was_looked_at_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sshd");
        let new = changed(file.clone(), "a\n".into(), "a\nb\n".into()).unwrap().unwrap();
        assert!(refuse_edited(std::slice::from_ref(&new)).is_ok(), "there is none, as before");
        fs::write(&file, "a\n").unwrap();
        assert!(refuse_edited(&[new]).is_err(), "there was none");
        let change = changed(file.clone(), "a\n".into(), "a\nb\n".into()).unwrap().unwrap();
        assert!(refuse_edited(std::slice::from_ref(&change)).is_ok());
        fs::write(&file, "a\ntheirs\n").unwrap();
        assert!(refuse_edited(&[change]).unwrap_err().message.contains("was edited"));
    }
}
