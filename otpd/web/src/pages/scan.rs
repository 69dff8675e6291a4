//! Binding a device: the key as a QR code and as text, and the code that proves that the device has it.

use askama::Template;
use axum::extract::Form;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::account;
use otpd_proto::account::ConfirmParameters;
use otpd_proto::account::Confirmed;
use serde::Deserialize;

use super::Frame;
use super::draft;
use super::draft::Draft;
use super::go;
use super::refusal;
use super::show;
use crate::app::App;
use crate::browser::Browser;
use crate::browser::SIGNED_OUT;
use crate::daemon::Trouble;
use crate::qr;
use crate::qr::Svg;

#[derive(Template)]
#[template(path = "scan.html")]
struct Page {
    f: Frame,
    id: u32,
    name: String,
    uri: Secret,
    key: Secret,
    svg: Option<Svg>,
    expires: i64,
    replaces: bool,
    apps: Vec<Store>,
    error: Option<String>,
}

/// Where to get an app.
struct Store {
    title: &'static str,
    link: &'static str,
    svg: Option<Svg>,
}

#[derive(Deserialize)]
pub(crate) struct Posted {
    device: Option<u32>,
    code: Secret,
}

/// GET /account/scan
pub(crate) async fn get(State(app): State<App>, browser: Browser) -> Result<Response, Trouble> {
    let user = app.daemon().who(&browser.caller()?).await?.user;
    page(&app, &browser, &user, None).map_or_else(|| Ok(draft::gone()), |page| show(&page))
}

/// POST /account/scan
pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(posted): Form<Posted>,
) -> Result<Response, Trouble> {
    let caller = browser.caller()?;
    let user = app.daemon().who(&caller).await?.user;
    let device = draft::look(&app, &browser, |draft| match draft {
        Draft::Device { id, user: whose, .. } if *whose == user => Some(*id),
        _ => None,
    });
    let Some(device) = device.flatten() else { return Ok(draft::gone()) };
    // Another window of this browser may have begun anew: the code is of a key that is not shown any more.
    if posted.device.is_some_and(|shown| shown != device) {
        let error = browser.language.say("scan.other_key").to_owned();
        let page = page(&app, &browser, &user, Some(error));
        return page.map_or_else(|| Ok(draft::gone()), |page| super::show_again(&page));
    }
    let confirm = ConfirmParameters { user: None, device: device.to_string(), code: posted.code };
    let confirmed: Result<Confirmed, Trouble> =
        app.daemon().call_as(&caller, account::CONFIRM, confirm).await;
    match confirmed {
        Ok(confirmed) => Ok(go(&proven(&app, &browser, &user, confirmed))),
        Err(trouble) if trouble.is("pending_expired") || trouble.is("no_such_device") => {
            draft::forget(&app, &browser);
            Ok(go("/account?done=expired"))
        }
        Err(trouble @ Trouble::Refused { .. }) if !trouble.is(SIGNED_OUT) => {
            let error = refusal(browser.language, &trouble);
            let Some(page) = page(&app, &browser, &user, Some(error)) else { return Ok(draft::gone()) };
            super::show_again(&page).map(IntoResponse::into_response)
        }
        Err(trouble) => Err(trouble),
    }
}

/// Where a proven device leads. A clock that is off is said now, before it keeps anybody out.
fn proven(app: &App, browser: &Browser, user: &str, confirmed: Confirmed) -> String {
    let is_off = !(TYPED_LATE..=AHEAD).contains(&confirmed.offset);
    match confirmed.recovery_codes {
        Some(codes) => {
            draft::keep(app, browser, Draft::codes(user, codes, confirmed.first));
            if is_off { "/account/codes?clock=off".into() } else { "/account/codes".into() }
        }
        None => {
            draft::forget(app, browser);
            let word = match (confirmed.retired.is_some(), is_off) {
                (_, true) => "device_added_clock",
                (true, false) => "device_replaced",
                (false, false) => "device_added",
            };
            format!("/account?done={word}")
        }
    }
}

fn page(app: &App, browser: &Browser, user: &str, error: Option<String>) -> Option<Page> {
    let f = Frame::new(app, browser, Some(user));
    draft::look(app, browser, |draft| match draft {
        Draft::Device { user: whose, id, name, key, uri, expires, replaces } if whose == user => Some(Page {
            f,
            id: *id,
            name: name.clone(),
            svg: qr::svg(uri.expose_secret()),
            uri: uri.clone(),
            key: Secret::new(draft::grouped(key.expose_secret())),
            expires: *expires,
            replaces: replaces.is_some(),
            apps: APPS.iter().map(|(title, link)| Store { title, link, svg: qr::svg(link) }).collect(),
            error,
        }),
        _ => None,
    })
    .flatten()
}

/// Seconds that a code may be from this box's clock unmentioned: the code of a moment ago may only be typed late.
const TYPED_LATE: i64 = -45;
const AHEAD: i64 = 15;

/// Any app for TOTP will do; these are in the stores of both kinds of phones, or free software.
const APPS: [(&str, &str); 3] = [
    ("Google Authenticator, iPhone", "https://apps.apple.com/app/google-authenticator/id388497605"),
    (
        "Google Authenticator, Android",
        "https://play.google.com/store/apps/details?id=com.google.android.apps.authenticator2",
    ),
    ("Aegis, Android (F-Droid)", "https://f-droid.org/packages/com.beemdevelopment.aegis/"),
];
