use std::convert::Infallible;

use super::*;

fn key() -> ChainKey {
    ChainKey::new(&[7; ChainKey::LENGTH])
}

fn contents(words: &str) -> Contents {
    [Field::Number(1), Field::from(Some(words)), Field::Nothing].into_iter().collect()
}

fn entry(before: Mac, number: i64, words: &str) -> Entry {
    let contents = contents(words);
    let mac = key().link(before, number, &contents);
    Entry { number, at: UnixTime(100 + number), mac, contents, is_alarm: false }
}

/// A log whose first event has this number.
fn log_from(anchor: Link, events: i64) -> Vec<Entry> {
    let mut log: Vec<Entry> = Vec::new();
    for number in anchor.number + 1..=anchor.number + events {
        let before = log.last().map_or(anchor.mac, |entry| entry.mac);
        log.push(entry(before, number, &format!("event {number}")));
    }
    log
}

fn log() -> Vec<Entry> {
    log_from(Link::START, 20)
}

fn end(log: &[Entry]) -> Link {
    log.last().map_or(Link::START, |entry| Link { number: entry.number, mac: entry.mac })
}

/// Numbers the events anew, as they stand.
fn renumber(log: &mut [Entry]) {
    (1..).zip(log).for_each(|(number, entry)| entry.number = number);
}

fn walk(log: &[Entry], anchor: Option<Link>, noted: &[Link], most: u32) -> Vec<Flaw> {
    let mut walk = Walk::begin(anchor);
    let mut flaws = Vec::new();
    loop {
        let rest = log.iter().filter(|entry| entry.number > walk.last).cloned();
        let passed = walk.clone().pass(&key(), rest.map(Ok::<_, Infallible>), noted, most).unwrap();
        flaws.extend(passed.flaws);
        walk = passed.walk;
        if !passed.more {
            return flaws;
        }
    }
}

/// What is found in a log that ended with event 20, whatever the size of a page.
fn found(log: &[Entry]) -> Vec<(Defect, i64, i64)> {
    let noted = [end(&self::log())];
    let whole = walk(log, Some(Link::START), &noted, 1000);
    for most in [1, 2, 7, 20] {
        assert_eq!(walk(log, Some(Link::START), &noted, most), whole, "{most} a page");
    }
    whole.iter().map(|flaw| (flaw.defect, flaw.number, flaw.last)).collect()
}

#[test]
fn a_log_as_it_was_written_is_whole() {
    assert_eq!(found(&log()), []);
    let anchor = Link { number: 7, mac: Mac([9; 16]) };
    let log = log_from(anchor, 5);
    assert_eq!(walk(&log, Some(anchor), &[end(&log)], 2), []);
    assert_eq!(walk(&[], Some(Link::START), &[Link::START], 2), []);
}

#[test]
fn a_changed_event_is_named_whatever_of_it_changed() {
    for at in 0..20_usize {
        let number = i64::try_from(at).unwrap() + 1;
        let mut log = log();
        log[at].contents = contents("nothing happened");
        assert_eq!(found(&log), [(Defect::Changed, number, number)]);
        log = self::log();
        log[at].mac.0[15] ^= 1;
        assert_eq!(found(&log), [(Defect::Changed, number, number)]);
    }
}

#[test]
fn an_event_made_anew_with_another_key_is_named() {
    let mut log = log();
    let other = ChainKey::new(&[8; ChainKey::LENGTH]);
    log[9].contents = contents("nothing happened");
    log[9].mac = other.link(log[8].mac, 10, &log[9].contents);
    log[10].mac = other.link(log[9].mac, 11, &log[10].contents);
    let flaws = walk(&log, Some(Link::START), &[], 1000);
    assert_eq!((flaws[0].defect, flaws[0].number), (Defect::Changed, 10));
    assert_eq!(flaws[0].unchecked, Some(11));
    assert_eq!(flaws.len(), 2, "the event behind both no longer fits: {flaws:?}");
}

#[test]
fn a_removed_event_is_named() {
    for at in 0..19_usize {
        let number = i64::try_from(at).unwrap() + 1;
        let mut log = log();
        log.remove(at);
        assert_eq!(found(&log), [(Defect::Removed, number, number)]);
        log = self::log();
        log.drain(at..(at + 5).min(19));
        assert_eq!(found(&log), [(Defect::Removed, number, (number + 4).min(19))]);
    }
}

#[test]
fn a_removed_event_is_named_though_the_rest_was_renumbered() {
    for at in 0..18_usize {
        for count in [1, 3] {
            let number = i64::try_from(at).unwrap() + 1;
            let mut log = log();
            log.drain(at..(at + count).min(18));
            renumber(&mut log);
            let last = (number + i64::try_from(count).unwrap() - 1).min(18);
            assert_eq!(found(&log), [(Defect::Removed, number, last)]);
        }
    }
}

#[test]
fn an_inserted_event_is_named_and_what_follows_is_not() {
    for at in 0..=20_usize {
        let number = i64::try_from(at).unwrap() + 1;
        let mut log = log();
        log.insert(at, entry(Mac([3; 16]), number, "forged"));
        renumber(&mut log);
        assert_eq!(found(&log), [(Defect::Inserted, number, number)]);
        // Even if it carries what the attacker can copy.
        log = self::log();
        log.insert(at, Entry { contents: contents("forged"), ..log[at.min(19)].clone() });
        renumber(&mut log);
        assert_eq!(found(&log), [(Defect::Inserted, number, number)]);
    }
}

#[test]
fn an_event_far_behind_the_end_is_inserted_and_nothing_was_removed() {
    for number in [22, 1000, i64::MAX] {
        let mut log = log();
        log.push(Entry { number, ..log[19].clone() });
        assert_eq!(found(&log), [(Defect::Inserted, number, number)]);
    }
}

#[test]
fn two_events_that_changed_places_are_named() {
    for (first, second) in [(3, 4), (3, 5), (3, 12), (0, 19), (18, 19)] {
        for macs_stay in [false, true] {
            let mut log = log();
            log.swap(first, second);
            if macs_stay {
                let mac = log[first].mac;
                log[first].mac = log[second].mac;
                log[second].mac = mac;
            }
            renumber(&mut log);
            let found = found(&log);
            let numbers: Vec<i64> = found.iter().map(|flaw| flaw.1).collect();
            let places = [first, second].map(|at| i64::try_from(at).unwrap() + 1);
            let named = |place: &i64| numbers.iter().any(|number| number.abs_diff(*place) <= 1);
            assert!(places.iter().all(named), "{found:?}");
            // Of two neighbours with their MACs one can be said to have been put in front of the other as well.
            if second > first + 1 || macs_stay {
                assert!(found.contains(&(Defect::Moved(places[0]), places[1], places[1])), "{found:?}");
            }
        }
    }
}

#[test]
fn a_moved_event_is_named_with_the_place_that_it_left() {
    let mut log = log();
    let moved = log.remove(4);
    log.insert(10, moved);
    renumber(&mut log);
    assert!(found(&log).contains(&(Defect::Moved(5), 11, 11)), "{:?}", found(&log));
}

#[test]
fn a_cut_at_the_end_is_named() {
    for kept in 0..20_usize {
        let cut = i64::try_from(kept).unwrap() + 1;
        assert_eq!(found(&log()[..kept]), [(Defect::Cut, cut, 20)]);
    }
}

#[test]
fn a_log_that_was_exchanged_for_another_differs_from_what_was_noted() {
    let mut other = log_from(Link::START, 12);
    let before = other[11].mac;
    other.push(entry(before, 13, "another history"));
    let noted = [Link { number: 13, mac: log()[12].mac }];
    let flaws = walk(&other, Some(Link::START), &noted, 1000);
    assert_eq!(
        flaws.iter().map(|flaw| (flaw.defect, flaw.number)).collect::<Vec<_>>(),
        [(Defect::Replaced, 13)]
    );
}

#[test]
fn any_number_of_alterations_at_once_is_found() {
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for round in 0..500 {
        let mut log = log();
        for _ in 0..=next(4) {
            let at = next(log.len());
            match next(6) {
                0 => log[at].contents = contents("nothing happened"),
                1 => log[at].mac.0[next(16)] ^= 1,
                2 => drop(log.remove(at)),
                3 => log.insert(at, log[at].clone()),
                4 => log[at].number += 1000,
                _ => log[at].contents = log[next(20).min(at)].contents.clone(),
            }
            if next(2) == 0 {
                renumber(&mut log);
            }
        }
        log.sort_by_key(|entry| entry.number);
        log.dedup_by_key(|entry| entry.number);
        let as_it_was = |(now, then): (&Entry, &Entry)| {
            (now.number, now.mac, &now.contents) == (then.number, then.mac, &then.contents)
        };
        let whole = log.len() == 20 && log.iter().zip(&self::log()).all(as_it_was);
        assert_eq!(found(&log).is_empty(), whole, "round {round}: {log:?}");
    }
}

#[test]
fn no_two_events_read_the_same() {
    let all = |fields: &[Field<'_>]| fields.iter().copied().collect::<Contents>();
    let (a, b, ab) = (Field::Text(b"a"), Field::Text(b"b"), Field::Text(b"ab"));
    let empty = Field::Text(b"");
    let different = [
        all(&[a, b]),
        all(&[ab]),
        all(&[ab, empty]),
        all(&[empty, ab]),
        all(&[ab, Field::Nothing]),
        all(&[Field::Number(0)]),
        all(&[Field::Nothing]),
        all(&[Field::Text(&[0; 8])]),
        all(&[Field::Odd]),
        all(&[]),
    ];
    for (at, one) in different.iter().enumerate() {
        assert!(different.iter().skip(at + 1).all(|other| other != one), "{one:?}");
    }
}

#[test]
fn a_seal_is_good_for_its_own_place_and_link() {
    let link = Link { number: 5, mac: Mac([1; 16]) };
    let seal = key().seal(Place::Anchor, link);
    assert_ne!(seal, key().seal(Place::Head, link));
    assert_ne!(seal, key().seal(Place::Anchor, Link { number: 6, ..link }));
    assert_ne!(seal, key().seal(Place::Anchor, Link { mac: Mac([2; 16]), ..link }));
}

#[test]
fn a_link_is_read_as_it_is_written() {
    let link = Link { number: 2034, mac: Mac([0xab; 16]) };
    assert_eq!(link.to_string(), format!("2034:{}", "ab".repeat(16)));
    assert_eq!(link.to_string().parse(), Ok(link));
    assert_eq!(link.to_string().to_uppercase().parse(), Ok(link));
    let hex = "ab".repeat(16);
    for wrong in
        ["", ":", "5", &hex, &format!("5:{hex}0"), &format!("-1:{hex}"), &format!("5:{}", &hex[2..]), "5:zz"]
    {
        assert_eq!(wrong.parse::<Link>(), Err(NotALink), "{wrong}");
    }
}

/// As somebody writes them who has no key: at the place of event 10 and behind it, in a log that goes on there.
fn with_unchained(events: usize) -> Vec<Entry> {
    let mut log = log();
    log.iter_mut().skip(9).take(events).for_each(|entry| entry.mac = Mac::NONE);
    for at in 9 + events..log.len() {
        log[at].mac = key().link(log[at - 1].mac, log[at].number, &log[at].contents);
    }
    log
}

#[test]
fn events_without_a_mac_are_named_and_what_was_chained_behind_them_is_not() {
    for events in 1..=11 {
        let log = with_unchained(events);
        let flaws = walk(&log, Some(Link::START), &[end(&log)], 3);
        let named: Vec<_> = flaws.iter().map(|flaw| (flaw.defect, flaw.number, flaw.unchecked)).collect();
        let expected: Vec<_> = (10..).take(events).map(|number| (Defect::Unchained, number, None)).collect();
        assert_eq!(named, expected);
    }
}

#[test]
fn an_event_is_still_missed_if_its_mac_alone_is_gone() {
    let mut log = log();
    log[9].mac = Mac::NONE;
    assert_eq!(found(&log), [(Defect::Changed, 10, 10)]);
}
