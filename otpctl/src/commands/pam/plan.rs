//! What would change, and what logins would be like then. Nothing is changed here.

use std::path::PathBuf;

use super::diff;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::pam::edit;
use crate::site::Site;
use crate::switch::EVERYTHING;
use crate::switch::FileChange;
use crate::switch::Records;
use crate::switch::profile;

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
    let keys_let_in = site.is_sshd(&name);
    let after = edit::guarded(&site.stacks, &site.modules, &name, keys_let_in).map_err(no_place)?;
    let own = site.stacks.own_file(&name);
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
pub(super) fn for_everything(site: &Site, records: &Records) -> Result<Plan, Failure> {
    if !profile::is_there() {
        let say = "--all is Debian's pam-auth-update with otpd's profile, and one of them is not here. Name the services instead";
        return Err(Failure::new(Exit::Refused, "no_profile", say));
    }
    let common = site.stacks.own_file(COMMON);
    let (_, before) =
        site.stacks.read(COMMON).ok_or_else(|| no_place(format!("there is no {}", common.display())))?;
    let after = {
        let _lock = records.lock()?;
        profile::preview(&records.scratch())?
    };
    let asked = |site: &Site| -> Vec<String> {
        let services = site.stacks.services().into_iter().filter(|service| !service.starts_with("common-"));
        services.filter(|service| site.judge(service).asks).collect()
    };
    let already = asked(site);
    let mut imagined = site.with(site.stacks.imagine(&common, &after));
    let services: Vec<String> =
        asked(&imagined).into_iter().filter(|service| !already.contains(service)).collect();
    let mut files: Vec<FileChange> = changed(common, before, after)?.into_iter().collect();
    for service in services.iter().filter(|service| site.is_sshd(service)) {
        let plan = for_service(&imagined, service)?;
        files.extend(plan.files);
        imagined = plan.site;
    }
    Ok(Plan { name: EVERYTHING.to_owned(), profile: !files.is_empty(), files, services, site: imagined })
}

/// The change of a file, if it is one.
fn changed(file: PathBuf, before: String, after: String) -> Result<Option<FileChange>, Failure> {
    if before == after {
        return Ok(None);
    }
    if before.contains(char::REPLACEMENT_CHARACTER) {
        return Err(no_place(format!("{} is no UTF-8 text, and would not stay what it is", file.display())));
    }
    let added = diff::added(&before, &after);
    // What a vendor's file says is copied, and the copy goes again.
    let before = file.exists().then_some(before);
    Ok(Some(FileChange { file, before, after, added }))
}

fn no_place(say: String) -> Failure {
    Failure::new(Exit::Refused, "no_place", format!("nothing was changed: {say}"))
}

const COMMON: &str = "common-auth";
