//! The way to other software: whoever is signed in goes on to its host with a word, and everybody else signs in first.

use askama::Template;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::web;

use super::Frame;
use super::go;
use super::show;
use crate::app::App;
use crate::browser::Browser;
use crate::browser::SIGNED_OUT;
use crate::cookies;
use crate::daemon::Trouble;
use crate::forward_auth;
use crate::sites::Site;
use crate::unsent::Unsent;
use crate::way::Way;
use crate::way::inside;

/// Goes on by itself, without a form and without a script.
#[derive(Template)]
#[template(path = "visit.html")]
struct Page {
    f: Frame,
    site: String,
    to: String,
}

/// GET /visit
pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    let query = query.unwrap_or_default();
    // The cookies of this page come along only where a page of ours leads. So this one does, and asks again.
    let (query, again) = query.strip_prefix(AGAIN).map_or((query.as_str(), false), |rest| (rest, true));
    let way = Way::read(query).ok_or(Trouble::NotFound)?;
    let site = app.sites().and_then(|sites| sites.find(&way.host)).ok_or(Trouble::NotFound)?;
    let is_here = site.is_named(&browser.host);
    // At other hosts the arrival looks. Here nobody else would: a link could have any path of ours asked for.
    if is_here && !browser.way.as_ref().is_some_and(|cookie| way.is_of(cookie)) {
        return Ok(go("/account"));
    }
    let Ok(caller) = browser.caller() else {
        return if again { Ok(sign_in(&way)) } else { lead(&app, &browser, site, path(&way)) };
    };
    let hand_off = web::HandOffParameters { ticket: caller.ticket, host: site.host.clone() };
    let word = match app.daemon().call(web::HAND_OFF, hand_off).await {
        Ok(web::HandedOff { word }) => word,
        Err(trouble) if trouble.is(SIGNED_OUT) => return Ok(sign_in(&way)),
        Err(trouble) => return Err(trouble),
    };
    if is_here {
        // It is this host: no need to go there.
        let visit = forward_auth::visit(&app, &browser, site, word).await?;
        let mut response = lead(&app, &browser, site, inside(&way.to).to_owned())?;
        cookies::set_for_visits(response.headers_mut(), cookies::VISIT, &visit.ticket);
        return Ok(response);
    }
    lead(&app, &browser, site, forward_auth::address_of_arrival(site, &way, &word))
}

/// Where somebody goes on who has signed in.
pub(super) fn after(browser: &Browser, user: &str) -> String {
    let unsent = browser.unsent.as_ref().filter(|unsent| unsent.user == user);
    let way = browser.after.as_ref().map(path);
    way.or_else(|| unsent.map(Unsent::path)).unwrap_or_else(|| "/account".into())
}

fn path(way: &Way) -> String {
    format!("/visit?{AGAIN}{}", way.query())
}

fn sign_in(way: &Way) -> Response {
    let mut response = go("/sign-in");
    cookies::keep(response.headers_mut(), cookies::AFTER, &way.query(), KEPT);
    cookies::forget(response.headers_mut(), cookies::TICKET);
    response
}

/// By a page, and not by its head: browsers follow no head from a form of ours to another host (`form-action`).
fn lead(app: &App, browser: &Browser, site: &Site, to: String) -> Result<Response, Trouble> {
    let page = show(&Page { f: Frame::new(app, browser, None), site: site.name().to_owned(), to })?;
    let headers = [
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // Said here, so that the guard gives no new cookie to a browser that has one and did not send it.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, page).into_response())
}

const AGAIN: &str = "again=1&";
/// As long as a login may take.
const KEPT: std::time::Duration = std::time::Duration::from_secs(600);
