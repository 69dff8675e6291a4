//! Where names come from: the system's databases, or the files of a disk that is mounted somewhere. Of such a disk no
//! code is run: what its nsswitch.conf names is neither ours nor made for this machine.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::Gid;
use nix::unistd::Group;
use nix::unistd::Uid;
use nix::unistd::User;

use super::NoAnswer;

/// A user database.
#[derive(Debug)]
pub enum Database {
    /// Whatever NSS asks on this system.
    System,
    /// The files of another one.
    Files(Files),
}

/// A passwd and a group file.
#[derive(Debug, Default)]
pub struct Files {
    users: Vec<Entry>,
    groups: Vec<Listed>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As the database spells it.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
}

/// A group as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As the database spells it.
    pub name: String,
    /// The number.
    pub gid: u32,
    /// Users by name; those whose primary group it is need not be among them.
    pub members: Vec<String>,
}

impl Database {
    /// The files of the system whose root directory is ours by now.
    ///
    /// # Errors
    /// There is no passwd file to read. Without a group file nobody is in any group.
    pub fn of_files(etc: &Path) -> std::io::Result<Self> {
        let passwd = fs::read(etc.join("passwd"))?;
        let group = fs::read(etc.join("group")).unwrap_or_default();
        Ok(Self::Files(Files::parse(&String::from_utf8_lossy(&passwd), &String::from_utf8_lossy(&group))))
    }

    /// The user of a name; `None` if there is positively nobody.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn user_named(&self, name: &str) -> Result<Option<Entry>, NoAnswer> {
        match self {
            Self::System => Ok(found(User::from_name(name))?.map(Entry::from)),
            Self::Files(files) => Ok(files.users.iter().find(|user| user.name == name).cloned()),
        }
    }

    /// The user of a number; `None` if there is positively nobody.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub(super) fn user_numbered(&self, uid: u32) -> Result<Option<Entry>, NoAnswer> {
        match self {
            Self::System => Ok(found(User::from_uid(Uid::from_raw(uid)))?.map(Entry::from)),
            Self::Files(files) => Ok(files.users.iter().find(|user| user.uid == uid).cloned()),
        }
    }

    /// Whether there is positively neither a user of this name nor one of this number.
    pub(super) fn are_gone(&self, name: &str, uid: u32) -> Result<bool, NoAnswer> {
        match self {
            Self::System => {
                // Not by `found`, which takes some errors for nobody.
                let failed = |errno: Errno| NoAnswer::Failed(errno.desc().to_owned());
                let by_name = User::from_name(name).map_err(failed)?;
                let by_uid = User::from_uid(Uid::from_raw(uid)).map_err(failed)?;
                Ok(by_name.is_none() && by_uid.is_none())
            }
            Self::Files(_) => Ok(self.user_named(name)?.is_none() && self.user_numbered(uid)?.is_none()),
        }
    }

    /// A group, given by name or by number; `None` if there is positively no such group. Its members are those whom it lists
    /// and those of the passwd file whose primary group it is.
    pub(super) fn listed(&self, named: &str) -> Result<Option<Listed>, NoAnswer> {
        let Some(mut group) = self.found(named)? else { return Ok(None) };
        let of_system = match self {
            Self::System => Self::of_files(Path::new("/etc")).ok(),
            Self::Files(_) => None,
        };
        if let Self::Files(files) = of_system.as_ref().unwrap_or(self) {
            let theirs = files.users.iter().filter(|user| user.gid == group.gid);
            group.members.extend(theirs.map(|user| user.name.clone()));
        }
        Ok(Some(group))
    }

    fn found(&self, named: &str) -> Result<Option<Listed>, NoAnswer> {
        match (self, named.parse()) {
            (Self::System, Ok(number)) => {
                Ok(found(Group::from_gid(Gid::from_raw(number)))?.map(Listed::from))
            }
            (Self::System, Err(_)) => Ok(found(Group::from_name(named))?.map(Listed::from)),
            (Self::Files(files), number) => {
                let wanted = |group: &&Listed| group.name == named || number == Ok(group.gid);
                Ok(files.groups.iter().find(wanted).cloned())
            }
        }
    }

    /// Its number.
    pub(super) fn group(&self, named: &str) -> Result<Option<u32>, NoAnswer> {
        Ok(self.found(named)?.map(|group| group.gid))
    }

    /// The names of somebody's groups. A group without a name is left out.
    pub(super) fn group_names(&self, name: &str, primary: u32) -> Result<Vec<String>, NoAnswer> {
        match self {
            Self::System => {
                let gids = all_groups(name, Gid::from_raw(primary))?.into_iter();
                let groups = gids.map(|gid| found(Group::from_gid(gid))).collect::<Result<Vec<_>, _>>()?;
                Ok(groups.into_iter().flatten().map(|group| group.name).collect())
            }
            Self::Files(files) => {
                let is_theirs = |group: &&Listed| {
                    group.gid == primary || group.members.iter().any(|member| member == name)
                };
                Ok(files.groups.iter().filter(is_theirs).map(|group| group.name.clone()).collect())
            }
        }
    }

    /// The groups of somebody, asked for as they are needed.
    pub(super) fn membership<'a>(&'a self, name: &'a str, primary: u32) -> Membership<'a> {
        Membership { database: self, name, primary, all: None }
    }
}

/// Somebody, and their groups.
pub(super) struct Membership<'a> {
    database: &'a Database,
    name: &'a str,
    primary: u32,
    all: Option<Vec<Gid>>,
}

impl Membership<'_> {
    /// Whether they are in a group; `None` if they are not, and there is no such group.
    pub(super) fn is_in(&mut self, gid: u32) -> Result<Option<bool>, NoAnswer> {
        if self.primary == gid {
            return Ok(Some(true));
        }
        let group = match self.database {
            // glibc's list of a user's groups swallows errors, so the group itself is read too: one that cannot be read is
            // an error (duo_unix CVE-2018-16838's lesson: unreadable is not "no").
            Database::System => found(Group::from_gid(Gid::from_raw(gid)))?.map(Listed::from),
            Database::Files(files) => files.groups.iter().find(|group| group.gid == gid).cloned(),
        };
        let is_listed =
            group.as_ref().is_some_and(|group| group.members.iter().any(|member| member == self.name));
        if is_listed || self.all()?.contains(&Gid::from_raw(gid)) {
            return Ok(Some(true));
        }
        Ok(group.map(|_| false))
    }

    fn all(&mut self) -> Result<&[Gid], NoAnswer> {
        let all = match (self.all.take(), self.database) {
            (Some(all), _) => all,
            (None, Database::System) => all_groups(self.name, Gid::from_raw(self.primary))?,
            (None, Database::Files(_)) => Vec::new(),
        };
        Ok(self.all.insert(all))
    }
}

impl Files {
    fn parse(passwd: &str, group: &str) -> Self {
        let user = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, ..] = fields.as_slice() else { return None };
            Some(Entry { name: (*name).to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? })
        };
        let group_of = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, members, ..] = fields.as_slice() else { return None };
            let members = members.split(',').map(ToOwned::to_owned).collect();
            Some(Listed { name: (*name).to_owned(), gid: gid.parse().ok()?, members })
        };
        Self {
            users: passwd.lines().filter_map(user).collect(),
            groups: group.lines().filter_map(group_of).collect(),
        }
    }
}

impl From<User> for Entry {
    fn from(user: User) -> Self {
        Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }
    }
}

impl From<Group> for Listed {
    fn from(group: Group) -> Self {
        Self { name: group.name, gid: group.gid.as_raw(), members: group.mem }
    }
}

fn all_groups(name: &str, primary: Gid) -> Result<Vec<Gid>, NoAnswer> {
    let name = std::ffi::CString::new(name).map_err(|error| NoAnswer::Failed(error.to_string()))?;
    nix::unistd::getgrouplist(&name, primary).map_err(|errno| NoAnswer::Failed(errno.to_string()))
}

/// "Not there" is an answer; an error is not.
fn found<T>(result: nix::Result<Option<T>>) -> Result<Option<T>, NoAnswer> {
    match result {
        Ok(found) => Ok(found),
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        Err(errno) => Err(NoAnswer::Failed(errno.desc().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0::/root:/bin/sh\n\n# no user\nalice:x:1000:100::/:\nbroken:x:many:0\nbob:x:1001";
    const GROUP: &str = "users:x:100:\nnas:x:200:bob,alice\n";

    #[test]
    fn the_files_of_a_disk_name_its_users_and_groups() {
        let files = Database::Files(Files::parse(PASSWD, GROUP));
        let alice = Entry { name: "alice".into(), uid: 1000, gid: 100 };
        assert_eq!(files.user_named("alice").unwrap(), Some(alice.clone()));
        assert_eq!(files.user_numbered(1000).unwrap(), Some(alice));
        for nobody in ["", "# no user", "broken", "bob", "ALICE"] {
            assert_eq!(files.user_named(nobody).unwrap(), None, "{nobody:?}");
        }
        assert_eq!(files.group("nas").unwrap(), Some(200));
        assert_eq!(files.group("200").unwrap(), Some(200));
        assert_eq!(files.group("wheel").unwrap(), None);
        assert_eq!(files.listed("200").unwrap().unwrap().members, ["bob", "alice"]);
        assert_eq!(
            files.listed("users").unwrap().unwrap().members,
            ["", "alice"],
            "whose primary group it is"
        );
        assert_eq!(files.membership("alice", 100).is_in(100).unwrap(), Some(true));
        assert_eq!(files.membership("alice", 100).is_in(200).unwrap(), Some(true));
        assert_eq!(files.membership("carol", 100).is_in(200).unwrap(), Some(false));
        assert_eq!(files.membership("alice", 100).is_in(300).unwrap(), None);
        assert_eq!(files.group_names("alice", 100).unwrap(), ["users", "nas"]);
    }

    #[test]
    fn without_a_passwd_file_there_is_no_database() {
        let empty = tempfile::tempdir().unwrap();
        assert!(Database::of_files(empty.path()).is_err());
        fs::write(empty.path().join("passwd"), PASSWD).unwrap();
        assert!(Database::of_files(empty.path()).unwrap().group("nas").unwrap().is_none());
    }
}
