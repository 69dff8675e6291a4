//! Secure emails, mailed codes and notices, with a test in the place of otpd-mail.

use otpd_core::policy::Grants;
use otpd_core::policy::RequireEmail;
use otpd_core::registry::EventQuery;
use otpd_proto::account as wire;
use otpd_proto::mail::ClaimParameters;
use otpd_proto::mail::DoneParameters;
use otpd_proto::mail::Kind as Letter;
use otpd_proto::mail::Mailer;
use otpd_proto::mail::Message;
use otpd_proto::mail::Outcome;

use super::recover::bind_first;
use super::*;

const JANE: &str = "jane@example.org";

fn claim_as(service: &Service<Memory>, instance: &str, now: UnixTime) -> Option<Message> {
    let mailer = Mailer { instance: instance.into(), transport: "by hand".into(), problem: None };
    service.claim(ROOT, &ClaimParameters { mailer, wait: Some(0) }, || now).unwrap().message
}

fn claim(service: &Service<Memory>, now: UnixTime) -> Option<Message> {
    claim_as(service, "one", now)
}

fn done(service: &Service<Memory>, id: &str, outcome: Outcome, now: UnixTime) {
    let call = DoneParameters { id: id.into(), outcome, answer: "250 OK".into(), advice: None };
    service.done(ROOT, &call, now).unwrap();
}

/// Takes and delivers everything that is due.
fn deliver(service: &Service<Memory>, now: UnixTime) -> Vec<Message> {
    let mut delivered = Vec::new();
    while let Some(message) = claim(service, now) {
        done(service, &message.id, Outcome::Delivered, now);
        delivered.push(message);
    }
    delivered
}

fn add(
    service: &Service<Memory>,
    address: &str,
    code: Option<Secret>,
    now: UnixTime,
) -> Result<wire::EmailAdded, Failure> {
    let call = wire::AddEmailParameters { user: None, address: address.into(), language: None, code };
    service.add_email(own(USER), &call, now)
}

fn confirm(service: &Service<Memory>, code: &str, now: UnixTime) -> Result<wire::EmailConfirmed, Failure> {
    let call = wire::ConfirmEmailParameters { user: None, code: Secret::new(code.into()) };
    service.confirm_email(own(USER), &call, now)
}

/// The code of the only mail with one that is due.
fn mailed(service: &Service<Memory>, now: UnixTime) -> String {
    let codes: Vec<_> = deliver(service, now).into_iter().filter_map(|message| message.code).collect();
    let [code] = &codes[..] else { panic!("{} codes", codes.len()) };
    code.expose_secret().to_owned()
}

fn bound(service: &Service<Memory>, address: &str, code: Option<Secret>, now: UnixTime) {
    deliver(service, now);
    add(service, address, code, now).unwrap();
    confirm(service, &mailed(service, now), now).unwrap();
}

/// Protected, with a secure email, and nothing left to tell.
fn protected(settings: Settings) -> (Service<Memory>, Phone, Vec<Secret>) {
    let service = service(settings);
    bound(&service, JANE, None, NOW);
    let (phone, codes) = bind_first(&service);
    deliver(&service, NOW);
    let who = own(USER);
    let who = service.own_names.by_uid(who.uid.unwrap(), Groups::default()).unwrap().unwrap().identity;
    service.registry.change(&who, |account, _| account.announce = None).unwrap();
    (service, phone, codes)
}

fn typed(service: &Service<Memory>, rhost: Option<&str>, typed: &str, now: UnixTime) -> Next {
    service.answer(ROOT, &login(rhost), &Secret::new(typed.into()), now).unwrap()
}

#[track_caller]
fn asked(next: &Next) -> &str {
    match next {
        Next::Ask { prompt, echo: false, .. } if prompt.is_ascii() && prompt.len() <= 200 => prompt,
        other => panic!("{other:?}"),
    }
}

fn is_in(next: &Next) -> bool {
    matches!(next, Next::Accept { device, .. } if device == "mailed code")
}

#[test]
fn an_address_counts_after_its_code_came_back_and_is_masked_for_others() {
    let service = plain();
    assert_eq!(reason(add(&service, JANE, None, NOW)), Reason::NoMail);
    assert_eq!(reason(confirm(&service, "ABCD-EFGH", NOW)), Reason::NoSuchEmail);
    assert!(claim(&service, NOW).is_none());
    assert_eq!(reason(add(&service, "jane@", None, NOW)), Reason::BadAddress);
    add(&service, " jane@Example.org", None, NOW).unwrap();
    assert_eq!(reason(confirm(&service, "123456", NOW)), Reason::CodeMalformed);
    assert_eq!(reason(confirm(&service, "ABCD-EFGH", NOW)), Reason::CodeWrong);
    let code = mailed(&service, NOW);
    let email = confirm(&service, &code.to_lowercase().replace('-', " "), at(599)).unwrap().email;
    assert_eq!((email.address.as_str(), email.state.as_str()), (JANE, "confirmed"));
    assert_eq!(reason(confirm(&service, &code, at(599))), Reason::NoSuchEmail);
    assert_eq!(reason(add(&service, JANE, None, at(599))), Reason::AddressInUse);
    let call = wire::EmailsParameters { user: Some(USER.into()) };
    let shown = |peer| service.emails(peer, &call, NOW).unwrap().emails[0].address.clone();
    let root = Peer { door: Door::Account, uid: otpd_core::name::Uid::new(0), ..ROOT };
    assert_eq!((shown(own(USER)).as_str(), shown(root).as_str()), (JANE, JANE));
    assert_eq!(reason(service.emails(own(ADMIN), &call, NOW)), Reason::NotPermitted);
}

#[test]
fn four_addresses_in_a_row_are_one_too_many_to_be_mailed() {
    let service = plain();
    assert!(claim(&service, NOW).is_none());
    (0..3).for_each(|number| drop(add(&service, &format!("{number}@example.org"), None, NOW).unwrap()));
    assert_eq!(reason(add(&service, "4@example.org", None, at(899))), Reason::TooManyMails);
    deliver(&service, at(899));
    add(&service, "4@example.org", None, at(900)).unwrap();
}

#[test]
fn a_word_at_the_login_mails_a_code_that_lets_in_once() {
    let (service, phone, _) = protected(settings(Policy::default()));
    let said = asked(&typed(&service, Some("192.0.2.1"), " Mail ", NOW)).to_owned();
    assert!(said.starts_with("A code is on its way to j***@e***.org, good until "), "{said}");
    assert!(said.ends_with(&plain_prompt()), "{said}");
    let [message] = &deliver(&service, NOW)[..] else { panic!() };
    assert_eq!((message.kind, message.to.as_str(), message.user.as_str()), (Letter::Code, JANE, USER));
    assert_eq!((message.service.as_deref(), message.address.as_deref()), (Some("sshd"), Some("192.0.2.1")));
    let code = message.code.as_ref().unwrap().expose_secret();
    assert!(!is_in(&typed(&service, None, "ABCD-EFGH", NOW)));
    // Another login may give it, and its time is its own.
    assert!(!is_in(&typed(&service, None, code, at(600))));
    assert!(is_in(&typed(&service, None, &code.replace('-', "").to_lowercase(), at(599))));
    assert!(!is_in(&typed(&service, None, code, at(599))));
    let [notice] = &deliver(&service, at(599))[..] else { panic!() };
    assert_eq!(notice.notice.as_deref(), Some("recovery_used"));
    assert!(prompt(&service, &login(None), at(599)).starts_with("A mailed code was used "));
    let status = service.status(own(USER), &StatusParameters::default(), at(599)).unwrap();
    assert_eq!(status.rebind_until, Some(at(599 + 1800).0));
    assert!(status.news[0].starts_with("A mailed code was used"), "{:?}", status.news);
    // A device that is still there ends it.
    assert!(matches!(
        typed(&service, None, phone.code(at(660)).expose_secret(), at(660)),
        Next::Accept { .. }
    ));
    let status = service.status(own(USER), &StatusParameters::default(), at(660)).unwrap();
    assert_eq!((status.rebind_until, status.news.len()), (None, 0));
}

#[test]
fn mail_works_where_the_lane_is_closed_and_then_opens_it() {
    let (service, ..) = protected(settings(Policy::default()));
    let mut now = NOW;
    loop {
        match typed(&service, Some("192.0.2.1"), "99999999", now) {
            Next::Locked { until: None, .. } => break,
            Next::Locked { until: Some(until), .. } => now = UnixTime(until),
            _ => {}
        }
    }
    let [closed] = &deliver(&service, now)[..] else { panic!() };
    assert_eq!(closed.notice.as_deref(), Some("lane_closed"));
    let said = prompt(&service, &login(Some("192.0.2.1")), now);
    assert!(said.contains("or type mail"), "{said}");
    asked(&typed(&service, Some("192.0.2.1"), "mail", now));
    assert!(is_in(&typed(&service, Some("192.0.2.1"), &mailed(&service, now), now)));
    assert!(!prompt(&service, &login(Some("192.0.2.1")), now).contains("Closed"));
}

#[test]
fn a_stranger_uses_up_neither_the_owners_mails_nor_their_tries() {
    let (service, ..) = protected(settings(Policy::default()));
    let stranger = Some("203.0.113.9");
    for _ in 0..3 {
        assert!(asked(&typed(&service, stranger, "mail", NOW)).contains("on its way"));
    }
    assert!(asked(&typed(&service, stranger, "mail", NOW)).contains("the next one can be at"));
    assert_eq!(deliver(&service, NOW).len(), 3);
    asked(&typed(&service, None, "mail", at(1)));
    let code = mailed(&service, at(1));
    for _ in 0..10 {
        assert!(!is_in(&typed(&service, stranger, "ABCD-EFGH", at(1))));
    }
    assert!(!is_in(&typed(&service, stranger, &code, at(1))), "ten wrong ones end it there");
    assert!(is_in(&typed(&service, None, &code, at(1))));
}

#[test]
fn neither_unlocking_nor_asking_from_elsewhere_gets_round_the_quotas() {
    let service = plain();
    assert!(claim(&service, NOW).is_none());
    for number in 0..3 {
        add(&service, &format!("{number}@example.org"), None, NOW).unwrap();
    }
    let unlock = |now| service.unlock(own(USER), &ProofParameters::default(), now).map(drop);
    assert_eq!(reason(unlock(NOW)), Reason::NotProtected);
    assert_eq!(reason(add(&service, "4@example.org", None, NOW)), Reason::TooManyMails);
    let (service, ..) = protected(settings(Policy::default()));
    for _ in 0..3 {
        asked(&typed(&service, None, "mail", at(1000)));
    }
    let root = Peer { door: Door::Account, uid: otpd_core::name::Uid::new(0), ..ROOT };
    let call = ProofParameters { user: Some(USER.into()), code: None };
    service.unlock(root, &call, at(1000)).unwrap();
    assert!(asked(&typed(&service, None, "mail", at(1000))).contains("the next one can be at"));
    // And what is mailed elsewhere takes no code away here.
    deliver(&service, at(1000));
    asked(&typed(&service, Some("192.0.2.1"), "mail", at(1001)));
    let mine = mailed(&service, at(1001));
    let (service_2, ..) = protected(settings(Policy::default()));
    asked(&typed(&service_2, None, "mail", NOW));
    let owners = mailed(&service_2, NOW);
    for _ in 0..3 {
        asked(&typed(&service_2, Some("203.0.113.9"), "mail", NOW));
    }
    assert!(
        is_in(&typed(&service_2, None, &owners, NOW))
            && is_in(&typed(&service, Some("192.0.2.1"), &mine, at(1001)))
    );
}

#[test]
fn a_server_that_takes_no_made_up_address_does_not_pass_for_one_that_takes_nothing() {
    let service = plain();
    assert!(claim(&service, NOW).is_none());
    add(&service, "mallory@example.net", None, NOW).unwrap();
    let message = claim(&service, NOW).unwrap();
    let answer = "450 4.1.2 <mallory@example.net>: domain not found".to_owned();
    let call = DoneParameters { id: message.id, outcome: Outcome::Later, answer, advice: None };
    service.done(ROOT, &call, NOW).unwrap();
    let status = service.status(own(USER), &StatusParameters::default(), NOW).unwrap();
    assert_eq!(status.mail_problem, None);
    let root = Peer { door: Door::Account, uid: otpd_core::name::Uid::new(0), ..ROOT };
    let seen = service.mail_status(root, &otpd_proto::admin::MailStatusParameters::default(), NOW).unwrap();
    assert!(seen.problem.is_none() && seen.last_trouble.is_none());
}

#[test]
fn what_a_server_says_of_an_address_is_kept_without_it() {
    let (service, ..) = protected(settings(Policy::default()));
    asked(&typed(&service, None, "mail", NOW));
    let message = claim(&service, NOW).unwrap();
    let answer = format!("550 5.1.1 <{JANE}>: User unknown");
    let call = DoneParameters { id: message.id, outcome: Outcome::Failed, answer, advice: None };
    service.done(ROOT, &call, NOW).unwrap();
    let given_up = service.registry.outbox().unwrap().given_up;
    assert_eq!(given_up[0].answer, "550 5.1.1 <j•••@e•••.org>: User unknown");
    let events = service.registry.events(&EventQuery { limit: 99, ..EventQuery::default() }).unwrap();
    assert!(events.iter().all(|event| !format!("{event:?}").contains(JANE)));
}

#[test]
fn an_address_that_waited_before_the_first_device_counts_no_more_after_it() {
    let mut settings = settings(Policy::default());
    settings.recovery.require_email = RequireEmail::Never;
    let service = service(settings);
    assert!(claim(&service, NOW).is_none());
    add(&service, "mallory@example.net", None, NOW).unwrap();
    let code = mailed(&service, NOW);
    bind_first(&service);
    assert_eq!(reason(confirm(&service, &code, NOW)), Reason::NoSuchEmail);
}

#[test]
fn an_address_that_does_not_open_stands_in_the_way_of_nothing() {
    let (service, phone, _) = protected(settings(Policy::default()));
    bound(&service, "other@example.org", Some(phone.code(at(60))), at(60));
    let who = service.own_names.by_uid(own(USER).uid.unwrap(), Groups::default()).unwrap().unwrap().identity;
    service.registry.change(&who, |account, _| account.emails.0[0].address.0[40] ^= 1).unwrap();
    deliver(&service, at(60));
    let later = at(60 + 86_400);
    let status = service.status(own(USER), &StatusParameters::default(), later).unwrap();
    assert_eq!(
        status.emails.iter().map(|email| email.address.as_str()).collect::<Vec<_>>(),
        ["(sealed)", "other@example.org"]
    );
    assert!(asked(&typed(&service, None, "mail", later)).contains("on its way to o***@e***.org"));
    assert!(is_in(&typed(&service, None, &mailed(&service, later), later)));
    let call = wire::RemoveEmailParameters { user: None, email: "1".into(), code: None };
    assert_eq!(service.remove_email(own(USER), &call, later).unwrap().remaining, 1);
}

#[test]
fn no_line_pushes_out_what_must_be_told() {
    let (service, _, codes) = protected(settings(Policy::default()));
    assert!(matches!(typed(&service, None, codes[0].expose_secret(), NOW), Next::Accept { .. }));
    for _ in 0..20 {
        service.new_codes(own(USER), &ProofParameters::default(), NOW).unwrap();
    }
    let news = service.status(own(USER), &StatusParameters::default(), NOW).unwrap().news;
    assert_eq!(news.len(), 2, "{news:?}");
    assert!(news[0].starts_with("A recovery code was used"), "{news:?}");
}

#[test]
fn a_slow_mail_still_serves_after_a_second_was_asked_for() {
    let (service, ..) = protected(settings(Policy::default()));
    asked(&typed(&service, None, "mail", NOW));
    let first = mailed(&service, NOW);
    asked(&typed(&service, None, "mail", at(60)));
    assert!(is_in(&typed(&service, None, &first, at(61))));
    assert!(!is_in(&typed(&service, None, &mailed(&service, at(61)), at(61))));
}

#[test]
fn nobody_is_told_that_a_code_comes_when_none_can() {
    let (service, ..) = protected(settings(Policy::default()));
    let mailer = Mailer {
        instance: "one".into(),
        transport: "none".into(),
        problem: Some("mail is not configured".into()),
    };
    service.claim(ROOT, &ClaimParameters { mailer, wait: None }, || NOW).unwrap();
    assert!(asked(&typed(&service, None, "mail", NOW)).starts_with("This box cannot send mail now."));
    let status = service.status(own(USER), &StatusParameters::default(), NOW).unwrap();
    assert_eq!(status.mail_problem.as_deref(), Some("this box is not set up to send any"));
    // A server that takes nothing may take it later.
    assert!(claim(&service, NOW).is_none());
    asked(&typed(&service, None, "mail", NOW));
    let message = claim(&service, NOW).unwrap();
    done(&service, &message.id, Outcome::Later, NOW);
    let said = asked(&typed(&service, None, "mail", at(9))).to_owned();
    assert!(
        said.starts_with("The mail server takes nothing now; if it does, a code comes to j***@e***.org"),
        "{said}"
    );
    let status = service.status(own(USER), &StatusParameters::default(), at(9)).unwrap();
    assert_eq!(status.mail_problem.as_deref(), Some("the mail server takes nothing at the moment"));
    assert!(claim(&service, at(9)).is_some());
    let again = claim(&service, at(10)).unwrap();
    assert_eq!(again.id, message.id);
    done(&service, &again.id, Outcome::Delivered, at(10));
    assert!(asked(&typed(&service, None, "mail", at(10))).contains("on its way"));
}

#[test]
fn without_an_address_that_recovers_the_prompt_says_so() {
    let service = plain();
    bind_first(&service);
    assert!(claim(&service, NOW).is_none());
    assert!(asked(&typed(&service, None, "mail", NOW)).starts_with("There is no secure email"));
    assert!(asked(&typed(&service, None, "?", NOW)).contains("a recovery code"));
    let (service, phone, _) = protected(settings(Policy::default()));
    bound(&service, "new@example.org", Some(phone.code(at(60))), at(60));
    assert_eq!(deliver(&service, at(60)).len(), 2, "both are told of the new one");
    let call =
        wire::RemoveEmailParameters { user: None, email: JANE.into(), code: Some(phone.code(at(120))) };
    assert_eq!(service.remove_email(own(USER), &call, at(120)).unwrap().remaining, 1);
    let mut told: Vec<String> = deliver(&service, at(120)).into_iter().map(|message| message.to).collect();
    told.sort();
    assert_eq!(told, [JANE, "new@example.org"], "the old one is told too");
    assert!(asked(&typed(&service, None, "mail", at(120))).starts_with("The secure email is too new"));
    assert!(asked(&typed(&service, None, "mail", at(60 + 86_400))).contains("on its way to n***@e***.org"));
}

#[test]
fn a_code_of_somebody_else_and_one_at_account_sock_are_nothing() {
    let (service, ..) = protected(settings(Policy::default()));
    asked(&typed(&service, None, "mail", NOW));
    let code = mailed(&service, NOW);
    let other = Login { user: ADMIN.into(), ..login(None) };
    let next = service.answer(ROOT, &other, &Secret::new(code.clone()), NOW).unwrap();
    assert!(!is_in(&next), "{next:?}");
    for word in ["mail", &code] {
        let next = service.answer(own(USER), &login(None), &Secret::new(word.into()), NOW).unwrap();
        assert!(matches!(next, Next::Refuse { .. }), "{next:?}");
    }
    assert!(deliver(&service, NOW).is_empty());
    assert!(is_in(&typed(&service, None, &code, NOW)));
}

#[test]
fn where_prompts_say_nothing_the_word_tells_nothing_either() {
    let (service, ..) = protected(Settings { say_why: false, ..settings(Policy::default()) });
    let with = asked(&typed(&service, None, "mail", NOW)).to_owned();
    let without =
        service.answer(ROOT, &Login { user: ADMIN.into(), ..login(None) }, &Secret::new("mail".into()), NOW);
    assert!(!with.contains("j***"), "{with}");
    for word in ["mail", "?"] {
        let nobody = Login { user: "nobody-here".into(), ..login(None) };
        let next = service.answer(ROOT, &nobody, &Secret::new(word.into()), NOW).unwrap();
        assert_eq!(asked(&next).replace("nobody-here", USER), with);
        assert_eq!(asked(&typed(&service, None, word, NOW)), with);
    }
    assert!(matches!(without.unwrap(), Next::NotRequired { .. }));
    deliver(&service, NOW);
    for _ in 0..4 {
        assert_eq!(asked(&typed(&service, None, "mail", at(1))), with);
    }
}

#[test]
fn policy_may_open_the_binding_alone_and_some_services_alone() {
    let mut rebind = settings(Policy::default());
    rebind.recovery.grants = Grants::Rebind;
    rebind.recovery.services = vec!["sshd".into()];
    let (service, _, codes) = protected(rebind);
    let sudo = Login { service: "sudo".into(), ..login(None) };
    let next = service.answer(ROOT, &sudo, &codes[0], NOW).unwrap();
    assert!(matches!(&next, Next::Refuse { say } if say.contains("taken here, but by: sshd")), "{next:?}");
    let next = service.answer(ROOT, &login(None), &codes[0], NOW).unwrap();
    assert!(matches!(&next, Next::Refuse { say } if say.contains("otpctl bind --replace 1")), "{next:?}");
    let status = service.status(own(USER), &StatusParameters::default(), NOW).unwrap();
    assert_eq!(status.rebind_until, Some(at(1800).0));
    service
        .begin(own(USER), &BeginParameters { name: Some("new".into()), ..BeginParameters::default() }, NOW)
        .unwrap();
}

#[test]
fn the_first_device_waits_for_a_secure_email_as_the_policy_says() {
    let begin =
        |service: &Service<Memory>| service.begin(own(USER), &BeginParameters::default(), NOW).map(drop);
    let with = |require_email| {
        let mut settings = settings(Policy::default());
        settings.recovery.require_email = require_email;
        service(settings)
    };
    let service = with(RequireEmail::IfMailWorks);
    assert!(begin(&service).is_ok(), "mail does not work");
    claim(&service, NOW);
    assert_eq!(reason(begin(&service)), Reason::EmailNeeded);
    bound(&service, JANE, None, NOW);
    assert!(begin(&service).is_ok());
    assert_eq!(reason(begin(&with(RequireEmail::Always))), Reason::EmailNeeded);
    let service = with(RequireEmail::Never);
    claim(&service, NOW);
    assert!(begin(&service).is_ok());
}

#[test]
fn everything_that_happens_to_the_account_is_told_to_every_address() {
    let (service, phone, _) = protected(settings(Policy::default()));
    let notices = |now| -> Vec<String> {
        let told = deliver(&service, now);
        assert!(told.iter().all(|message| message.kind == Letter::Notice && message.to == JANE));
        told.into_iter().filter_map(|message| message.notice).collect()
    };
    let proof = |now| Some(phone.code(now));
    let call =
        BeginParameters { name: Some("second".into()), code: proof(at(60)), ..BeginParameters::default() };
    let begun = service.begin(own(USER), &call, at(60)).unwrap();
    let second = Phone(Key::from_base32(begun.key.expose_secret()).unwrap());
    let call = ConfirmParameters { user: None, device: "second".into(), code: second.code(at(60)) };
    service.confirm(own(USER), &call, at(60)).unwrap();
    assert_eq!(notices(at(60)), ["device_bound"]);
    service.new_codes(own(USER), &ProofParameters { user: None, code: proof(at(90)) }, at(90)).unwrap();
    assert_eq!(notices(at(90)), ["codes_new"]);
    let call = UnbindParameters { user: None, device: "second".into(), code: proof(at(120)) };
    service.unbind(own(USER), &call, at(120)).unwrap();
    assert_eq!(notices(at(120)), ["device_removed"]);
    service.off(own(USER), &ProofParameters { user: None, code: proof(at(150)) }, at(150)).unwrap();
    assert_eq!(notices(at(150)), ["protection_off"]);
}

#[test]
fn a_reset_is_told_to_the_addresses_that_it_forgets() {
    let (service, ..) = protected(settings(Policy::default()));
    let root = Peer { door: Door::Account, uid: otpd_core::name::Uid::new(0), ..ROOT };
    service.reset(root, &ResetParameters { user: USER.into(), code: None }, NOW).unwrap();
    let [message] = &deliver(&service, NOW)[..] else { panic!() };
    assert_eq!((message.notice.as_deref(), message.detail.as_deref()), (Some("reset"), Some("by root")));
    assert!(service.emails(own(USER), &wire::EmailsParameters::default(), NOW).unwrap().emails.is_empty());
}

#[test]
fn a_used_code_from_elsewhere_is_told_once_a_day() {
    let (service, phone, _) = protected(settings(Policy::default()));
    let reuse = |from: &str, now: UnixTime| {
        let code = phone.code(now);
        assert!(matches!(typed(&service, Some("192.0.2.1"), code.expose_secret(), now), Next::Accept { .. }));
        assert!(matches!(typed(&service, Some(from), code.expose_secret(), now), Next::Refuse { .. }));
        deliver(&service, now).into_iter().filter_map(|message| message.notice).collect::<Vec<_>>()
    };
    assert!(reuse("192.0.2.1", at(60)).is_empty(), "the same person, in a hurry");
    assert_eq!(reuse("203.0.113.9", at(120)), ["code_reused"]);
    assert!(reuse("203.0.113.9", at(180)).is_empty());
    assert_eq!(reuse("203.0.113.9", at(120 + 86_400)), ["code_reused"]);
}

#[test]
fn a_mail_is_with_one_otpd_mail_at_a_time_and_comes_back_if_that_one_is_gone() {
    let (service, ..) = protected(settings(Policy::default()));
    asked(&typed(&service, None, "mail", NOW));
    let first = claim_as(&service, "one", NOW).unwrap();
    assert!(claim_as(&service, "one", NOW).is_none());
    let second = claim_as(&service, "two", NOW).unwrap();
    assert_eq!(first.id, second.id);
    done(&service, &second.id, Outcome::Delivered, NOW);
    let call =
        DoneParameters { id: first.id, outcome: Outcome::Delivered, answer: String::new(), advice: None };
    assert_eq!(reason(service.done(ROOT, &call, NOW)), Reason::NoSuchMail);
}

#[test]
fn what_is_past_its_use_is_given_up_and_recorded() {
    let (service, ..) = protected(settings(Policy::default()));
    asked(&typed(&service, None, "mail", NOW));
    assert!(claim(&service, at(600)).is_none());
    let event =
        service.registry.events(&EventQuery { tail: true, limit: 1, ..EventQuery::default() }).unwrap();
    assert_eq!((event[0].kind.as_str(), event[0].reason.as_str()), ("mail", "mail_expired"));
    assert_eq!(event[0].user, USER);
    assert_eq!(service.registry.outbox().unwrap().given_up.len(), 1);
}

#[test]
fn only_otpd_mail_takes_mails() {
    let service = service(Settings { mailer: Some(12_345), ..settings(Policy::default()) });
    let mailer = || Mailer { instance: "one".into(), transport: String::new(), problem: None };
    let call = || ClaimParameters { mailer: mailer(), wait: None };
    assert!(service.claim(Peer::new(Door::Mail, 12_345), &call(), || NOW).is_ok());
    assert_eq!(reason(service.claim(Peer::new(Door::Mail, 12_346), &call(), || NOW)), Reason::NotPermitted);
}
