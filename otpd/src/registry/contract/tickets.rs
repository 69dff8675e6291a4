//! Tickets of the web.

use otpd_core::ticket::NewTicket;
use otpd_core::ticket::Scope;
use otpd_core::ticket::Seen;
use otpd_core::ticket::Ticket;
use otpd_core::ticket::TicketChange;
use otpd_core::ticket::TicketId;

use super::*;

fn mark(byte: u8) -> Mark {
    Mark([byte; 16])
}

fn new(byte: u8, whose: &Identity, scope: Scope) -> NewTicket {
    NewTicket {
        mark: mark(byte),
        who: whose.clone(),
        scope,
        issued: NOW,
        expires: NOW.plus(Duration::from_secs(86_400)),
        address: Some("192.0.2.1".into()),
        agent: Some("Mozilla".into()),
        device: Some("phone".into()),
    }
}

fn change<R: Registry>(registry: &R, change: TicketChange) -> u32 {
    registry.change_tickets(change, event("alice", 1)).unwrap()
}

/// A ticket and, beside it, one of a visit that came of it.
pub(super) fn issue<R: Registry>(registry: &R, byte: u8, whose: &Identity) -> (Ticket, Ticket) {
    assert_eq!(change(registry, TicketChange::Issue(new(byte, whose, Scope::Account))), 1);
    let ticket = registry.ticket(mark(byte)).unwrap().unwrap();
    let scope = Scope::Visit { parent: ticket.id, host: "nas".into() };
    assert_eq!(change(registry, TicketChange::Issue(new(byte + 100, whose, scope))), 1);
    (ticket, registry.ticket(mark(byte + 100)).unwrap().unwrap())
}

fn left<R: Registry>(registry: &R, whose: &Identity) -> Vec<TicketId> {
    registry.tickets(whose).unwrap().into_iter().map(|ticket| ticket.id).collect()
}

pub(super) fn a_ticket_is_known_by_its_mark_until_it_ends<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    let (ticket, visit) = issue(&**registry, 1, &alice);
    assert_eq!((ticket.seen, ticket.password_at, ticket.code_at), (NOW, NOW, None));
    assert_eq!((ticket.agent.as_deref(), ticket.device.as_deref()), (Some("Mozilla"), Some("phone")));
    assert_eq!(visit.scope, Scope::Visit { parent: ticket.id, host: "nas".into() });
    assert_eq!(registry.tickets(&alice).unwrap(), [visit.clone(), ticket.clone()]);
    assert!(registry.ticket(mark(9)).unwrap().is_none() && left(&**registry, &who(1000, "bob")).is_empty());
    // Nobody else ends it, and with it goes its visit.
    let end = |whose: &Identity| TicketChange::End { who: whose.clone(), id: ticket.id };
    assert_eq!(change(&**registry, end(&who(1001, "alice"))), 0);
    assert_eq!(change(&**registry, end(&alice)), 2);
    assert!(left(&**registry, &alice).is_empty());
    let scope = Scope::Visit { parent: ticket.id, host: "nas".into() };
    assert_eq!(change(&**registry, TicketChange::Issue(new(3, &alice, scope))), 0, "signed out on the way");
    let events = registry.events(&EventQuery { limit: 99, ..EventQuery::default() }).unwrap();
    assert_eq!(events.len(), 3, "of what came to nothing there is no event");
}

pub(super) fn a_renewed_ticket_has_another_mark_and_keeps_its_visits<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    let (ticket, visit) = issue(&**registry, 1, &alice);
    let at = NOW.plus(Duration::from_secs(700));
    let renew = |from: u8| TicketChange::Renew { mark: mark(from), new: mark(9), at };
    assert_eq!((change(&**registry, renew(101)), change(&**registry, renew(7))), (0, 0));
    assert_eq!(change(&**registry, renew(1)), 1);
    assert_eq!(registry.ticket(mark(1)).unwrap(), None);
    assert_eq!(change(&**registry, TicketChange::Prove { id: ticket.id, at }), 1);
    let renewed = registry.ticket(mark(9)).unwrap().unwrap();
    assert_eq!(renewed, Ticket { password_at: at, seen: at, code_at: Some(at), ..ticket });
    assert_eq!(registry.ticket(mark(101)).unwrap(), Some(visit));
}

pub(super) fn all_tickets_of_a_number_or_a_name_end_but_one_and_its_visits<R: Registry>(registry: &Arc<R>) {
    let (alice, bob) = (who(1000, "alice"), who(1001, "bob"));
    let (acting, visit) = issue(&**registry, 1, &alice);
    issue(&**registry, 2, &alice);
    issue(&**registry, 3, &bob);
    // With a change of the account, whose event is there too.
    bind(&**registry, &alice, "phone");
    let end = TicketChange::end_all(&alice, Some(acting.id));
    registry.change(&alice, move |_, journal| journal.tickets(end, Some(event("alice", 2)))).unwrap();
    assert_eq!(left(&**registry, &alice), [visit.id, acting.id]);
    assert_eq!(left(&**registry, &bob).len(), 2);
    let events = registry.events(&EventQuery { limit: 99, ..EventQuery::default() }).unwrap();
    assert_eq!(events.last().unwrap().at, UnixTime(2));
    let by_name = TicketChange::EndAll { uid: None, name: Some("alice".into()), but: None };
    assert_eq!(change(&**registry, by_name), 2);
    let by_uid = TicketChange::EndAll { uid: Some(bob.uid), name: None, but: None };
    assert_eq!(change(&**registry, by_uid), 2);
}

pub(super) fn what_a_ticket_asked_for_ends_with_it<R: Registry>(registry: &Arc<R>) {
    let (alice, bob) = (who(1000, "alice"), who(1001, "bob"));
    let (ticket, _) = issue(&**registry, 1, &alice);
    bind(&**registry, &alice, "phone");
    let announce = |text: &'static str| {
        move |account: &mut Account, _: &mut Journal| account.announce = Some(text.into())
    };
    let change_by = |text| registry.change_by(Some(ticket.id), &alice, announce(text));
    assert_eq!(change_by("while it is there"), Ok(Some(())));
    assert_eq!(change(&**registry, TicketChange::end_all(&alice, None)), 2);
    assert_eq!(change_by("too late"), Err(RegistryError::SignedOut));
    let made = registry.change_or_create_by(Some(ticket.id), &bob, announce("too late"));
    assert_eq!(made, Err(RegistryError::SignedOut));
    let account = registry.find(&alice).unwrap().unwrap();
    assert_eq!(account.announce.as_deref(), Some("while it is there"));
    assert!(registry.find(&bob).unwrap().is_none());
}

pub(super) fn of_too_many_tickets_the_oldest_goes<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    let (first, _) = issue(&**registry, 1, &alice);
    let (second, _) = issue(&**registry, 2, &alice);
    (3..=50).for_each(|byte| {
        assert_eq!(change(&**registry, TicketChange::Issue(new(byte, &alice, Scope::Account))), 1)
    });
    assert_eq!(left(&**registry, &alice).len(), 52);
    change(&**registry, TicketChange::Issue(new(51, &alice, Scope::Account)));
    let ids = left(&**registry, &alice);
    assert_eq!(ids.len(), 51, "and its visit");
    assert!(!ids.contains(&first.id) && ids.contains(&second.id));
}

pub(super) fn what_was_over_or_not_used_is_swept_a_few_at_a_time<R: Registry>(registry: &Arc<R>) {
    let alice = who(1000, "alice");
    let (first, _) = issue(&**registry, 1, &alice);
    issue(&**registry, 2, &alice);
    let seen = Seen { at: NOW.plus(Duration::from_secs(60)), address: None };
    registry.note_seen(vec![(first.id, seen), (TicketId(99), Seen { at: NOW, address: None })]).unwrap();
    let noted = registry.ticket(mark(1)).unwrap().unwrap();
    assert_eq!((noted.seen, noted.address), (UnixTime(NOW.0 + 60), None));
    let sweep = |now, since, most| registry.sweep_tickets(now, since, most).unwrap();
    assert_eq!(sweep(NOW, UnixTime(NOW.0 - 1), 9), 0);
    assert_eq!(sweep(NOW, NOW, 1), 1);
    while sweep(NOW, NOW, 1) > 0 {}
    assert_eq!(left(&**registry, &alice), [first.id]);
    issue(&**registry, 3, &alice);
    assert!(sweep(NOW.plus(Duration::from_secs(86_400)), UnixTime(0), 9) > 0);
    assert!(left(&**registry, &alice).is_empty());
    issue(&**registry, 4, &alice);
    assert!(sweep(UnixTime(NOW.0 - 1), UnixTime(0), 9) > 0, "from the future: the clock went back");
}
