//! Recovery codes, shown until they are saved.

use askama::Template;
use axum::extract::Form;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::Secret;
use serde::Deserialize;

use super::Frame;
use super::draft;
use super::draft::Draft;
use super::go;
use super::show;
use super::show_again;
use crate::app::App;
use crate::browser::Browser;
use crate::daemon::Trouble;

#[derive(Template)]
#[template(path = "codes.html")]
struct Page {
    f: Frame,
    codes: Vec<Secret>,
    asked: usize,
    first: bool,
    clock_off: bool,
    error: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "codes.txt")]
struct Sheet {
    f: Frame,
    user: String,
    codes: Vec<Secret>,
    at: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    clock: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Posted {
    saved: String,
    group: Secret,
}

/// GET /account/codes
pub(crate) async fn get(
    State(app): State<App>,
    browser: Browser,
    Query(after): Query<After>,
) -> Result<Response, Trouble> {
    let user = app.daemon().who(&browser.caller()?).await?.user;
    let Some(mut page) = page(&app, &browser, &user) else { return Ok(draft::gone()) };
    page.clock_off = after.clock == "off";
    show(&page)
}

/// POST /account/codes
pub(crate) async fn post(
    State(app): State<App>,
    browser: Browser,
    Form(posted): Form<Posted>,
) -> Result<Response, Trouble> {
    let user = app.daemon().who(&browser.caller()?).await?.user;
    let Some(mut page) = page(&app, &browser, &user) else { return Ok(draft::gone()) };
    let asked = page.codes.get(page.asked.saturating_sub(1)).map(Secret::expose_secret).unwrap_or_default();
    let key = match (posted.saved.is_empty(), ends_with(asked, posted.group.expose_secret())) {
        (false, true) => {
            draft::forget(&app, &browser);
            return Ok(go(if page.first { "/account/protected" } else { "/account?done=codes_new" }));
        }
        (true, _) => "codes.tick",
        (false, false) => "codes.wrong_group",
    };
    page.error = Some(browser.language.say(key));
    show_again(&page)
}

/// GET /account/codes.txt
pub(crate) async fn file(State(app): State<App>, browser: Browser) -> Result<Response, Trouble> {
    let user = app.daemon().who(&browser.caller()?).await?.user;
    let f = Frame::new(&app, &browser, Some(&user));
    let sheet = draft::look(&app, &browser, |draft| match draft {
        Draft::Codes { user: whose, codes, at, .. } if *whose == user => {
            Some(Sheet { f, user: user.clone(), codes: codes.clone(), at: *at })
        }
        _ => None,
    });
    let Some(sheet) = sheet.flatten() else { return Ok(draft::gone()) };
    let text = sheet.render().map_err(|error| Trouble::Unavailable { say: error.to_string() })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"recovery-codes.txt\""),
        ),
    ];
    Ok((headers, text).into_response())
}

fn page(app: &App, browser: &Browser, user: &str) -> Option<Page> {
    let f = Frame::new(app, browser, Some(user));
    draft::look(app, browser, |draft| match draft {
        Draft::Codes { user: whose, codes, asked, first, .. } if whose == user => Some(Page {
            f,
            codes: codes.clone(),
            asked: *asked,
            first: *first,
            clock_off: false,
            error: None,
        }),
        _ => None,
    })
    .flatten()
}

/// Whether this is how a code ends, or all of it, however it is written.
fn ends_with(code: &str, typed: &str) -> bool {
    let symbols = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_uppercase()).collect()
    };
    let (code, typed) = (symbols(code), symbols(typed));
    typed.len() >= GROUP && code.ends_with(&typed)
}

const GROUP: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_code_is_known_however_it_is_typed() {
        let code = "7KQ2-M9XD-4FHT-W8RB";
        for typed in ["W8RB", "w8rb", " w8 rb ", "4FHT-W8RB", code] {
            assert!(ends_with(code, typed), "{typed}");
        }
        for typed in ["", "8RB", "7KQ2", "W8RC", "XW8RB", "----"] {
            assert!(!ends_with(code, typed), "{typed}");
        }
    }
}
