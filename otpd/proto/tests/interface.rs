//! The types are those of the interface files: every field of every type, parameter and result, in both directions.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "an integration test, all of it"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::admin;
use otpd_proto::login;
use otpd_proto::login::ticket;
use otpd_proto::mail;
use otpd_proto::offline;
use otpd_proto::service;
use otpd_proto::session;
use otpd_proto::web;
use serde::Serialize;
use serde_json::Value;

/// `Name` (types, errors), `Name(` (parameters) and `Name)` (results) of an interface, with their fields.
fn fields_of(interface: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (_, text) = service::DESCRIPTIONS.iter().find(|(name, _)| *name == interface).unwrap();
    let code: String =
        text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let mut found = BTreeMap::new();
    for keyword in ["type ", "error ", "method "] {
        for (at, _) in code.match_indices(keyword) {
            let rest = &code[at + keyword.len()..];
            let (name, rest) = rest.split_at(rest.find('(').unwrap());
            let (first, rest) = parenthesised(rest);
            let name = name.trim().to_owned();
            if keyword == "method " {
                let (second, _) = parenthesised(&rest[rest.find('(').unwrap()..]);
                found.insert(format!("{name}("), field_names(first));
                found.insert(format!("{name})"), field_names(second));
            } else {
                found.insert(name, field_names(first));
            }
        }
    }
    found
}

/// The inside of the parentheses that `text` begins with, and what follows them.
fn parenthesised(text: &str) -> (&str, &str) {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return (&text[1..at], &text[at + 1..]);
        }
    }
    panic!("unbalanced: {text}");
}

fn field_names(inside: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let mut flat = String::new();
    for c in inside.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 => flat.push(c),
            _ => {}
        }
    }
    flat.split(',')
        .filter_map(|field| field.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

fn keys(value: &impl Serialize) -> BTreeSet<String> {
    match serde_json::to_value(value).unwrap() {
        Value::Object(object) => object.keys().cloned().collect(),
        other => panic!("{other}"),
    }
}

fn secret() -> Secret {
    Secret::new("x".into())
}

fn text() -> String {
    "x".into()
}

fn device() -> account::Device {
    account::Device {
        id: 1,
        name: text(),
        state: text(),
        kind: text(),
        algorithm: text(),
        digits: 6,
        period: 30,
        needs_resync: false,
        created: 1,
        created_by: text(),
        created_from: Some(text()),
        activated: Some(1),
        retired: Some(1),
        retired_by: Some(text()),
        last_used: Some(1),
        last_service: Some(text()),
        last_address: Some(text()),
    }
}

/// Each pair is a part of an interface and what the types make of it.
fn check(interface: &str, parts: &[(&str, BTreeSet<String>)]) {
    let mut expected = fields_of(interface);
    for (part, keys) in parts {
        assert_eq!(expected.remove(*part).as_ref(), Some(keys), "{interface}: {part}");
    }
    assert_eq!(
        expected.into_keys().collect::<Vec<_>>(),
        [] as [String; 0],
        "{interface}: nobody checks these"
    );
}

#[test]
fn the_login_interface_is_its_types() {
    let login = login::Login {
        user: text(),
        service: text(),
        tty: Some(text()),
        ruser: Some(text()),
        rhost: Some(text()),
        ssh_connection: Some(text()),
        ssh_auth_info: Some(text()),
    };
    let steps = [
        login::Next::Ask { prompt: text(), echo: false, digits: Some(6) },
        login::Next::Accept { device: text(), notice: Some(text()), digits: Some(6) },
        login::Next::NotRequired { why: text(), notice: Some(text()) },
        login::Next::Refuse { say: text() },
        login::Next::Locked { say: text(), until: Some(1) },
    ];
    let step = keys(&login::Step { step: steps[0].clone() });
    let parameters = keys(&login::LoginParameters { login: login.clone() });
    let answer =
        login::AnswerParameters { login: login.clone(), answer: secret(), given: login::Given::Tail };
    let issue = ticket::IssueTicketParameters { login: login.clone(), agent: Some(text()) };
    let renew = ticket::RenewTicketParameters { login: login.clone(), ticket: secret() };
    let ticket = keys(&ticket::Ticket { ticket: secret(), expires: 1 });
    check(
        login::INTERFACE,
        &[
            ("Given", BTreeSet::new()),
            ("Login", keys(&login)),
            ("Next", steps.iter().flat_map(keys).collect()),
            ("Start(", parameters.clone()),
            ("Start)", step.clone()),
            ("Account(", parameters),
            ("Account)", step.clone()),
            ("Answer(", keys(&answer)),
            ("Answer)", step),
            ("IssueTicket(", keys(&issue)),
            ("IssueTicket)", ticket.clone()),
            ("RenewTicket(", keys(&renew)),
            ("RenewTicket)", ticket),
            ("Refused", keys(&service::Refused { reason: text(), say: text(), until: Some(1) })),
            ("Unavailable", keys(&service::Unavailable { say: text() })),
        ],
    );
}

#[test]
fn the_account_interface_is_its_types() {
    let lane = account::Lane { lane: text(), failures: 1, until: Some(1), closed: false };
    let requirement = account::Requirement { state: text(), since: Some(1), why: text() };
    let status = account::Status {
        user: text(),
        protected: true,
        requirement: requirement.clone(),
        active_devices: 1,
        pending_devices: 1,
        lanes: vec![lane.clone()],
        recovery_codes: vec![1],
        rebind_until: Some(1),
        emails: vec![],
        mail_problem: Some(text()),
        sign_ins: 1,
        news: vec![],
        now: 1,
        clock_synchronised: Some(true),
        warnings: vec![text()],
    };
    let confirmed = account::Confirmed {
        device: device(),
        offset: 1,
        first: true,
        recovery_codes: Some(vec![]),
        retired: Some(text()),
        now: 1,
        clock_synchronised: Some(true),
    };
    let email =
        account::Email { id: 1, address: text(), state: text(), added: 1, recovers: Some(1), until: Some(1) };
    let sign_in = account::SignIn {
        id: 1,
        scope: account::Scope::Visit,
        host: Some(text()),
        current: false,
        issued: 1,
        seen: 1,
        expires: 1,
        address: Some(text()),
        agent: Some(text()),
        device: Some(text()),
    };
    let add = account::AddEmailParameters { user: None, address: text(), language: None, code: None };
    let remove = account::RemoveEmailParameters { user: None, email: text(), code: None };
    let begun = account::Begun { device: 1, name: text(), key: secret(), uri: secret(), expires: 1 };
    let rename = account::RenameParameters { user: None, device: text(), name: text(), code: None };
    let unbind = account::UnbindParameters { user: None, device: text(), code: None };
    let confirm = account::ConfirmParameters { user: None, device: text(), code: secret() };
    check(
        account::INTERFACE,
        &[
            ("Device", keys(&device())),
            ("Lane", keys(&lane)),
            ("Requirement", keys(&requirement)),
            ("Status(", keys(&account::StatusParameters::default())),
            ("Status)", keys(&status)),
            ("Devices(", keys(&account::DevicesParameters::default())),
            ("Devices)", keys(&account::Devices { devices: vec![], more: false })),
            ("Begin(", keys(&account::BeginParameters::default())),
            ("Begin)", keys(&begun)),
            ("Confirm(", keys(&confirm)),
            ("Confirm)", keys(&confirmed)),
            ("Rename(", keys(&rename)),
            ("Rename)", keys(&account::Renamed { device: device() })),
            ("Unbind(", keys(&unbind)),
            ("Unbind)", keys(&account::Unbound { device: device(), remaining: 0 })),
            (
                "Resync(",
                keys(&account::ResyncParameters {
                    user: None,
                    device: "x".into(),
                    first: Secret::new("x".into()),
                    second: Secret::new("x".into()),
                }),
            ),
            ("Resync)", keys(&account::Resynced { device: device(), moved: 1 })),
            ("Off(", keys(&account::ProofParameters::default())),
            ("Off)", keys(&account::TurnedOff { retired: 1 })),
            ("Unlock(", keys(&account::ProofParameters::default())),
            ("Unlock)", keys(&account::Unlocked { opened: vec![] })),
            ("Email", keys(&email)),
            ("Emails(", keys(&account::EmailsParameters::default())),
            ("Emails)", keys(&account::Emails { emails: vec![], mail_problem: Some(text()) })),
            ("AddEmail(", keys(&add)),
            ("AddEmail)", keys(&account::EmailAdded { email: email.clone() })),
            ("ConfirmEmail(", keys(&account::ConfirmEmailParameters { user: None, code: secret() })),
            ("ConfirmEmail)", keys(&account::EmailConfirmed { email: email.clone() })),
            ("RemoveEmail(", keys(&remove)),
            ("RemoveEmail)", keys(&account::EmailRemoved { email: email.clone(), remaining: 1 })),
            ("SignIn", keys(&sign_in)),
            ("SignIns(", keys(&account::SignInsParameters::default())),
            ("SignIns)", keys(&account::SignIns { sign_ins: vec![] })),
            ("EndSignIns(", keys(&account::EndSignInsParameters::default())),
            ("EndSignIns)", keys(&account::SignInsEnded { ended: 1 })),
            ("NewCodes(", keys(&account::ProofParameters::default())),
            ("NewCodes)", keys(&account::RecoveryCodes { codes: vec![] })),
            ("Refused", keys(&service::Refused { reason: text(), say: text(), until: Some(1) })),
            ("Unavailable", keys(&service::Unavailable { say: text() })),
        ],
    );
}

#[test]
fn the_admin_interface_is_its_types() {
    let account = admin::Account {
        user: text(),
        uid: 1,
        protected: true,
        active_devices: 1,
        last_used: Some(1),
        locked: false,
        recovery_codes: 1,
        emails: 1,
        weakest: text(),
    };
    let concerned =
        admin::Concerned { user: text(), uid: 1, standing: text(), from: Some(1), enrol_code: false };
    let report = admin::PolicyReport {
        require_everyone: false,
        require_groups: vec![],
        exempt_users: vec![],
        exempt_groups: vec![],
        grace_days: 1,
        grace_until: Some(1),
        required: vec![],
        concerned: vec![],
        looked_at: 1,
        protected: 1,
        locks_out: 1,
        next: Some(text()),
    };
    let required = admin::RequiredGroup { group: text(), gid: 1, from: 1, by: text(), at: 1 };
    let require =
        admin::RequireGroupParameters { group: text(), grace_days: 1, locks_out: Some(1), code: None };
    let hole = admin::Hole { number: 1, before: text(), there: text() };
    let walk = admin::Walk { last: 1, mac: Some(text()), shift: 0, holes: vec![hole.clone()] };
    let verified =
        admin::VerifiedAudit { walk: walk.clone(), flaws: vec![], first: Some(1), head: text(), more: false };
    let event = admin::Event {
        id: 1,
        at: 1,
        user: text(),
        uid: Some(1),
        actor: text(),
        event: text(),
        verdict: text(),
        reason: text(),
        service: Some(text()),
        address: Some(text()),
        device: Some(text()),
        lane: Some(text()),
        detail: Some(text()),
    };
    let entry = admin::ImportEntry {
        user: text(),
        key: secret(),
        algorithm: text(),
        digits: 6,
        period: 30,
        drift: 0,
        last_step: Some(1),
        name: Some(text()),
    };
    let exported = admin::ExportEntry {
        user: text(),
        device: text(),
        key: secret(),
        algorithm: text(),
        digits: 6,
        period: 30,
        last_step: Some(1),
    };
    let adopted = admin::Adopted {
        was_user: Some(text()),
        was_uid: Some(1),
        user: text(),
        uid: 1,
        active_devices: 1,
        last_used: Some(1),
        changed: true,
    };
    let clock_reset = admin::ClockWasReset {
        accounts: vec![],
        devices: 1,
        next: Some(text()),
        now: 1,
        clock_synchronised: Some(true),
    };
    let import = keys(&admin::ImportParameters { import: 1 });
    let size = keys(&admin::ImportSize { devices: 1, accounts: 1 });
    let mail_try = admin::MailTry { at: 1, outcome: text(), answer: text(), advice: Some(text()) };
    let given_up = admin::MailGivenUp { kind: text(), at: 1, tries: 1, answer: text() };
    let test = admin::MailTestParameters { address: text(), language: Some(text()), code: Some(secret()) };
    let mail_status = admin::MailStatus {
        transport: Some(text()),
        problem: Some(text()),
        waiting: 1,
        oldest: Some(1),
        last_delivered: Some(mail_try.clone()),
        last_trouble: Some(mail_try.clone()),
        given_up: vec![],
        test: Some(mail_try.clone()),
    };
    let tested = admin::Check { check: text(), verdict: text(), say: text() };
    check(
        admin::INTERFACE,
        &[
            ("Account", keys(&account)),
            ("Event", keys(&event)),
            ("Check", keys(&tested)),
            ("Accounts(", keys(&admin::AccountsParameters::default())),
            ("Accounts)", keys(&admin::Accounts { accounts: vec![], more: false })),
            ("Reset(", keys(&admin::ResetParameters { user: text(), code: None })),
            ("Reset)", keys(&admin::WasReset { retired: 1 })),
            ("EnrolCode(", keys(&admin::ResetParameters { user: "alice".into(), code: None })),
            ("EnrolCode)", keys(&admin::EnrolCode { enrol_code: Secret::new("x".into()), expires: 1 })),
            ("Audit(", keys(&admin::AuditParameters::default())),
            ("Audit)", keys(&admin::Audit { events: vec![], more: false, older: Some(1) })),
            ("Concerned", keys(&concerned)),
            ("PolicyReport(", keys(&admin::PolicyReportParameters::default())),
            ("PolicyReport)", keys(&report)),
            ("RequiredGroup", keys(&required)),
            ("RequireGroup(", keys(&require)),
            ("RequireGroup)", keys(&admin::GroupRequired { group: text(), gid: 1, from: 1, locks_out: 1 })),
            ("ReleaseGroup(", keys(&admin::ReleaseGroupParameters { group: text(), code: None })),
            ("ReleaseGroup)", keys(&admin::GroupReleased { group: text(), gid: 1, configured: true })),
            ("Hole", keys(&hole)),
            ("Walk", keys(&walk)),
            ("Flaw", keys(&admin::Flaw { defect: text(), number: 1, last: 1, at: Some(1), say: text() })),
            ("VerifyAudit(", keys(&admin::VerifyAuditParameters::default())),
            ("VerifyAudit)", keys(&verified)),
            ("Doctor(", BTreeSet::new()),
            ("Doctor)", keys(&admin::Doctor { checks: vec![] })),
            ("ImportEntry", keys(&entry)),
            ("ImportProblem", keys(&admin::ImportProblem { index: 0, say: text() })),
            ("ExportEntry", keys(&exported)),
            ("ImportBegin(", BTreeSet::new()),
            ("ImportBegin)", keys(&admin::ImportBegun { import: 1 })),
            ("ImportAdd(", keys(&admin::ImportAddParameters { import: 1, entries: vec![] })),
            ("ImportAdd)", keys(&admin::ImportAdded { problems: vec![] })),
            ("ImportCommit(", import.clone()),
            ("ImportCommit)", size.clone()),
            ("ImportStep(", import.clone()),
            ("ImportStep)", keys(&admin::ImportProgress { left: 0, skipped: 0 })),
            ("ImportDrop(", import),
            ("ImportDrop)", size),
            ("Export(", keys(&admin::ExportParameters::default())),
            ("Export)", keys(&admin::Exported { entries: vec![], next: None })),
            ("Adopt(", keys(&admin::AdoptParameters { user: text(), dry_run: Some(true) })),
            ("Adopt)", keys(&adopted)),
            ("Gone(", keys(&admin::GoneParameters::default())),
            ("Gone)", keys(&admin::Gone { accounts: vec![], next: None })),
            ("Prune(", keys(&admin::PruneParameters { user: text(), uid: 1 })),
            ("ClockReset(", keys(&admin::ClockResetParameters::default())),
            ("ClockReset)", keys(&clock_reset)),
            ("Prune)", keys(&admin::Pruned { retired: 1 })),
            ("RotateKey(", BTreeSet::new()),
            ("RotateKey)", keys(&admin::KeyRotated { key: Some(text()) })),
            ("Backup(", keys(&admin::BackupParameters::default())),
            ("Backup)", keys(&admin::BackedUp { taken: 1, accounts: 1, devices: 1 })),
            ("MailTry", keys(&mail_try)),
            ("MailGivenUp", keys(&given_up)),
            ("MailTest(", keys(&test)),
            ("MailTest)", keys(&admin::MailTested { id: text() })),
            ("MailStatus(", keys(&admin::MailStatusParameters { id: Some(text()) })),
            ("MailStatus)", keys(&mail_status)),
            ("Refused", keys(&service::Refused { reason: text(), say: text(), until: Some(1) })),
            ("Unavailable", keys(&service::Unavailable { say: text() })),
        ],
    );
}

#[test]
fn the_offline_interface_is_its_types() {
    let device = offline::Device { user: text(), device: text(), last_used: Some(1) };
    let restored = offline::Restored {
        taken: 1,
        restored: 1,
        accounts: 1,
        devices: 1,
        first: vec![],
        kept: Some(text()),
        key: Some(text()),
    };
    check(
        offline::INTERFACE,
        &[
            ("Device", keys(&device)),
            ("Restore(", keys(&offline::RestoreParameters { replace: false, passphrase: Some(secret()) })),
            ("Restore)", keys(&restored)),
            ("Refused", keys(&service::Refused { reason: text(), say: text(), until: Some(1) })),
            ("Unavailable", keys(&service::Unavailable { say: text() })),
        ],
    );
}

#[test]
fn the_mail_interface_is_its_types() {
    let mailer = || mail::Mailer { instance: text(), transport: text(), problem: Some(text()) };
    let message = mail::Message {
        id: text(),
        kind: mail::Kind::Code,
        to: text(),
        language: Some(text()),
        user: text(),
        host: text(),
        at: 1,
        code: Some(secret()),
        expires: 1,
        notice: Some(text()),
        service: Some(text()),
        address: Some(text()),
        device: Some(text()),
        detail: Some(text()),
    };
    let done = mail::DoneParameters {
        id: text(),
        outcome: mail::Outcome::Later,
        answer: text(),
        advice: Some(text()),
    };
    check(
        mail::INTERFACE,
        &[
            ("Mailer", keys(&mailer())),
            ("Message", keys(&message)),
            ("Claim(", keys(&mail::ClaimParameters { mailer: mailer(), wait: Some(1) })),
            ("Claim)", keys(&mail::Claimed { message: None })),
            ("Done(", keys(&done)),
            ("Done)", keys(&mail::Settled {})),
            ("Refused", keys(&service::Refused { reason: text(), say: text(), until: Some(1) })),
            ("Unavailable", keys(&service::Unavailable { say: text() })),
        ],
    );
}

#[test]
fn the_web_interface_is_its_types() {
    let who = web::WhoParameters { ticket: secret(), address: Some(text()) };
    let holder = web::Holder {
        user: text(),
        admin: false,
        protected: true,
        device: Some(text()),
        rebind_until: Some(1),
        issued: 1,
        expires: 1,
        password_until: Some(1),
        code_until: Some(1),
    };
    let run = web::AsParameters { ticket: secret(), address: None, method: text(), parameters: () };
    let visit =
        web::VisitParameters { word: secret(), host: text(), address: Some(text()), agent: Some(text()) };
    let asked = web::CheckParameters { ticket: secret(), host: text(), address: Some(text()) };
    check(
        web::INTERFACE,
        &[
            ("Who(", keys(&who)),
            ("Who)", keys(&holder)),
            ("As(", keys(&run)),
            ("As)", keys(&web::Done { parameters: () })),
            ("SignOut(", keys(&web::SignOutParameters { ticket: secret() })),
            ("SignOut)", keys(&web::SignedOut {})),
            ("HandOff(", keys(&web::HandOffParameters { ticket: secret(), host: text() })),
            ("HandOff)", keys(&web::HandedOff { word: secret() })),
            ("Visit(", keys(&visit)),
            ("Visit)", keys(&web::Visit { ticket: secret(), expires: 1 })),
            ("Check(", keys(&asked)),
            ("Check)", keys(&web::Visitor { user: text(), groups: vec![] })),
            ("Refused", keys(&service::Refused { reason: text(), say: text(), until: Some(1) })),
            ("Unavailable", keys(&service::Unavailable { say: text() })),
        ],
    );
}

#[test]
fn the_session_interface_is_its_types() {
    let said = session::Text { style: session::Style::Info, text: text() };
    let steps = [
        session::Next::Ask { texts: vec![], prompt: text(), echo: false },
        session::Next::Done { texts: vec![], user: text(), ticket: secret(), expires: 1 },
        session::Next::Refuse { texts: vec![], reason: session::Reason::Failed },
    ];
    let step_keys: BTreeSet<String> = steps.iter().flat_map(keys).collect();
    let [step, ..] = steps;
    let step = keys(&session::Step { step });
    let open = session::OpenParameters {
        user: text(),
        password: secret(),
        address: Some(text()),
        agent: Some(text()),
        renew: Some(secret()),
    };
    check(
        session::INTERFACE,
        &[
            ("Text", keys(&said)),
            ("Step", step_keys),
            ("Open(", keys(&open)),
            ("Open)", step.clone()),
            ("Answer(", keys(&session::AnswerParameters { answer: secret() })),
            ("Answer)", step),
        ],
    );
}
