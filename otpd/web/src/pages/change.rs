//! The form of every change: what it does, the one thing it asks, and the proof: a code, and the password when it was
//! given longer than ten minutes ago.

use askama::Template;
use axum::extract::Form;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::account::Status;
use otpd_proto::session::OpenParameters;
use otpd_proto::web::Holder;
use serde::Deserialize;

use super::Frame;
use super::account;
use super::act::Act;
use super::act::Given;
use super::go;
use super::refusal;
use super::show;
use super::show_again;
use super::sign_in::in_words;
use super::trouble;
use crate::app::App;
use crate::browser::Browser;
use crate::browser::SIGNED_OUT;
use crate::clock;
use crate::cookies;
use crate::daemon::Caller;
use crate::daemon::Trouble;
use crate::daemon::to_the_end;
use crate::sign_in;
use crate::sign_in::Outcome;
use crate::unsent::Unsent;

#[derive(Template)]
#[template(path = "change.html")]
struct Page {
    f: Frame,
    word: &'static str,
    words: Words,
    id: String,
    value: String,
    on: bool,
    checks: Vec<Check>,
    ask_password: bool,
    ask_code: bool,
    error: Option<String>,
}

/// The texts of one act, by its keys.
struct Words {
    title: &'static str,
    lead: String,
    warning: Option<&'static str>,
    label: Option<&'static str>,
    help: Option<&'static str>,
    second: Option<&'static str>,
    submit: &'static str,
    danger: bool,
}

/// One line of the look around before protection is turned on.
struct Check {
    good: bool,
    title: &'static str,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    id: String,
    on: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posted {
    user: String,
    id: String,
    on: String,
    value: String,
    second: Option<Secret>,
    password: Option<Secret>,
    code: Option<Secret>,
}

impl Posted {
    /// What of it may be kept for later.
    fn unsent(&self, act: Act) -> Unsent {
        let value = if act.asks_for_a_code() { String::new() } else { self.value.clone() };
        let (user, id, on) = (self.user.clone(), self.id.clone(), self.on.clone());
        Unsent { act, user, id, on, value }
    }
}

/// What is wrong with a form that comes back.
struct Wrong {
    error: Option<String>,
    ask_password: bool,
    ask_code: bool,
}

/// GET /account/{act}
pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    Path(word): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Trouble> {
    let act = Act::from_word(&word).ok_or(Trouble::NotFound)?;
    let caller = browser.caller()?;
    let holder = app.daemon().who(&caller).await?;
    let unsent = browser.unsent.as_ref();
    let unsent = unsent.filter(|it| (it.act, &it.user, &it.id) == (act, &holder.user, &asked.id));
    let value = unsent.map(|unsent| unsent.value.clone()).unwrap_or_default();
    let posted = Posted { id: asked.id, on: asked.on, value, ..Posted::default() };
    let wrong = Wrong { error: None, ask_password: false, ask_code: false };
    let page = page(&app, &browser, &caller, act, &holder, posted, wrong).await;
    let mut response = page.and_then(|page| show(&page)).or_else(not_there)?;
    if unsent.is_some() {
        cookies::forget(response.headers_mut(), cookies::UNSENT);
    }
    Ok(response)
}

/// POST /account/{act}
pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Path(word): Path<String>,
    Form(posted): Form<Posted>,
) -> Result<Response, Trouble> {
    let act = Act::from_word(&word).ok_or(Trouble::NotFound)?;
    let unsent = posted.unsent(act);
    match to_the_end(prove_and_run(app.clone(), browser.clone(), act, posted)).await {
        Err(trouble) if trouble.is(SIGNED_OUT) => {
            let mut response = trouble::page(&app, &browser, &trouble);
            if let Some(cookie) = unsent.cookie() {
                cookies::keep(response.headers_mut(), cookies::UNSENT, &cookie, KEPT);
            }
            Ok(response)
        }
        done => done.or_else(not_there),
    }
}

/// For a change of what is gone: another window or another browser may have removed it.
fn not_there(trouble: Trouble) -> Result<Response, Trouble> {
    match trouble {
        Trouble::NotFound => Ok(go("/account?done=not_there")),
        other => Err(other),
    }
}

async fn prove_and_run(
    app: App,
    mut browser: Browser,
    act: Act,
    mut posted: Posted,
) -> Result<Response, Trouble> {
    let mut caller = browser.caller()?;
    let holder = app.daemon().who(&caller).await?;
    let renewed = match typed(posted.password.take()) {
        None => None,
        Some(password) => match renew(&app, &browser, &holder, password).await? {
            Ok(ticket) => Some(ticket),
            Err(error) => {
                let wrong = Wrong { error: Some(error), ask_password: true, ask_code: false };
                return show_again(&page(&app, &browser, &caller, act, &holder, posted, wrong).await?);
            }
        },
    };
    if let Some(ticket) = &renewed {
        caller.ticket = ticket.clone();
        browser.ticket = Some(ticket.clone());
    }
    let done = changed(&app, &browser, &caller, act, &holder, posted).await.or_else(not_there);
    with_ticket(done, renewed.as_ref())
}

async fn changed(
    app: &App,
    browser: &Browser,
    caller: &Caller,
    act: Act,
    holder: &Holder,
    mut posted: Posted,
) -> Result<Response, Trouble> {
    let given = Given {
        id: posted.id.clone(),
        value: posted.value.trim().to_owned(),
        second: typed(posted.second.take()),
        code: typed(posted.code.take()),
        turning_on: !posted.on.is_empty(),
    };
    match run(app, browser, caller, act, holder, given).await {
        Ok(next) => Ok(go(&next)),
        Err(trouble @ Trouble::Refused { .. }) if !trouble.is(SIGNED_OUT) => {
            let holder = app.daemon().who(caller).await?;
            let wrong = Wrong {
                error: Some(in_its_words(browser, act, &trouble)),
                ask_password: trouble.is("password_needed"),
                ask_code: trouble.is("code_needed"),
            };
            show_again(&page(app, browser, caller, act, &holder, posted, wrong).await?)
        }
        Err(trouble) => Err(trouble),
    }
}

/// Why it is refused: a code from a mail or two codes are not to be repeated like one from an app.
fn in_its_words(browser: &Browser, act: Act, trouble: &Trouble) -> String {
    match act {
        Act::ConfirmEmail if trouble.is("code_wrong") => browser.language.say("said.mailed_wrong").to_owned(),
        Act::ResyncDevice if trouble.is("code_wrong") => browser.language.say("act.resync_wrong").to_owned(),
        _ => refusal(browser.language, trouble),
    }
}

/// The reply, with the ticket that took the place of the browser's: without it, the browser would have none that is good,
/// whatever became of the change.
pub(super) fn with_ticket(
    done: Result<Response, Trouble>,
    renewed: Option<&Secret>,
) -> Result<Response, Trouble> {
    let Some(ticket) = renewed else { return done };
    let mut response = match done {
        Err(trouble) if trouble.is(SIGNED_OUT) => return Err(trouble),
        done => done.into_response(),
    };
    cookies::set(response.headers_mut(), cookies::TICKET, ticket);
    Ok(response)
}

/// Turning on begins with nothing but the password; the secure email comes before the device, while no code is needed.
async fn run(
    app: &App,
    browser: &Browser,
    caller: &Caller,
    act: Act,
    holder: &Holder,
    given: Given,
) -> Result<String, Trouble> {
    if act == Act::TurnOn {
        let fresh = app.daemon().who(caller).await?;
        if !is_fresh(&fresh) {
            return Err(Trouble::Refused {
                reason: "password_needed".into(),
                say: String::new(),
                until: None,
            });
        }
        let status = account::status(app, caller).await?;
        let has_email = status.emails.iter().any(|email| email.state == "confirmed");
        if status.mail_problem.is_none() && !has_email {
            return Ok("/account/add-email?on=1".into());
        }
    }
    act.run(app, browser, caller, &holder.user, given).await
}

/// Gives the password again; the ticket that is good from now on, or what is wrong with the password.
pub(super) async fn renew(
    app: &App,
    browser: &Browser,
    holder: &Holder,
    password: Secret,
) -> Result<Result<Secret, String>, Trouble> {
    let slot = app.login_slots().take(browser.address).map_err(|_| Trouble::Busy)?;
    let opened = OpenParameters {
        user: holder.user.clone(),
        password,
        address: browser.address.map(|address| address.to_string()),
        agent: browser.agent.clone(),
        renew: browser.ticket.clone(),
    };
    Ok(match sign_in::open(&app.daemon().sessions, opened, slot).await? {
        Outcome::Done { ticket, .. } => Ok(ticket),
        Outcome::Refused { reason: otpd_proto::session::Reason::Failed, .. } => {
            Err(browser.language.say("change.wrong_password").to_owned())
        }
        Outcome::Refused { reason, .. } => Err(in_words(browser.language, reason).1.to_owned()),
        Outcome::Asked(_) => Err(browser.language.say("change.asks_more").to_owned()),
    })
}

async fn page(
    app: &App,
    browser: &Browser,
    caller: &Caller,
    act: Act,
    holder: &Holder,
    posted: Posted,
    wrong: Wrong,
) -> Result<Page, Trouble> {
    let status = account::status(app, caller).await?;
    let subject = subject(app, caller, act, &status, &posted.id).await?;
    let f = Frame::new(app, browser, Some(&holder.user));
    let proves =
        status.protected && act.wants_code() && holder.rebind_until.is_none_or(|at| at <= status.now);
    Ok(Page {
        word: act.word(),
        words: Words::of(act, &f, &subject, &status),
        checks: if act == Act::TurnOn { checks(&f, &status) } else { Vec::new() },
        value: match act {
            _ if act.asks_for_a_code() => String::new(),
            Act::RenameDevice if posted.value.is_empty() => subject,
            _ => posted.value,
        },
        id: posted.id,
        on: !posted.on.is_empty(),
        ask_password: wrong.ask_password || !is_fresh(holder),
        ask_code: wrong.ask_code || proves,
        error: wrong.error,
        f,
    })
}

pub(super) fn is_fresh(holder: &Holder) -> bool {
    holder.password_until.is_some_and(|until| until > clock::now())
}

/// The name of what is changed; a page for what is not there is none.
async fn subject(app: &App, caller: &Caller, act: Act, status: &Status, id: &str) -> Result<String, Trouble> {
    let found = match act {
        Act::ReplaceDevice | Act::RenameDevice | Act::RemoveDevice | Act::ResyncDevice => {
            let devices = account::devices(app, caller).await?;
            devices.into_iter().find(|device| device.id.to_string() == id).map(|device| device.name)
        }
        Act::RemoveEmail => {
            let mut there = status.emails.iter().filter(|email| email.state != "removed");
            there.find(|email| email.id.to_string() == id).map(|email| email.address.clone())
        }
        Act::ConfirmEmail => {
            status.emails.iter().rfind(|email| email.state == "pending").map(|email| email.address.clone())
        }
        Act::EndSignIn => {
            let sign_ins = account::sign_ins(app, caller).await?;
            let found = sign_ins.into_iter().find(|sign_in| sign_in.id.to_string() == id);
            found.map(|sign_in| sign_in.host.or(sign_in.address).unwrap_or_default())
        }
        _ => Some(String::new()),
    };
    found.ok_or(Trouble::NotFound)
}

/// What could go wrong later, looked at now.
fn checks(f: &Frame, status: &Status) -> Vec<Check> {
    let clock_good = status.clock_synchronised != Some(false);
    let clock_key = if clock_good { "check.clock_good" } else { "check.clock_bad" };
    let mail = match &status.mail_problem {
        None => Check { good: true, title: f.say("check.mail"), text: f.say("check.mail_good").into() },
        Some(problem) => Check {
            good: false,
            title: f.say("check.mail"),
            text: f.put("check.mail_bad", "problem", problem),
        },
    };
    vec![
        Check {
            good: clock_good,
            title: f.say("check.clock"),
            text: f.put(clock_key, "now", f.language.clock(status.now)),
        },
        mail,
    ]
}

impl Words {
    fn of(act: Act, f: &Frame, subject: &str, status: &Status) -> Self {
        let say = |key| f.say(key);
        let put = |key| f.put(key, "name", subject);
        let plain = |title, lead, submit| Self {
            title,
            lead,
            warning: None,
            label: None,
            help: None,
            second: None,
            submit,
            danger: false,
        };
        let dangerous = |title, lead, warning, submit| Self {
            warning: Some(warning),
            danger: true,
            ..plain(title, lead, submit)
        };
        let name = |words: Self| Self {
            label: Some(say("act.device_name")),
            help: Some(say("act.device_name_help")),
            ..words
        };
        match act {
            Act::TurnOn => plain(say("act.turn_on"), say("act.turn_on_lead").into(), say("act.go_on")),
            Act::AddDevice => {
                let title = if status.protected { say("act.add_device") } else { say("act.first_device") };
                name(plain(title, say("act.add_device_lead").into(), say("act.go_on")))
            }
            Act::ReplaceDevice => {
                name(plain(say("act.replace_device"), put("act.replace_device_lead"), say("act.go_on")))
            }
            Act::RenameDevice => {
                name(plain(say("act.rename_device"), put("act.rename_device_lead"), say("act.rename")))
            }
            Act::RemoveDevice => {
                let last = status.active_devices <= 1;
                let warning =
                    if last { say("act.remove_last_device") } else { say("act.remove_device_warning") };
                dangerous(say("act.remove_device"), put("act.remove_device_lead"), warning, say("act.remove"))
            }
            Act::ResyncDevice => Self {
                label: Some(say("act.first_code")),
                second: Some(say("act.second_code")),
                ..plain(say("act.resync_device"), put("act.resync_device_lead"), say("act.resync"))
            },
            Act::NewCodes => Self {
                warning: Some(say("act.new_codes_warning")),
                ..plain(say("act.new_codes"), say("act.new_codes_lead").into(), say("act.make_codes"))
            },
            Act::AddEmail => Self {
                label: Some(say("act.address")),
                help: Some(say("act.address_help")),
                ..plain(say("act.add_email"), say("act.add_email_lead").into(), say("act.send_code"))
            },
            Act::ConfirmEmail => Self {
                label: Some(say("act.mailed_code")),
                help: Some(say("act.mailed_code_help")),
                ..plain(say("act.confirm_email"), put("act.confirm_email_lead"), say("act.confirm"))
            },
            Act::RemoveEmail => dangerous(
                say("act.remove_email"),
                put("act.remove_email_lead"),
                say("act.remove_email_warning"),
                say("act.remove"),
            ),
            Act::Unlock => plain(say("act.unlock"), say("act.unlock_lead").into(), say("act.unlock_now")),
            Act::TurnOff => dangerous(
                say("act.turn_off"),
                say("act.turn_off_lead").into(),
                say("act.turn_off_warning"),
                say("act.turn_off"),
            ),
            Act::EndSignIn => {
                plain(say("act.end_sign_in"), put("act.end_sign_in_lead"), say("act.end_sign_in"))
            }
            Act::EndOthers => {
                plain(say("act.end_others"), say("act.end_others_lead").into(), say("act.end_others"))
            }
        }
    }
}

/// As long as a login may take.
const KEPT: std::time::Duration = std::time::Duration::from_secs(600);

/// A field that was left empty was not given.
pub(super) fn typed(field: Option<Secret>) -> Option<Secret> {
    field.filter(|secret| !secret.expose_secret().trim().is_empty())
}
