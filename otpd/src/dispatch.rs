//! From a message to a call and back: reads parameters, calls the service, words the reply. Decides nothing.

use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use otpd_core::event::Reason;
use otpd_core::registry::Registry;
use otpd_core::time::UnixTime;
use otpd_proto::account;
use otpd_proto::admin;
use otpd_proto::login;
use otpd_proto::login::ticket;
use otpd_proto::mail;
use otpd_proto::message::Call;
use otpd_proto::message::Reply as Answered;
use otpd_proto::message::encode_error;
use otpd_proto::message::encode_reply;
use otpd_proto::service;
use otpd_proto::web;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::clock;
use crate::peer::Door;
use crate::peer::Peer;
use crate::service::Failure;
use crate::service::Service;

/// What to do with a connection after a message.
pub enum Outcome {
    /// Send this and wait for the next message.
    Reply(Zeroizing<Vec<u8>>),
    /// Send nothing (`oneway`) and wait for the next message.
    Silence,
    /// It was no Varlink: close.
    Close,
}

/// Serves one message.
pub fn dispatch<R: Registry>(
    service: &Service<R>,
    peer: Peer,
    message: &[u8],
    file: Option<OwnedFd>,
) -> Outcome {
    let Some(call) = read(message) else { return Outcome::Close };
    guarded(&call, peer, || serve(service, peer, &call, file, clock::now()))
}

/// Serves one message of a connection on which there is nothing but `method`.
pub(crate) fn dispatch_only<P: DeserializeOwned, T: Serialize>(
    peer: Peer,
    message: &[u8],
    method: &str,
    run: impl FnOnce(P) -> Result<T, Failure>,
) -> Outcome {
    let Some(call) = read(message) else { return Outcome::Close };
    let interface = method.rsplit_once('.').map_or(method, |(interface, _)| interface);
    guarded(&call, peer, || match &*call.method {
        called if called == method => with(call.parameters, |p| Faulty { interface, result: run(p) }),
        other => error(service::METHOD_NOT_FOUND, &json!({"method": other})),
    })
}

/// A panic costs the caller their connection, and nobody else anything.
fn guarded(call: &Call<'_>, peer: Peer, serve: impl FnOnce() -> Reply) -> Outcome {
    let Ok(reply) = catch_unwind(AssertUnwindSafe(serve)) else {
        log::error!(
            "a call of {} by uid {} ended in an internal error; please report it",
            call.method,
            peer.raw_uid
        );
        return Outcome::Close;
    };
    match reply {
        _ if call.oneway => Outcome::Silence,
        Some(bytes) => Outcome::Reply(bytes),
        None => Outcome::Close,
    }
}

/// The reply for a caller who asks too often.
#[must_use]
pub fn too_many_calls(message: &[u8]) -> Outcome {
    let say = TOO_MANY.to_owned();
    let Some(call) = read(message).filter(|call| !call.oneway) else { return Outcome::Close };
    let error = match call.method.rsplit_once('.') {
        Some((login::INTERFACE, _)) => login::UNAVAILABLE,
        Some((admin::INTERFACE, _)) => admin::UNAVAILABLE,
        _ => account::UNAVAILABLE,
    };
    match encode_error(error, &service::Unavailable { say }) {
        Ok(bytes) => Outcome::Reply(bytes),
        Err(_) => Outcome::Close,
    }
}

/// A call, if the message is one. serde would take a list for an object, and any bytes for the text of a field that it
/// passes over.
fn read(message: &[u8]) -> Option<Call<'_>> {
    let text = std::str::from_utf8(message).ok()?;
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

type Reply = Option<Zeroizing<Vec<u8>>>;

fn serve<R: Registry>(
    s: &Service<R>,
    peer: Peer,
    call: &Call<'_>,
    file: Option<OwnedFd>,
    now: UnixTime,
) -> Reply {
    let Some((interface, _)) = call.method.rsplit_once('.') else {
        return error(service::INVALID_PARAMETER, &json!({"parameter": "method"}));
    };
    if !interfaces(peer.door).contains(&interface) {
        return error(service::INTERFACE_NOT_FOUND, &json!({"interface": interface}));
    }
    if call.upgrade {
        return error(service::METHOD_NOT_IMPLEMENTED, &json!({"method": &*call.method}));
    }
    if interface == login::INTERFACE
        && let Some(refusal) = odd_login(call).or_else(|| unknown_field(peer, call))
    {
        return refusal;
    }
    if call.method == web::AS {
        return run_as(s, peer, call.parameters, now);
    }
    run(s, peer, &call.method, call.parameters, file, now)
}

/// Runs a method as the holder of a ticket.
fn run_as<R: Registry>(s: &Service<R>, peer: Peer, raw: Option<&RawValue>, now: UnixTime) -> Reply {
    let call: web::AsParameters<&RawValue> = match parameters(raw) {
        Ok(call) => call,
        Err(refusal) => return refusal,
    };
    let holder = match s.holder(peer, &call.ticket, call.address.as_deref(), now) {
        Ok(holder) => holder,
        Err(failure) => return worded::<()>(web::INTERFACE, Err(failure)),
    };
    if !FOR_HOLDERS.contains(&&*call.method) {
        return error(service::METHOD_NOT_FOUND, &json!({"method": call.method}));
    }
    if holder.uid.is_some_and(|uid| s.take_call(uid).is_err()) {
        // Who waits is served again: a browser is to be told that, and not that nobody answers.
        let (reason, say) = (web::TOO_MANY_CALLS.to_owned(), TOO_MANY.to_owned());
        return error(web::REFUSED, &service::Refused { reason, say, until: None });
    }
    let done = run(s, holder, &call.method, Some(call.parameters), None, now)?;
    let (_nul, json) = done.split_last()?;
    match serde_json::from_slice::<Answered<'_>>(json).ok()? {
        Answered { error: None, parameters: Some(parameters) } => reply(&web::Done { parameters }),
        _ => Some(done),
    }
}

fn run<R: Registry>(
    s: &Service<R>,
    peer: Peer,
    method: &str,
    raw: Option<&RawValue>,
    file: Option<OwnedFd>,
    now: UnixTime,
) -> Reply {
    let (interface, name) = method.rsplit_once('.').unwrap_or_default();
    let of = |result| Faulty { interface, result };
    match method {
        "org.varlink.service.GetInfo" => reply(&info(peer.door)),
        "org.varlink.service.GetInterfaceDescription" => describe(raw, peer.door),
        login::START => with(raw, |p: login::LoginParameters| of(s.start(peer, &p.login, now).map(step))),
        login::ANSWER => with(raw, |p: login::AnswerParameters| {
            of(s.answer_given(peer, &p.login, &p.answer, p.given, now).map(step))
        }),
        login::ACCOUNT => {
            with(raw, |p: login::LoginParameters| of(s.account_phase(peer, &p.login, now).map(step)))
        }
        ticket::ISSUE_TICKET => with(raw, |p| Faulty { interface, result: s.issue_ticket(peer, &p, now) }),
        ticket::RENEW_TICKET => with(raw, |p| Faulty { interface, result: s.renew_ticket(peer, &p, now) }),
        web::WHO => with(raw, |p| Faulty { interface, result: s.who(peer, &p, now) }),
        web::HAND_OFF => with(raw, |p| Faulty { interface, result: s.hand_off(peer, &p, now) }),
        web::VISIT => with(raw, |p| Faulty { interface, result: s.visit(peer, &p, now) }),
        web::CHECK => with(raw, |p| Faulty { interface, result: s.check(peer, &p, now) }),
        web::SIGN_OUT => with(raw, |p| Faulty { interface, result: s.sign_out(peer, &p, now) }),
        account::STATUS => with(raw, |p| Faulty { interface, result: s.status(peer, &p, now) }),
        account::DEVICES => with(raw, |p| Faulty { interface, result: s.devices(peer, &p, now) }),
        account::BEGIN => with(raw, |p| Faulty { interface, result: s.begin(peer, &p, now) }),
        account::CONFIRM => with(raw, |p| Faulty { interface, result: s.confirm(peer, &p, now) }),
        account::RENAME => with(raw, |p| Faulty { interface, result: s.rename(peer, &p, now) }),
        account::RESYNC => with(raw, |p| Faulty { interface, result: s.resync(peer, &p, now) }),
        account::UNBIND => with(raw, |p| Faulty { interface, result: s.unbind(peer, &p, now) }),
        account::OFF => with(raw, |p| Faulty { interface, result: s.off(peer, &p, now) }),
        account::UNLOCK => with(raw, |p| Faulty { interface, result: s.unlock(peer, &p, now) }),
        account::NEW_CODES => with(raw, |p| Faulty { interface, result: s.new_codes(peer, &p, now) }),
        account::EMAILS => with(raw, |p| Faulty { interface, result: s.emails(peer, &p, now) }),
        account::ADD_EMAIL => with(raw, |p| Faulty { interface, result: s.add_email(peer, &p, now) }),
        account::CONFIRM_EMAIL => with(raw, |p| Faulty { interface, result: s.confirm_email(peer, &p, now) }),
        account::REMOVE_EMAIL => with(raw, |p| Faulty { interface, result: s.remove_email(peer, &p, now) }),
        account::SIGN_INS => with(raw, |p| Faulty { interface, result: s.sign_ins(peer, &p, now) }),
        account::END_SIGN_INS => with(raw, |p| Faulty { interface, result: s.end_sign_ins(peer, &p, now) }),
        admin::ACCOUNTS => with(raw, |p| Faulty { interface, result: s.accounts(peer, &p, now) }),
        admin::POLICY_REPORT => with(raw, |p| Faulty { interface, result: s.policy_report(peer, &p, now) }),
        admin::REQUIRE_GROUP => with(raw, |p| Faulty { interface, result: s.require_group(peer, &p, now) }),
        admin::RELEASE_GROUP => with(raw, |p| Faulty { interface, result: s.release_group(peer, &p, now) }),
        admin::ENROL_CODE => with(raw, |p| Faulty { interface, result: s.enrol_code(peer, &p, now) }),
        admin::RESET => with(raw, |p| Faulty { interface, result: s.reset(peer, &p, now) }),
        admin::AUDIT => with(raw, |p| Faulty { interface, result: s.audit(peer, &p, now) }),
        admin::VERIFY_AUDIT => with(raw, |p| Faulty { interface, result: s.verify_audit(peer, &p, now) }),
        admin::DOCTOR => with(raw, |_: Nothing| Faulty { interface, result: s.doctor(peer, now) }),
        admin::IMPORT_BEGIN => {
            with(raw, |_: Nothing| Faulty { interface, result: s.import_begin(peer, now) })
        }
        admin::IMPORT_ADD => with(raw, |p| Faulty { interface, result: s.import_add(peer, &p, now) }),
        admin::IMPORT_COMMIT => with(raw, |p| Faulty { interface, result: s.import_commit(peer, &p, now) }),
        admin::IMPORT_STEP => with(raw, |p| Faulty { interface, result: s.import_step(peer, &p, now) }),
        admin::IMPORT_DROP => with(raw, |p| Faulty { interface, result: s.import_drop(peer, &p, now) }),
        admin::ADOPT => with(raw, |p| Faulty { interface, result: s.adopt(peer, &p, now) }),
        admin::GONE => with(raw, |p| Faulty { interface, result: s.gone(peer, &p, now) }),
        admin::PRUNE => with(raw, |p| Faulty { interface, result: s.prune_account(peer, &p, now) }),
        admin::CLOCK_RESET => with(raw, |p| Faulty { interface, result: s.clock_reset(peer, &p, now) }),
        admin::MAIL_TEST => with(raw, |p| Faulty { interface, result: s.mail_test(peer, &p, now) }),
        admin::MAIL_STATUS => with(raw, |p| Faulty { interface, result: s.mail_status(peer, &p, now) }),
        mail::CLAIM => with(raw, |p| Faulty { interface, result: s.claim(peer, &p, clock::now) }),
        mail::DONE => with(raw, |p| Faulty { interface, result: s.done(peer, &p, now) }),
        admin::EXPORT => with(raw, |p| Faulty { interface, result: s.export(peer, &p, now) }),
        admin::BACKUP => with(raw, |p| Faulty { interface, result: s.backup(peer, &p, file, now) }),
        admin::ROTATE_KEY => {
            with(raw, |_: Nothing| Faulty { interface, result: s.rotate_key(peer, file, now) })
        }
        _ => error(service::METHOD_NOT_FOUND, &json!({"method": name})),
    }
}

/// The interfaces of a socket. login.sock has nothing but logins, and offline nobody logs in.
fn interfaces(door: Door) -> &'static [&'static str] {
    match door {
        Door::Login => &[service::INTERFACE, login::INTERFACE],
        Door::Account => &[service::INTERFACE, login::INTERFACE, account::INTERFACE, admin::INTERFACE],
        Door::Mail => &[service::INTERFACE, mail::INTERFACE],
        Door::Web => &[service::INTERFACE, web::INTERFACE],
        Door::Offline => &[service::INTERFACE, account::INTERFACE, admin::INTERFACE],
    }
}

fn info(door: Door) -> service::Info {
    service::Info {
        vendor: "otpd".into(),
        product: "otpd".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        url: "man:otpd(8)".into(),
        interfaces: interfaces(door).iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn describe(raw: Option<&RawValue>, door: Door) -> Reply {
    let wanted: service::DescribeParameters = match parameters(raw) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let served = |name: &str| interfaces(door).contains(&name) && name == wanted.interface;
    match service::DESCRIPTIONS.iter().find(|(name, _)| served(name)) {
        Some((_, text)) => reply(&service::Description { description: (*text).to_owned() }),
        None => error(service::INTERFACE_NOT_FOUND, &json!({"interface": wanted.interface})),
    }
}

/// A result with the interface whose errors it uses.
struct Faulty<'a, T> {
    interface: &'a str,
    result: Result<T, Failure>,
}

/// Parameters of a method that has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn with<'a, P: DeserializeOwned, T: Serialize>(
    raw: Option<&RawValue>,
    run: impl FnOnce(P) -> Faulty<'a, T>,
) -> Reply {
    let parameters = match parameters(raw) {
        Ok(parameters) => parameters,
        Err(refusal) => return refusal,
    };
    let Faulty { interface, result } = run(parameters);
    worded(interface, result)
}

fn worded<T: Serialize>(interface: &str, result: Result<T, Failure>) -> Reply {
    match result {
        Ok(value) => reply(&value),
        Err(Failure::Refused { reason: Reason::NotPermitted, .. })
            if matches!(interface, login::INTERFACE | web::INTERFACE) =>
        {
            error(service::PERMISSION_DENIED, &json!({}))
        }
        Err(Failure::Refused { reason, say, until }) => {
            let refused =
                service::Refused { reason: reason.as_str().into(), say, until: until.map(|at| at.0) };
            error(&format!("{interface}.Refused"), &refused)
        }
        // Without a line in the log, which whoever asks too often would fill.
        Err(Failure::TooManyCalls) => {
            error(&format!("{interface}.Unavailable"), &service::Unavailable { say: TOO_MANY.to_owned() })
        }
        Err(Failure::Unavailable { say, cause }) => {
            log::error!("nothing decided: {cause}");
            error(&format!("{interface}.Unavailable"), &service::Unavailable { say })
        }
    }
}

/// serde would take a list for the login.
fn odd_login(call: &Call<'_>) -> Option<Reply> {
    #[derive(serde::Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        login: &'a RawValue,
    }
    let whole: Whole<'_> = serde_json::from_str(call.parameters?.get()).ok()?;
    let odd = !whole.login.get().starts_with('{');
    odd.then(|| error(service::INVALID_PARAMETER, &json!({"parameter": "login: an object is expected"})))
}

/// A newer module may tell root's daemon more than it knows; an unprivileged caller has nothing to add. The types of
/// the other interfaces refuse unknown fields themselves.
fn unknown_field(peer: Peer, call: &Call<'_>) -> Option<Reply> {
    if peer.is_root || peer.door == Door::Login {
        return None;
    }
    let mut unknown = None;
    let mut json = serde_json::Deserializer::from_str(call.parameters.map_or("{}", RawValue::get));
    let mut note = |path: serde_ignored::Path<'_>| unknown = Some(path.to_string());
    match &*call.method {
        login::START | login::ACCOUNT => {
            drop(serde_ignored::deserialize::<_, _, login::LoginParameters>(&mut json, &mut note));
        }
        login::ANSWER => {
            drop(serde_ignored::deserialize::<_, _, login::AnswerParameters>(&mut json, &mut note))
        }
        _ => {}
    }
    unknown.map(|field| {
        error(service::INVALID_PARAMETER, &json!({"parameter": format!("unknown field `{field}`")}))
    })
}

fn parameters<'a, P: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<P, Reply> {
    let text = raw.map_or("{}", RawValue::get);
    let wrong = |what: &str| error(service::INVALID_PARAMETER, &json!({"parameter": what}));
    if !text.starts_with('{') {
        return Err(wrong("parameters: an object is expected"));
    }
    serde_json::from_str(text).map_err(|problem| {
        let problem = problem.to_string();
        let problem = problem.split(" at line").next().unwrap_or_default();
        // serde repeats a value of the wrong type, which may be a code.
        match problem.rsplit_once(", expected ") {
            Some((found, expected)) if found.starts_with("invalid") => {
                wrong(&format!("{expected} is expected"))
            }
            _ => wrong(problem),
        }
    })
}

fn step(step: login::Next) -> login::Step {
    login::Step { step }
}

fn reply<T: Serialize>(value: &T) -> Reply {
    encode_reply(value).map_err(|problem| log::error!("a reply could not be made: {problem:?}")).ok()
}

fn error<T: Serialize>(name: &str, parameters: &T) -> Reply {
    encode_error(name, parameters)
        .map_err(|problem| log::error!("a reply could not be made: {problem:?}"))
        .ok()
}

const TOO_MANY: &str = "Too many calls in a short time. Wait a minute.";

/// What the holder of a ticket may call. Nothing that takes a file, moves keys in bulk, or is root's alone.
const FOR_HOLDERS: &[&str] = &[
    account::STATUS,
    account::DEVICES,
    account::BEGIN,
    account::CONFIRM,
    account::RENAME,
    account::RESYNC,
    account::UNBIND,
    account::OFF,
    account::UNLOCK,
    account::NEW_CODES,
    account::EMAILS,
    account::ADD_EMAIL,
    account::CONFIRM_EMAIL,
    account::REMOVE_EMAIL,
    account::SIGN_INS,
    account::END_SIGN_INS,
    admin::ACCOUNTS,
    admin::POLICY_REPORT,
    admin::REQUIRE_GROUP,
    admin::RELEASE_GROUP,
    admin::ENROL_CODE,
    admin::RESET,
    admin::AUDIT,
    admin::DOCTOR,
    admin::MAIL_TEST,
    admin::MAIL_STATUS,
];
