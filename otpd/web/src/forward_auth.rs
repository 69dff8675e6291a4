//! What reverse proxies ask at each request to other software: whose visit it is. And the end of the way there, at that
//! software's own host: `/.otpd/visit`. Neither has pages of ours around it, so the guard of the pages is not theirs.
//!
//! No answer is kept, not for a second: a sign-in that was ended is refused at once, at every host. The question costs
//! `otpd` no commit, and connections to it are kept.

use axum::extract::FromRequestParts;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::Response;
use otpd_proto::Secret;
use otpd_proto::web;

use crate::app::App;
use crate::browser::Browser;
use crate::browser::Peer;
use crate::browser::SIGNED_OUT;
use crate::cookies;
use crate::daemon::Trouble;
use crate::sites::Site;
use crate::token;
use crate::way::Way;

/// A request that a proxy asks about, or sent here.
pub(crate) struct Asked {
    browser: Browser,
    /// The path with the query.
    uri: String,
    /// Whether a person sees what comes of it, and may be sent elsewhere.
    navigates: bool,
}

/// Why nobody is let through.
#[derive(Debug)]
pub(crate) enum No {
    /// Whoever asks is no proxy.
    Proxy,
    /// There is no such host.
    Site,
    /// The word is none any more.
    Over(&'static str),
    /// Nobody knows.
    Trouble(Trouble),
}

impl FromRequestParts<App> for Asked {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let peer = parts.extensions.get().copied().unwrap_or(Peer { address: None, tls: false });
        let is_proxy = peer.address.is_none_or(|address| app.proxies().contain(address));
        if !is_proxy {
            return Err(No::Proxy);
        }
        let browser = Browser::of(parts, peer, app.proxies())?;
        let said = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let method = said("x-forwarded-method").unwrap_or("GET");
        let mode = said("sec-fetch-mode").unwrap_or("navigate");
        Ok(Self {
            browser,
            uri: said("x-forwarded-uri").unwrap_or("/").to_owned(),
            navigates: matches!(method, "GET" | "HEAD") && mode == "navigate",
        })
    }
}

impl Asked {
    fn site<'a>(&self, app: &'a App) -> Result<&'a Site, No> {
        let found = app.sites().and_then(|sites| sites.find(&self.browser.host));
        found.ok_or(No::Site)
    }

    /// Whose visit it is; `None` if nobody's.
    async fn visitor(&self, app: &App, site: &Site) -> Result<Option<web::Visitor>, No> {
        let Some(ticket) = self.browser.visit.clone() else { return Ok(None) };
        let address = self.browser.address.map(|address| address.to_string());
        let check = web::CheckParameters { ticket, host: site.host.clone(), address };
        match app.daemon().check(check).await {
            Ok(visitor) => Ok(Some(visitor)),
            Err(trouble) if trouble.is(SIGNED_OUT) => Ok(None),
            Err(trouble) => Err(trouble.into()),
        }
    }
}

/// GET /auth: 200 with the user, or 401. For proxies that take no other answer (nginx).
pub(crate) async fn check(State(app): State<App>, asked: Asked) -> Result<Response, No> {
    let site = asked.site(&app)?;
    let visitor = asked.visitor(&app, site).await?;
    Ok(visitor.map_or_else(nobody, |visitor| somebody(&visitor)))
}

/// GET /auth/redirect: 200 with the user, or the way to the sign-in page. For proxies that pass the answer on (Caddy,
/// Traefik). What no person looks at is not sent there, and gets 401.
pub(crate) async fn check_or_lead(State(app): State<App>, asked: Asked) -> Result<Response, No> {
    let site = asked.site(&app)?;
    match asked.visitor(&app, site).await? {
        Some(visitor) => Ok(somebody(&visitor)),
        None if asked.navigates => lead(&app, &asked, site),
        None => Ok(nobody()),
    }
}

fn lead(app: &App, asked: &Asked, site: &Site) -> Result<Response, No> {
    let Some(sites) = app.sites() else { return Ok(nobody()) };
    let cookie = match &asked.browser.way {
        Some(cookie) => cookie.clone(),
        None => token::new().map_err(|error| Trouble::Away { why: error.to_string() })?,
    };
    let way = Way::new(&site.host, &asked.uri, &cookie);
    let to = format!("{}/visit?{}", sites.login().origin, way.query());
    let mut response = away(&to);
    if asked.browser.way.is_none() {
        cookies::set_for_visits(response.headers_mut(), cookies::WAY, &cookie);
    }
    Ok(response)
}

/// GET /.otpd/visit, at a site: a word becomes a ticket.
pub(crate) async fn arrive(
    State(app): State<App>,
    asked: Asked,
    RawQuery(query): RawQuery,
) -> Result<Response, No> {
    let site = asked.site(&app)?;
    let browser = &asked.browser;
    let over = || No::Over(browser.language.say("visit.over"));
    let (way, word) = arrival(&query.unwrap_or_default()).ok_or_else(over)?;
    // Before the word is spent: it may be somebody else's.
    if way.host != site.host || !browser.way.as_ref().is_some_and(|cookie| way.is_of(cookie)) {
        return Err(over());
    }
    let visit = visit(&app, browser, site, word).await.map_err(|trouble| match trouble {
        Trouble::Refused { .. } => over(),
        other => other.into(),
    })?;
    let mut response = away(&format!("{}{}", site.origin, way.to));
    cookies::set_for_visits(response.headers_mut(), cookies::VISIT, &visit.ticket);
    Ok(response)
}

/// A ticket for a word.
pub(crate) async fn visit(
    app: &App,
    browser: &Browser,
    site: &Site,
    word: Secret,
) -> Result<web::Visit, Trouble> {
    let address = browser.address.map(|address| address.to_string());
    let visit = web::VisitParameters { word, host: site.host.clone(), address, agent: browser.agent.clone() };
    app.daemon().call(web::VISIT, visit).await
}

/// The way and the word of an address.
fn arrival(query: &str) -> Option<(Way, Secret)> {
    let (word, way) = query.strip_prefix("word=")?.split_once('&')?;
    Some((Way::read(way)?, Secret::new(word.to_owned()))).filter(|_| token::is_one(word))
}

/// Where a word is brought to.
#[must_use]
pub(crate) fn address_of_arrival(site: &Site, way: &Way, word: &Secret) -> String {
    format!("{}{ARRIVAL}?word={}&{}", site.origin, word.expose_secret(), way.query())
}

fn somebody(visitor: &web::Visitor) -> Response {
    let (Some(user), groups) = (value(&visitor.user), groups(&visitor.groups)) else {
        let why = format!("{:?} cannot stand in a header", visitor.user);
        return No::from(Trouble::Away { why }).into_response();
    };
    let mut headers = private();
    headers.insert(HeaderName::from_static("remote-user"), user);
    headers.insert(HeaderName::from_static("remote-groups"), groups);
    (headers, "").into_response()
}

/// What can stand in a header: other software splits groups at commas.
fn groups(names: &[String]) -> HeaderValue {
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| is_plain(name)).collect();
    value(&names.join(",")).unwrap_or(HeaderValue::from_static(""))
}

fn value(text: &str) -> Option<HeaderValue> {
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| HeaderValue::from_str(text).ok()).flatten()
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

fn nobody() -> Response {
    plain(StatusCode::UNAUTHORIZED, "Sign in first.")
}

fn away(to: &str) -> Response {
    // What we put together is ASCII.
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::FOUND, [(header::LOCATION, to)], private(), "").into_response()
}

fn plain(status: StatusCode, text: &str) -> Response {
    (status, private(), format!("{text}\n")).into_response()
}

impl From<Trouble> for No {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        match self {
            Self::Proxy => plain(StatusCode::FORBIDDEN, NO_PROXY),
            Self::Site => plain(StatusCode::FORBIDDEN, NO_SITE),
            Self::Over(text) => plain(StatusCode::FORBIDDEN, text),
            Self::Trouble(trouble) => {
                log::error!("forward-auth: {trouble:?}");
                plain(StatusCode::SERVICE_UNAVAILABLE, "otpd does not answer. Try again in a minute.")
            }
        }
    }
}

/// An address with a word in it goes into no cache and is told to nobody.
fn private() -> HeaderMap {
    let header = |name: HeaderName, value: &'static str| (name, HeaderValue::from_static(value));
    HeaderMap::from_iter([
        header(header::CACHE_CONTROL, "no-store"),
        header(header::REFERRER_POLICY, "no-referrer"),
        header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ])
}

/// Where a proxy sends what is for us at a site.
pub const ARRIVAL: &str = "/.otpd/visit";

const NO_PROXY: &str = "This is for the proxies that web.toml names (proxies).";
const NO_SITE: &str = "web.toml does not name this host (forward_auth.hosts).";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_a_list_cannot_have_are_left_out() {
        let names = ["users", "domain users", "a,root", "", "wheel", "\u{e4}", "a\r\nX: y"];
        assert_eq!(groups(&names.map(str::to_owned)), "users,wheel");
        assert_eq!(groups(&[]), "");
    }

    #[test]
    fn a_user_that_a_header_cannot_have_is_an_error_and_nobody() {
        for user in ["a\r\nRemote-User: root", "\u{e4}", "a b"] {
            let visitor = web::Visitor { user: user.into(), groups: Vec::new() };
            assert_eq!(somebody(&visitor).status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[test]
    fn an_arrival_has_a_word_and_a_way() {
        let word = "a".repeat(43);
        let way = Way::new("wiki.example.org", "/page?word=x", &Secret::new("cookie".into()));
        let found = arrival(&format!("word={word}&{}", way.query()));
        assert!(found.is_some_and(|(found, secret)| found == way && secret.expose_secret() == word));
        for wrong in ["", "word=", &format!("word={word}"), &format!("word=b&{}", way.query()), &way.query()]
        {
            assert!(arrival(wrong).is_none(), "{wrong}");
        }
    }
}
