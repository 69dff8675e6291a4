//! Whom Start began to look up, for the Answer that follows: a login asks the system's databases once, and while the
//! person is typing. Each entry serves one Answer. Only who somebody is comes from here; what the policy demands of them
//! is decided anew.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::names::Groups;
use crate::names::Pending;

/// At most [`MOST`] people, for [`KEPT`].
#[derive(Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    people: HashMap<String, Seen>,
    doubted: HashSet<String>,
}

struct Seen {
    look_up: Pending,
    groups: Groups,
    at: Instant,
}

impl Recent {
    /// Keeps a look-up of this name, with the groups that were asked about.
    pub(super) fn keep(&self, name: &str, look_up: Pending, groups: Groups, now: Instant) {
        let people = &mut self.kept().people;
        if people.len() >= MOST {
            people.retain(|_, seen| seen.is_fresh(now));
        }
        if people.len() < MOST {
            people.insert(name.to_owned(), Seen { look_up, groups, at: now });
        }
    }

    /// The look-up of this name, once, if the same groups were asked about not long ago.
    pub(super) fn take(&self, name: &str, groups: &Groups, now: Instant) -> Option<Pending> {
        let seen = self.kept().people.remove(name)?;
        (seen.is_fresh(now) && seen.groups == *groups).then_some(seen.look_up)
    }

    /// Notes that the registry knows this name as somebody else: the next Start is to look before it asks, and say so.
    pub(super) fn doubt(&self, name: &str) {
        let doubted = &mut self.kept().doubted;
        if doubted.len() < MOST {
            doubted.insert(name.to_owned());
        }
    }

    /// Whether that was noted; it is forgotten with this.
    pub(super) fn doubts(&self, name: &str) -> bool {
        self.kept().doubted.remove(name)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < KEPT
    }
}

/// Long enough to read a code off a phone.
const KEPT: Duration = Duration::from_secs(30);
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use otpd_core::name::AccountName;
    use otpd_core::name::Identity;
    use otpd_core::name::Uid;

    use super::*;
    use crate::clock::monotonic;
    use crate::names::Names;

    fn root() -> Identity {
        Identity { uid: Uid::new(0).unwrap(), name: AccountName::new("root").unwrap() }
    }

    #[test]
    fn a_look_up_serves_one_answer_within_the_time() {
        let names = Names::start().unwrap();
        let (recent, groups, now) = (Recent::default(), Groups::default(), monotonic());
        let keep = || recent.keep("root", names.begin(&root(), groups.clone()).unwrap(), groups.clone(), now);
        keep();
        let found = recent.take("root", &groups, now + KEPT / 2).unwrap().wait().unwrap().unwrap();
        assert_eq!(found.identity, root());
        assert!(recent.take("root", &groups, now + KEPT / 2).is_none());
        keep();
        assert!(recent.take("root", &groups, now + KEPT).is_none());
    }

    #[test]
    fn other_groups_are_another_question() {
        let names = Names::start().unwrap();
        let (recent, groups, now) = (Recent::default(), Groups::default(), monotonic());
        recent.keep("root", names.begin(&root(), groups.clone()).unwrap(), groups, now);
        assert!(recent.take("root", &Groups { needed: vec![4], optional: vec![] }, now).is_none());
    }

    #[test]
    fn a_crowd_of_beginners_takes_no_more_than_its_room() {
        let names = Names::start().unwrap();
        let (recent, now) = (Recent::default(), monotonic());
        let keep = |name: &str, at| {
            // However many there are, each is answered before the next is asked.
            let look_up = names.begin(&root(), Groups::default()).unwrap();
            let _ = look_up.wait();
            recent.keep(name, look_up, Groups::default(), at);
        };
        (0..MOST + 9).for_each(|number| keep(&number.to_string(), now));
        assert_eq!(recent.kept().people.len(), MOST);
        keep("late", now + KEPT);
        assert_eq!(recent.kept().people.len(), 1);
    }

    #[test]
    fn a_doubt_is_good_for_one_start() {
        let recent = Recent::default();
        recent.doubt("root");
        assert!(recent.doubts("root"));
        assert!(!recent.doubts("root"));
    }
}
