//! The pages: each asks `otpd`, fills its template, and decides nothing.

use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::Html;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use otpd_proto::session::Style;
use otpd_proto::session::Text;
use serde::Deserialize;

use crate::app::App;
use crate::assets;
use crate::browser::Browser;
use crate::cookies;
use crate::daemon::Trouble;
use crate::said::Said;
use crate::texts::Language;
use crate::token;
use crate::way::inside;

pub mod account;
pub mod act;
pub mod admin;
pub mod change;
pub mod codes;
pub mod draft;
pub mod protected;
pub mod scan;
pub mod sign_in;
pub mod step;
pub mod trouble;
pub mod visit;

/// What every page has around it.
pub struct Frame {
    /// What it is written in.
    pub language: Language,
    /// The token of its forms.
    pub form: String,
    /// Who is signed in.
    pub user: Option<String>,
    /// What this box calls itself.
    pub box_name: String,
    back: String,
}

impl Frame {
    /// Of a page for this browser; `user` is who is signed in.
    #[must_use]
    pub fn new(app: &App, browser: &Browser, user: Option<&str>) -> Self {
        Self {
            language: browser.language,
            form: token::of_forms(&browser.form),
            user: user.map(str::to_owned),
            box_name: app.box_name().to_owned(),
            back: form_urlencoded::byte_serialize(browser.path.as_bytes()).collect(),
        }
    }

    /// The text of a key.
    #[must_use]
    pub fn say(&self, key: &'static str) -> &'static str {
        self.language.say(key)
    }

    /// The text of a key, with one value put in.
    #[must_use]
    pub fn put(&self, key: &'static str, name: &str, value: impl ToString) -> String {
        self.language.with(key, &[(name, &value.to_string())])
    }

    /// A moment.
    #[must_use]
    pub fn time(&self, at: &i64) -> String {
        self.language.time(*at)
    }

    /// The path of an asset.
    #[must_use]
    pub fn asset(&self, ending: &str) -> String {
        assets::path(ending)
    }

    /// The other languages, and where each is chosen.
    #[must_use]
    pub fn languages(&self) -> Vec<(Language, String)> {
        let others = Language::ALL.into_iter().filter(|language| *language != self.language);
        others
            .map(|language| (language, format!("/language/{}?back={}", language.word(), self.back)))
            .collect()
    }
}

/// A filled template as a reply.
///
/// # Errors
/// A template could not be filled, which no page of ours can cause.
pub fn show(template: &impl askama::Template) -> Result<Response, Trouble> {
    let page = template.render().map_err(|error| Trouble::Unavailable { say: error.to_string() })?;
    Ok(Html(page).into_response())
}

/// The same for what was posted and cannot be done.
///
/// # Errors
/// As [`show`].
pub fn show_again(template: &impl askama::Template) -> Result<Response, Trouble> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, show(template)?).into_response())
}

/// Elsewhere, with a GET.
#[must_use]
pub fn go(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// What `otpd` says of a refusal, in the language of the page as far as that has words for it.
#[must_use]
pub fn refusal(language: Language, trouble: &Trouble) -> String {
    let (reason, say, until) = match trouble {
        Trouble::Refused { reason, say, until } => (reason, say, until),
        Trouble::Unavailable { .. } | Trouble::Away { .. } => {
            return language.say("trouble.away_text").into();
        }
        _ => return language.say("trouble.busy_text").into(),
    };
    // A lane that is closed does not open by itself.
    let key = if reason == "locked" && until.is_none() { "closed" } else { reason };
    match language.find(&format!("reason.{key}")) {
        Some(text) => text
            .replace("{until}", &until.map_or_else(String::new, |at| language.clock(at)))
            .replace("{now}", &language.clock(crate::clock::now())),
        None => Said::new(language, say, true).text,
    }
}

/// All that PAM modules said, without empty texts.
#[must_use]
pub fn said(language: Language, texts: &[Text]) -> Vec<Said> {
    let texts = texts.iter().filter(|said| !said.text.trim().is_empty());
    texts.map(|said| Said::new(language, &said.text, said.style == Style::Error)).collect()
}

#[derive(Deserialize)]
#[serde(default)]
pub(crate) struct Back {
    back: String,
}

impl Default for Back {
    fn default() -> Self {
        Self { back: "/".into() }
    }
}

/// GET /language/{word}
///
/// # Errors
/// There is no such language.
pub(crate) async fn language(
    Path(word): Path<String>,
    Query(back): Query<Back>,
) -> Result<Response, Trouble> {
    let language = Language::from_word(&word).ok_or(Trouble::NotFound)?;
    let mut response = go(inside(&back.back));
    cookies::keep(response.headers_mut(), cookies::LANGUAGE, language.word(), YEAR);
    Ok(response)
}

/// Whatever has no page.
pub(crate) async fn not_found(_: Uri) -> Trouble {
    Trouble::NotFound
}

/// GET /healthz, for whatever watches over this process.
pub(crate) async fn health(State(app): State<App>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("cache-control", axum::http::HeaderValue::from_static("no-store"));
    match app.daemon().is_there().await {
        true => (headers, "ok\n").into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, headers, "otpd does not answer\n").into_response(),
    }
}

const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);
