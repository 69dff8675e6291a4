//! Signing in, giving the password again, and signing out.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::session::AnswerParameters;
use otpd_proto::session::OpenParameters;
use otpd_proto::session::Reason;
use otpd_proto::session::Text;
use otpd_proto::web::Holder;
use otpd_proto::web::SignedOut;
use serde::Deserialize;
use serde::Serialize;

use super::call::object;
use super::call::typed;
use super::json;
use super::problem::Failed;
use super::problem::Problem;
use crate::app::App;
use crate::browser::Browser;
use crate::browser::SIGNED_OUT;
use crate::browser::signed_out;
use crate::clock;
use crate::cookies;
use crate::daemon::Trouble;
use crate::pages::sign_in as page;
use crate::sign_in;
use crate::sign_in::Outcome;
use crate::token;

/// Result of GET /session.
#[derive(Serialize)]
#[cfg_attr(test, derive(Deserialize))]
pub(super) struct Session {
    /// For the header of what changes something.
    pub(super) token: String,
    /// Who is signed in.
    pub(super) who: Option<Holder>,
}

/// Body of POST /session.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// Body of POST /session/password.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Password {
    pub(super) password: Secret,
}

/// What to do next; `refuse` is a problem.
#[derive(Serialize)]
#[cfg_attr(test, derive(Deserialize))]
#[serde(tag = "next", rename_all = "snake_case")]
pub(super) enum Step {
    /// Show the prompt, and send what is typed to /session/answer.
    Ask { texts: Vec<Text>, prompt: String, echo: bool },
    /// Signed in; the token of before is void.
    Done { texts: Vec<Text>, token: String },
}

/// GET /session
pub(super) async fn get(State(app): State<App>, browser: Browser) -> Result<Response, Failed> {
    let who = match browser.caller() {
        Ok(caller) => app.daemon().who(&caller).await.map(Some),
        Err(trouble) => Err(trouble),
    };
    let who = match who {
        Err(trouble) if trouble.is(SIGNED_OUT) => None,
        who => who?,
    };
    Ok(json(&Session { token: token::of_forms(&browser.form), who }))
}

/// POST /session
pub(super) async fn open(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    let Open { user, password } = typed(object(&headers, &body)?)?;
    let user = user.trim().to_owned();
    if let Some(login) = &browser.login {
        drop(app.logins().take(login, clock::monotonic()));
    }
    let outcome = begun(&app, &browser, user, password, None).await?;
    went_on(&app, &browser, outcome)
}

/// POST /session/answer
pub(super) async fn answer(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    let AnswerParameters { answer } = typed(object(&headers, &body)?)?;
    let half = browser.login.as_ref().and_then(|login| app.logins().take(login, clock::monotonic()));
    let outcome = half.ok_or_else(signed_out)?.answer(answer).await?;
    went_on(&app, &browser, outcome)
}

/// POST /session/password
pub(super) async fn renew(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failed> {
    let Password { password } = typed(object(&headers, &body)?)?;
    let holder = app.daemon().who(&browser.caller()?).await?;
    match begun(&app, &browser, holder.user, password, browser.ticket.clone()).await? {
        Outcome::Done { texts, ticket } => {
            let token = token::of_forms(&browser.form);
            let mut response = json(&Step::Done { texts, token });
            cookies::set(response.headers_mut(), cookies::TICKET, &ticket);
            Ok(response)
        }
        Outcome::Asked(_) => {
            let say = browser.language.say("change.asks_more");
            Err(Problem::new(StatusCode::CONFLICT, "asks_more", say).into())
        }
        // Who asks stays signed in, so this is no 401.
        Outcome::Refused { texts, reason: Reason::Failed } => {
            let say = browser.language.say("change.wrong_password");
            Err(Problem::new(StatusCode::FORBIDDEN, "failed", say).with_texts(texts).into())
        }
        Outcome::Refused { texts, reason } => Err(refused(&browser, texts, reason).into()),
    }
}

/// DELETE /session
pub(super) async fn out(State(app): State<App>, browser: Browser) -> Result<Response, Failed> {
    page::end(&app, &browser).await?;
    let mut response = json(&SignedOut {});
    page::forget(&mut response);
    Ok(response)
}

async fn begun(
    app: &App,
    browser: &Browser,
    user: String,
    password: Secret,
    renew: Option<Secret>,
) -> Result<Outcome, Trouble> {
    let slot = app.login_slots().take(browser.address).map_err(|_| Trouble::Busy)?;
    let address = browser.address.map(|address| address.to_string());
    let opened = OpenParameters { user, password, address, agent: browser.agent.clone(), renew };
    sign_in::open(&app.daemon().sessions, opened, slot).await
}

fn went_on(app: &App, browser: &Browser, outcome: Outcome) -> Result<Response, Failed> {
    match outcome {
        Outcome::Asked(half) => {
            let (texts, prompt, echo) = (half.texts.clone(), half.prompt.clone(), half.echo);
            let cookie = page::new_word()?;
            app.logins().put(&cookie, half, clock::monotonic());
            let mut response = json(&Step::Ask { texts, prompt, echo });
            cookies::set(response.headers_mut(), cookies::LOGIN, &cookie);
            Ok(response)
        }
        Outcome::Done { texts, ticket } => {
            let form = page::new_word()?;
            let token = token::of_forms(&form);
            let mut response = json(&Step::Done { texts, token });
            page::signed_in(&mut response, &ticket, &form);
            Ok(response)
        }
        Outcome::Refused { texts, reason } => Err(refused(browser, texts, reason).into()),
    }
}

fn refused(browser: &Browser, texts: Vec<Text>, reason: Reason) -> Problem {
    let (status, say) = page::in_words(browser.language, reason);
    let reason = serde_json::to_value(reason).ok();
    let word = reason.as_ref().and_then(|reason| reason.as_str()).unwrap_or_default();
    Problem::new(status, word, say).with_texts(texts)
}
