//! Whom Start looked up, for the Answer that follows: a login asks the system's databases once. Each entry serves one
//! Answer. Only who the person is comes from here; what the policy demands of them is decided anew.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::names::Groups;
use crate::names::Person;

/// At most [`MOST`] people, for [`KEPT`].
#[derive(Default)]
pub(super) struct Recent {
    people: Mutex<HashMap<String, Seen>>,
}

struct Seen {
    person: Person,
    groups: Groups,
    at: Instant,
}

impl Recent {
    /// Remembers the person of this name, and which groups were asked about.
    pub(super) fn note(&self, name: &str, person: &Person, groups: &Groups, now: Instant) {
        let mut people = self.people();
        if people.len() >= MOST {
            people.retain(|_, seen| seen.is_fresh(now));
        }
        if people.len() < MOST {
            let seen = Seen { person: person.clone(), groups: groups.clone(), at: now };
            people.insert(name.to_owned(), seen);
        }
    }

    /// The person of this name, once, if the same groups were asked about not long ago.
    pub(super) fn take(&self, name: &str, groups: &Groups, now: Instant) -> Option<Person> {
        let seen = self.people().remove(name)?;
        (seen.is_fresh(now) && seen.groups == *groups).then_some(seen.person)
    }

    fn people(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn alice() -> Person {
        let identity = Identity { uid: Uid::new(1000).unwrap(), name: AccountName::new("alice").unwrap() };
        Person { identity, groups: vec![27] }
    }

    #[test]
    fn a_person_is_remembered_for_one_answer_within_the_time() {
        let (recent, groups, now) = (Recent::default(), Groups::default(), monotonic());
        recent.note("alice", &alice(), &groups, now);
        assert_eq!(recent.take("alice", &groups, now + KEPT / 2), Some(alice()));
        assert_eq!(recent.take("alice", &groups, now + KEPT / 2), None);
        recent.note("alice", &alice(), &groups, now);
        assert_eq!(recent.take("alice", &groups, now + KEPT), None);
    }

    #[test]
    fn other_groups_are_another_question() {
        let (recent, now) = (Recent::default(), monotonic());
        recent.note("alice", &alice(), &Groups::default(), now);
        let more = Groups { needed: vec![4], optional: None };
        assert_eq!(recent.take("alice", &more, now), None);
    }

    #[test]
    fn a_crowd_of_beginners_takes_no_more_than_its_room() {
        let (recent, groups, now) = (Recent::default(), Groups::default(), monotonic());
        (0..MOST + 9).for_each(|n| recent.note(&n.to_string(), &alice(), &groups, now));
        assert_eq!(recent.people().len(), MOST);
        recent.note("late", &alice(), &groups, now + KEPT);
        assert_eq!(recent.people().len(), 1);
    }
}
