//! Who is who: users and groups from the system's databases. Look-ups run on threads of their own with a deadline,
//! because an NSS module may hang (a directory server that is gone). No answer is a refusal, never "no such user".

mod database;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::policy::Policy;

use crate::clock::monotonic;

pub use database::Database;
pub use database::Listed;

/// The look-up threads. They end when the last clone is dropped.
#[derive(Clone)]
pub struct Names {
    owned: Arc<Owned>,
    database: Arc<Database>,
}

struct Owned(Arc<Queue>);

#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    added: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// The databases gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing within the deadline.
    #[error("the user database does not answer")]
    TimedOut,
    /// An error.
    #[error("the user database cannot be read: {0}")]
    Failed(String),
}

/// The groups whose members matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// These must exist: of one that cannot be read nobody knows who is in it.
    pub needed: Vec<u32>,
    /// These may be missing: then nobody is in them.
    pub optional: Vec<u32>,
}

impl Groups {
    /// Those that decide what the policy says of somebody, and one besides. Of the groups that administrators chose any
    /// may be gone: nobody could log in any more to release it.
    #[must_use]
    pub fn of(policy: &Policy, besides: Option<u32>) -> Self {
        let optional = policy.required_by_administrators().chain(besides).collect();
        Self { needed: policy.groups().collect(), optional }
    }
}

/// A user, and which of the groups asked for they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Number and canonical name.
    pub identity: Identity,
    /// Those of the groups asked for that they are a member of.
    pub groups: Vec<u32>,
}

/// A look-up under way.
pub struct Pending(Receiver<Result<Option<Person>, NoAnswer>>);

impl Pending {
    /// Its answer, waited for if it is not there yet.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn wait(&self) -> Result<Option<Person>, NoAnswer> {
        self.0.recv_timeout(DEADLINE).map_err(|_| NoAnswer::TimedOut)?
    }
}

impl Names {
    /// Starts the threads, on this system's databases.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start() -> std::io::Result<Self> {
        Self::of(Arc::new(Database::System))
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn of(database: Arc<Database>) -> std::io::Result<Self> {
        let owned = Owned(Arc::default());
        for _ in 0..THREADS {
            let queue = Arc::clone(&owned.0);
            let work = move || queue.look_up_all();
            thread::Builder::new().name("names".into()).stack_size(STACK).spawn(work)?;
        }
        Ok(Self { owned: Arc::new(owned), database })
    }

    /// The user of this name, with those of `groups` they are in; `None` if there is positively nobody.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn by_name(&self, name: &str, groups: Groups) -> Result<Option<Person>, NoAnswer> {
        if AccountName::new(name).is_err() {
            return Ok(None);
        }
        let name = name.to_owned();
        self.ask(move |database| match database.user_named(&name)? {
            // Two names may share a uid: the canonical one is what the number leads back to.
            Some(user) => person(database, user.uid, &groups),
            None => Ok(None),
        })
    }

    /// Begins to look up the user of this name, who is known to have had this number. If that is so still, the name is
    /// the canonical one, as it was when it became known.
    ///
    /// # Errors
    /// [`NoAnswer`]: too many look-ups are under way to begin one that nobody waits for.
    pub fn begin(&self, known: &Identity, groups: Groups) -> Result<Pending, NoAnswer> {
        let known = known.clone();
        let look_up = move |database: &Database| match database.user_named(known.name.as_str())? {
            Some(user) if user.uid == known.uid.as_u32() => {
                with_groups(database, known, user.gid, &groups).map(Some)
            }
            Some(user) => person(database, user.uid, &groups),
            None => Ok(None),
        };
        let answer = self.send(look_up, MOST_BEGUN)?;
        Ok(Pending(answer))
    }

    /// The user of this number; `None` if there is positively nobody.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn by_uid(&self, uid: Uid, groups: Groups) -> Result<Option<Person>, NoAnswer> {
        self.ask(move |database| person(database, uid.as_u32(), &groups))
    }

    /// The user of this number, with the names of all their groups; `None` if there is positively nobody.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn with_group_names(&self, uid: Uid) -> Result<Option<(Identity, Vec<String>)>, NoAnswer> {
        self.ask(move |database| {
            let Some(user) = database.user_numbered(uid.as_u32())? else { return Ok(None) };
            let Ok(name) = AccountName::new(&user.name) else { return Ok(None) };
            Ok(Some((Identity { uid, name }, database.group_names(&user.name, user.gid)?)))
        })
    }

    /// Whether there is positively neither a user of this name nor one of this number. What else counts as "not there",
    /// an error number that says so, is no answer here: modules give it as well while their server is away.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn are_gone(&self, known: &Identity) -> Result<bool, NoAnswer> {
        let known = known.clone();
        self.ask(move |database| database.are_gone(known.name.as_str(), known.uid.as_u32()))
    }

    /// The number of a group, given by name or by number; `None` if there is positively no such group.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn group(&self, named: &str) -> Result<Option<u32>, NoAnswer> {
        let named = named.to_owned();
        self.ask(move |database| database.group(&named))
    }

    /// A group as it is listed, given by name or by number: its name, its number, and its members: those whom it lists,
    /// and of those whose primary group it is the ones of the passwd file. `None` if there is positively no such group.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn listed(&self, named: &str) -> Result<Option<Listed>, NoAnswer> {
        let named = named.to_owned();
        self.ask(move |database| database.listed(&named))
    }

    fn ask<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&Database) -> Result<T, NoAnswer> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        self.send(look_up, MOST_WAITED_FOR)?.recv_timeout(DEADLINE).map_err(|_| NoAnswer::TimedOut)?
    }

    fn send<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&Database) -> Result<T, NoAnswer> + Send + 'static,
        most: usize,
    ) -> Result<Receiver<Result<T, NoAnswer>>, NoAnswer> {
        let (reply, answer) = sync_channel(1);
        let asked = monotonic();
        let database = Arc::clone(&self.database);
        let job = Box::new(move || {
            // Whoever asked has given up by now; a slow database must not be asked for nothing.
            if monotonic().saturating_duration_since(asked) < DEADLINE {
                let _ = reply.send(look_up(&database));
            }
        });
        self.owned.0.add(job, most)?;
        Ok(answer)
    }
}

impl Queue {
    fn add(&self, job: Job, most: usize) -> Result<(), NoAnswer> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.waiting.len() >= most {
            return Err(NoAnswer::TimedOut);
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.added.notify_one();
        Ok(())
    }

    fn look_up_all(&self) {
        let idle = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.closed;
        loop {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let mut jobs = self.added.wait_while(jobs, idle).unwrap_or_else(PoisonError::into_inner);
            let Some(look_up) = jobs.waiting.pop_front() else { return };
            drop(jobs);
            look_up();
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.jobs.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.0.added.notify_all();
    }
}

fn person(database: &Database, uid: u32, groups: &Groups) -> Result<Option<Person>, NoAnswer> {
    let Some(user) = database.user_numbered(uid)? else { return Ok(None) };
    let named = Uid::new(uid).zip(AccountName::new(&user.name).ok());
    let Some((uid, name)) = named else { return Ok(None) };
    with_groups(database, Identity { uid, name }, user.gid, groups).map(Some)
}

fn with_groups(
    database: &Database,
    identity: Identity,
    primary: u32,
    groups: &Groups,
) -> Result<Person, NoAnswer> {
    let mut user = database.membership(identity.name.as_str(), primary);
    let mut member = Vec::new();
    for gid in &groups.needed {
        match user.is_in(*gid)? {
            Some(true) => member.push(*gid),
            Some(false) => {}
            None => return Err(NoAnswer::Failed(format!("group {gid} of the policy does not exist"))),
        }
    }
    for gid in groups.optional.iter().filter(|gid| !groups.needed.contains(gid)) {
        if user.is_in(*gid)? == Some(true) {
            member.push(*gid);
        }
    }
    Ok(Person { identity, groups: member })
}

const THREADS: usize = 4;
/// As many as there can be workers, and some.
const MOST_WAITED_FOR: usize = 512;
/// Few, so that those who wait always find room.
const MOST_BEGUN: usize = 64;
const STACK: usize = 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Identity {
        Identity { uid: Uid::new(0).unwrap(), name: AccountName::new("root").unwrap() }
    }

    fn needed(gids: &[u32]) -> Groups {
        Groups { needed: gids.to_vec(), optional: vec![] }
    }

    #[test]
    fn root_is_found_both_ways_and_strangers_are_not() {
        let names = Names::start().unwrap();
        let root = names.by_name("root", needed(&[0])).unwrap().unwrap();
        assert_eq!(root.identity.uid, Uid::new(0).unwrap());
        assert_eq!(root.groups, [0]);
        assert_eq!(
            names.by_uid(Uid::new(0).unwrap(), Groups::default()).unwrap().unwrap().identity,
            root.identity
        );
        for nobody in ["no-such-user-here", "", "a:b", "root\n", "ROOT", "0", "root@example.org"] {
            assert_eq!(names.by_name(nobody, Groups::default()).unwrap(), None, "{nobody:?}");
        }
    }

    #[test]
    fn gone_is_who_has_neither_name_nor_number() {
        let names = Names::start().unwrap();
        let who = |uid, name| Identity { uid: Uid::new(uid).unwrap(), name: AccountName::new(name).unwrap() };
        assert!(names.are_gone(&who(3_999_999_999, "no-such-user-here")).unwrap());
        for here in [who(0, "root"), who(0, "no-such-user-here"), who(3_999_999_999, "root")] {
            assert!(!names.are_gone(&here).unwrap(), "{here:?}");
        }
    }

    #[test]
    fn the_overflow_user_is_nobody() {
        assert_eq!(Names::start().unwrap().by_name("nobody", Groups::default()).unwrap(), None);
    }

    #[test]
    fn a_group_that_cannot_be_read_is_no_answer() {
        let names = Names::start().unwrap();
        assert!(matches!(names.by_name("root", needed(&[4_000_000_000])), Err(NoAnswer::Failed(_))));
        let optional = Groups { needed: vec![], optional: vec![4_000_000_000] };
        assert_eq!(names.by_name("root", optional).unwrap().unwrap().groups, [] as [u32; 0]);
        assert_eq!(names.group("root").unwrap(), Some(0));
        assert_eq!(names.group("0").unwrap(), Some(0));
        assert_eq!(names.group("no-such-group-here").unwrap(), None);
        assert_eq!(names.listed("0").unwrap().unwrap().name, "root");
        assert_eq!(names.listed("no-such-group-here").unwrap(), None);
    }

    #[test]
    fn look_ups_that_nobody_waits_for_leave_room_for_the_others() {
        let names = Names::start().unwrap();
        let (release, gate) = sync_channel::<()>(0);
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..THREADS {
            let gate = Arc::clone(&gate);
            names.owned.0.add(Box::new(move || assert!(gate.lock().unwrap().recv().is_err())), 100).unwrap();
        }
        let root = root();
        let begun: Vec<_> = (0..MOST_BEGUN * 2).map(|_| names.begin(&root, Groups::default())).collect();
        assert!(begun.iter().filter(|begun| begun.is_ok()).count() <= MOST_BEGUN);
        assert!(begun.last().unwrap().is_err());
        drop(release);
        assert!(names.by_name("root", Groups::default()).unwrap().is_some());
        assert_eq!(begun[0].as_ref().unwrap().wait().unwrap().unwrap().identity, root);
    }

    #[test]
    fn look_ups_that_hang_are_no_answer_and_hold_nobody_up_for_ever() {
        let names = Names::start().unwrap();
        let (release, gate) = sync_channel::<()>(0);
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..THREADS {
            let gate = Arc::clone(&gate);
            let hang = move || assert!(gate.lock().unwrap().recv().is_err());
            names.owned.0.add(Box::new(hang), THREADS).unwrap();
        }
        assert_eq!(names.by_name("root", Groups::default()), Err(NoAnswer::TimedOut));
        drop(release);
        assert!(names.by_name("root", Groups::default()).unwrap().is_some());
    }
}
