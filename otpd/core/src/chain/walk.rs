//! A walk along the chain, a page of events at a time, and what is wrong on the way. Where one event does not fit, the
//! one behind it shows what was done: whose MAC it continues, and at which number.

use super::ChainKey;
use super::Entry;
use super::Link;
use super::Mac;
use crate::time::UnixTime;

/// How far a walk has come, and what it must know to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// The number of the last event that was passed, as it stands there.
    pub last: i64,
    /// What the next event has to continue; `None` behind something that cannot be known.
    pub mac: Option<Mac>,
    /// How much too high the numbers are, because events were inserted (or too low, because some were removed) and the
    /// rest was renumbered.
    pub shift: i64,
    /// Places whose own event was not there, oldest first: it may stand elsewhere. The last few of them.
    pub holes: Vec<Hole>,
}

/// A place whose own event was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Its number.
    pub number: i64,
    /// What its event continues.
    pub before: Mac,
    /// The MAC that stands there now.
    pub there: Mac,
}

/// Something wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// What.
    pub defect: Defect,
    /// The first event that is meant.
    pub number: i64,
    /// The last one.
    pub last: i64,
    /// What the event says of its time; of removed events, what the next one says.
    pub at: Option<UnixTime>,
    /// An event behind it that cannot be checked because of it.
    pub unchecked: Option<i64>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// Events are missing.
    Removed,
    /// The event is not what was written there.
    Changed,
    /// Events were not written by the daemon.
    Inserted,
    /// The event carries no MAC: written without the key, by whomever.
    Unchained,
    /// The event belongs where this number is.
    Moved(i64),
    /// The log's end is missing.
    Cut,
    /// Another event stands where one was noted.
    Replaced,
    /// The daemon found the log altered itself, and says so in this event.
    Alarm,
    /// Where the log begins is not authentic.
    Anchor,
    /// Where the log had come to is not authentic.
    Head,
}

/// One page of a walk.
#[derive(Debug)]
pub struct Passed {
    /// How to go on.
    pub walk: Walk,
    /// What is wrong, in the order of the log.
    pub flaws: Vec<Flaw>,
    /// Whether there is more.
    pub more: bool,
}

impl Walk {
    /// Begins behind the anchor; without one, the first event is taken as it is.
    #[must_use]
    pub fn begin(anchor: Option<Link>) -> Self {
        let last = anchor.map_or(0, |anchor| anchor.number);
        Self { last, mac: anchor.map(|anchor| anchor.mac), shift: 0, holes: Vec::new() }
    }

    /// Passes at most `most` of the events behind the last one. `noted` are links that the log once had.
    ///
    /// # Errors
    /// Those of reading the events.
    pub fn pass<E>(
        mut self,
        key: &ChainKey,
        entries: impl IntoIterator<Item = Result<Entry, E>>,
        noted: &[Link],
        most: u32,
    ) -> Result<Passed, E> {
        let end = noted.iter().map(|link| link.number).max().unwrap_or(0);
        let mut entries = entries.into_iter();
        let mut flaws = Vec::new();
        let mut current = entries.next().transpose()?;
        for _ in 0..most {
            let Some(entry) = current.take_if(|_| flaws.len() < MOST_FLAWS) else { break };
            current = entries.next().transpose()?;
            match self.step(key, &entry, current.as_ref(), end) {
                Some(flaw) => flaws.push(flaw),
                None => flaws.extend(self.compare(&entry, noted)),
            }
        }
        let more = current.is_some();
        let reached = self.last.saturating_sub(self.shift);
        // An end that was noted after a renumbering has the number that it got by that.
        let is_end = noted.iter().any(|link| link.number == end && self.mac == Some(link.mac));
        if !more && reached < end && !is_end {
            flaws.push(Flaw { last: end, ..Flaw::of(Defect::Cut, reached.saturating_add(1)) });
        }
        Ok(Passed { walk: self, flaws, more })
    }

    /// Passes one event. `next` is the one behind it, and `end` the highest number that is known to have been.
    fn step(&mut self, key: &ChainKey, entry: &Entry, next: Option<&Entry>, end: i64) -> Option<Flaw> {
        let due = self.last.saturating_add(1);
        let before = self.mac.replace(entry.mac);
        self.last = entry.number;
        let number = due.saturating_sub(self.shift);
        if entry.number > due && number > end {
            // Not removed: there never were any.
            self.mac = before;
            self.shift = entry.number.saturating_sub(number).saturating_add(1);
            return Some(Flaw::at(Defect::Inserted, entry));
        }
        if entry.number > due {
            before.into_iter().for_each(|before| self.dig(number, before, Mac::NONE));
            let last = entry.number.saturating_sub(self.shift).saturating_sub(1);
            let unchecked = Some(entry.number);
            return Some(Flaw { defect: Defect::Removed, number, last, at: Some(entry.at), unchecked });
        }
        let due = before.map(|before| (before, key.link(before, number, &entry.contents)));
        match due {
            Some((before, due)) if due != entry.mac => {
                let at = Step { key, entry, number, before, due, next };
                Some(self.judge(&at, end))
            }
            Some(_) if entry.is_alarm => Some(Flaw::at(Defect::Alarm, entry)),
            _ => None,
        }
    }

    /// What became of the place where an event does not fit.
    fn judge(&mut self, at: &Step<'_>, end: i64) -> Flaw {
        let Step { entry, number, .. } = *at;
        let whence = self.holes.iter().find(|hole| hole.lacks(at.key, entry)).map(|hole| hole.number);
        let mut flaw = Flaw::at(Defect::Changed, entry);
        if at.next_continues(at.before, number) || (at.next.is_none() && number > end) {
            flaw.defect = Defect::Inserted;
            (self.mac, self.shift) = (Some(at.before), self.shift.saturating_add(1));
        } else if at.is_unchained() {
            flaw.defect = Defect::Unchained;
        } else {
            self.dig(number, at.before, entry.mac);
            let following = number.saturating_add(1);
            if at.next_continues(at.due, following) {
                self.mac = Some(at.due);
            } else if at.next.is_some() && !at.next_continues(entry.mac, following) {
                self.renumber(at, &mut flaw);
            }
        }
        if let Some(whence) = whence {
            flaw.defect = Defect::Moved(whence);
        }
        flaw
    }

    /// Neither this event fits nor the one behind it, which shows whether the rest was renumbered.
    fn renumber(&mut self, at: &Step<'_>, flaw: &mut Flaw) {
        let place = at.entry.number;
        let following = at.number.saturating_add(1);
        let fits = |by: &i64| at.next_continues(at.entry.mac, following.saturating_add(*by));
        match (1..=LOST).chain(-ADDED..0).find(fits) {
            Some(by) if by > 0 => {
                flaw.defect = Defect::Removed;
                (flaw.number, flaw.last) = (at.number, at.number.saturating_add(by).saturating_sub(1));
                flaw.unchecked = Some(place);
                self.shift = self.shift.saturating_sub(by);
            }
            Some(by) => {
                flaw.defect = Defect::Inserted;
                (flaw.number, flaw.last) = (place.saturating_add(by), place.saturating_sub(1));
                flaw.unchecked = Some(place);
                self.shift = self.shift.saturating_sub(by);
            }
            None if at.next_fills(self.holes.last()) => {}
            None => {
                flaw.unchecked = Some(place.saturating_add(1));
                self.mac = None;
            }
        }
    }

    /// Another event than one that was noted, though the chain is whole: all of it was replaced.
    fn compare(&self, entry: &Entry, noted: &[Link]) -> Option<Flaw> {
        let number = entry.number.saturating_sub(self.shift);
        let differs = |link: &Link| link.number == number && link.mac != entry.mac;
        noted.iter().any(differs).then(|| Flaw::at(Defect::Replaced, entry))
    }

    fn dig(&mut self, number: i64, before: Mac, there: Mac) {
        if self.holes.len() >= HOLES {
            self.holes.remove(0);
        }
        self.holes.push(Hole { number, before, there });
    }
}

impl Flaw {
    /// Of a number that no event is known for.
    #[must_use]
    pub fn of(defect: Defect, number: i64) -> Self {
        Self { defect, number, last: number, at: None, unchecked: None }
    }

    /// Of this one event.
    fn at(defect: Defect, entry: &Entry) -> Self {
        Self { defect, number: entry.number, last: entry.number, at: Some(entry.at), unchecked: None }
    }
}

/// An event that does not fit, and what stands around it.
struct Step<'a> {
    key: &'a ChainKey,
    entry: &'a Entry,
    /// The number that it should have been written with.
    number: i64,
    before: Mac,
    /// The MAC that it should have.
    due: Mac,
    next: Option<&'a Entry>,
}

impl Step<'_> {
    /// Whether the next event was written behind one with this MAC, and with this number.
    fn next_continues(&self, mac: Mac, number: i64) -> bool {
        // Behind a gap it was not.
        let adjacent = self.next.filter(|next| next.number == self.entry.number.saturating_add(1));
        adjacent.is_some_and(|next| self.key.link(mac, number, &next.contents) == next.mac)
    }

    /// Whether it was written without a MAC, rather than robbed of the one that the next event continues.
    fn is_unchained(&self) -> bool {
        self.entry.mac == Mac::NONE && !self.next_continues(self.due, self.number.saturating_add(1))
    }

    /// Whether the next event is the one that is missing there.
    fn next_fills(&self, hole: Option<&Hole>) -> bool {
        self.next.zip(hole).is_some_and(|(next, hole)| hole.lacks(self.key, next))
    }
}

impl Hole {
    /// Whether the event was written here, whether its MAC came along or stayed.
    fn lacks(&self, key: &ChainKey, entry: &Entry) -> bool {
        let mac = key.link(self.before, self.number, &entry.contents);
        mac == entry.mac || mac == self.there
    }
}

/// So many, and a page ends: a reply has room for them.
const MOST_FLAWS: usize = 100;
/// Holes that are remembered.
const HOLES: usize = 16;
/// By so many numbers a renumbering is recognised: of removed events, of added ones.
const LOST: i64 = 1000;
const ADDED: i64 = 64;
