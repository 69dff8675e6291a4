//! Secure emails, and the outbox.

use otpd_core::account::AccountId;
use otpd_core::account::Warning;
use otpd_core::emails::Confirmation;
use otpd_core::emails::SealedAddress;
use otpd_core::outbox::Due;
use otpd_core::outbox::Fate;
use otpd_core::outbox::Mail;
use otpd_core::outbox::MailId;
use otpd_core::outbox::MailKind;

use super::*;

/// Everything that an account can have of emails and mailed codes.
pub(super) fn fill(account: &mut Account) {
    let hold = Duration::from_secs(3600);
    for byte in 1..=3 {
        account.emails.add(SealedAddress(vec![byte; 9]), Mark([byte; 16]), NOW).unwrap();
        assert_eq!(account.emails.confirm(Mark([byte; 16]), hold, NOW), Confirmation::Confirmed(byte.into()));
        if byte == 2 {
            account.emails.remove(2, hold, NOW);
        }
    }
    account.emails.remove(3, hold, NOW);
    account.emails.add(SealedAddress(vec![4; 9]), Mark([4; 16]), NOW).unwrap();
    assert_eq!(account.emails.confirm(Mark([9; 16]), hold, NOW), Confirmation::Wrong);
    let _ = account.mailed.begin(Mark([5; 16]), NOW);
    let _ = account.mailed.begin(Mark([6; 16]), NOW.plus(Duration::from_secs(1)));
    account.postage_mut(Lane::Known).send(NOW).unwrap();
    account.postage_mut(Lane::Known).send(NOW).unwrap();
    assert!(!account.recover_by_mail(Mark([7; 16]), Lane::Local, NOW));
    account.language = Some("zh_CN".into());
    account.tell("one", "one");
    account.tell("two", "two");
    account.tell("one", "one again");
    assert_eq!(account.announce.as_deref(), Some("hello\ntwo\none again"));
    assert!(account.may_warn(Warning::NoCode, NOW) && !account.may_warn(Warning::NoCode, NOW));
    assert!(account.may_warn(Warning::Reuse, NOW));
}

pub(super) fn mail(byte: u8, kind: MailKind, at: UnixTime) -> Mail {
    let (id, account) = (MailId([byte; 16]), Some(AccountId(1)));
    Mail { id, account, kind, sealed: vec![byte; 40], at, expires: at.plus(Duration::from_secs(600)) }
}

pub(super) fn post<R: Registry>(registry: &R, mail: Mail) {
    registry.change(&who(1000, "alice"), |_, journal| journal.post(mail)).unwrap().unwrap();
}

fn due<R: Registry>(registry: &R, at: UnixTime) -> Option<(MailId, u32)> {
    registry.due_mail(at, &[]).unwrap().map(|Due { mail, tries }| (mail.id, tries))
}

pub(super) fn a_mail_waits_until_a_server_has_it<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    assert_eq!((registry.next_mail().unwrap(), due(&**registry, NOW)), (None, None));
    let posted = mail(1, MailKind::Code, NOW);
    post(&**registry, posted.clone());
    assert_eq!(registry.due_mail(NOW, &[]).unwrap(), Some(Due { mail: posted.clone(), tries: 0 }));
    assert_eq!(registry.mail(posted.id).unwrap().unwrap().mail, posted);
    assert_eq!(due(&**registry, UnixTime(NOW.0 - 600)), None);
    assert!(due(&**registry, UnixTime(NOW.0 - 601)).is_some(), "the clock went back");
    assert!(registry.due_mail(NOW, &[posted.id]).unwrap().is_none());
    let next = NOW.plus(Duration::from_secs(60));
    let later = |next| Fate::Later { next, answer: "451 later".into() };
    assert!(registry.settle_mail(posted.id, later(next), None).unwrap());
    assert_eq!((due(&**registry, NOW), registry.next_mail().unwrap()), (None, Some(next)));
    assert_eq!(due(&**registry, next), Some((posted.id, 1)));
    // Past its use it is due, to be given up.
    assert!(
        registry.settle_mail(posted.id, later(posted.expires.plus(Duration::from_secs(9))), None).unwrap()
    );
    assert_eq!(due(&**registry, posted.expires), Some((posted.id, 2)));
    assert!(registry.settle_mail(posted.id, Fate::Delivered, None).unwrap());
    assert!(!registry.settle_mail(posted.id, Fate::Delivered, Some(event("alice", 1))).unwrap());
    assert_eq!(registry.outbox().unwrap(), Default::default());
    assert!(registry.events(&EventQuery { limit: 9, ..EventQuery::default() }).unwrap().is_empty());
}

pub(super) fn codes_go_before_notices_and_of_notices_only_so_many_wait<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    (0..210).for_each(|byte| post(&**registry, mail(byte, MailKind::Notice, NOW)));
    assert_eq!(registry.outbox().unwrap().waiting, 200);
    let late = NOW.plus(Duration::from_secs(5));
    post(&**registry, mail(250, MailKind::Code, late));
    assert_eq!(due(&**registry, late), Some((MailId([250; 16]), 0)));
    assert_eq!(due(&**registry, NOW), Some((MailId([0; 16]), 0)));
    assert_eq!(registry.outbox().unwrap().oldest, Some(NOW));
}

pub(super) fn a_mail_that_is_given_up_leaves_nothing_but_its_end<R: Registry>(registry: &Arc<R>) {
    bind(&**registry, &who(1000, "alice"), "phone");
    for byte in 0..12 {
        post(&**registry, mail(byte, MailKind::Test, UnixTime(NOW.0 + i64::from(byte))));
        let fate = Fate::Failed { answer: format!("550 no {byte}") };
        assert!(registry.settle_mail(MailId([byte; 16]), fate, Some(event("alice", 1))).unwrap());
    }
    let outbox = registry.outbox().unwrap();
    assert_eq!((outbox.waiting, outbox.given_up.len()), (0, 10));
    assert_eq!((outbox.given_up[0].answer.as_str(), outbox.given_up[0].tries), ("550 no 11", 1));
    assert_eq!(registry.mail(MailId([3; 16])).unwrap(), None);
    assert_eq!(registry.events(&EventQuery { limit: 99, ..EventQuery::default() }).unwrap().len(), 12);
}
