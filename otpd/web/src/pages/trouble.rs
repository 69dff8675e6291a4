//! What went wrong, and what to do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::web::TOO_MANY_CALLS;

use super::Frame;
use super::go;
use super::refusal;
use super::show;
use crate::app::App;
use crate::browser::Browser;
use crate::browser::SIGNED_OUT;
use crate::cookies;
use crate::daemon::Trouble;

#[derive(Template)]
#[template(path = "trouble.html")]
struct Page {
    f: Frame,
    title: &'static str,
    text: String,
    again: Option<&'static str>,
}

/// A page that says it; who is signed out comes to sign in.
#[must_use]
pub fn page(app: &App, browser: &Browser, trouble: &Trouble) -> Response {
    if trouble.is(SIGNED_OUT) {
        let was_in = browser.ticket.is_some();
        let mut response = go(if was_in { "/sign-in?why=signed_out" } else { "/sign-in" });
        if was_in {
            cookies::forget(response.headers_mut(), cookies::TICKET);
        }
        return response;
    }
    if let Trouble::Away { why } = trouble {
        log::error!("{why}");
    }
    let (status, title, text, again) = words(browser, trouble);
    let f = Frame::new(app, browser, None);
    let text = if text.is_empty() { refusal(browser.language, trouble) } else { text };
    match show(&Page { f, title, text, again }) {
        Ok(page) => (status, page).into_response(),
        Err(_) => bare(trouble),
    }
}

/// Without any page around it.
#[must_use]
pub fn bare(trouble: &Trouble) -> Response {
    log::error!("no page for {trouble:?}");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

type Words = (StatusCode, &'static str, String, Option<&'static str>);

fn words(browser: &Browser, trouble: &Trouble) -> Words {
    let say = |key| browser.language.say(key);
    match trouble {
        Trouble::Refused { reason, .. } if reason == TOO_MANY_CALLS => {
            (StatusCode::TOO_MANY_REQUESTS, say("trouble.refused"), String::new(), Some("/account"))
        }
        Trouble::Refused { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, say("trouble.refused"), String::new(), Some("/account"))
        }
        Trouble::Unavailable { say: why } => {
            log::warn!("otpd: {why}");
            (StatusCode::SERVICE_UNAVAILABLE, say("trouble.away"), say("trouble.away_text").into(), Some("/"))
        }
        Trouble::Away { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, say("trouble.away"), say("trouble.away_text").into(), Some("/"))
        }
        Trouble::Busy => (
            StatusCode::TOO_MANY_REQUESTS,
            say("trouble.busy"),
            say("trouble.busy_text").into(),
            Some("/sign-in"),
        ),
        Trouble::NotFound => {
            (StatusCode::NOT_FOUND, say("trouble.not_found"), say("trouble.not_found_text").into(), Some("/"))
        }
        Trouble::Forbidden => (
            StatusCode::FORBIDDEN,
            say("trouble.forbidden"),
            say("trouble.forbidden_text").into(),
            Some("/account"),
        ),
        Trouble::Foreign => {
            (StatusCode::FORBIDDEN, say("trouble.foreign"), say("trouble.foreign_text").into(), Some("/"))
        }
        Trouble::UnknownHost => {
            let host = [("host", browser.host.as_str())];
            let text = browser.language.with("trouble.unknown_host_text", &host);
            (StatusCode::MISDIRECTED_REQUEST, say("trouble.unknown_host"), text, None)
        }
        Trouble::TooMuch => (
            StatusCode::PAYLOAD_TOO_LARGE,
            say("trouble.too_much"),
            say("trouble.too_much_text").into(),
            Some("/"),
        ),
    }
}

/// A page that ends so is drawn by the guard, which knows the language.
impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
