//! Signing in: name and password. What follows is in [`super::step`].

use askama::Template;
use axum::extract::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::session::OpenParameters;
use otpd_proto::session::Reason;
use otpd_proto::session::Text;
use otpd_proto::web;
use serde::Deserialize;

use super::Frame;
use super::go;
use super::show;
use super::visit;
use crate::app::App;
use crate::browser::Browser;
use crate::clock;
use crate::cookies;
use crate::daemon::Trouble;
use crate::said::Said;
use crate::sign_in;
use crate::sign_in::Outcome;
use crate::texts::Language;
use crate::token;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page {
    f: Frame,
    user: String,
    error: Option<&'static str>,
    notice: Option<&'static str>,
    said: Vec<Said>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Why {
    why: String,
}

#[derive(Deserialize)]
pub(crate) struct Posted {
    user: String,
    password: Secret,
}

/// GET /sign-in
pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    Query(why): Query<Why>,
) -> Result<Response, Trouble> {
    if let Ok(caller) = browser.caller()
        && why.why.is_empty()
        && app.daemon().who(&caller).await.is_ok()
    {
        return Ok(go("/account"));
    }
    let notice = match why.why.as_str() {
        "signed_out" => Some(browser.language.say("sign_in.signed_out")),
        "left" => Some(browser.language.say("sign_in.left")),
        _ => None,
    };
    let f = Frame::new(&app, &browser, None);
    let mut response = show(&Page { f, user: String::new(), error: None, notice, said: Vec::new() })?;
    end_half(&app, &browser, &mut response);
    Ok(response)
}

/// POST /sign-in
pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(posted): Form<Posted>,
) -> Result<Response, Trouble> {
    let user = posted.user.trim().to_owned();
    let slot = app.login_slots().take(browser.address).map_err(|_| Trouble::Busy)?;
    let opened = OpenParameters {
        user: user.clone(),
        password: posted.password,
        address: browser.address.map(|address| address.to_string()),
        agent: browser.agent.clone(),
        renew: None,
    };
    let outcome = sign_in::open(&app.daemon().sessions, opened, slot).await?;
    went_on(&app, &browser, outcome, &user, "sign_in.failed")
}

/// What follows a step of a login; `failed` is what to say if it was wrong.
pub(super) fn went_on(
    app: &App,
    browser: &Browser,
    outcome: Outcome,
    user: &str,
    failed: &'static str,
) -> Result<Response, Trouble> {
    match outcome {
        Outcome::Asked(half) => {
            let cookie = new_word()?;
            app.logins().put(&cookie, half, clock::monotonic());
            let mut response = go("/sign-in/code");
            cookies::set(response.headers_mut(), cookies::LOGIN, &cookie);
            Ok(response)
        }
        Outcome::Done { texts, ticket } => {
            // Whoever was here before has no part in what follows.
            let form = new_word()?;
            app.greetings().put(&form, texts, clock::monotonic());
            let mut response = go(&visit::after(browser, user));
            signed_in(&mut response, &ticket, &form);
            Ok(response)
        }
        Outcome::Refused { texts, reason } => {
            let (status, words) = in_words(browser.language, reason);
            let error = if reason == Reason::Failed { browser.language.say(failed) } else { words };
            refused(app, browser, user, &texts, (status, error))
        }
    }
}

/// The cookies of somebody who has signed in.
pub(crate) fn signed_in(response: &mut Response, ticket: &Secret, form: &Secret) {
    let headers = response.headers_mut();
    cookies::forget(headers, cookies::AFTER);
    cookies::set(headers, cookies::TICKET, ticket);
    cookies::set(headers, cookies::FORM, form);
    cookies::forget(headers, cookies::LOGIN);
}

fn refused(
    app: &App,
    browser: &Browser,
    user: &str,
    texts: &[Text],
    (status, error): (StatusCode, &'static str),
) -> Result<Response, Trouble> {
    let f = Frame::new(app, browser, None);
    let page = Page {
        f,
        user: user.to_owned(),
        error: Some(error),
        notice: None,
        said: super::said(browser.language, texts),
    };
    let mut response = (status, show(&page)?).into_response();
    end_half(app, browser, &mut response);
    Ok(response)
}

/// Why somebody is not signed in.
pub(crate) fn in_words(language: Language, reason: Reason) -> (StatusCode, &'static str) {
    let (status, key) = match reason {
        Reason::Failed => (StatusCode::UNAUTHORIZED, "sign_in.failed"),
        Reason::Expired => (StatusCode::UNAUTHORIZED, "sign_in.expired"),
        Reason::ManyTries => (StatusCode::UNAUTHORIZED, "sign_in.many_tries"),
        Reason::Busy => (StatusCode::TOO_MANY_REQUESTS, "sign_in.busy"),
        Reason::Timeout => (StatusCode::UNAUTHORIZED, "sign_in.timeout"),
        Reason::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "sign_in.unavailable"),
    };
    (status, language.say(key))
}

/// POST /sign-out
pub(crate) async fn sign_out(State(app): State<App>, browser: Browser) -> Result<Response, Trouble> {
    end(&app, &browser).await?;
    let mut response = go("/sign-in?why=left");
    forget(&mut response);
    Ok(response)
}

/// Ends the sign-in of a browser.
pub(crate) async fn end(app: &App, browser: &Browser) -> Result<(), Trouble> {
    if let Some(ticket) = browser.ticket.clone() {
        let out: Result<web::SignedOut, _> =
            app.daemon().call(web::SIGN_OUT, web::SignOutParameters { ticket }).await;
        // Refused: it is over already. With otpd away it would stay good, so the person has to know.
        match out {
            Ok(_) | Err(Trouble::Refused { .. }) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    super::draft::forget(app, browser);
    Ok(())
}

/// Has the browser forget it.
pub(crate) fn forget(response: &mut Response) {
    for name in [cookies::TICKET, cookies::FORM, cookies::UNSENT] {
        cookies::forget(response.headers_mut(), name);
    }
}

/// Ends a login that was begun and is not gone on with.
pub(super) fn end_half(app: &App, browser: &Browser, response: &mut Response) {
    if let Some(login) = &browser.login {
        drop(app.logins().take(login, clock::monotonic()));
        cookies::forget(response.headers_mut(), cookies::LOGIN);
    }
}

/// A cookie.
pub(crate) fn new_word() -> Result<Secret, Trouble> {
    token::new().map_err(|error| Trouble::Away { why: error.to_string() })
}
