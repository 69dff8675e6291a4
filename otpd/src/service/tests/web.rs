//! Sign-ins on the web, on a clock of the test's own.

use otpd_core::name::AccountName;
use otpd_core::name::Identity;
use otpd_core::name::Uid;
use otpd_core::registry::EventQuery;
use otpd_core::ticket::Ticket;
use otpd_proto::account::DevicesParameters;
use otpd_proto::account::EndSignInsParameters;
use otpd_proto::account::SignInsParameters;
use otpd_proto::login::ticket::IssueTicketParameters;
use otpd_proto::login::ticket::RenewTicketParameters;
use otpd_proto::web as wire;

use super::*;

/// otpd-web.
const WEB: u32 = 12_345;

fn web() -> Peer {
    Peer::new(Door::Web, WEB)
}

fn signing_in() -> Service<Memory> {
    service_with(Policy::default())
}

fn service_with(policy: Policy) -> Service<Memory> {
    let (idle, absolute) = (Duration::from_secs(3600), Duration::from_secs(86_400));
    service(Settings { web: Some(WEB), idle, absolute, ..settings(policy) })
}

fn login_of(user: &str, service: &str) -> Login {
    let (user, service, rhost) = (user.into(), service.into(), Some("192.0.2.7".into()));
    Login { user, service, rhost, ..Login::default() }
}

fn issue(service: &Service<Memory>, user: &str, now: UnixTime) -> Result<Secret, Failure> {
    let call = IssueTicketParameters { login: login_of(user, "otpd-web"), agent: Some("Mozilla".into()) };
    service.issue_ticket(ROOT, &call, now).map(|issued| issued.ticket)
}

fn renew(service: &Service<Memory>, user: &str, ticket: &Secret, now: UnixTime) -> Result<Secret, Failure> {
    let call = RenewTicketParameters { login: login_of(user, "otpd-web-password"), ticket: ticket.clone() };
    service.renew_ticket(ROOT, &call, now).map(|issued| issued.ticket)
}

fn sign_in_with(service: &Service<Memory>, user: &str, code: &Secret, now: UnixTime) -> Secret {
    let next = service.answer(ROOT, &login_of(user, "otpd-web"), code, now).unwrap();
    assert!(matches!(next, Next::Accept { .. }), "{next:?}");
    issue(service, user, now).unwrap()
}

fn who(service: &Service<Memory>, ticket: &Secret, now: UnixTime) -> Result<wire::Holder, Failure> {
    service.who(web(), &wire::WhoParameters { ticket: ticket.clone(), address: None }, now)
}

fn holder(service: &Service<Memory>, ticket: &Secret, now: UnixTime) -> Peer {
    service.holder(web(), ticket, Some("192.0.2.9"), now).unwrap()
}

fn begin(service: &Service<Memory>, peer: Peer, now: UnixTime) -> Result<Secret, Failure> {
    let call = BeginParameters { name: Some("tablet".into()), ..BeginParameters::default() };
    service.begin(peer, &call, now).map(|begun| begun.key)
}

fn visit(service: &Service<Memory>, ticket: &Secret, host: &str, now: UnixTime) -> Result<Secret, Failure> {
    let call = wire::HandOffParameters { ticket: ticket.clone(), host: host.into() };
    let word = service.hand_off(web(), &call, now)?.word;
    let call = wire::VisitParameters { word, host: host.into(), address: None, agent: None };
    service.visit(web(), &call, now).map(|visit| visit.ticket)
}

fn check(
    service: &Service<Memory>,
    ticket: &Secret,
    host: &str,
    now: UnixTime,
) -> Result<wire::Visitor, Failure> {
    let call = wire::CheckParameters { ticket: ticket.clone(), host: host.into(), address: None };
    service.check(web(), &call, now)
}

fn last_event(service: &Service<Memory>) -> (String, String, String) {
    let query = EventQuery { limit: 1, tail: true, ..EventQuery::default() };
    let event = service.registry.events(&query).unwrap().remove(0);
    (event.kind, event.decision, event.reason)
}

#[test]
fn only_root_has_tickets_made_and_only_otpd_web_brings_them() {
    let service = signing_in();
    let call = IssueTicketParameters { login: login_of(USER, "otpd-web"), agent: None };
    let elsewhere = Peer { door: Door::Account, ..ROOT };
    for peer in [own(USER), elsewhere, Peer { is_root: false, ..Peer::new(Door::Login, 2) }, web()] {
        assert_eq!(reason(service.issue_ticket(peer, &call, NOW)), Reason::NotPermitted, "{peer:?}");
    }
    let ticket = issue(&service, USER, NOW).unwrap();
    let call = || wire::WhoParameters { ticket: ticket.clone(), address: None };
    for stranger in [own(USER), Peer::new(Door::Web, WEB + 1)] {
        assert_eq!(reason(service.who(stranger, &call(), NOW)), Reason::NotPermitted);
    }
    assert_eq!(who(&service, &ticket, NOW).unwrap().user, USER);
    // Of itself it is nobody.
    assert_eq!(reason(service.status(web(), &StatusParameters::default(), NOW)), Reason::NotPermitted);
}

#[test]
fn where_a_code_is_needed_a_ticket_takes_one_of_this_service_and_of_the_last_minutes() {
    let service = signing_in();
    let phone = Phone::bind(&service, USER, NOW);
    assert_eq!(reason(issue(&service, USER, NOW)), Reason::CodeNeeded);
    let answer = |service_name: &str, code: &Secret, now| {
        service.answer(ROOT, &login_of(USER, service_name), code, now).unwrap()
    };
    assert!(matches!(answer("sshd", &phone.code(NOW), NOW), Next::Accept { .. }));
    assert_eq!(reason(issue(&service, USER, NOW)), Reason::CodeNeeded);
    assert!(matches!(answer("otpd-web", &phone.code(at(30)), at(30)), Next::Accept { .. }));
    assert_eq!(reason(issue(&service, USER, at(630))), Reason::CodeNeeded);
    assert!(matches!(answer("otpd-web", &phone.code(at(660)), at(660)), Next::Accept { .. }));
    let ticket = issue(&service, USER, at(1259)).unwrap();
    assert_eq!(who(&service, &ticket, at(1259)).unwrap().device.as_deref(), Some("phone"));
    assert_eq!(reason(issue(&service, USER, at(1259))), Reason::CodeNeeded, "once");
    assert_eq!(last_event(&service), ("sign_in".into(), "refuse".into(), "code_needed".into()));
}

#[test]
fn whoever_uses_the_services_name_on_account_sock_gets_no_ticket_for_it() {
    let service = signing_in();
    let phone = Phone::bind(&service, USER, NOW);
    let login = login_of(USER, "otpd-web");
    assert!(matches!(service.answer(own(USER), &login, &phone.code(NOW), NOW).unwrap(), Next::Accept { .. }));
    assert_eq!(reason(issue(&service, USER, NOW)), Reason::CodeNeeded);
}

#[test]
fn who_must_have_a_device_gets_no_ticket_without_one() {
    let service = service_with(Policy { require_everyone: true, ..Policy::default() });
    assert_eq!(reason(issue(&service, USER, NOW)), Reason::CodeNeeded);
    let week = Duration::from_secs(7 * 86_400);
    let graced = service_with(Policy { require_everyone: true, grace: week, ..Policy::default() });
    assert!(issue(&graced, USER, NOW).is_ok());
}

#[test]
fn each_kind_of_ticket_is_for_its_service() {
    let service = signing_in();
    let issue_at = |name: &str| {
        let call = IssueTicketParameters { login: login_of(USER, name), agent: None };
        reason(service.issue_ticket(ROOT, &call, NOW))
    };
    for name in ["sshd", "otpd-web-password", "", "otpd-web "] {
        assert_eq!(issue_at(name), Reason::WrongService, "{name:?}");
    }
    let ticket = issue(&service, USER, NOW).unwrap();
    let call = RenewTicketParameters { login: login_of(USER, "otpd-web"), ticket: ticket.clone() };
    assert_eq!(reason(service.renew_ticket(ROOT, &call, NOW)), Reason::WrongService);
    assert_eq!(reason(renew(&service, ADMIN, &ticket, NOW)), Reason::SignedOut, "somebody else's password");
    assert!(who(&service, &ticket, NOW).is_ok());
}

#[test]
fn a_ticket_ends_without_use_after_a_day_and_when_the_clock_goes_back() {
    let service = signing_in();
    let ticket = issue(&service, USER, NOW).unwrap();
    assert_eq!(reason(who(&service, &ticket, at(-1))), Reason::SignedOut);
    let mut now = 0;
    while now + 3599 < 86_400 {
        now += 3599;
        who(&service, &ticket, at(now)).unwrap();
        service.note_seen();
    }
    assert_eq!(reason(who(&service, &ticket, at(86_400))), Reason::SignedOut);
    assert_eq!(service.sweep_tickets(at(86_400)).unwrap(), 1);
    let idle = issue(&service, USER, NOW).unwrap();
    assert!(who(&service, &idle, at(59)).is_ok(), "to the minute");
    assert_eq!(reason(who(&service, &idle, at(3600))), Reason::SignedOut);
    for none in ["", "A", &"A".repeat(43), &"A".repeat(9999)] {
        assert_eq!(reason(who(&service, &Secret::new(none.into()), NOW)), Reason::SignedOut);
    }
}

#[test]
fn looking_at_a_page_records_nothing_and_a_stop_loses_no_use() {
    let service = signing_in();
    let ticket = issue(&service, USER, NOW).unwrap();
    let known = || service.registry.ticket(service.keys.mark_ticket(&ticket)).unwrap().unwrap().seen;
    (0..120).for_each(|second| drop(who(&service, &ticket, at(second)).unwrap()));
    assert_eq!(known(), NOW);
    service.note_seen();
    assert_eq!(known(), at(60));
    assert_eq!(service.registry.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap().len(), 1);
}

#[test]
fn a_change_takes_the_password_of_the_last_ten_minutes_and_what_it_began_does_not() {
    let service = signing_in();
    let ticket = issue(&service, USER, NOW).unwrap();
    assert!(
        service.devices(holder(&service, &ticket, at(600)), &DevicesParameters::default(), at(600)).is_ok()
    );
    assert_eq!(reason(begin(&service, holder(&service, &ticket, at(600)), at(600))), Reason::PasswordNeeded);
    assert_eq!(last_event(&service), ("bind".into(), "refuse".into(), "password_needed".into()));
    let renewed = renew(&service, USER, &ticket, at(600)).unwrap();
    assert_eq!(reason(who(&service, &ticket, at(600))), Reason::SignedOut, "the new one took its place");
    let now = at(1199);
    let key = begin(&service, holder(&service, &renewed, now), now).unwrap();
    let phone = Phone(Key::from_base32(key.expose_secret()).unwrap());
    let late = at(1260);
    let confirm = ConfirmParameters { user: None, device: "tablet".into(), code: phone.code(late) };
    let confirmed = service.confirm(holder(&service, &renewed, late), &confirm, late).unwrap();
    assert!(confirmed.first && confirmed.device.created_from.as_deref() == Some("192.0.2.9"));
    // The day ends when it would have.
    assert_eq!(who(&service, &renewed, late).unwrap().expires, at(86_400).0);
}

#[test]
fn a_code_on_the_web_is_told_from_one_of_otpctl_and_counts_like_it() {
    let service = signing_in();
    let phone = Phone::bind(&service, USER, NOW);
    let ticket = sign_in_with(&service, USER, &phone.code(NOW), NOW);
    let rename = |code: Secret, now| {
        let call = otpd_proto::account::RenameParameters {
            user: None,
            device: "phone".into(),
            name: "Phone".into(),
            code: Some(code),
        };
        service.rename(holder(&service, &ticket, now), &call, now)
    };
    assert_eq!(reason(rename(wrong(), at(30))), Reason::CodeWrong);
    let status = service.status(own(USER), &StatusParameters::default(), at(30)).unwrap();
    assert_eq!((status.lanes[0].lane.as_str(), status.lanes[0].failures, status.sign_ins), ("own", 1, 1));
    let renamed = rename(phone.code(at(30)), at(30)).unwrap().device;
    assert_eq!(renamed.last_service.as_deref(), Some("otpd-web"));
    assert_eq!(renamed.last_address.as_deref(), Some("192.0.2.9"));
    let query = EventQuery { limit: 1, tail: true, ..EventQuery::default() };
    let event = service.registry.events(&query).unwrap().remove(0);
    assert_eq!((event.service.as_deref(), event.address.as_deref()), (Some("otpd-web"), Some("192.0.2.9")));
}

#[test]
fn a_change_of_the_protection_ends_every_other_sign_in() {
    let service = signing_in();
    let (mine, other) = (issue(&service, USER, NOW).unwrap(), issue(&service, USER, NOW).unwrap());
    let bobs = issue(&service, ADMIN, NOW).unwrap();
    let (visit_of_mine, visit_of_other) =
        (visit(&service, &mine, "nas", NOW).unwrap(), visit(&service, &other, "nas", NOW).unwrap());
    let key = begin(&service, holder(&service, &mine, NOW), NOW).unwrap();
    assert!(who(&service, &other, NOW).is_ok(), "nothing changed yet");
    let phone = Phone(Key::from_base32(key.expose_secret()).unwrap());
    let confirm = ConfirmParameters { user: None, device: "tablet".into(), code: phone.code(NOW) };
    service.confirm(holder(&service, &mine, NOW), &confirm, NOW).unwrap();
    assert!(who(&service, &mine, NOW).is_ok() && check(&service, &visit_of_mine, "nas", NOW).is_ok());
    assert_eq!(reason(who(&service, &other, NOW)), Reason::SignedOut);
    assert_eq!(reason(check(&service, &visit_of_other, "nas", NOW)), Reason::SignedOut);
    // By otpctl nobody is signed in who could stay.
    let off = ProofParameters { user: None, code: Some(phone.code(at(30))) };
    service.off(own(USER), &off, at(30)).unwrap();
    assert_eq!(reason(who(&service, &mine, at(30))), Reason::SignedOut);
    assert!(who(&service, &bobs, at(30)).is_ok());
}

#[test]
fn a_recovery_anywhere_and_a_reset_end_every_sign_in() {
    let service = signing_in();
    let phone = Phone::bind(&service, USER, NOW);
    let ticket = sign_in_with(&service, USER, &phone.code(NOW), NOW);
    let codes = ProofParameters { user: None, code: Some(phone.code(at(30))) };
    let codes = service.new_codes(own(USER), &codes, at(30)).unwrap().codes;
    assert!(who(&service, &ticket, at(30)).is_ok());
    let next = service.answer(ROOT, &login(None), &codes[0], at(40)).unwrap();
    assert!(matches!(next, Next::Accept { .. }));
    assert_eq!(reason(who(&service, &ticket, at(40))), Reason::SignedOut);
    assert_eq!(last_event(&service), ("sign_ins_ended".into(), "accept".into(), "ok".into()));
    let ticket = sign_in_with(&service, USER, &codes[1], at(50));
    let seen = who(&service, &ticket, at(50)).unwrap();
    assert_eq!((seen.device, seen.rebind_until), (None, Some(at(50 + 1800).0)));
    let root = Peer { door: Door::Account, uid: Uid::new(0), ..ROOT };
    service.reset(root, &ResetParameters { user: USER.into(), code: None }, at(60)).unwrap();
    assert_eq!(reason(who(&service, &ticket, at(60))), Reason::SignedOut);
}

#[test]
fn what_was_asked_for_before_a_sign_in_ended_is_not_done_after_it() {
    let service = signing_in();
    let phone = Phone::bind(&service, USER, NOW);
    let ticket = sign_in_with(&service, USER, &phone.code(NOW), NOW);
    let codes = ProofParameters { user: None, code: Some(phone.code(at(30))) };
    let codes = service.new_codes(own(USER), &codes, at(30)).unwrap().codes;
    // The ticket is looked at, then its owner recovers, and only then the change has its turn.
    let late = holder(&service, &ticket, at(40));
    let next = service.answer(ROOT, &login(None), &codes[0], at(40)).unwrap();
    assert!(matches!(next, Next::Accept { .. }));
    let off = || ProofParameters::default();
    assert_eq!(reason(service.off(late, &off(), at(40))), Reason::SignedOut);
    assert_eq!(reason(service.new_codes(late, &off(), at(40))), Reason::SignedOut);
    assert_eq!(reason(begin(&service, late, at(40))), Reason::SignedOut);
    assert!(service.status(own(USER), &StatusParameters::default(), at(40)).unwrap().protected);
    // Whoever still is who they were may.
    service.off(own(USER), &off(), at(40)).unwrap();
}

#[test]
fn an_administrators_code_stands_for_nothing_once_their_sign_in_ended() {
    let service = signing_in();
    let admin_group = service.names.group(ADMIN).unwrap();
    service.set_settings(Settings { admin_group, ..Settings::clone(&service.settings()) });
    Phone::bind(&service, USER, NOW);
    let phone = Phone::bind(&service, ADMIN, NOW);
    let ticket = sign_in_with(&service, ADMIN, &phone.code(NOW), NOW);
    let unlock =
        |peer, code| service.unlock(peer, &ProofParameters { user: Some(USER.into()), code }, at(31));
    unlock(holder(&service, &ticket, at(30)), Some(phone.code(at(30)))).unwrap();
    let late = holder(&service, &ticket, at(31));
    unlock(late, None).unwrap();
    service.sign_out(web(), &wire::SignOutParameters { ticket }, at(31)).unwrap();
    assert_eq!(reason(unlock(late, None)), Reason::SignedOut);
    assert_eq!(reason(unlock(late, Some(phone.code(at(60))))), Reason::SignedOut);
    let audit = otpd_proto::admin::AuditParameters::default();
    assert_eq!(reason(service.audit(late, &audit, at(31))), Reason::SignedOut);
}

#[test]
fn every_look_at_the_audit_log_on_the_web_is_recorded() {
    let service = signing_in();
    let admin_group = service.names.group(ADMIN).unwrap();
    service.set_settings(Settings { admin_group, ..Settings::clone(&service.settings()) });
    let phone = Phone::bind(&service, ADMIN, NOW);
    let ticket = sign_in_with(&service, ADMIN, &phone.code(NOW), NOW);
    let looks = || {
        let query = EventQuery { kind: Some("read".into()), limit: 99, ..EventQuery::default() };
        service.registry.events(&query).unwrap().len()
    };
    let look = |after, before, code| {
        let call = otpd_proto::admin::AuditParameters { after, before, code, ..Default::default() };
        service.audit(holder(&service, &ticket, at(30)), &call, at(30)).unwrap();
    };
    look(None, Some(i64::MAX), Some(phone.code(at(30))));
    assert_eq!(looks(), 1);
    look(None, Some(1), None);
    look(Some(0), None, None);
    look(None, None, None);
    assert_eq!(looks(), 4);
}

#[test]
fn root_is_no_more_than_an_administrator_on_the_web_and_proves_it_for_each_sign_in() {
    let service = signing_in();
    Phone::bind(&service, USER, NOW);
    let own_root = Peer { is_root: false, ..Peer::new(Door::Account, 0) };
    let call = BeginParameters { name: Some("phone".into()), ..BeginParameters::default() };
    let begun = service.begin(own_root, &call, NOW).unwrap();
    let phone = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    let confirm = ConfirmParameters { user: None, device: "phone".into(), code: phone.code(NOW) };
    service.confirm(own_root, &confirm, NOW).unwrap();
    let one = sign_in_with(&service, "root", &phone.code(at(30)), at(30));
    let two = sign_in_with(&service, "root", &phone.code(at(60)), at(60));
    assert!(who(&service, &one, at(60)).unwrap().admin);
    let unlock = |ticket: &Secret, code: Option<Secret>, now| {
        let call = ProofParameters { user: Some(USER.into()), code };
        service.unlock(holder(&service, ticket, now), &call, now)
    };
    assert_eq!(reason(unlock(&one, None, at(90))), Reason::CodeNeeded);
    unlock(&one, Some(phone.code(at(90))), at(90)).unwrap();
    unlock(&one, None, at(91)).unwrap();
    assert_eq!(who(&service, &one, at(91)).unwrap().code_until, Some(at(690).0));
    assert_eq!(reason(unlock(&two, None, at(91))), Reason::CodeNeeded, "not for another sign-in");
    let here = ProofParameters { user: Some(USER.into()), code: None };
    assert_eq!(reason(service.off(own("root"), &here, at(91))), Reason::NotPermitted, "nor for a terminal");
    // What is root's alone is not there.
    let adopt = otpd_proto::admin::AdoptParameters { user: USER.into(), dry_run: None };
    assert_eq!(reason(service.adopt(holder(&service, &one, at(91)), &adopt, at(91))), Reason::NotPermitted);
}

#[test]
fn root_gets_no_ticket_by_a_password_alone() {
    let service = signing_in();
    let refused = ("sign_in".into(), "refuse".into(), "not_protected".into());
    assert_eq!(reason(issue(&service, "root", NOW)), Reason::NotProtected, "never heard of");
    assert_eq!(last_event(&service), refused);
    let own_root = Peer { is_root: false, ..Peer::new(Door::Account, 0) };
    begin(&service, own_root, NOW).unwrap();
    assert_eq!(reason(issue(&service, "root", NOW)), Reason::NotProtected, "begun and not confirmed");
    assert_eq!(last_event(&service), refused);
}

#[test]
fn sign_ins_are_listed_and_ended_by_their_owner() {
    let service = signing_in();
    let (mine, other) = (issue(&service, USER, NOW).unwrap(), issue(&service, USER, at(1)).unwrap());
    let away = visit(&service, &other, "Files.Example.org", at(2)).unwrap();
    let list = |now| {
        service.sign_ins(holder(&service, &mine, now), &SignInsParameters::default(), now).unwrap().sign_ins
    };
    let listed = list(at(3));
    let places: Vec<_> = listed.iter().map(|one| (one.host.as_deref(), one.current)).collect();
    assert_eq!(places, [(Some("files.example.org"), false), (None, false), (None, true)]);
    assert_eq!(
        (listed[1].agent.as_deref(), listed[1].address.as_deref()),
        (Some("Mozilla"), Some("192.0.2.7"))
    );
    let end =
        |peer, id| service.end_sign_ins(peer, &EndSignInsParameters { id, ..Default::default() }, at(4));
    assert_eq!(reason(end(own(ADMIN), Some(listed[1].id))), Reason::NoSuchSignIn, "somebody else's");
    assert_eq!(end(holder(&service, &mine, at(4)), Some(listed[1].id)).unwrap().ended, 2, "and its visit");
    assert_eq!(reason(check(&service, &away, "files.example.org", at(4))), Reason::SignedOut);
    assert_eq!(last_event(&service).0, "sign_ins_ended");
    issue(&service, USER, at(4)).unwrap();
    assert_eq!(end(holder(&service, &mine, at(4)), None).unwrap().ended, 1);
    assert_eq!(list(at(5)).len(), 1);
    assert_eq!(end(own(USER), None).unwrap().ended, 1, "and from a terminal all");
}

#[test]
fn a_full_list_of_sign_ins_fits_into_a_message() {
    let service = signing_in();
    let agent = Some("\"".repeat(200));
    for number in 0..i64::from(Ticket::MOST) {
        let call = IssueTicketParameters { login: login_of(USER, "otpd-web"), agent: agent.clone() };
        let ticket = service.issue_ticket(ROOT, &call, at(number)).unwrap().ticket;
        for host in ["one", "two"] {
            let call = wire::HandOffParameters { ticket: ticket.clone(), host: host.into() };
            let word = service.hand_off(web(), &call, at(number)).unwrap().word;
            let call = wire::VisitParameters { word, host: host.into(), address: None, agent: agent.clone() };
            service.visit(web(), &call, at(number)).unwrap();
        }
    }
    let listed = service.sign_ins(own(USER), &SignInsParameters::default(), at(60)).unwrap();
    assert!((60..=100).contains(&listed.sign_ins.len()), "{}", listed.sign_ins.len());
    assert!(otpd_proto::message::encode_reply(&listed).is_ok());
}

#[test]
fn a_visit_is_good_at_its_host_and_for_nothing_else() {
    let service = signing_in();
    let ticket = issue(&service, USER, NOW).unwrap();
    let away = visit(&service, &ticket, "nas:8443", NOW).unwrap();
    let visitor = check(&service, &away, "NAS:8443", NOW).unwrap();
    assert!(visitor.user == USER && visitor.groups.contains(&USER.to_owned()), "{visitor:?}");
    for host in ["nas", "nas:443", "other"] {
        assert_eq!(reason(check(&service, &away, host, NOW)), Reason::SignedOut, "{host}");
    }
    assert_eq!(reason(check(&service, &away, "no host", NOW)), Reason::BadHost);
    assert_eq!(
        reason(check(&service, &ticket, "nas:8443", NOW)),
        Reason::SignedOut,
        "the account's own is none"
    );
    assert_eq!(reason(who(&service, &away, NOW)), Reason::SignedOut);
    assert_eq!(reason(service.holder(web(), &away, None, NOW)), Reason::SignedOut);
    assert_eq!(reason(renew(&service, USER, &away, NOW)), Reason::SignedOut);
    assert_eq!(reason(visit(&service, &away, "nas", NOW)), Reason::SignedOut);
    // While it is in use the account is not idle, and ends with its day.
    (1..24).for_each(|hour| drop(check(&service, &away, "nas:8443", at(hour * 3599)).unwrap()));
    assert!(who(&service, &ticket, at(23 * 3599)).is_ok());
    assert_eq!(reason(check(&service, &away, "nas:8443", at(86_400))), Reason::SignedOut);
}

#[test]
fn a_word_is_good_once_and_at_its_host() {
    let service = signing_in();
    let ticket = issue(&service, USER, NOW).unwrap();
    let hand_off = || {
        let call = wire::HandOffParameters { ticket: ticket.clone(), host: "nas".into() };
        service.hand_off(web(), &call, NOW).unwrap().word
    };
    let bring = |word: &Secret, host: &str| {
        let call =
            wire::VisitParameters { word: word.clone(), host: host.into(), address: None, agent: None };
        service.visit(web(), &call, NOW)
    };
    let word = hand_off();
    assert!(bring(&word, "nas").is_ok());
    assert_eq!(reason(bring(&word, "nas")), Reason::SignedOut);
    let word = hand_off();
    assert_eq!(reason(bring(&word, "evil")), Reason::SignedOut);
    assert_eq!(last_event(&service), ("hand_off".into(), "refuse".into(), "bad_host".into()));
    assert_eq!(reason(bring(&word, "nas")), Reason::SignedOut, "it is used up");
    let word = hand_off();
    service.sign_out(web(), &wire::SignOutParameters { ticket: ticket.clone() }, NOW).unwrap();
    assert_eq!(reason(bring(&word, "nas")), Reason::SignedOut, "signed out on the way");
    assert_eq!(reason(who(&service, &ticket, NOW)), Reason::SignedOut);
}

#[test]
fn who_is_signed_in_has_a_budget_of_calls_and_what_proxies_ask_takes_none_of_it() {
    let service = signing_in().with_calls_per_minute(4);
    // Dispatched calls read the box's clock.
    let now = crate::clock::now();
    let (ticket, others) = (issue(&service, USER, now).unwrap(), issue(&service, ADMIN, now).unwrap());
    let status = |ticket: &Secret| {
        let call = serde_json::json!({
            "method": "org.otpd.Web.As",
            "parameters": {
                "ticket": ticket.expose_secret(), "method": "org.otpd.Account.Status", "parameters": {},
            },
        });
        match crate::dispatch::dispatch(&service, web(), call.to_string().as_bytes(), None) {
            crate::dispatch::Outcome::Reply(reply) => String::from_utf8(reply.to_vec()).unwrap(),
            _ => panic!("no reply"),
        }
    };
    // A word and its visit are two.
    let away = visit(&service, &ticket, "nas", now).unwrap();
    (0..9).for_each(|_| drop(check(&service, &away, "nas", now).unwrap()));
    (0..2).for_each(|_| assert!(status(&ticket).contains(USER)));
    let refused = status(&ticket);
    assert!(refused.contains(wire::REFUSED) && refused.contains(wire::TOO_MANY_CALLS), "{refused}");
    assert!(matches!(visit(&service, &ticket, "nas", now), Err(Failure::TooManyCalls)));
    assert!(check(&service, &away, "nas", now).is_ok() && status(&others).contains(ADMIN));
}

#[test]
fn a_ticket_of_somebody_who_was_renamed_is_over() {
    let service = signing_in();
    let new = otpd_core::ticket::NewTicket {
        mark: service.keys.mark_ticket(&Secret::new("A".repeat(43))),
        who: Identity { uid: Uid::new(2).unwrap(), name: AccountName::new("was-bin").unwrap() },
        scope: otpd_core::ticket::Scope::Account,
        issued: NOW,
        expires: at(86_400),
        address: None,
        agent: None,
        device: None,
    };
    let event = Event::of_daemon(NOW, Decision::Accept, Reason::Ok, None);
    service.registry.change_tickets(otpd_core::ticket::TicketChange::Issue(new), event).unwrap();
    assert_eq!(reason(who(&service, &Secret::new("A".repeat(43)), NOW)), Reason::SignedOut);
}
